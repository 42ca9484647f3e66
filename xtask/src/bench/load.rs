//! Calls the load program: see `load/main.rs`.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::process::Command;

use super::{
    rounds::Plan,
    stage::{Stage, TOKEN},
};
use crate::process;

pub const PROGRAM: &str = "bench-load";

/// Who makes objects Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Floor,
    Operator,
}

/// Times of a creation, from the first object's request.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Created {
    pub applied_seconds: f64,
    pub ready_seconds: f64,
}

/// From each changed spec to the remote's PATCH, sorted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Changed {
    pub millis: Vec<f64>,
}

impl Changed {
    /// The smallest latency that so many percent did not exceed.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.millis.len() * percent).div_ceil(100).max(1);
        self.millis.get(rank - 1).copied().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Prepared {}

/// Makes what the objects need around them.
pub async fn prepare(plan: &Plan, stage: &Stage) -> Result<()> {
    let Prepared {} = call(plan, stage, &["prepare".into()]).await?;
    Ok(())
}

pub async fn create(plan: &Plan, stage: &Stage, side: Side) -> Result<Created> {
    let mut args = vec!["create".into(), "--appliers".into(), plan.appliers.to_string()];
    if side == Side::Floor {
        args.extend(["--floor".into(), plan.concurrency.to_string()]);
    }
    call(plan, stage, &args).await
}

pub async fn change(plan: &Plan, stage: &Stage, side: Side) -> Result<Changed> {
    let (changes, gap) = plan.changes_and_gap();
    let mut args = vec!["change".into(), "--changes".into(), changes.to_string()];
    args.extend(["--gap-millis".into(), gap.to_string()]);
    if side == Side::Floor {
        args.push("--floor".into());
    }
    call(plan, stage, &args).await
}

async fn call<T: DeserializeOwned>(plan: &Plan, stage: &Stage, args: &[String]) -> Result<T> {
    let mut command = Command::new(plan.binaries.join("examples").join(PROGRAM));
    let option = |command: &mut Command, name: &str, value: &Path| {
        command.arg(name).arg(value);
    };
    option(&mut command, "--kubeconfig", &stage.plane.kubeconfig);
    option(&mut command, "--ca", &stage.ca);
    command.args(["--endpoint", &stage.endpoint(plan.kind), "--admin", &stage.addresses.admin, "--token", TOKEN]);
    command.args(["--kind", plan.kind.flag(), "--objects", &plan.objects.to_string()]).args(args);
    let text = process::output(PROGRAM, &mut command).await?;
    serde_json::from_str(&text).with_context(|| format!("{PROGRAM} said {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let changed = Changed { millis: (1..=100).map(f64::from).collect() };
        assert_eq!((changed.percentile(50), changed.percentile(99), changed.percentile(100)), (50.0, 99.0, 100.0));
        assert_eq!(Changed { millis: vec![7.0] }.percentile(50), 7.0);
        assert_eq!(Changed::default().percentile(99), 0.0);
    }
}
