//! What is measured, in which order: floor and operator in turn, each on a control plane of its own.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{
    counts::{self, Asked, Spent},
    kind::Kind,
    load::{self, Changed, Created, Side},
    proc::{Memory, Seconds, Usage},
    report::Report,
    rest,
    stage::Stage,
};
use crate::control_plane::Assets;

/// A LIST helps who changes a spec for 5 s; a project has to be left alone for longer to be at rest.
const PROJECT_AT_REST: Duration = Duration::from_secs(6);
/// The changes of one side take about so long at most, unless the flag asks for fewer.
const CHANGES: Duration = Duration::from_secs(40);

/// What was asked for.
#[derive(Clone)]
pub struct Plan {
    pub kind: Kind,
    pub objects: usize,
    pub rounds: usize,
    pub concurrency: u16,
    pub appliers: u16,
    pub changes: usize,
    pub rest_seconds: u64,
    /// Where the built programs are.
    pub binaries: PathBuf,
}

/// One creation by one side.
#[derive(Clone, Serialize)]
pub struct Creation {
    pub times: Created,
    pub cpu_seconds: Seconds,
    pub spent: Spent,
    /// When all were Ready and nothing happened any more; webhooks are all that the operator makes there.
    pub webhooks_at_remote: u64,
    /// The operator's.
    pub memory: Option<Memory>,
}

/// One creation by each side.
#[derive(Clone, Serialize)]
pub struct Round {
    pub floor: Creation,
    pub operator: Creation,
}

impl Plan {
    /// How many looks show everything.
    pub fn looks(&self) -> usize {
        self.kind.looks(self.objects)
    }

    /// The same at another size.
    pub fn only_creation(&self, objects: usize) -> Self {
        Self { objects, ..self.clone() }
    }

    /// How many changes, and the milliseconds between two: each meets a project that was at rest.
    pub fn changes_and_gap(&self) -> (usize, u128) {
        let gap = (PROJECT_AT_REST.as_millis() / self.looks() as u128).max(50);
        let most = usize::try_from(CHANGES.as_millis() / gap).unwrap_or(usize::MAX);
        (self.changes.min(most).min(self.objects), gap)
    }

    /// The operator's flags. A lone connection gets half of the places, so twice as many are asked for.
    pub fn flags(&self, resync: Duration, http: &str) -> Vec<String> {
        let places = (self.concurrency * 2).to_string();
        let flags = ["--allowed-endpoint", "https://127.0.0.1:*", "--namespace", "hookwright"];
        let resync = rest::text(resync);
        let more = ["--max-concurrent", &places, "--resync-interval", &resync, "--http-addr", http];
        flags.into_iter().chain(more).map(str::to_owned).collect()
    }
}

/// Creations alone.
pub async fn creations(plan: &Plan, assets: &Assets, scratch: &Path) -> Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for round in 0..plan.rounds {
        announce(plan, round);
        let (stage, floor) = of_floor(plan, assets, scratch, round).await?;
        stage.stop()?;
        let (stage, operator) = of_operator(plan, assets, scratch, round).await?;
        stage.stop()?;
        rounds.push(Round { floor, operator });
    }
    Ok(rounds)
}

/// Everything, into the report.
pub async fn all(plan: &Plan, assets: &Assets, scratch: &Path, report: &mut Report) -> Result<()> {
    report.rounds = creations(&Plan { rounds: plan.rounds - 1, ..plan.clone() }, assets, scratch).await?;
    let last = plan.rounds - 1;
    announce(plan, last);
    let (stage, floor) = of_floor(plan, assets, scratch, last).await?;
    report.floor_changes = changes(plan, &stage, Side::Floor).await?;
    stage.stop()?;

    let (mut stage, operator) = of_operator(plan, assets, scratch, last).await?;
    report.operator_changes = changes(plan, &stage, Side::Operator).await?;
    report.rounds.push(Round { floor, operator });
    rest::all(plan, assets, &mut stage, report).await?;
    stage.stop()
}

fn announce(plan: &Plan, round: usize) {
    println!("creating {} {}s, round {} of {}", plan.objects, plan.kind.name(), round + 1, plan.rounds);
}

/// Of what is only read at the remote, nothing can be brought there.
async fn changes(plan: &Plan, stage: &Stage, side: Side) -> Result<Changed> {
    if plan.kind == Kind::TaskNotification {
        return Ok(Changed::default());
    }
    let (changes, gap) = plan.changes_and_gap();
    println!("changing {changes} specs, one every {gap} ms: {side:?}");
    load::change(plan, stage, side).await
}

async fn of_floor(plan: &Plan, assets: &Assets, scratch: &Path, round: usize) -> Result<(Stage, Creation)> {
    let name = format!("floor-{}-{}-{round}", plan.kind.flag(), plan.objects);
    let mut stage = Stage::start(&name, assets, &plan.binaries, scratch).await?;
    load::prepare(plan, &stage).await?;
    let creation = creation(plan, &mut stage, Side::Floor).await.context("the floor")?;
    Ok((stage, creation))
}

async fn of_operator(plan: &Plan, assets: &Assets, scratch: &Path, round: usize) -> Result<(Stage, Creation)> {
    let name = format!("operator-{}-{}-{round}", plan.kind.flag(), plan.objects);
    let mut stage = Stage::start(&name, assets, &plan.binaries, scratch).await?;
    load::prepare(plan, &stage).await?;
    stage.operate(assets, plan, rest::DEFAULT_RESYNC).await?;
    let creation = creation(plan, &mut stage, Side::Operator).await;
    let mut creation = creation.with_context(|| format!("the operator says: {}", stage.last_words()))?;
    creation.memory = Some(stage.operator_pid()?.memory()?);
    Ok((stage, creation))
}

async fn creation(plan: &Plan, stage: &mut Stage, side: Side) -> Result<Creation> {
    rest::warmed_up(stage).await?;
    let (asked, usage) = (Asked::now(stage).await?, Usage::now());
    let times = load::create(plan, stage, side).await?;
    let cpu_seconds = Usage::now().since(&usage);
    println!("  {side:?}: applied after {:.1} s, all Ready after {:.1} s", times.applied_seconds, times.ready_seconds);
    stage.check()?;
    rest::settled(stage).await?;
    let spent = Asked::now(stage).await?.since(&asked);
    let webhooks_at_remote = counts::webhooks_at_remote(stage)?;
    Ok(Creation { times, cpu_seconds, spent, webhooks_at_remote, memory: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(objects: usize) -> Plan {
        Plan {
            kind: Kind::ProjectWebhook,
            objects,
            rounds: 1,
            concurrency: 32,
            appliers: 16,
            changes: 100,
            rest_seconds: 60,
            binaries: PathBuf::new(),
        }
    }

    #[test]
    fn a_change_meets_a_project_at_rest_and_few_projects_get_few_changes() {
        assert_eq!(plan(1000).changes_and_gap(), (100, 300));
        assert_eq!(plan(10_000).changes_and_gap(), (100, 50));
        assert_eq!(plan(100).changes_and_gap(), (13, 3000));
    }
}
