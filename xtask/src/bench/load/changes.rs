//! From a changed spec to the remote's PATCH, with everything else at rest: one change at a time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster};
use crate::fleet::{Fleet, Kind, name};
use crate::hook::{Hook, changed};
use crate::remote::Remote;
use crate::watch::Watch;

#[derive(clap::Args)]
pub struct Args {
    /// How many specs are changed.
    #[arg(long)]
    changes: usize,
    /// Time from one change to the next.
    #[arg(long)]
    gap_millis: u64,
    /// Bring them to the remote as well. Without it an operator does.
    #[arg(long)]
    floor: bool,
    /// Give up on a change after so long.
    #[arg(long, default_value_t = 60)]
    limit_seconds: u64,
}

pub async fn run(args: &Args, cluster: Arc<Cluster>, remote: Arc<Remote>, fleet: Fleet) -> Result<Value> {
    remote.clear_calls().await?;
    // The floor hears of a change as everybody does, from a watch: nothing else could tell it.
    let floor = async { if args.floor { follow(&cluster, &remote).await } else { std::future::pending().await } };
    let begun = tokio::select! {
        begun = change_all(args, &cluster, fleet) => begun?,
        ended = floor => ended.map(|never| match never {})?,
    };
    let mut millis = latencies(&begun, &remote.calls().await?)?;
    millis.sort_by(f64::total_cmp);
    Ok(json!({ "millis": millis }))
}

/// Changes one spec after the other; returns when each change was begun, by its URL.
async fn change_all(args: &Args, cluster: &Arc<Cluster>, fleet: Fleet) -> Result<HashMap<String, SystemTime>> {
    let mut watch = Watch::begin(cluster, Kind::ProjectWebhook).await?;
    // Long enough for the floor's watch to have begun.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut begun = HashMap::new();
    for change in 0..args.changes {
        let hook = changed(fleet, change);
        let next = tokio::time::Instant::now() + Duration::from_millis(args.gap_millis);
        begun.insert(url(change), SystemTime::now());
        let spec = json!({ "spec": { "url": url(change) } });
        let object = cluster.patch(&fleet.kind.path(hook.0), &spec, Answer::Metadata).await?;
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64).context("no generation")?;
        let limit = Duration::from_secs(args.limit_seconds);
        let ready = tokio::time::timeout(limit, ready(&mut watch, hook, generation)).await;
        ready.with_context(|| format!("{} did not become Ready", name(hook.0)))??;
        tokio::time::sleep_until(next).await;
    }
    Ok(begun)
}

async fn ready(watch: &mut Watch, hook: Hook, generation: i64) -> Result<()> {
    loop {
        let seen = watch.next().await?;
        if seen.number() == Some(hook.0) && seen.generation() == generation && seen.is_ready() {
            return Ok(());
        }
    }
}

fn url(change: usize) -> String {
    format!("https://hooks.example.com/changed/{change}")
}

/// The time from each change to the PATCH that brought it to the remote, by the record of calls.
fn latencies(begun: &HashMap<String, SystemTime>, calls: &[Value]) -> Result<Vec<f64>> {
    let mut millis = Vec::new();
    for call in calls.iter().filter(|call| call["operation"] == "update") {
        let url = call.pointer("/body/url").and_then(Value::as_str).context("a PATCH without url")?;
        let begin = begun.get(url).with_context(|| format!("nobody asked for {url}"))?;
        let at: jiff::Timestamp = call["at"].as_str().context("a call without time")?.parse()?;
        let took = SystemTime::from(at).duration_since(*begin).context("a PATCH before its change")?;
        millis.push(took.as_secs_f64() * 1000.0);
    }
    anyhow::ensure!(millis.len() == begun.len(), "{} changes made {} PATCHes", begun.len(), millis.len());
    Ok(millis)
}

/// The floor for changes: what the watch shows goes to the remote at once, is looked at, and becomes status.
async fn follow(cluster: &Arc<Cluster>, remote: &Remote) -> Result<Infallible> {
    let mut watch = Watch::begin(cluster, Kind::ProjectWebhook).await?;
    loop {
        let seen = watch.next().await?;
        let Some(hook) = seen.number().filter(|_| !seen.is_current()).map(Hook) else { continue };
        remote.update(hook, seen.webhook_id(), &json!({ "url": seen.url() })).await?;
        let webhooks = remote.list(hook.project()).await?;
        let webhook = webhooks.iter().find(|webhook| webhook["_id"] == seen.webhook_id()).context("it is gone")?;
        let status = json!({ "status": hook.status(webhook, seen.generation()) });
        cluster.patch(&format!("{}/status", Kind::ProjectWebhook.path(hook.0)), &status, Answer::Whole).await?;
    }
}
