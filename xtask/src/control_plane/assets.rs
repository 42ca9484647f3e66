//! Which programs make up the control plane, and where they are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::build;
use crate::dirs;

/// What the launcher starts.
pub const SERVERS: [&str; 3] = ["etcd", "kube-apiserver", "kube-controller-manager"];

/// A complete control plane, ready to start.
pub struct Assets {
    /// The directory of the servers, and of kubectl unless that was found elsewhere.
    pub dir: PathBuf,
    pub kubectl: PathBuf,
    pub launcher: PathBuf,
}

impl Assets {
    /// Finds the programs, and builds those that are missing unless KUBEBUILDER_ASSETS says where they should be.
    pub async fn ready() -> Result<Self> {
        let built = built_directory()?;
        let (dir, kubectl) = match given_directory() {
            Some(dir) => {
                check(&dir)?;
                let found =
                    Some(dir.join("kubectl")).filter(|file| file.is_file()).or_else(|| dirs::on_path("kubectl"));
                let kubectl = match found {
                    Some(kubectl) => kubectl,
                    None => {
                        build::programs(&built, &["kubectl"]).await?;
                        built.join("kubectl")
                    }
                };
                (dir, kubectl)
            }
            None => {
                build::programs(&built, &["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]).await?;
                (built.clone(), built.join("kubectl"))
            }
        };
        let launcher = build::launcher(&built).await?;
        Ok(Self { dir, kubectl, launcher })
    }

    /// A directory with all four programs by their names, for tests that know no other way to kubectl.
    pub fn complete_directory(&self, scratch: &Path) -> Result<PathBuf> {
        if self.kubectl.parent() == Some(&self.dir) {
            return Ok(self.dir.clone());
        }
        let links = scratch.join("assets");
        std::fs::create_dir(&links)?;
        for server in SERVERS {
            std::os::unix::fs::symlink(self.dir.join(server), links.join(server))?;
        }
        std::os::unix::fs::symlink(&self.kubectl, links.join("kubectl"))?;
        Ok(links)
    }
}

/// The directory of the servers, whether they are there yet or not.
pub fn directory() -> Result<PathBuf> {
    given_directory().map_or_else(built_directory, Ok)
}

fn given_directory() -> Option<PathBuf> {
    let dir = std::env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty())?;
    // The programs are started from other directories.
    std::path::absolute(dir).ok()
}

fn built_directory() -> Result<PathBuf> {
    let go_mod = source().join("go.mod");
    let text = std::fs::read_to_string(&go_mod).with_context(|| format!("reading {}", go_mod.display()))?;
    Ok(dirs::cache()?.join("control-plane").join(kubernetes_version(&text)?))
}

/// The Go module of the launcher, whose go.mod decides the versions of everything.
pub fn source() -> PathBuf {
    dirs::root().join("tools/controlplane")
}

fn check(dir: &Path) -> Result<()> {
    let missing: Vec<_> = SERVERS.into_iter().filter(|name| !dir.join(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "KUBEBUILDER_ASSETS is {}, which lacks {}. Put them there, or unset the variable to have them built \
         (setup-envtest brings no kube-controller-manager)",
        dir.display(),
        missing.join(" and "),
    )
}

/// The version of Kubernetes in a go.mod: written there once, and nowhere else.
pub fn kubernetes_version(go_mod: &str) -> Result<String> {
    let mut versions = go_mod.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("require ").unwrap_or(line).strip_prefix("k8s.io/kubernetes ")
    });
    let version = versions.next().context("tools/controlplane/go.mod requires no k8s.io/kubernetes")?;
    let version = version.split_whitespace().next().unwrap_or_default();
    // It becomes the name of a directory and part of linker flags.
    let plain = version
        .strip_prefix('v')
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)));
    ensure!(plain, "{version:?} is no version of k8s.io/kubernetes");
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_go_mod() -> Result<()> {
        let go_mod = "module x\n\nrequire (\n\tk8s.io/kube-openapi v0.1.0\n\tk8s.io/kubernetes v1.36.3 // why\n)\n";
        assert_eq!(kubernetes_version(go_mod)?, "v1.36.3");
        assert_eq!(kubernetes_version("require k8s.io/kubernetes v1.37.0-rc.1")?, "v1.37.0-rc.1");
        assert!(kubernetes_version("require k8s.io/kubernetes ../../etc").is_err());
        assert!(kubernetes_version("module x").is_err());
        Ok(())
    }

    #[test]
    fn the_version_of_the_repository_is_readable() -> Result<()> {
        assert!(built_directory()?.to_string_lossy().contains("/control-plane/v1."));
        Ok(())
    }

    #[test]
    fn what_a_given_directory_lacks_is_listed() -> Result<()> {
        let dir = dirs::scratch()?;
        std::fs::write(dir.path().join("etcd"), "")?;
        let Err(error) = check(dir.path()) else { bail!("it is complete") };
        assert!(error.to_string().contains("lacks kube-apiserver and kube-controller-manager."), "{error}");
        Ok(())
    }

    #[test]
    fn kubectl_from_elsewhere_is_linked_beside_the_servers() -> Result<()> {
        let (dir, elsewhere, scratch) = (dirs::scratch()?, dirs::scratch()?, dirs::scratch()?);
        let kubectl = elsewhere.path().join("kubectl");
        std::fs::write(&kubectl, "the one")?;
        let assets = Assets { dir: dir.path().into(), kubectl, launcher: PathBuf::new() };
        let complete = assets.complete_directory(scratch.path())?;
        assert_eq!(std::fs::read_to_string(complete.join("kubectl"))?, "the one");
        assert_eq!(std::fs::read_link(complete.join("etcd"))?, dir.path().join("etcd"));
        Ok(())
    }
}
