//! What triggers passes: watches of our kinds, of the Secrets and ConfigMaps they use, and of each other.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender};
use futures::future::{BoxFuture, join_all};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{Store, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::context::{Context, Listed};
use super::index::{User, object_key};
use super::sources::{SourceKey, SourceKind, lock};
use crate::api::project_webhook::{Ownership, ProjectWebhook};
use crate::api::task_notification::TaskNotification;
use crate::api::{CORRECT_DRIFT_REQUESTED_AT, CREATING, GROUP, RECONCILE_REQUESTED_AT};
use crate::domain::ids::ObjectKey;
use crate::domain::intent::Creating;

/// Objects in one answer of the first list. Whole, they take many times what is kept of them, and what is kept lies between
/// what was dropped: the more at a time, the more memory is never given back.
const PAGE: u32 = 100;

/// A stream of what happens to the objects of one kind in one scope, and the store it feeds.
pub struct Watch<K: Resource<DynamicType = ()> + Clone + 'static> {
    /// What is known.
    pub store: Store<K>,
    events: Pin<Box<dyn Stream<Item = Event<K>> + Send>>,
    /// Told by `follow` when the first list is complete.
    list: oneshot::Sender<()>,
    listed: Option<Ready>,
}

/// Ends once a store holds its first list.
pub type Ready = BoxFuture<'static, ()>;

impl<K> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Watches one scope. What no pass needs is dropped on the way in, because it would be most of the memory: managedFields,
    /// labels, annotations of others, and with `slim` what the kind has of its own (a ProjectWebhook takes 3 KiB then).
    #[must_use]
    pub fn new(api: Api<K>, slim: fn(&mut K)) -> Self {
        let (store, writer) = store();
        let events = watcher(api, watcher::Config::default().page_size(PAGE))
            .default_backoff()
            .modify(move |object| {
                prune(object);
                slim(object);
            })
            .reflect(writer)
            .inspect_err(|error| tracing::warn!("a watch failed, trying again: {}", watch_error(error)))
            .filter_map(|event| std::future::ready(event.ok()));
        // Not by the store's own signal: it wakes one who waits, and that is the applier of its passes.
        let (list, listed) = oneshot::channel();
        // The sender is dropped only when the process is stopping, and then nothing runs any more.
        Self { store, events: Box::pin(events), list, listed: Some(listed.map(drop).boxed()) }
    }
}

fn prune<K: ResourceExt>(object: &mut K) {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    meta.labels = None;
    meta.annotations.take_if(|annotations| {
        annotations.retain(|name, _| name.starts_with(GROUP));
        annotations.is_empty()
    });
    if let Some(finalizers) = &mut meta.finalizers {
        finalizers.shrink_to_fit();
    }
}

/// Drops what no pass over a ProjectWebhook needs: room that deserializing leaves in lists, and an intent that is over.
pub fn slim(object: &mut ProjectWebhook) {
    let owned = object.status.as_ref().filter(|status| status.ownership.is_some_and(|o| o != Ownership::Observed));
    let recorded = owned.and_then(|status| status.webhook_id.as_deref()?.parse().ok());
    object.metadata.annotations.take_if(|annotations| {
        annotations
            .retain(|name, text| name != CREATING || !Creating::parse(text).is_some_and(|c| c.is_over(recorded)));
        annotations.is_empty()
    });
    object.spec.headers.shrink_to_fit();
    object.spec.events.shrink_to_fit();
    let Some(status) = &mut object.status else { return };
    status.conditions.shrink_to_fit();
    status.drift.shrink_to_fit();
    if let Some(remote) = &mut status.remote {
        remote.events.shrink_to_fit();
        remote.header_names.shrink_to_fit();
    }
}

/// Drops room that deserializing leaves in lists.
pub fn slim_notification(object: &mut TaskNotification) {
    object.spec.channels.shrink_to_fit();
    let Some(status) = &mut object.status else { return };
    status.conditions.shrink_to_fit();
    status.channels.shrink_to_fit();
    status.drift.shrink_to_fit();
}

/// A watch's error without its sources: they may repeat what was sent.
pub(super) fn watch_error(error: &watcher::Error) -> &'static str {
    match error {
        watcher::Error::InitialListFailed(_) => "the list failed",
        watcher::Error::WatchStartFailed(_) => "it could not be started",
        watcher::Error::WatchError(_) => "the API server ended it with an error",
        watcher::Error::WatchFailed(_) => "the connection broke",
        watcher::Error::NoResourceVersion => "the API server sent no resourceVersion",
    }
}

/// What of an object triggers a pass when it changes: not its status, which is ours.
fn signature(object: &impl ResourceExt) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    let annotation = |name: &str| object.annotations().get(name);
    let requests = (annotation(RECONCILE_REQUESTED_AT), annotation(CORRECT_DRIFT_REQUESTED_AT));
    (&meta.uid, meta.generation, meta.deletion_timestamp.is_some(), requests).hash(&mut hasher);
    hasher.finish()
}

/// What to do as objects come and go, before a pass over them is triggered.
pub trait Observer<K>: Send + Sync + 'static {
    /// The object is there, in this state. `changed`: since it was last seen, in what is not our own status. Whoever keeps
    /// its key keeps this one, which is shared: objects are many, and so are the maps.
    fn applied(&self, key: &ObjectKey, object: &K, changed: bool);
    /// The object is gone.
    fn deleted(&self, key: &ObjectKey, object: &K);
}

/// Follows a watch: tells the observer of everything, and requests a pass for what changed. During a list nothing is
/// requested until it is complete, because the store does not show it before.
pub async fn follow<K>(watch: Watch<K>, observer: Arc<impl Observer<K>>, requests: UnboundedSender<ObjectKey>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let Watch { store, mut events, list, listed: _ } = watch;
    let mut first = Some(list);
    let mut known: HashMap<ObjectKey, u64> = HashMap::new();
    let mut listed: Option<HashSet<ObjectKey>> = None;
    let mut before: HashMap<ObjectKey, Arc<K>> = HashMap::new();
    let mut pending = vec![];
    while let Some(event) = events.next().await {
        match event {
            Event::Init => {
                listed = Some(HashSet::new());
                before = store.state().into_iter().map(|object| (object_key(&*object), object)).collect();
            }
            Event::InitApply(object) | Event::Apply(object) => {
                let key = object_key(&object);
                // Deleted and created again while nobody watched: it is another one.
                if let Some(old) = before.get(&key).filter(|old| old.meta().uid != object.meta().uid) {
                    observer.deleted(&key, old);
                    known.remove(&key);
                }
                let key = known.get_key_value(&key).map_or(key, |(shared, _)| shared.clone());
                let signature = signature(&object);
                let changed = known.insert(key.clone(), signature) != Some(signature);
                observer.applied(&key, &object, changed);
                if let Some(listed) = &mut listed {
                    listed.insert(key.clone());
                }
                if changed {
                    pending.push(key);
                }
            }
            Event::InitDone => {
                // The receiver is gone only when the process is stopping.
                first.take().map(|first| first.send(()));
                let listed = listed.take().unwrap_or_default();
                for (key, object) in before.drain().filter(|(key, _)| !listed.contains(key)) {
                    observer.deleted(&key, &object);
                    known.remove(&key);
                }
            }
            Event::Delete(object) => {
                let key = object_key(&object);
                observer.deleted(&key, &object);
                known.remove(&key);
            }
        }
        if listed.is_none() {
            for key in pending.drain(..) {
                // The receiver is gone only when the process is stopping.
                let _ = requests.unbounded_send(key);
            }
        }
    }
}

/// The first lists of these watches.
pub fn lists<'a, K>(watches: impl IntoIterator<Item = &'a mut Watch<K>>) -> Vec<Ready>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    watches.into_iter().filter_map(|watch| watch.listed.take()).collect()
}

/// Waits for the first list of all of these. No pass may begin before that: a connection that is not listed yet would be
/// told as missing, and one whose users are not listed yet would lose its finalizer.
pub fn listed(kinds: Vec<Vec<Ready>>) -> Listed {
    join_all(kinds.into_iter().flatten()).map(|_| ()).boxed().shared()
}

/// Where a request for a pass has to go: each scope has its own store and queue.
pub struct Router {
    scopes: Vec<(Option<String>, UnboundedSender<ObjectKey>)>,
}

impl Router {
    /// Over these scopes; `None` is all namespaces, or the cluster.
    #[must_use]
    pub fn new(scopes: Vec<(Option<String>, UnboundedSender<ObjectKey>)>) -> Self {
        Self { scopes }
    }

    /// Requests a pass over each object that is asked for.
    pub async fn forward(self, mut requested: UnboundedReceiver<ObjectKey>) {
        while let Some(key) = requested.next().await {
            self.send(&key);
        }
    }

    /// Requests a pass over an object.
    pub fn send(&self, key: &ObjectKey) {
        let mine = |scope: &Option<String>| scope.as_ref().is_none_or(|namespace| **namespace == *key.namespace);
        for (_, requests) in self.scopes.iter().filter(|(scope, _)| mine(scope)) {
            let _ = requests.unbounded_send(key.clone());
        }
    }
}

/// Follows the metadata of all Secrets or ConfigMaps of a scope, and triggers who uses what changed. `ready` ends when
/// the first list is complete: from then on no change is missed.
pub async fn follow_sources<S>(
    context: Arc<Context>,
    kind: SourceKind,
    namespace: Option<String>,
    api: Api<PartialObjectMeta<S>>,
    ready: impl FnOnce() + Send,
) where
    S: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let mut events = Box::pin(
        watcher(api, watcher::Config::default())
            .default_backoff()
            .inspect_err(|error| tracing::warn!("the watch of Secrets or ConfigMaps failed: {}", watch_error(error)))
            .filter_map(|event| std::future::ready(event.ok())),
    );
    let mut ready = Some(ready);
    let missing: Mutex<HashSet<SourceKey>> = Mutex::default();
    let key = |object: &PartialObjectMeta<S>| SourceKey {
        kind,
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    };
    let changed = |key: &SourceKey, version: Option<&str>| {
        lock(&missing).remove(key);
        for user in context.sources.changed(key, version) {
            match &user {
                User::ProjectWebhook(key) => context.index.touch(key, context.clock.now()),
                // Not only by its status: one that went and came back between two of its passes leaves that as it was.
                User::Connection(connection) => {
                    context.users.of(connection).into_iter().for_each(|user| context.triggers.user(user));
                }
                User::TaskNotification(_) => {}
            }
            context.triggers.user(user);
        }
    };
    while let Some(event) = events.next().await {
        match event {
            Event::Init => *lock(&missing) = context.sources.used(kind, namespace.as_deref()),
            Event::InitApply(object) | Event::Apply(object) => {
                changed(&key(&object), object.resource_version().as_deref())
            }
            Event::InitDone => {
                let gone: Vec<_> = lock(&missing).iter().cloned().collect();
                for key in gone {
                    changed(&key, None);
                }
                if let Some(ready) = ready.take() {
                    ready();
                }
            }
            Event::Delete(object) => changed(&key(&object), None),
        }
    }
}
