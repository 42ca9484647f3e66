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
pub const DEFAULT_RESYNC: Duration = Duration::from_secs(600);
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
    /// Looks that the resync interval makes due in this time: LISTs of all projects, or one GET of each task.
    pub due: Due,
    pub spent: Spent,
    pub operator_cpu_seconds: f64,
    pub memory: Memory,
}

/// How often something comes due: exactly where both are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    pub at_least: usize,
    pub at_most: usize,
}

impl Due {
    /// For so many projects or tasks, each looked at last up to `since` before the `window` begins. The operator lengthens an
    /// interval by up to a tenth.
    fn within(window: Duration, interval: Duration, since: Duration, looks: usize) -> Self {
        let longest = interval.mul_f64(1.1);
        let times = |time: Duration, interval: Duration| (time.as_secs_f64() / interval.as_secs_f64()) as usize;
        // One that was looked at longer ago has been looked at again.
        let at_most = times(window + since.min(longest), interval) * looks;
        Self { at_least: times(window, longest) * looks, at_most }
    }
}

/// A restart with everything Ready.
#[derive(Clone, Serialize)]
pub struct Restart {
    /// Until it did next to nothing any more.
    pub settled_seconds: f64,
    /// Looks that show everything.
    pub looks: usize,
    pub spent: Spent,
    pub operator_cpu_seconds: f64,
    pub memory: Memory,
}

/// Rest after the changes, in the process that has done all the work; then a restart, and rest with a resync in it.
pub async fn all(plan: &Plan, assets: &Assets, stage: &mut Stage, report: &mut Report) -> Result<()> {
    println!("at rest for {} s", plan.rest_seconds);
    settled(stage).await?;
    let window = Duration::from_secs(plan.rest_seconds);
    report.rest = Some(watch(plan, stage, DEFAULT_RESYNC, window).await?);

    println!("restarting with --resync-interval {}", text(window));
    report.restart = Some(restart(plan, assets, stage, window).await?);
    // A tenth more, by which the interval may be lengthened, and time for the pass: so each project comes due at least once,
    // and once only where the restart was quick.
    let longer = window.mul_f64(1.1) + Duration::from_secs(5);
    println!("at rest for {} s", longer.as_secs());
    report.resync = Some(watch(plan, stage, window, longer).await?);
    Ok(())
}

async fn watch(plan: &Plan, stage: &mut Stage, resync: Duration, window: Duration) -> Result<Rest> {
    let pid = stage.operator_pid()?;
    // Nothing was looked at before the operator ran.
    let since = stage.operated.elapsed();
    let (asked, cpu, begin) = (Asked::now(stage).await?, pid.cpu()?, Instant::now());
    tokio::time::sleep(window).await;
    let (cpu, elapsed) = (pid.cpu()? - cpu, begin.elapsed());
    stage.check()?;
    Ok(Rest {
        resync: text(resync),
        seconds: elapsed.as_secs_f64(),
        due: Due::within(elapsed, resync, since, plan.looks()),
        spent: Asked::now(stage).await?.since(&asked),
        operator_cpu_seconds: cpu.as_secs_f64(),
        memory: pid.memory()?,
    })
}

/// As the operator's flag takes it.
pub fn text(interval: Duration) -> String {
    format!("{}s", interval.as_secs())
}

async fn restart(plan: &Plan, assets: &Assets, stage: &mut Stage, resync: Duration) -> Result<Restart> {
    let asked = Asked::now(stage).await?;
    let begin = Instant::now();
    stage.operate(assets, plan, resync).await?;
    settled(stage).await?;
    let settled_seconds = (begin.elapsed() - STILL).as_secs_f64();
    let pid = stage.operator_pid()?;
    let (cpu, memory) = (pid.cpu()?, pid.memory()?);
    let spent = Asked::now(stage).await?.since(&asked);
    Ok(Restart { settled_seconds, looks: plan.looks(), spent, operator_cpu_seconds: cpu.as_secs_f64(), memory })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_from_the_interval_and_the_time_since_the_last_look() {
        let due = |window, interval, since| {
            let Due { at_least, at_most } =
                Due::within(Duration::from_secs(window), Duration::from_secs(interval), Duration::from_secs(since), 20);
            (at_least, at_most)
        };
        assert_eq!(due(60, 600, 300), (0, 0), "ten minutes have not passed");
        assert_eq!(due(60, 600, 545), (0, 20), "some may come due");
        assert_eq!(due(60, 600, 3000), (0, 20), "and none twice");
        assert_eq!(due(71, 60, 10), (20, 20), "each once");
        assert_eq!(due(71, 60, 50), (20, 40), "some twice, after a slow restart");
    }
}
