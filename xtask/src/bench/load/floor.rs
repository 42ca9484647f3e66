//! The floor. For each ProjectWebhook the patch that sets finalizer and annotation, the POST, its share of a LIST, and the
//! status; for each TaskNotification the GET and the status. It knows each object from whoever created it, decides nothing,
//! and checks nothing but that no call fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::cluster::{Answer, Cluster};
use crate::fleet::{Fleet, Kind, name};
use crate::hook::{Hook, batches};
use crate::remote::Remote;
use crate::task::Task;

pub struct Floor {
    cluster: Arc<Cluster>,
    remote: Arc<Remote>,
    kind: Kind,
    /// As many calls at a time as the operator has passes.
    places: Semaphore,
    batches: Vec<Batch>,
    batch_of: HashMap<usize, usize>,
}

/// Webhooks that share a LIST: who is last with its POST makes it, and the status of all.
struct Batch {
    hooks: Vec<Hook>,
    left: AtomicUsize,
}

impl Floor {
    pub fn new(cluster: Arc<Cluster>, remote: Arc<Remote>, fleet: Fleet, places: usize) -> Self {
        let batches = match fleet.kind {
            Kind::ProjectWebhook => batches(fleet),
            Kind::TaskNotification => vec![],
        };
        let batches: Vec<_> =
            batches.into_iter().map(|hooks| Batch { left: AtomicUsize::new(hooks.len()), hooks }).collect();
        let batch_of =
            batches.iter().enumerate().flat_map(|(n, batch)| batch.hooks.iter().map(move |hook| (hook.0, n))).collect();
        Self { cluster, remote, kind: fleet.kind, places: Semaphore::new(places), batches, batch_of }
    }

    /// Makes an object of this number Ready.
    pub async fn make(self: Arc<Self>, number: usize, version: String) -> Result<()> {
        match self.kind {
            Kind::ProjectWebhook => self.webhook(Hook(number), version).await,
            Kind::TaskNotification => self.task(Task(number)).await,
        }
    }

    async fn task(&self, task: Task) -> Result<()> {
        let _place = self.places.acquire().await?;
        let shown = self.remote.task(task).await?;
        self.publish(task.0, task.status(&shown)?).await
    }

    async fn webhook(&self, hook: Hook, version: String) -> Result<()> {
        {
            let _place = self.places.acquire().await?;
            let metadata = json!({
                "resourceVersion": version,
                "finalizers": ["hookwright.dev/finalizer"],
                "annotations": { "hookwright.dev/creating": "{\"candidates\":[]}" },
            });
            let path = self.kind.path(hook.0);
            self.cluster.patch(&path, &json!({ "metadata": metadata }), Answer::Metadata).await?;
            self.remote.create(hook).await?;
        }
        let batch = self.batch_of.get(&hook.0).and_then(|batch| self.batches.get(*batch)).context("a batch")?;
        if batch.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return Ok(());
        }
        let webhooks = {
            let _place = self.places.acquire().await?;
            self.remote.list(hook.project()).await?
        };
        try_join_all(batch.hooks.iter().map(|hook| self.ready(*hook, &webhooks))).await?;
        Ok(())
    }

    async fn ready(&self, hook: Hook, webhooks: &[Value]) -> Result<()> {
        let _place = self.places.acquire().await?;
        let name = name(hook.0);
        let webhook = webhooks.iter().find(|webhook| webhook["name"] == name.as_str());
        let webhook = webhook.with_context(|| format!("the LIST lacks {name}"))?;
        self.publish(hook.0, hook.status(webhook, 1)).await
    }

    async fn publish(&self, number: usize, status: Value) -> Result<()> {
        let path = format!("{}/status", self.kind.path(number));
        self.cluster.patch(&path, &json!({ "status": status }), Answer::Whole).await?;
        Ok(())
    }
}
