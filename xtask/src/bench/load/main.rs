//! The load of `cargo xtask bench`: the client that applies objects, and the *floor*, a plain client that makes
//! the remote and Kubernetes writes an operator has to make, and nothing else. One call is one phase; it prints one line
//! of JSON. A program of its own, because it has to be a release build and `cargo xtask` is not.

mod changes;
mod cluster;
mod create;
mod fleet;
mod floor;
mod hook;
mod remote;
mod task;
mod watch;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use cluster::Cluster;
use fleet::{Fleet, Kind};
use remote::Remote;
use task::Task;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    scene: Scene,
    #[command(subcommand)]
    phase: Phase,
}

/// Where everything is.
#[derive(Args)]
struct Scene {
    #[arg(long)]
    kubeconfig: PathBuf,
    /// The remote's endpoint, as a Connection names it.
    #[arg(long)]
    endpoint: String,
    /// The remote's CA.
    #[arg(long)]
    ca: PathBuf,
    /// The remote's admin door.
    #[arg(long)]
    admin: String,
    #[arg(long)]
    token: String,
    #[arg(long, value_enum)]
    kind: Kind,
    /// How many objects of the kind there are.
    #[arg(long)]
    objects: usize,
}

#[derive(Subcommand)]
enum Phase {
    /// Make the projects or tasks at the remote, the Secrets, the ConfigMap and the Connection.
    Prepare,
    /// Apply all objects, and wait until all are Ready.
    Create(create::Args),
    /// Change specs, one after the other, and see when each arrives at the remote.
    Change(changes::Args),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(Cli::parse()).await {
        Ok(result) => {
            println!("{result}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(Cli { scene, phase }: Cli) -> Result<Value> {
    let ca = std::fs::read(&scene.ca).with_context(|| format!("reading {}", scene.ca.display()))?;
    let cluster = Arc::new(Cluster::from_kubeconfig(&scene.kubeconfig)?);
    let remote = Arc::new(Remote::new(&scene.endpoint, &scene.admin, &scene.token, &ca)?);
    let fleet = Fleet { kind: scene.kind, objects: scene.objects };
    match phase {
        Phase::Prepare => prepare(&scene, &cluster, &remote, fleet, &ca).await,
        Phase::Create(args) => create::run(&args, cluster, remote, fleet).await,
        Phase::Change(args) => changes::run(&args, cluster, remote, fleet).await,
    }
}

async fn prepare(scene: &Scene, cluster: &Cluster, remote: &Remote, fleet: Fleet, ca: &[u8]) -> Result<Value> {
    match fleet.kind {
        Kind::ProjectWebhook => {
            for project in 0..hook::projects(fleet) {
                remote.add_project(project).await?;
            }
        }
        Kind::TaskNotification => {
            for task in fleet.numbers().map(Task) {
                remote.add_task(task).await?;
            }
        }
    }
    let ca = String::from_utf8(ca.to_vec()).context("the CA is PEM")?;
    for (collection, object) in fleet::surroundings(fleet.kind, &scene.endpoint, &scene.token, &ca) {
        cluster.create(collection, &object).await?;
    }
    Ok(json!({}))
}
