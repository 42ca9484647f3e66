//! The operator at rest: what it writes, asks, computes and holds while nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    counts::{Asked, Spent},
    proc::{Memory, Usage},
    report::Report,
    rounds::Plan,
    stage::Stage,
};
use crate::control_plane::Assets;

/// The operator's own default.
pub const DEFAULT_RESYNC: &str = "10m";
/// How long the operator has to do next to nothing before it counts as settled, and how little that is.
const STILL: Duration = Duration::from_secs(2);
const NEXT_TO_NOTHING: Duration = Duration::from_millis(40);
/// It never settles if it has not by then.
const LIMIT: Duration = Duration::from_secs(300);

/// A while at rest.
#[derive(Clone, Serialize)]
pub struct Rest {
    pub resync: String,
    pub seconds: f64,
    /// LISTs that the resync interval makes due in this time.
    pub lists_due: usize,
    pub spent: Spent,
    pub operator_cpu_seconds: f64,
    pub memory: Memory,
}

/// A restart with everything Ready.
#[derive(Clone, Serialize)]
pub struct Restart {
    /// Until it did next to nothing any more.
    pub settled_seconds: f64,
    pub spent: Spent,
    pub operator_cpu_seconds: f64,
    pub memory: Memory,
}

/// Rest after the changes, in the process that has done all the work; then a restart, and rest with a resync in it.
pub async fn all(plan: &Plan, assets: &Assets, stage: &mut Stage, report: &mut Report) -> Result<()> {
    println!("at rest for {} s", plan.rest_seconds);
    settled(stage).await?;
    report.rest = Some(watch(stage, DEFAULT_RESYNC, plan.rest_seconds, 0).await?);

    let resync = format!("{}s", plan.rest_seconds);
    println!("restarting with --resync-interval {resync}");
    report.restart = Some(restart(plan, assets, stage, &resync).await?);
    // The interval is lengthened by up to a tenth: so each project comes due exactly once.
    let seconds = plan.rest_seconds + plan.rest_seconds / 10 + 5;
    println!("at rest for {seconds} s");
    report.resync = Some(watch(stage, &resync, seconds, plan.projects()).await?);
    Ok(())
}

async fn watch(stage: &mut Stage, resync: &str, seconds: u64, lists_due: usize) -> Result<Rest> {
    let pid = stage.operator_pid()?;
    let (asked, cpu, begin) = (Asked::now(stage).await?, pid.cpu()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (cpu, elapsed) = (pid.cpu()? - cpu, begin.elapsed());
    stage.check()?;
    Ok(Rest {
        resync: resync.to_owned(),
        seconds: elapsed.as_secs_f64(),
        lists_due,
        spent: Asked::now(stage).await?.since(&asked),
        operator_cpu_seconds: cpu.as_secs_f64(),
        memory: pid.memory()?,
    })
}

async fn restart(plan: &Plan, assets: &Assets, stage: &mut Stage, resync: &str) -> Result<Restart> {
    let asked = Asked::now(stage).await?;
    let begin = Instant::now();
    stage.operate(assets, plan, resync).await?;
    settled(stage).await?;
    let settled_seconds = (begin.elapsed() - STILL).as_secs_f64();
    let pid = stage.operator_pid()?;
    let (cpu, memory) = (pid.cpu()?, pid.memory()?);
    let spent = Asked::now(stage).await?.since(&asked);
    Ok(Restart { settled_seconds, spent, operator_cpu_seconds: cpu.as_secs_f64(), memory })
}

/// Waits until the operator does next to nothing. Without an operator there is nothing to wait for.
pub async fn settled(stage: &mut Stage) -> Result<()> {
    let Ok(pid) = stage.operator_pid() else { return Ok(()) };
    let settled = quiet(stage, NEXT_TO_NOTHING, || pid.cpu()).await;
    settled.context("the operator does not come to rest")
}

/// Waits until the API server has done what it does after its start: it computes the schemas of our kinds for a while.
pub async fn warmed_up(stage: &mut Stage) -> Result<()> {
    // Its idling and etcd's take about a twentieth of a processor.
    quiet(stage, STILL / 8, || Ok(Usage::now().of_programs())).await.context("the control plane does not come to rest")
}

async fn quiet(stage: &mut Stage, little: Duration, cpu: impl Fn() -> Result<Duration>) -> Result<()> {
    let work = async {
        let mut before = cpu()?;
        loop {
            tokio::time::sleep(STILL).await;
            stage.check()?;
            let now = cpu()?;
            if now.saturating_sub(before) <= little {
                return Ok(());
            }
            before = now;
        }
    };
    tokio::time::timeout(LIMIT, work).await?
}
