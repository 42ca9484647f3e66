//! `cargo xtask control-plane`: real Kubernetes programs, built from source and started by envtest.

mod assets;
mod build;
mod plane;

pub use assets::Assets;
pub use build::{go, gofmt};
pub use plane::ControlPlane;

use anyhow::Result;

use crate::{dirs, signals};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Start one, print its KUBECONFIG, and keep it until Ctrl-C.
    Up,
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
        Command::Up => up().await?,
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
