//! An OCI image layout (opencontainers/image-spec 1.1) with one image of one layer, in a tar archive. Everything is made from
//! the files alone: no time, no user, no order but theirs. So the same files have the same digest.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One file of the image.
pub struct File {
    /// Without a slash before it.
    pub path: &'static str,
    /// Permissions.
    pub mode: u32,
    /// What is in it.
    pub content: Vec<u8>,
}

/// What goes into an image, and how it is started.
pub struct Image {
    /// In the order in which they lie in the layer.
    pub files: Vec<File>,
    /// As Go has it: `amd64`.
    pub architecture: &'static str,
    /// Numbers: `uid:gid`.
    pub user: &'static str,
    /// The program.
    pub entrypoint: String,
    /// The tag, and what the labels say.
    pub version: &'static str,
}

/// A finished archive.
pub struct Archive {
    /// The tar file.
    pub bytes: Vec<u8>,
    /// The manifest's: what a registry shows, and what an image is pinned by.
    pub digest: String,
}

/// Some bytes under their digest.
struct Blob {
    media_type: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, digest: sha256(&bytes), bytes }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

impl Image {
    /// The image as a layout.
    pub fn archive(&self) -> Result<Archive> {
        let layer = tar(self.files.iter().map(|file| (file.path, file.mode, file.content.as_slice())))?;
        let diff_id = sha256(&layer);
        // Neither a time nor a name is written before the content.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(&layer)?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", gzip.finish()?);
        let config = Blob::json("application/vnd.oci.image.config.v1+json", &self.config(&diff_id));
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        let manifest = Blob::json(manifest_type, &manifest);
        let mut described = manifest.descriptor();
        described["platform"] = json!({ "architecture": self.architecture, "os": "linux" });
        described["annotations"] = json!({ "org.opencontainers.image.ref.name": self.version });
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described],
        });
        let version = json!({ "imageLayoutVersion": "1.0.0" });
        let mut files = vec![
            ("oci-layout".to_owned(), version.to_string().into_bytes()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        let digest = manifest.digest.clone();
        files.extend(
            [layer, config, manifest].map(|blob| (format!("blobs/{}", blob.digest.replace(':', "/")), blob.bytes)),
        );
        let bytes = tar(files.iter().map(|(path, bytes)| (path.as_str(), 0o644, bytes.as_slice())))?;
        Ok(Archive { bytes, digest })
    }

    fn config(&self, diff_id: &str) -> Value {
        json!({
            "architecture": self.architecture,
            "os": "linux",
            "config": {
                "User": self.user,
                "Entrypoint": [self.entrypoint],
                "WorkingDir": "/",
                "Labels": {
                    "org.opencontainers.image.title": "hookwright",
                    "org.opencontainers.image.version": self.version,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        })
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// A tar archive of these files and the directories above them: of root, at the beginning of time.
fn tar<'a>(files: impl Iterator<Item = (&'a str, u32, &'a [u8])>) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut made: Vec<&Path> = vec![];
    for (path, mode, content) in files {
        // From the outermost one on, without the file itself, and without the empty path above all.
        let above: Vec<_> = Path::new(path).ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        for directory in above.into_iter().rev() {
            if !made.contains(&directory) {
                made.push(directory);
                archive.append_data(&mut header(tar::EntryType::Directory, 0o755, 0), directory, std::io::empty())?;
            }
        }
        let size = u64::try_from(content.len())?;
        archive.append_data(&mut header(tar::EntryType::Regular, mode, size), path, content)?;
    }
    Ok(archive.into_inner()?)
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}
