//! Many ProjectWebhooks at the same time.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use hookwright::api::project_webhook::ProjectWebhook;
use kube::api::PostParams;
use serde_json::{Value, json};
use simulator::ProjectRef;

use super::{DEADLINE, Recording, World, ready_reason};

/// How many are created at the same time.
const CREATORS: usize = 16;

/// The part of a spec that says which project it is about.
pub fn of_project(project: &ProjectRef) -> Value {
    json!({ "organizationId": project.organization, "projectId": project.id })
}

impl World {
    /// Creates many ProjectWebhooks, each with what is different in its spec.
    pub async fn create_all(&self, all: impl IntoIterator<Item = (String, Value)>) {
        let api = self.webhooks();
        let create = |(name, spec): (String, Value)| {
            let object = serde_json::from_value(self.webhook_manifest(&name, spec)).expect("a ProjectWebhook");
            let api = api.clone();
            async move { drop(api.create(&PostParams::default(), &object).await.expect("it can be created")) }
        };
        stream::iter(all).map(create).buffer_unordered(CREATORS).collect::<Vec<()>>().await;
    }
}

impl Recording {
    /// How many objects, each as it was last seen, are so.
    fn count(&self, is_so: &impl Fn(&ProjectWebhook) -> bool) -> usize {
        let versions = self.versions.lock().unwrap();
        let mut seen = HashSet::new();
        versions.iter().rev().filter(|object| seen.insert(object.metadata.name.as_deref()) && is_so(object)).count()
    }

    /// Waits until so many objects are as wanted; with one watch, however many they are. How long that takes depends on the
    /// machine, so this fails only when nothing comes nearer any more.
    pub async fn wait_count(&self, count: usize, what: &str, is_so: impl Fn(&ProjectWebhook) -> bool) {
        let mut last = (usize::MAX, Instant::now());
        loop {
            let now = self.count(&is_so);
            if now == count {
                return;
            }
            if now != last.0 {
                last = (now, Instant::now());
            }
            if last.1.elapsed() > DEADLINE {
                let mut reasons: BTreeMap<_, usize> = BTreeMap::new();
                for object in self.all() {
                    *reasons.entry(ready_reason(&object).map(str::to_owned)).or_default() += 1;
                }
                panic!("{what}: {now} of {count}; the reasons of all versions: {reasons:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
