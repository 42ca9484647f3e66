//! Namespaces' labels: a ClusterConnection may choose by them whom it serves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::context::Context;
use super::index::{ConnectionKey, User};
use super::wiring::watch_error;

type Labels = BTreeMap<String, String>;

/// Follows the labels of all namespaces, and triggers the users of ClusterConnections that choose by them.
pub async fn follow_namespaces(context: Arc<Context>) {
    let api = Api::<PartialObjectMeta<Namespace>>::all(context.client.clone());
    let mut events = Box::pin(
        watcher(api, watcher::Config::default())
            .default_backoff()
            .inspect_err(|error| tracing::warn!("the watch of Namespaces failed: {}", watch_error(error)))
            .filter_map(|event| std::future::ready(event.ok())),
    );
    let mut seen = Seen::default();
    while let Some(event) = events.next().await {
        for namespace in seen.changed(event) {
            relabelled(&context, &namespace);
        }
    }
}

/// The users decide by the labels as they are then.
fn relabelled(context: &Context, namespace: &str) {
    let stores = context.connections.cluster.iter();
    let choosing = stores.flat_map(|store| store.state()).filter(|connection| {
        connection.spec.allowed_namespaces.as_ref().is_some_and(|allowed| allowed.selector.is_some())
    });
    for connection in choosing {
        for user in context.users.of(&ConnectionKey::from(&*connection)) {
            let (User::ProjectWebhook(key) | User::TaskNotification(key)) = &user else { continue };
            if *key.namespace != *namespace {
                continue;
            }
            if let User::ProjectWebhook(key) = &user {
                context.index.touch(key, context.clock.now());
            }
            context.triggers.user(user);
        }
    }
}

/// The labels as they were last seen.
#[derive(Default)]
struct Seen {
    labels: BTreeMap<String, Labels>,
    /// During a list: those that it did not show yet.
    missing: Option<BTreeSet<String>>,
}

impl Seen {
    /// The namespaces whose labels are others now, or were not known: at the start they may have changed since a pass asked
    /// for them.
    fn changed(&mut self, event: Event<PartialObjectMeta<Namespace>>) -> Vec<String> {
        match event {
            Event::Init => self.missing = Some(self.labels.keys().cloned().collect()),
            Event::InitApply(namespace) | Event::Apply(namespace) => {
                let (name, labels) = (namespace.name_any(), namespace.metadata.labels.unwrap_or_default());
                if let Some(missing) = &mut self.missing {
                    missing.remove(&name);
                }
                let before = self.labels.insert(name.clone(), labels.clone());
                return if before.as_ref() == Some(&labels) { vec![] } else { vec![name] };
            }
            Event::InitDone => {
                for gone in self.missing.take().into_iter().flatten() {
                    self.labels.remove(&gone);
                }
            }
            Event::Delete(namespace) => drop(self.labels.remove(&namespace.name_any())),
        }
        vec![]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn namespace(name: &str, team: &str) -> PartialObjectMeta<Namespace> {
        let object = serde_json::json!({ "metadata": { "name": name, "labels": { "team": team } } });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_namespace_is_told_when_its_labels_are_new_also_after_a_watch_that_broke() {
        let mut seen = Seen::default();
        let mut told = |event| seen.changed(event);
        assert!(told(Event::Init).is_empty());
        assert_eq!(told(Event::InitApply(namespace("a", "1"))), ["a"]);
        assert_eq!(told(Event::InitApply(namespace("b", "1"))), ["b"]);
        assert!(told(Event::InitDone).is_empty());
        assert!(told(Event::Apply(namespace("a", "1"))).is_empty());
        assert_eq!(told(Event::Apply(namespace("a", "2"))), ["a"]);
        told(Event::Init);
        assert!(told(Event::InitApply(namespace("a", "2"))).is_empty());
        told(Event::InitDone);
        assert_eq!(told(Event::Apply(namespace("b", "1"))), ["b"], "it was gone, and is another one");
        told(Event::Delete(namespace("a", "2")));
        assert_eq!(told(Event::Apply(namespace("a", "2"))), ["a"]);
    }
}
