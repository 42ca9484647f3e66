//! Every version of every ProjectWebhook of a namespace that Kubernetes ever held: what was written, and how often.

use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt};
use hookwright::api::project_webhook::ProjectWebhook;
use kube::ResourceExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use super::World;

/// A watch that keeps what it sees. An API server sends each version once, in order, so nothing is missed.
pub struct Recording {
    pub(super) versions: Arc<Mutex<Vec<ProjectWebhook>>>,
    task: JoinHandle<()>,
}

impl World {
    /// Records from now on.
    pub async fn record(&self) -> Recording {
        let list = self.webhooks().list(&ListParams::default()).await.expect("a list");
        let from = list.metadata.resource_version.expect("a version");
        let versions = Arc::<Mutex<Vec<ProjectWebhook>>>::default();
        let (api, kept, mut from) = (self.webhooks(), Arc::clone(&versions), from);
        let task = tokio::spawn(async move {
            // An API server ends the watch of a client that is slow; the next one goes on where it ended.
            loop {
                let events = api.watch(&WatchParams::default(), &from).await.expect("a watch");
                let mut events = events.boxed();
                while let Ok(Some(event)) = events.try_next().await {
                    if let WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) =
                        event
                    {
                        from = object.resource_version().expect("a version");
                        kept.lock().unwrap().push(object);
                    }
                }
            }
        });
        Recording { versions, task }
    }
}

impl Recording {
    /// All versions of all objects so far.
    pub fn all(&self) -> Vec<ProjectWebhook> {
        self.versions.lock().unwrap().clone()
    }

    /// All versions of an object up to this one, which the recording may not have seen yet.
    pub async fn up_to(&self, object: &ProjectWebhook) -> Vec<ProjectWebhook> {
        let seen = async {
            loop {
                let versions: Vec<_> = self
                    .versions
                    .lock()
                    .unwrap()
                    .iter()
                    .filter(|v| v.name_any() == object.name_any())
                    .cloned()
                    .collect();
                if let Some(at) = versions.iter().position(|v| v.resource_version() == object.resource_version()) {
                    return versions[..=at].to_vec();
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(super::DEADLINE, seen).await.expect("the recording sees each version")
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.task.abort();
    }
}
