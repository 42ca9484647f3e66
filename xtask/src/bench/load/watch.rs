//! Watches the objects, as whoever waits for them would.

use std::sync::Arc;

use anyhow::{Context, Result};
use reqwest::Response;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::fleet::{Kind, number};

/// What of an object matters here. All of it may be missing: an error comes as an object too.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    generation: i64,
    resource_version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    conditions: Vec<Condition>,
    webhook_id: String,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    type_: String,
    object: Seen,
}

impl Seen {
    pub fn number(&self) -> Option<usize> {
        number(&self.metadata.name)
    }

    pub fn generation(&self) -> i64 {
        self.metadata.generation
    }

    pub fn url(&self) -> &str {
        &self.spec.url
    }

    pub fn webhook_id(&self) -> &str {
        &self.status.webhook_id
    }

    /// Whether status speaks of the present spec.
    pub fn is_current(&self) -> bool {
        self.status.observed_generation == self.metadata.generation
    }

    pub fn is_ready(&self) -> bool {
        let ready = |condition: &Condition| condition.type_ == "Ready" && condition.status == "True";
        self.is_current() && self.status.conditions.iter().any(ready)
    }
}

/// A watch that has begun.
pub struct Watch {
    cluster: Arc<Cluster>,
    kind: Kind,
    version: String,
    response: Response,
    buffer: Vec<u8>,
    read: usize,
}

impl Watch {
    /// Sees every change from now on.
    pub async fn begin(cluster: &Arc<Cluster>, kind: Kind) -> Result<Self> {
        let list = cluster.get(&format!("{}?limit=1", collection(kind))).await?;
        let version = list.pointer("/metadata/resourceVersion").and_then(|version| version.as_str());
        let version = version.context("a list without resourceVersion")?.to_owned();
        let response = stream(cluster, kind, &version).await?;
        Ok(Self { cluster: Arc::clone(cluster), kind, version, response, buffer: Vec::new(), read: 0 })
    }

    /// The next object that was added or changed.
    pub async fn next(&mut self) -> Result<Seen> {
        loop {
            let rest = &self.buffer[self.read..];
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let event: Event = serde_json::from_slice(&rest[..end])?;
                self.read += end + 1;
                anyhow::ensure!(event.type_ != "ERROR", "the watch has lost its place");
                self.version.clone_from(&event.object.metadata.resource_version);
                if event.type_ != "DELETED" {
                    return Ok(event.object);
                }
                continue;
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                // The API server ends watches that fall behind. It goes on where it stood.
                None => {
                    self.buffer.clear();
                    self.response = stream(&self.cluster, self.kind, &self.version).await?;
                }
            }
        }
    }
}

/// In all namespaces.
fn collection(kind: Kind) -> String {
    format!("/apis/hookwright.dev/v1alpha1/{}", kind.plural())
}

async fn stream(cluster: &Cluster, kind: Kind, version: &str) -> Result<Response> {
    let collection = collection(kind);
    cluster.stream(&format!("{collection}?watch=true&resourceVersion={version}&timeoutSeconds=3600")).await
}
