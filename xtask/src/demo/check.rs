//! The demo as whoever tries it runs it, for `cargo xtask test`.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{dirs, family, process, process::Process};

/// What has to run while the demo stays, as the kernel cuts their names.
const PROGRAMS: [&str; 6] = ["hookwright", "simulator", "etcd", "kube-apiserver", "kube-controller", "launcher"];
/// From a warm start to the invitation: many times what it takes.
const SHOW_LIMIT: Duration = Duration::from_secs(300);
/// The demo stops five programs, each within its own limits.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// This program as it is by now: whatever builds the others puts a new one in the place of the one that runs.
fn program() -> Result<Command> {
    Ok(Command::new(dirs::binaries()?.join("xtask")))
}

/// `demo --exit`: all that it shows holds.
pub async fn show() -> Result<()> {
    process::run("the demo", program()?.args(["demo", "--exit"])).await
}

/// A demo that stays, and is ended by Ctrl-C: with success, and with nothing left behind. No other child of this process
/// may run meanwhile.
pub async fn interrupted() -> Result<()> {
    let mut command = program()?;
    command.arg("demo").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut demo = Process::spawn("the demo", &mut command, STOP_LIMIT)?;
    let pid = demo.child().id().and_then(|id| Pid::from_raw(id.cast_signed())).context("the demo has ended")?;
    let mut lines = BufReader::new(demo.child().stdout.take().context("the demo has no stdout")?).lines();
    let invited = async {
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
            if line.contains("the operator's log:") {
                return Ok(());
            }
        }
        anyhow::bail!("the demo ended before it invited anybody")
    };
    tokio::time::timeout(SHOW_LIMIT, invited).await.context("the demo does not come to its end")??;
    let family = family::descendants();
    for name in PROGRAMS {
        ensure!(family.iter().any(|stat| stat.name.starts_with(name)), "{name} does not run while the demo stays");
    }
    kill_process(pid, Signal::INT)?;
    let ended = async {
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
        }
        demo.wait().await
    };
    let status = tokio::time::timeout(STOP_LIMIT, ended).await.context("the demo does not end after Ctrl-C")??;
    ensure!(status.success(), "the demo did not end well after Ctrl-C: {status}");
    let left: Vec<_> = family.iter().filter(|stat| stat.runs()).map(|stat| stat.name.as_str()).collect();
    ensure!(left.is_empty(), "left behind by the demo: {}", left.join(", "));
    Ok(())
}
