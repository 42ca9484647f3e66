//! The simulator as a program, for tests in other languages, demos and measurements.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use serde::de::DeserializeOwned;
use serde_json::json;
use simulator::codearts::{AccessKey, IamUser, Setup};
use simulator::{Options, ProjectRef, Simulator};
use tokio::signal::unix::{SignalKind, signal};

/// Plays the remote webhook APIs over HTTP and TLS. Prints one JSON line with its addresses once it listens.
#[derive(Parser)]
struct Arguments {
    /// Where the API listens without TLS.
    #[arg(long, default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Where the API listens with TLS; the certificate is for localhost and 127.0.0.1.
    #[arg(long, default_value = "127.0.0.1:0")]
    https: SocketAddr,
    /// Where the admin door listens. It asks for no credentials.
    #[arg(long, default_value = "127.0.0.1:0")]
    admin: SocketAddr,
    /// A bearer token for App Maker that may do everything; may be repeated.
    #[arg(long = "token")]
    tokens: Vec<String>,
    /// A project of App Maker that there is, as ORGANIZATION/PROJECT; may be repeated.
    #[arg(long = "project", value_parser = project_ref)]
    projects: Vec<ProjectRef>,
    /// A token for CodeArts Check that may do everything and never expires; may be repeated.
    #[arg(long = "check-token")]
    check_tokens: Vec<String>,
    /// An access key for CodeArts Check, as {"access_key", "secret_key", "project_id", "security_token"?} in JSON; may be
    /// repeated.
    #[arg(long = "access-key", value_parser = from_json::<AccessKey>)]
    access_keys: Vec<AccessKey>,
    /// A user of IAM, as {"domain", "user", "password", "project"} in JSON; may be repeated.
    #[arg(long = "iam-user", value_parser = from_json::<IamUser>)]
    users: Vec<IamUser>,
    /// A task of CodeArts Check that there is, without channels; may be repeated.
    #[arg(long = "task")]
    tasks: Vec<String>,
    /// Writes the CA's certificate (PEM) to this file before the addresses are printed.
    #[arg(long)]
    ca_out: Option<PathBuf>,
    /// Seeds the generator that decides about faults with a rate.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stops when stdin ends, so that it can't outlive the process that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

fn project_ref(text: &str) -> Result<ProjectRef, String> {
    match text.split_once('/') {
        Some((organization, id)) if [organization, id].into_iter().all(simulator::app_maker::is_entity_id) => {
            Ok(ProjectRef { organization: organization.to_owned(), id: id.to_owned() })
        }
        _ => Err("must be two ids of 24 hexadecimal digits: ORGANIZATION/PROJECT".to_owned()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments {
        http,
        https,
        admin,
        tokens,
        projects,
        check_tokens,
        access_keys,
        users,
        tasks,
        ca_out,
        seed,
        exit_with_stdin,
    } = Arguments::parse();
    // Before listening: a signal that comes as soon as the addresses are known must not be missed.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let codearts = Setup { tokens: check_tokens, access_keys, users, tasks, ..Setup::default() };
    let options = Options { http, https, admin, tokens, projects, codearts, seed, ..Options::default() };
    let simulator = Simulator::start(options).await?;
    if let Some(path) = ca_out {
        std::fs::write(&path, simulator.ca_pem()).with_context(|| format!("writing {}", path.display()))?;
    }
    let addresses = json!({
        "http": simulator.http_url(),
        "https": simulator.https_url(),
        "admin": simulator.admin_url(),
        "check": simulator.check_endpoint(),
        "iam": simulator.iam_endpoint(),
    });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{addresses}").and_then(|()| stdout.flush()).context("printing the addresses")?;

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ended(), if exit_with_stdin => {}
    }
    simulator.stop().await;
    Ok(())
}

async fn stdin_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own and not one of tokio's: those are waited for at exit, and a read of stdin can't be cancelled.
    std::thread::spawn(move || {
        // An error ends it as well: there is nobody left to hear it.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    // The sender can't be lost without the thread's end, which means the same.
    let _ = end.await;
}
