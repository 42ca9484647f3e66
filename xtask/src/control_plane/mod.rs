//! `cargo xtask control-plane`: real Kubernetes programs, built from source and started by envtest.

mod assets;
mod build;
mod plane;

pub use assets::Assets;
pub use build::{compile, lock};
pub use plane::ControlPlane;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{dirs, signals};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Start one, print its KUBECONFIG, and keep it until Ctrl-C.
    Up {
        /// Start the two that the tests need, and print the variables that `cargo test` then needs.
        #[arg(long)]
        for_tests: bool,
    },
    /// Build the programs, once per user and version; or check those in KUBEBUILDER_ASSETS.
    Build,
    /// Print the directory of the programs.
    Path,
}

pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::Build => {
            let assets = Assets::ready().await?;
            println!("control plane: {}", assets.dir.display());
        }
        Command::Path => println!("{}", assets::directory()?.display()),
        Command::Up { for_tests: false } => up().await?,
        Command::Up { for_tests: true } => up_for_tests().await?,
    }
    Ok(())
}

async fn up() -> Result<()> {
    let assets = Assets::ready().await?;
    dirs::with_scratch(async |scratch| {
        let mut plane = ControlPlane::start(&assets, "up", scratch).await?;
        println!("ready; logs in {}", plane.data.display());
        println!("\n  export KUBECONFIG={}\n\nCtrl-C ends it and removes its data.", plane.kubeconfig.display());
        tokio::select! {
            ended = plane.ended() => ended,
            () = signals::stay() => Ok(()),
        }
    })
    .await
}

async fn up_for_tests() -> Result<()> {
    let assets = Assets::ready().await?;
    dirs::with_scratch(async |scratch| {
        let (mut shared, mut wide) = for_tests(&assets, scratch).await?;
        println!("ready; logs in {}\n", scratch.display());
        for (name, value) in variables(&assets, &shared, &wide, scratch)? {
            println!("  export {name}={}", value.display());
        }
        println!("\nCtrl-C ends both and removes their data.");
        tokio::select! {
            ended = shared.ended() => ended,
            ended = wide.ended() => ended,
            () = signals::stay() => Ok(()),
        }
    })
    .await
}

/// Two, because an operator that watches the whole cluster would meddle with the tests of all the others.
pub async fn for_tests(assets: &Assets, scratch: &Path) -> Result<(ControlPlane, ControlPlane)> {
    tokio::try_join!(ControlPlane::start(assets, "shared", scratch), ControlPlane::start(assets, "wide", scratch))
}

/// What tells the tests of them.
pub fn variables(
    assets: &Assets,
    shared: &ControlPlane,
    wide: &ControlPlane,
    scratch: &Path,
) -> Result<[(&'static str, PathBuf); 4]> {
    Ok([
        ("HOOKWRIGHT_TEST_KUBECONFIG", shared.kubeconfig.clone()),
        ("HOOKWRIGHT_TEST_WIDE_KUBECONFIG", wide.kubeconfig.clone()),
        ("HOOKWRIGHT_TEST_ASSETS", assets.complete_directory(scratch)?),
        ("HOOKWRIGHT_TEST_LAUNCHER", assets.launcher.clone()),
    ])
}
