//! Which replica is at work, where there are several.

use std::sync::Arc;

use kube::{Client, Config};
use tokio::sync::watch;

use super::{serve, stopped};
use crate::controller::context::{LeaseSettings, Settings};
use crate::controller::leader::Election;
use crate::ops::metrics::Metrics;
use crate::ops::server::Health;

/// Stands by, works, and gives way. Watches begin with the work and not before: whoever leads next has to decide on what its
/// predecessor wrote last, and a watch that lags would not show it; the first list does.
///
/// # Errors
/// It led, and does not lead any more.
pub(super) async fn lead(
    config: Config,
    client: Client,
    settings: Settings,
    health: Health,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let Some(LeaseSettings { name, duration }) = settings.lease.clone() else {
        metrics.leads(true);
        return serve(config, settings, health, metrics, None, stop).await.map(drop);
    };
    let election = Election::new(client, &settings.namespace, &name, duration);
    let Some(term) = election.win(&health, stopped(stop.clone())).await else { return Ok(()) };
    metrics.leads(true);
    tokio::select! {
        ended = serve(config, settings, health, Arc::clone(&metrics), Some((&election, &term)), stop) => {
            metrics.leads(false);
            if ended? {
                election.release().await;
            } else {
                tracing::warn!("not all writes have ended; the Lease is left to run out");
            }
            Ok(())
        }
        lost = election.keep(&term) => {
            metrics.leads(false);
            tracing::error!("not leading any more, ending at once: {lost}");
            Err(anyhow::Error::new(lost).context("not leading any more"))
        }
    }
}
