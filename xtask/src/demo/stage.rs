//! The programs of the demo: control plane, simulator, operator.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{
    console::Console,
    examples::{self, Examples},
    kubectl::Kubectl,
};
use crate::{
    control_plane::{Assets, ControlPlane},
    dirs,
    process::Process,
};

/// The operator promises to be gone ten seconds after SIGTERM.
const OPERATOR_GRACE: Duration = Duration::from_secs(12);

/// Everything that runs. The fields are in the order in which they have to stop: the operator while it can still reach
/// the others.
pub struct Stage {
    operator: Process,
    simulator: Process,
    pub plane: ControlPlane,
    pub kubectl: Kubectl,
    pub console: Console,
    pub addresses: Addresses,
    pub ca_pem: String,
    operator_log: PathBuf,
}

/// What the simulator prints when it listens.
#[derive(Deserialize)]
pub struct Addresses {
    pub https: String,
    pub admin: String,
    pub check: String,
    pub iam: String,
}

impl Stage {
    pub async fn start(assets: &Assets, examples: &Examples, scratch: &Path) -> Result<Self> {
        let plane = ControlPlane::start(assets, "demo", scratch).await?;
        let kubectl = Kubectl::new(assets, &plane, scratch);
        let (simulator, addresses, ca_pem) = start_simulator(scratch, examples).await?;
        let operator_log = scratch.join("operator.log");
        let operator = start_operator(assets, &plane, &operator_log)?;
        let console = Console::new(&addresses.admin);
        Ok(Self { operator, simulator, plane, kubectl, console, addresses, ca_pem, operator_log })
    }

    /// Fails if one of the programs has ended, which makes any further waiting pointless.
    pub fn check(&mut self) -> Result<()> {
        self.operator.still_running()?;
        self.simulator.still_running()?;
        self.plane.still_running()
    }

    pub fn operator_log(&self) -> &Path {
        &self.operator_log
    }

    /// Stops everything, and fails if the operator did not end as it promises.
    pub fn stop(mut self) -> Result<()> {
        match self.operator.stop() {
            Some(status) if !status.success() => bail!("the operator did not end cleanly on SIGTERM: {status}"),
            _ => self.plane.stop(),
        }
    }
}

async fn start_simulator(scratch: &Path, examples: &Examples) -> Result<(Process, Addresses, String)> {
    let ca = scratch.join("simulator-ca.crt");
    let mut command = Command::new(dirs::binaries()?.join("simulator"));
    for door in ["--http", "--https", "--admin"] {
        command.args([door, "127.0.0.1:0"]);
    }
    command.args(["--token", examples::TOKEN, "--exit-with-stdin", "--ca-out"]).arg(&ca);
    for project in examples.projects() {
        command.args(["--project", &project]);
    }
    command.args(examples.check_arguments()?);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(scratch.join("simulator.log"))?);
    let mut simulator = Process::spawn("the simulator", &mut command, Duration::from_secs(5))?;
    let stdout = simulator.child().stdout.take().context("the simulator has no stdout")?;
    let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
    let read = tokio::time::timeout(Duration::from_secs(30), stdout.read_line(&mut line)).await;
    read.context("the simulator says nothing")??;
    let addresses = serde_json::from_str(&line).with_context(|| format!("the simulator said {line:?}"))?;
    Ok((simulator, addresses, std::fs::read_to_string(ca)?))
}

fn start_operator(assets: &Assets, plane: &ControlPlane, log: &Path) -> Result<Process> {
    let log = File::create(log)?;
    // Behind a guard, since the operator, as it should, doesn't care whether its parent is alive.
    let mut command = Command::new(&assets.launcher);
    command.args(["guard", "--grace", "11s", "--"]).arg(dirs::binaries()?.join("hookwright"));
    // Loopback and short intervals, so that the show needs seconds and not minutes.
    command.args(["run", "--allowed-endpoint", "https://127.0.0.1:*", "--http-addr", "127.0.0.1:0"]);
    // IAM is another host than Check, in the demo too.
    command.args(["--allowed-endpoint", "https://localhost:*"]);
    command.args(["--settle-time", "2s", "--resync-interval", "5s", "--namespace", examples::OPERATOR_NAMESPACE]);
    command.env("KUBECONFIG", &plane.kubeconfig).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Process::spawn("the operator", &mut command, OPERATOR_GRACE)
}
