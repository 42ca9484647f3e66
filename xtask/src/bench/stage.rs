//! The programs of one measurement: control plane, simulator, and the operator where it is one's turn.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use ureq::Agent;

use super::{kind::Kind, proc::Pid, rounds::Plan};
use crate::{
    control_plane::{Assets, ControlPlane},
    demo::kubectl::Kubectl,
    process::Process,
};

pub const TOKEN: &str = "bench-token";
/// The operator promises to be gone ten seconds after SIGTERM.
const OPERATOR_GRACE: Duration = Duration::from_secs(12);

/// Everything that runs. The fields are in the order in which they have to stop.
pub struct Stage {
    operator: Option<Process>,
    simulator: Process,
    pub plane: ControlPlane,
    pub kubectl: Kubectl,
    pub addresses: Addresses,
    pub ca: PathBuf,
    /// When the operator was last started.
    pub operated: Instant,
    directory: PathBuf,
}

/// What the simulator prints when it listens.
#[derive(Deserialize)]
pub struct Addresses {
    pub https: String,
    pub admin: String,
}

impl Stage {
    /// A new and empty control plane that serves our kinds, and a new remote.
    pub async fn start(name: &str, assets: &Assets, binaries: &Path, scratch: &Path) -> Result<Self> {
        let plane = ControlPlane::start(assets, name, scratch).await?;
        let directory = scratch.join(format!("{name}-logs"));
        std::fs::create_dir(&directory)?;
        let kubectl = Kubectl::new(assets, &plane, &directory);
        kubectl.apply_crds().await?;
        let ca = directory.join("simulator-ca.crt");
        let (simulator, addresses) = start_simulator(binaries, &directory, &ca).await?;
        Ok(Self { operator: None, simulator, plane, kubectl, addresses, ca, operated: Instant::now(), directory })
    }

    /// Starts the operator, after stopping the one before, and waits until it is ready.
    pub async fn operate(&mut self, assets: &Assets, plan: &Plan, resync: Duration) -> Result<()> {
        self.stop_operator()?;
        self.operated = Instant::now();
        let log = File::options().create(true).append(true).open(self.operator_log())?;
        let http = free_address()?;
        // Behind a guard, since the operator, as it should, doesn't care whether its parent is alive.
        let mut command = Command::new(&assets.launcher);
        command.args(["guard", "--grace", "11s", "--"]).arg(plan.binaries.join("hookwright"));
        command.arg("run").args(plan.flags(resync, &http));
        command.env("KUBECONFIG", &self.plane.kubeconfig).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.operator = Some(Process::spawn("the operator", &mut command, OPERATOR_GRACE)?);
        let ready = async {
            while Agent::new_with_defaults().get(format!("http://{http}/readyz")).call().is_err() {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, anyhow::Error>(())
        };
        let ready = tokio::time::timeout(Duration::from_secs(60), ready).await.context("the operator is not ready");
        ready.flatten().with_context(|| format!("it says: {}", self.last_words()))
    }

    /// What a Connection names.
    pub fn endpoint(&self, kind: Kind) -> String {
        format!("{}{}", self.addresses.https, kind.base())
    }

    fn operator_log(&self) -> PathBuf {
        self.directory.join("operator.log")
    }

    /// The end of the operator's log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.operator_log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn stop_operator(&mut self) -> Result<()> {
        match self.operator.take().and_then(|mut operator| operator.stop()) {
            Some(status) if !status.success() => bail!("the operator did not end cleanly on SIGTERM: {status}"),
            _ => Ok(()),
        }
    }

    /// The operator's own process, below its guard.
    pub fn operator_pid(&self) -> Result<Pid> {
        Pid::of_descendant("hookwright").context("the operator does not run")
    }

    /// Fails if one of the programs has ended, which makes any further waiting pointless.
    pub fn check(&mut self) -> Result<()> {
        if let Some(operator) = &mut self.operator {
            operator.still_running()?;
        }
        self.simulator.still_running()?;
        self.plane.still_running()
    }

    pub fn stop(mut self) -> Result<()> {
        self.stop_operator()?;
        self.plane.stop()
    }
}

/// An address that was free a moment ago.
fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

async fn start_simulator(binaries: &Path, directory: &Path, ca: &Path) -> Result<(Process, Addresses)> {
    let mut command = Command::new(binaries.join("simulator"));
    command.args(["--token", TOKEN, "--check-token", TOKEN, "--exit-with-stdin", "--ca-out"]).arg(ca);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(directory.join("simulator.log"))?);
    let mut simulator = Process::spawn("the simulator", &mut command, Duration::from_secs(5))?;
    let stdout = simulator.child().stdout.take().context("the simulator has no stdout")?;
    let (mut stdout, mut line) = (BufReader::new(stdout), String::new());
    let read = tokio::time::timeout(Duration::from_secs(30), stdout.read_line(&mut line)).await;
    read.context("the simulator says nothing")??;
    let addresses = serde_json::from_str(&line).with_context(|| format!("the simulator said {line:?}"))?;
    Ok((simulator, addresses))
}
