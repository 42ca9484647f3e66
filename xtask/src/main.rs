//! The project's chores, as `cargo xtask <command>`. Each command is a file; everything that it starts belongs to a
//! value that stops it when dropped, so that a failure, an early return and Ctrl-C all leave nothing behind.

mod bench;
mod cargo;
mod codegen;
mod control_plane;
mod demo;
mod deny;
mod dirs;
mod family;
mod go;
mod helm;
mod process;
mod signals;
mod soak;
mod steps;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the Hookwright project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// See the operator do its main job, from an empty API server to the last deletion.
    Demo(demo::Args),
    /// Pass every check and test: what CI runs.
    Test(test::Args),
    /// Measure the operator against its bounds, side by side with a plain client.
    Bench(bench::Args),
    /// Kill everything at random while webhooks come and go, and see that cluster and remote agree in the end.
    Soak(soak::Args),
    /// A real etcd, kube-apiserver and kube-controller-manager.
    #[command(subcommand)]
    ControlPlane(control_plane::Command),
    /// Build Helm, once per user and version, and print where it is.
    Helm,
    /// Write the generated files again, after a change to the API types or to the chart's values.
    Codegen,
}

// One thread is plenty, and lets a drop that waits for a process block without hindering anyone.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::select! {
        outcome = run(cli.command) => outcome,
        code = signals::interrupted() => return code,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(&args).await,
        Command::Test(args) => test::run(&args).await,
        Command::Bench(args) => bench::run(&args).await,
        Command::Soak(args) => soak::run(&args).await,
        Command::ControlPlane(command) => control_plane::run(command).await,
        Command::Helm => helm::ready().await.map(|helm| println!("{}", helm.display())),
        Command::Codegen => codegen::run().await,
    }
}
