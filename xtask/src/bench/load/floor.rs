//! The floor: for each object the patch that sets finalizer and annotation, the POST, its share of a LIST, and the
//! status. It knows each object from whoever created it, decides nothing, and checks nothing but that no call fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::cluster::{Answer, Cluster};
use crate::fleet::{Fleet, Hook, project_id};
use crate::remote::Remote;

pub struct Floor {
    cluster: Arc<Cluster>,
    remote: Arc<Remote>,
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
        let batches: Vec<_> =
            fleet.batches().into_iter().map(|hooks| Batch { left: AtomicUsize::new(hooks.len()), hooks }).collect();
        let batch_of =
            batches.iter().enumerate().flat_map(|(n, batch)| batch.hooks.iter().map(move |hook| (hook.0, n))).collect();
        Self { cluster, remote, places: Semaphore::new(places), batches, batch_of }
    }

    pub async fn make(self: Arc<Self>, hook: Hook, version: String) -> Result<()> {
        {
            let _place = self.places.acquire().await?;
            let metadata = json!({
                "resourceVersion": version,
                "finalizers": ["hookwright.dev/finalizer"],
                "annotations": { "hookwright.dev/creating": "{\"candidates\":[]}" },
            });
            self.cluster.patch(&hook.path(), &json!({ "metadata": metadata }), Answer::Metadata).await?;
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
        let name = hook.name();
        let webhook = webhooks.iter().find(|webhook| webhook["name"] == name.as_str());
        let webhook = webhook.with_context(|| format!("the LIST lacks {name}"))?;
        let status = json!({ "status": status(hook, webhook, 1) });
        self.cluster.patch(&format!("{}/status", hook.path()), &status, Answer::Whole).await?;
        Ok(())
    }
}

/// The status that the operator writes.
pub fn status(hook: Hook, webhook: &Value, generation: i64) -> Value {
    let now = "2026-01-01T00:00:00Z";
    json!({
        "observedGeneration": generation,
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Synced", "observedGeneration": generation,
            "lastTransitionTime": now,
            "message": format!("webhook {} of project {} equals the spec", webhook["_id"], project_id(hook.project())),
        }],
        "webhookId": webhook["_id"],
        "ownership": "Created",
        "applied": { "generation": generation, "connection": "Connection/app-maker" },
        "remote": {
            "name": webhook["name"], "urlHost": "hooks.example.com", "active": true, "events": webhook["events"],
            "headerNames": ["X-Team"], "createdAt": webhook["createdAt"], "updatedAt": webhook["updatedAt"],
        },
        "lastAppliedTime": now,
    })
}
