//! Helm, for the tests of the chart: built from its Go module, once per user and version.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::{control_plane, dirs, go};

/// Pinned, because another one may render and refuse differently.
const VERSION: &str = "v4.3.1";

/// The program; built unless it was before.
pub async fn ready() -> Result<PathBuf> {
    let dir = dirs::cache()?.join("tools").join(format!("helm-{VERSION}"));
    let helm = dir.join("helm");
    if helm.is_file() {
        return Ok(helm);
    }
    let _lock = control_plane::lock(&dir).await?;
    // Asked again: whoever held the lock has perhaps built it.
    if !helm.is_file() {
        println!("building Helm {VERSION} into {}: about 4 minutes on 2 cores, once", dir.display());
        let unfinished = dir.join(".unfinished");
        let mut command = go::tool("go", &dirs::root())?;
        // As a module of its own: it wants a newer client-go than the control plane's.
        command.args(["install", "-v", "-trimpath", "-ldflags"]);
        command.arg(format!("-s -w -X helm.sh/helm/v4/internal/version.version={VERSION}"));
        command.arg(format!("helm.sh/helm/v4/cmd/helm@{VERSION}")).env("GOBIN", &unfinished);
        control_plane::compile("helm", &mut command).await?;
        std::fs::rename(unfinished.join("helm"), &helm).context("moving helm into place")?;
    }
    Ok(helm)
}
