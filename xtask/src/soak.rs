//! `cargo xtask soak`: `tests/soak/main.rs` for longer than it takes among the tests, storm after storm.

use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use crate::{cargo, control_plane::Assets, dirs};

#[derive(clap::Args)]
pub struct Args {
    /// No storm begins after this time; each takes about a minute and a half, and one is carried out in any case.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Repeat the schedule of an earlier run; it prints its seed.
    #[arg(long)]
    seed: Option<u64>,
}

pub async fn run(args: &Args) -> Result<()> {
    let assets = Assets::ready().await?;
    dirs::with_scratch(async |scratch| cargo::run_command(&mut command(args, &assets, scratch)?).await).await
}

fn command(args: &Args, assets: &Assets, scratch: &Path) -> Result<Command> {
    let mut command = cargo::command(["test", "--locked", "--package", "hookwright", "--test", "soak"]);
    command
        .args(["--", "--nocapture", "cluster_and_remote_agree"])
        .env("HOOKWRIGHT_TEST_ASSETS", assets.complete_directory(scratch)?)
        .env("HOOKWRIGHT_TEST_LAUNCHER", &assets.launcher)
        .env("HOOKWRIGHT_SOAK_MINUTES", args.minutes.to_string())
        .env_remove("KUBECONFIG");
    if let Some(seed) = args.seed {
        command.env("HOOKWRIGHT_SOAK_SEED", seed.to_string());
    }
    Ok(command)
}
