//! `cargo xtask bench`: what the operator costs, measured on a real API server against the simulator, side by side with a
//! *floor*: a plain client that makes the same writes and nothing else. `docs/performance.md` says how to read it.

mod counts;
mod kind;
mod load;
mod proc;
mod report;
mod rest;
mod rounds;
mod row;
mod rows;
mod stage;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::json;

use self::{kind::Kind, report::Report, rounds::Plan};
use crate::{cargo, control_plane::Assets, dirs};

/// The profile of what is measured; see Cargo.toml.
const PROFILE: &str = "bench-release";
/// Objects for which the bounds of a creation are written, and that a larger number is compared with.
const USUAL: usize = 1000;

#[derive(clap::Args)]
pub struct Args {
    /// How many objects of each kind; ProjectWebhooks over a fiftieth as many projects. Above 1000, their creation at 1000
    /// is measured first.
    #[arg(long, default_value_t = USUAL, alias = "webhooks")]
    objects: usize,
    /// Measure only this kind.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Write everything that was measured to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Repeat the creation so often, floor and operator in turn; the median counts. For noisy machines.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Passes of the operator at a time, and calls of the floor.
    #[arg(long, default_value_t = 32)]
    concurrency: u16,
    /// How many objects are being applied at a time.
    #[arg(long, default_value_t = 16)]
    appliers: u16,
    /// How many specs are changed.
    #[arg(long, default_value_t = 100)]
    changes: usize,
    /// Measure creation alone: for finding out what it costs.
    #[arg(long)]
    creation_only: bool,
    /// How long rest is watched, twice: right after, and after a restart.
    #[arg(long, default_value_t = 60)]
    rest_seconds: u64,
}

/// Measures and prints.
///
/// # Errors
/// A bound was missed, which the report says in full before; or nothing could be measured.
pub async fn run(args: &Args) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "bench reads /proc, and so needs Linux");
    ensure!((1..=99_999).contains(&args.objects), "--objects must be between 1 and 99999");
    ensure!(args.rest_seconds >= 30, "--rest-seconds must be at least 30, or a project comes due twice");
    ensure!(args.rounds > 0 && args.concurrency > 0 && args.appliers > 0, "a number is 0");
    println!("building (profile {PROFILE}) …");
    let assets = Assets::ready().await?;
    build().await?;
    let mut reports = Vec::new();
    for kind in args.kind.map_or_else(|| Kind::value_variants().to_vec(), |kind| vec![kind]) {
        let report = measure(args, kind, &assets).await?;
        println!("\n{}", report.table());
        reports.push(report);
    }
    let missed: Vec<_> = reports.iter().flat_map(Report::missed).collect();
    if let Some(path) = &args.json {
        let reports: Vec<_> = reports.iter().map(Report::json).collect();
        let text = serde_json::to_string_pretty(&json!({ "held": missed.is_empty(), "reports": reports }))?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        println!("\nall of it: {}", path.display());
    }
    ensure!(missed.is_empty(), "bounds were missed: {}", missed.join("; "));
    Ok(())
}

async fn measure(args: &Args, kind: Kind, assets: &Assets) -> Result<Report> {
    let plan = Plan {
        kind,
        objects: args.objects,
        rounds: args.rounds,
        concurrency: args.concurrency,
        appliers: args.appliers,
        changes: args.changes,
        rest_seconds: args.rest_seconds,
        binaries: target_directory()?.join(PROFILE),
    };
    dirs::with_scratch(async |scratch| {
        let mut report = Report::new(&plan);
        // How the cost grows has a bound for this kind alone.
        if plan.objects > USUAL && kind == Kind::ProjectWebhook {
            report.usual = Some(rounds::creations(&plan.only_creation(USUAL), assets, scratch).await?);
        }
        if args.creation_only {
            report.rounds = rounds::creations(&plan, assets, scratch).await?;
        } else {
            rounds::all(&plan, assets, scratch, &mut report).await?;
        }
        Ok(report)
    })
    .await
}

/// In two calls: with an example in it, one call would give the operator what its tests need, fail points for instance.
async fn build() -> Result<()> {
    let programs = ["--package", "hookwright", "--package", "simulator", "--bins"];
    let load = ["--package", "xtask", "--example", load::PROGRAM];
    let build = ["build", "--locked", "--profile", PROFILE];
    cargo::run(build.into_iter().chain(programs)).await?;
    cargo::run(build.into_iter().chain(load)).await
}

/// Where cargo puts what it builds: two above this program.
fn target_directory() -> Result<PathBuf> {
    let own = dirs::binaries()?;
    Ok(own.parent().context("this program lies in no target directory")?.to_path_buf())
}
