//! `cargo xtask demo`: the operator's main job, on a real API server against the simulator.

pub mod check;
mod code_arts;
mod console;
mod examples;
pub mod kubectl;
mod show;
mod stage;
mod table;

use anyhow::{Context, Result};

use self::{examples::Examples, stage::Stage};
use crate::{cargo, control_plane::Assets, dirs, signals};

#[derive(clap::Args)]
pub struct Args {
    /// End after the show, with exit code 0 only if all of it held.
    #[arg(long)]
    exit: bool,
}

pub async fn run(args: &Args) -> Result<()> {
    let mut examples = Examples::load(&dirs::root().join("examples"))?;
    println!("1. Building the control plane (once per user and version), the simulator and the operator");
    let assets = Assets::ready().await?;
    cargo::build_binaries().await?;

    dirs::with_scratch(async |scratch| {
        println!("\n2. Starting etcd, kube-apiserver, kube-controller-manager, the simulator and the operator");
        let mut stage = Stage::start(&assets, &examples, scratch).await?;
        let outcome = show_and_stay(&mut stage, &mut examples, &assets, args).await;
        if outcome.is_err() {
            println!("\nthe operator's last lines:\n{}", last_lines(&stage, 20));
        }
        let stopped = stage.stop();
        outcome?;
        stopped?;
        println!("\nAll of it held, and everything has stopped.");
        Ok(())
    })
    .await
}

async fn show_and_stay(stage: &mut Stage, examples: &mut Examples, assets: &Assets, args: &Args) -> Result<()> {
    perform(stage, examples).await.context("the show did not hold")?;
    if args.exit {
        return Ok(());
    }
    // Before the invitation: whoever takes it at its word ends the demo well.
    let stay = signals::stay();
    invite(stage, assets);
    tokio::select! {
        ended = watch(stage) => ended,
        () = stay => Ok(()),
    }
}

async fn perform(stage: &mut Stage, examples: &mut Examples) -> Result<()> {
    for handmade in examples.handmade() {
        stage.console.create(&handmade.project, &handmade.webhook)?;
        println!("   made at the console, by hand, for {} to find: {}", handmade.object, handmade.webhook["name"]);
    }
    let tasks = examples.tasks()?;
    for task in &tasks {
        for channel in task.neglected() {
            stage.console.set_channel(&task.id, &channel)?;
        }
        println!(
            "   left at the console, switched off and with an old robot, for {} to find: task {}",
            task.object, task.id
        );
    }
    println!("\n3. Applying crds/ and examples/");
    println!("   with two changes, laid over them in memory, because examples/ is written for a real account: the");
    println!("   connections' endpoints are the simulator's, and caFrom lets them trust its CA");
    examples.overlay(&stage.addresses, &stage.ca_pem);
    stage.kubectl.apply_crds().await?;
    stage.kubectl.apply(&examples.manifest()).await?;
    println!();
    show::all_settled(stage, examples.objects()).await?;

    println!("\n4. Changing a webhook behind the operator's back");
    show::drift_is_corrected(stage).await?;

    println!("\n5. Deleting a ProjectWebhook");
    show::deletion_reaches_both_sides(stage).await?;
    let projects = examples.projects().into_iter();
    let projects = projects.filter_map(|project| Some(project.split_once('/')?.1.to_owned()));
    show::remote_holds_no_more(stage, projects).await?;

    println!("\n6. Changing what only a person can change");
    for task in &tasks {
        show::a_person_mends(stage, task).await?;
    }
    Ok(())
}

fn invite(stage: &Stage, assets: &Assets) {
    println!("\nIt is yours until Ctrl-C, which stops everything:\n");
    println!("  export KUBECONFIG={}", stage.plane.kubeconfig.display());
    let kubectl = match dirs::on_path("kubectl") {
        Some(_) => "kubectl".to_owned(),
        None => assets.kubectl.display().to_string(),
    };
    println!("  {kubectl} get hookwright --output wide");
    println!("\n  the remote's console: {}", stage.addresses.admin);
    println!("  the operator's log:   {}", stage.operator_log().display());
}

/// Returns with an error should one of the programs end by itself.
async fn watch(stage: &mut Stage) -> Result<()> {
    loop {
        stage.check()?;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

fn last_lines(stage: &Stage, count: usize) -> String {
    let log = std::fs::read_to_string(stage.operator_log()).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
