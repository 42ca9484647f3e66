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
mod image;
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
    /// Build the operator as an OCI image, without a Docker engine, and print where the archive is.
    Image,
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
        Command::Image => image::build().await.map(|built| println!("{}\n{}", built.summary, built.archive.display())),
        Command::Codegen => codegen::run().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text under a key called `run`.
    fn scripts(value: &serde_json::Value) -> Vec<&str> {
        match value {
            serde_json::Value::Object(map) => map
                .iter()
                .flat_map(|(key, value)| match value.as_str() {
                    Some(script) if key == "run" => vec![script],
                    _ => scripts(value),
                })
                .collect(),
            serde_json::Value::Array(all) => all.iter().flat_map(scripts).collect(),
            _ => vec![],
        }
    }

    #[test]
    fn the_release_workflow_calls_commands_that_there_are() -> anyhow::Result<()> {
        let text = std::fs::read_to_string(dirs::root().join(".github/workflows/release.yml"))?;
        let workflow: serde_json::Value = serde_yaml::from_str(&text)?;
        let mut called = 0;
        for script in scripts(&workflow) {
            for call in script.lines().filter_map(|line| line.split_once("cargo xtask")) {
                called += 1;
                let args = call.1.split(['|', ')']).next().unwrap_or_default();
                Cli::try_parse_from(std::iter::once("xtask").chain(args.split_whitespace()))?;
            }
        }
        anyhow::ensure!(called == 3, "{called} calls");
        Ok(())
    }
}
