//! `cargo xtask image`: the operator as an OCI image, without a Docker engine.
//!
//! | room | holds |
//! |---|---|
//! | `layout` | files and configuration as an OCI image layout in a tar archive |
//! | `program` | the static program |
//! | `roots` | the certificates of public authorities |

mod layout;
mod program;
mod roots;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::dirs;

use self::layout::{File, Image};

/// Where the program looks for the roots that it trusts, as most systems have them (rustls-native-certs).
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";
/// The program, at the root of the image.
const PROGRAM: &str = "hookwright";
/// The user and group that the chart asks for too; they need no name.
const USER: &str = "65532:65532";
/// Largest program, stripped, in bytes.
const MAX_PROGRAM: usize = 20 * 1024 * 1024;

/// What was built.
pub struct Built {
    /// The OCI image layout, as a tar archive.
    pub archive: PathBuf,
    /// One line on what it is.
    pub summary: String,
}

/// Builds the program and the archive.
pub async fn build() -> Result<Built> {
    let built = program::build().await?;
    let program = std::fs::read(&built).with_context(|| format!("reading {}", built.display()))?;
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0);
    let size = mib(program.len());
    ensure!(program.len() <= MAX_PROGRAM, "the program has {size}; {} are allowed", mib(MAX_PROGRAM));
    let image = image(program);
    let directory = dirs::root().join("target/image");
    write_context(&directory.join("context"), &image)?;
    let layout::Archive { bytes, digest } = image.archive()?;
    let archive = directory.join(format!("hookwright-{}-{}.tar", env!("CARGO_PKG_VERSION"), image.architecture));
    std::fs::write(&archive, &bytes).with_context(|| format!("writing {}", archive.display()))?;
    let summary = format!("program {size}, archive {}, {digest}", mib(bytes.len()));
    Ok(Built { archive, summary })
}

fn image(program: Vec<u8>) -> Image {
    Image {
        files: vec![
            File { path: PROGRAM, mode: 0o755, content: program },
            File { path: ROOTS, mode: 0o644, content: roots::bundle().into_bytes() },
        ],
        architecture: program::architecture(),
        user: USER,
        entrypoint: format!("/{PROGRAM}"),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The same files for `docker build`, by their bare names.
fn write_context(directory: &Path, image: &Image) -> Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    for File { path, mode, content } in &image.files {
        let name = Path::new(path).file_name().context("each file has a name")?;
        let path = directory.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(*mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_makes_the_same_image() -> Result<()> {
        let text = std::fs::read_to_string(dirs::root().join("Dockerfile"))?;
        let steps: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let image = image(vec![]);
        let copied = image.files.iter().map(|file| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            format!("COPY {name} /{}", file.path)
        });
        let mut expected = vec!["FROM scratch".to_owned()];
        expected.extend(copied);
        expected.push(format!("USER {}", image.user));
        expected.push(format!("ENTRYPOINT [\"{}\"]", image.entrypoint));
        assert_eq!(steps, expected);
        Ok(())
    }

    #[test]
    fn the_same_files_give_the_same_digest_and_others_another_one() -> Result<()> {
        let (first, second) = (image(b"one".to_vec()).archive()?, image(b"one".to_vec()).archive()?);
        assert_eq!((&first.digest, &first.bytes), (&second.digest, &second.bytes));
        assert_ne!(image(b"two".to_vec()).archive()?.digest, first.digest);
        Ok(())
    }
}
