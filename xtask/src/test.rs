//! `cargo xtask test`: everything that CI checks, in the order of what fails fastest.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::process::Command;

use crate::{
    cargo,
    control_plane::{self, Assets, ControlPlane},
    demo, deny, dirs, go, helm, image,
    steps::Steps,
};

#[derive(clap::Args)]
pub struct Args {
    /// Passed on to `cargo test`, for instance a filter, or `--test NAME`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub async fn run(args: &Args) -> Result<()> {
    let mut steps = Steps::default();
    let outcome = all(&mut steps, args).await;
    println!("\n{}", steps.table());
    outcome
}

async fn all(steps: &mut Steps, args: &Args) -> Result<()> {
    steps.run("rustfmt", cargo::run(["fmt", "--all", "--check"])).await?;
    steps.run("gofmt, go vet, go test", go::checks()).await?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    steps.run("clippy", cargo::run(clippy)).await?;
    let remark = steps.run("cargo deny", deny::check()).await?;
    steps.note(remark);
    let assets = steps.run("control plane programs", Assets::ready()).await?;
    let helm = steps.run("helm", helm::ready()).await?;
    steps.run("build programs", cargo::build_binaries()).await?;
    if args.args.is_empty() {
        steps.run("no fail points in a release", fail_points_are_refused()).await?;
        // While no other child of this process runs.
        steps.run("demo --exit", demo::check::show()).await?;
        steps.run("demo, then Ctrl-C", demo::check::interrupted()).await?;
        steps.run("build tests", cargo::run(["test", "--workspace", "--locked", "--no-run"])).await?;
    }
    let image = if of_image(args) {
        let built = steps.run("build image", image::build()).await?;
        steps.note(Some(built.summary));
        Some(built.archive)
    } else {
        None
    };
    let programs = Programs { assets, helm, image };
    dirs::with_scratch(async |scratch| on_control_planes(steps, args, &programs, scratch).await).await
}

/// Whether the image is among what is to be tested. It takes minutes to build, so only where it is asked for, or all is.
fn of_image(args: &Args) -> bool {
    args.args.is_empty() || args.args.windows(2).any(|pair| pair == ["--test", "image"])
}

/// What the tests run, beside what cargo builds for them.
struct Programs {
    assets: Assets,
    helm: PathBuf,
    image: Option<PathBuf>,
}

async fn on_control_planes(steps: &mut Steps, args: &Args, programs: &Programs, scratch: &Path) -> Result<()> {
    let Programs { assets, helm, image } = programs;
    let (mut shared, mut wide) = steps.run("start control planes", control_plane::for_tests(assets, scratch)).await?;
    let states = scratch.join("states");
    std::fs::create_dir(&states)?;
    let mut command = tests_command(assets, &shared, &wide, scratch, args)?;
    command.env("HOOKWRIGHT_TEST_HELM", helm).env(STATES, &states);
    let mut tests = steps.run("tests", run_tests(command, &mut shared, &mut wide)).await;
    if let (Ok(()), Some(image)) = (&tests, image) {
        tests =
            image_tests(steps, image_command(assets, &shared, &wide, scratch, image)?, &mut shared, &mut wide).await;
    }
    let stopped = steps.run("stop control planes", async { shared.stop().and(wide.stop()) }).await;
    tests.and(stopped)?;
    // A few chosen tests may have seen none.
    if args.args.is_empty() || std::fs::read_dir(&states)?.next().is_some() {
        steps.run("states the tests saw", cargo::run_command(&mut states_command(&states, args))).await?;
    }
    Ok(())
}

/// A build without debug assertions that has the fail points of the tests must not compile: whoever ships it by accident
/// ships a program that ends because of a variable of its environment.
async fn fail_points_are_refused() -> Result<()> {
    // Beside a test, features are united; the profile differs from a release in nothing that counts here.
    let assertions = "profile.dev.package.hookwright.debug-assertions=false";
    let args = ["check", "--locked", "--package", "hookwright", "--test", "generated", "--config", assertions];
    let output = cargo::command(args).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    let refused =
        !output.status.success() && said.contains("this is a build without debug assertions, with the fail points");
    ensure!(refused, "cargo {} is to be refused by src/controller/fail_point.rs, and was not:\n{said}", args.join(" "));
    Ok(())
}

/// Where tests keep each state of our objects that they see.
const STATES: &str = "HOOKWRIGHT_TEST_STATES";

/// What GitOps tools make of the states: all of them are there only now. Only all tests together see every reason.
fn states_command(states: &Path, args: &Args) -> Command {
    let mut command =
        cargo::command(["test", "--locked", "--package", "hookwright", "--test", "gitops", "--", "--ignored"]);
    if !args.args.is_empty() {
        command.args(["--skip", "every_reason"]);
    }
    command.env(STATES, states);
    command
}

/// Runs the image, where that is possible; where it is not, the table says so.
async fn image_tests(
    steps: &mut Steps,
    command: Command,
    shared: &mut ControlPlane,
    wide: &mut ControlPlane,
) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return steps.run("run image", run_tests(command, shared, wide)).await;
    }
    steps.not_run("run image", "its tests mount and change user, which needs root");
    Ok(())
}

fn image_command(
    assets: &Assets,
    shared: &ControlPlane,
    wide: &ControlPlane,
    scratch: &Path,
    image: &Path,
) -> Result<Command> {
    let mut command =
        cargo::command(["test", "--locked", "--package", "hookwright", "--test", "image", "--", "--ignored"]);
    command.envs(control_plane::variables(assets, shared, wide, scratch)?).env("HOOKWRIGHT_TEST_IMAGE", image);
    command.env_remove("KUBECONFIG");
    Ok(command)
}

fn tests_command(
    assets: &Assets,
    shared: &ControlPlane,
    wide: &ControlPlane,
    scratch: &Path,
    args: &Args,
) -> Result<Command> {
    let mut command = cargo::command(["test", "--workspace", "--locked"]);
    command
        .args(&args.args)
        .envs(control_plane::variables(assets, shared, wide, scratch)?)
        // Tests against the API server mostly wait: more of them than cores keep the cores busy.
        .env("RUST_TEST_THREADS", "8")
        // The same cases for everybody, so that a change is judged by what it changes. Another seed looks further.
        .env("PROPTEST_RNG_SEED", std::env::var("PROPTEST_RNG_SEED").unwrap_or_else(|_| "20261122".into()))
        .env("HOOKWRIGHT_SOAK_SEED", std::env::var("HOOKWRIGHT_SOAK_SEED").unwrap_or_else(|_| "20261123".into()))
        .env_remove("HOOKWRIGHT_SOAK_MINUTES")
        // Nobody's real cluster may be reached by a test that forgets to say which one it means.
        .env_remove("KUBECONFIG");
    Ok(command)
}

/// Without a control plane the remaining tests would only time out one by one, so its end is theirs.
async fn run_tests(mut command: Command, shared: &mut ControlPlane, wide: &mut ControlPlane) -> Result<()> {
    tokio::select! {
        tests = cargo::run_command(&mut command) => tests,
        ended = shared.ended() => ended,
        ended = wide.ended() => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn whatever_follows_is_for_cargo_test() -> Result<()> {
        let args = ["--test", "adoption", "--", "--nocapture"];
        let line = Line::try_parse_from(std::iter::once("test").chain(args))?;
        assert_eq!(line.args.args, args);
        assert!(!of_image(&line.args));
        let line = Line::try_parse_from(["test", "--test", "image"])?;
        assert!(of_image(&line.args) && of_image(&Args { args: vec![] }));
        Ok(())
    }
}
