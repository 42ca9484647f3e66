//! The Go modules under tools/: the control plane's programs, and what GitOps tools make of our objects.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{dirs, process};

const MODULES: [&str; 2] = ["tools/controlplane", "tools/gitops"];

const NO_GO: &str = "`go` was not found. The control plane is built from source: install Go 1.26 or newer (https://go.dev/dl/), \
     or set KUBEBUILDER_ASSETS to a directory with etcd, kube-apiserver and kube-controller-manager \
     (its launcher still needs Go)";

/// `go`, or `gofmt` which comes with it, in the directory of a module.
pub fn tool(name: &str, module: &Path) -> Result<Command> {
    let mut command = Command::new(dirs::on_path(name).context(NO_GO)?);
    // Without cgo the programs are static and need no C compiler to build.
    command.current_dir(module).env("CGO_ENABLED", "0").stdin(Stdio::null());
    Ok(command)
}

/// Format, vet and tests of every module.
pub async fn checks() -> Result<()> {
    for module in MODULES {
        let dir = dirs::root().join(module);
        let unformatted = process::output("gofmt", tool("gofmt", &dir)?.args(["-l", "."])).await?;
        if !unformatted.is_empty() {
            bail!("not formatted by gofmt, in {module}: {}", unformatted.trim().replace('\n', ", "));
        }
        // -trimpath as in the build, or everything below would be compiled a second time for these alone.
        process::run("go vet", tool("go", &dir)?.args(["vet", "-trimpath", "./..."])).await?;
        process::run("go test", tool("go", &dir)?.args(["test", "-trimpath", "./..."])).await?;
    }
    Ok(())
}
