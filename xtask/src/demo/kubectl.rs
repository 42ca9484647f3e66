//! Kubernetes through kubectl: what the demo does is then what its user can do.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::process::Command;

use crate::{
    control_plane::{Assets, ControlPlane},
    dirs, process,
};

/// The operator's kinds, in full, so that no other group's plural can be meant.
const KINDS: &str = "connections.hookwright.dev,clusterconnections.hookwright.dev,projectwebhooks.hookwright.dev,\
                     tasknotifications.hookwright.dev";

pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    pub fn new(assets: &Assets, plane: &ControlPlane, scratch: &Path) -> Self {
        // A cache of its own: the user's would keep a directory for each of these short-lived API servers.
        let cache = scratch.join("kubectl-cache");
        Self { program: assets.kubectl.clone(), kubeconfig: plane.kubeconfig.clone(), cache }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--kubeconfig").arg(&self.kubeconfig).arg("--cache-dir").arg(&self.cache);
        command.current_dir(dirs::root());
        command
    }

    async fn run(&self, args: &[&str], input: &str) -> Result<String> {
        process::output_with_input(&format!("kubectl {}", args[0]), &mut self.command(args), input).await
    }

    /// Applies the CRDs and waits until the API server serves them.
    pub async fn apply_crds(&self) -> Result<()> {
        self.run(&["apply", "--server-side", "-f", "crds/"], "").await?;
        self.run(&["wait", "--for=condition=Established", "--timeout=60s", "-f", "crds/"], "").await?;
        Ok(())
    }

    /// What the API server answers to a GET of this path.
    pub async fn raw(&self, path: &str) -> Result<String> {
        self.run(&["get", "--raw", path], "").await
    }

    pub async fn apply(&self, manifest: &str) -> Result<()> {
        self.run(&["apply", "--server-side", "-f", "-"], manifest).await?;
        Ok(())
    }

    /// All objects of the operator's kinds.
    pub async fn objects(&self) -> Result<Vec<Value>> {
        let list = self.run(&["get", KINDS, "--all-namespaces", "--output=json"], "").await?;
        let mut list: Value = serde_json::from_str(&list).context("reading kubectl's list")?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => anyhow::bail!("kubectl gave a list without items"),
        }
    }

    /// One ProjectWebhook of namespace `default`, if it is there.
    pub async fn project_webhook(&self, name: &str) -> Result<Option<Value>> {
        self.one("projectwebhooks.hookwright.dev", name).await
    }

    /// One TaskNotification of namespace `default`, if it is there.
    pub async fn task_notification(&self, name: &str) -> Result<Option<Value>> {
        self.one("tasknotifications.hookwright.dev", name).await
    }

    async fn one(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let args = ["get", kind, name, "--ignore-not-found", "--output=json", "-n", "default"];
        let text = self.run(&args, "").await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).context("reading kubectl's object")
    }

    /// Asks for its deletion, and doesn't wait for the operator's part in that.
    pub async fn delete_project_webhook(&self, name: &str) -> Result<()> {
        self.run(&["delete", "projectwebhooks.hookwright.dev", name, "--wait=false", "-n", "default"], "").await?;
        Ok(())
    }
}
