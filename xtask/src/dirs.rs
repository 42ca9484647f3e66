//! Where things are: the repository, what cargo builds, and the user's cache.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The root of the repository. Asked at run time first, because a copied target directory remembers another clone.
pub fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The directory of the workspace's debug binaries: the one that this very program lies in.
pub fn binaries() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("this program has no directory")?.to_path_buf())
}

/// The cache of this user, which all clones share and which survives `cargo clean`.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(dir) if Path::new(&dir).is_absolute() => PathBuf::from(dir),
        _ => std::env::home_dir()
            .context("there is no home directory to keep a cache in; set XDG_CACHE_HOME")?
            .join(".cache"),
    };
    Ok(base.join("hookwright"))
}

/// A new temporary directory, removed with the value.
pub fn scratch() -> Result<TempDir> {
    tempfile::Builder::new().prefix("hookwright-").tempdir().context("creating a temporary directory")
}

/// Gives some work a directory, which goes with it unless the work fails: then the logs in there may say why.
pub async fn with_scratch<T>(work: impl AsyncFnOnce(&Path) -> Result<T>) -> Result<T> {
    let dir = scratch()?;
    let outcome = work(dir.path()).await;
    if outcome.is_err() {
        let kept = dir.keep();
        // Not the data of each control plane, though: 64 MB that nobody reads.
        for entry in std::fs::read_dir(&kept)?.flatten() {
            let _ = std::fs::remove_dir_all(entry.path().join("etcd"));
        }
        println!("\nthe logs are kept in {}", kept.display());
    }
    outcome
}

/// The first file called `name` in the directories of PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn work(fail: bool) -> Result<PathBuf> {
        let mut dir = PathBuf::new();
        let outcome = with_scratch(async |path| {
            dir = path.to_owned();
            std::fs::create_dir_all(path.join("shared/etcd"))?;
            std::fs::write(path.join("shared/etcd.log"), "")?;
            anyhow::ensure!(!fail, "on purpose");
            Ok(())
        });
        let failed = outcome.await.is_err();
        assert_eq!(failed, fail);
        Ok(dir)
    }

    #[tokio::test]
    async fn logs_outlive_only_a_failure() -> Result<()> {
        assert!(!work(false).await?.exists());
        let kept = work(true).await?;
        assert!(kept.join("shared/etcd.log").exists());
        assert!(!kept.join("shared/etcd").exists());
        Ok(std::fs::remove_dir_all(kept)?)
    }
}
