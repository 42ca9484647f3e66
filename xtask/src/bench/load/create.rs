//! From nothing to all Ready. The same client applies the objects, at the same pace, whoever makes them Ready.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::fleet::Fleet;
use crate::floor::Floor;
use crate::remote::Remote;
use crate::watch::Watch;

#[derive(clap::Args)]
pub struct Args {
    /// How many objects are being applied at a time.
    #[arg(long, default_value_t = 16)]
    appliers: usize,
    /// Make them Ready as well, with so many calls at a time. Without it an operator does.
    #[arg(long)]
    floor: Option<usize>,
    /// Give up after so long.
    #[arg(long, default_value_t = 1800)]
    limit_seconds: u64,
}

pub async fn run(args: &Args, cluster: Arc<Cluster>, remote: Arc<Remote>, fleet: Fleet) -> Result<Value> {
    let floor = args.floor.map(|places| Arc::new(Floor::new(Arc::clone(&cluster), remote, fleet, places)));
    let mut watch = Watch::begin(&cluster, fleet.kind).await?;
    let began = Instant::now();
    let apply = async {
        let created =
            stream::iter(fleet.numbers()).map(|number| apply(&cluster, fleet, number)).buffer_unordered(args.appliers);
        let work = created.try_fold(Vec::new(), async |mut work, (number, version)| {
            if let Some(floor) = &floor {
                work.push(tokio::spawn(Arc::clone(floor).make(number, version)));
            }
            Ok(work)
        });
        let work = work.await?;
        let applied = began.elapsed();
        for done in work {
            done.await??;
        }
        Ok::<_, anyhow::Error>(applied)
    };
    let all = async { tokio::try_join!(apply, all_ready(&mut watch, fleet, began)) };
    let (applied, ready) = tokio::time::timeout(Duration::from_secs(args.limit_seconds), all)
        .await
        .with_context(|| format!("not all Ready after {} s", args.limit_seconds))??;
    Ok(json!({ "applied_seconds": applied.as_secs_f64(), "ready_seconds": ready.as_secs_f64() }))
}

/// Creates one object; returns its resourceVersion.
async fn apply(cluster: &Cluster, fleet: Fleet, number: usize) -> Result<(usize, String)> {
    let object = cluster.create(&fleet.kind.collection(), &fleet.object(number)).await?;
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).context("no resourceVersion")?;
    Ok((number, version.to_owned()))
}

async fn all_ready(watch: &mut Watch, fleet: Fleet, began: Instant) -> Result<Duration> {
    let mut ready = vec![false; fleet.objects];
    let mut left = fleet.objects;
    while left > 0 {
        let seen = watch.next().await?;
        let Some(number) = seen.number().filter(|_| seen.is_ready()) else { continue };
        let slot = ready.get_mut(number).context("an object that nobody applied")?;
        left -= usize::from(!std::mem::replace(slot, true));
    }
    Ok(began.elapsed())
}
