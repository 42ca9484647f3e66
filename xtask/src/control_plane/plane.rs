//! One running control plane.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStdout, Command},
};

use super::Assets;
use crate::process::Process;

/// Longer than the launcher's own limits, so that its message is the one that is seen.
const START_LIMIT: Duration = Duration::from_secs(240);
/// The launcher stops three programs, each of which it kills after a few seconds.
const STOP_GRACE: Duration = Duration::from_secs(30);

/// A control plane that stops when the value is dropped. Should this program be killed, the launcher sees its stdin
/// end, and stops it as well.
pub struct ControlPlane {
    pub kubeconfig: PathBuf,
    /// Certificates, etcd's data and the logs.
    pub data: PathBuf,
    process: Process,
    answers: Lines<BufReader<ChildStdout>>,
}

impl ControlPlane {
    /// Starts one and waits until it is ready.
    pub async fn start(assets: &Assets, name: &str, scratch: &Path) -> Result<Self> {
        let (data, kubeconfig) = (scratch.join(name), scratch.join(format!("{name}.kubeconfig")));
        let mut command = Command::new(&assets.launcher);
        command.arg("up").arg("--assets").arg(&assets.dir);
        command.arg("--kubeconfig").arg(&kubeconfig).arg("--data").arg(&data);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(&format!("the control plane {name}"), &mut command, STOP_GRACE)?;
        let stdout = process.child().stdout.take().context("the launcher has no stdout")?;
        let mut plane = Self { kubeconfig, data, process, answers: BufReader::new(stdout).lines() };
        let answer = tokio::time::timeout(START_LIMIT, plane.answers.next_line()).await;
        match answer.with_context(|| format!("the control plane {name} is not ready after {START_LIMIT:?}"))?? {
            Some(line) if line == "ready" => Ok(plane),
            Some(line) => bail!("the control plane {name} did not start: {line}"),
            None => bail!("the control plane {name} did not start"),
        }
    }

    /// Returns, with the reason as an error, should the control plane end by itself.
    pub async fn ended(&mut self) -> Result<()> {
        match self.answers.next_line().await? {
            Some(line) => bail!("the control plane ended: {line}"),
            None => bail!("the control plane ended"),
        }
    }

    /// Fails if it has ended although it should still run.
    pub fn still_running(&mut self) -> Result<()> {
        self.process.still_running()
    }

    /// Stops it, and fails if it did not stop cleanly.
    pub fn stop(mut self) -> Result<()> {
        match self.process.stop() {
            Some(status) if !status.success() => bail!("a control plane did not stop cleanly: {status}"),
            _ => Ok(()),
        }
    }
}
