//! The index of all live ProjectWebhooks: who uses which connection, who claims which webhook, whose marker is whose.
//! The watch feeds it before it triggers a pass, so a decision never misses an older object that was already seen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;

use crate::api::connection::{ClusterConnection, Connection};
use crate::api::project_webhook::{ConnectionKind, ConnectionRef, ManagementPolicy, Ownership, ProjectWebhook};
use crate::api::{CREATING, FINALIZER};
use crate::domain::case::Age;
use crate::domain::claim::{Claimant, Rivals, Strength};
use crate::domain::ids::{ObjectKey, ProjectId, WebhookId};
use crate::domain::intent::{Creating, Intent};
use crate::domain::marker::{ClusterId, Marker};

/// A Connection or a ClusterConnection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// Which of the two.
    pub kind: ConnectionKind,
    /// Namespace (empty for a ClusterConnection) and name.
    pub key: ObjectKey,
}

impl ConnectionKey {
    /// What a reference from a namespace means.
    #[must_use]
    pub fn of(reference: &ConnectionRef, namespace: &str) -> Self {
        let namespace = match reference.kind {
            ConnectionKind::Connection => namespace.to_owned(),
            ConnectionKind::ClusterConnection => String::new(),
        };
        Self { kind: reference.kind, key: ObjectKey { namespace, name: reference.name.clone() } }
    }
}

impl From<&Connection> for ConnectionKey {
    fn from(connection: &Connection) -> Self {
        Self { kind: ConnectionKind::Connection, key: object_key(connection) }
    }
}

impl From<&ClusterConnection> for ConnectionKey {
    fn from(connection: &ClusterConnection) -> Self {
        Self { kind: ConnectionKind::ClusterConnection, key: object_key(connection) }
    }
}

/// Somebody who has to be told when a source changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum User {
    /// A ProjectWebhook.
    ProjectWebhook(ObjectKey),
    /// A connection.
    Connection(ConnectionKey),
}

/// Namespace and name of an object.
#[must_use]
pub fn object_key(object: &impl ResourceExt) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// Age of an object, for claims.
#[must_use]
pub fn age(object: &impl ResourceExt) -> Age {
    let created = object.creation_timestamp().map_or(i64::MAX, |time| time.0.as_second());
    Age { created, uid: object.uid().unwrap_or_default() }
}

/// What is known of one object.
#[derive(Clone, Debug)]
struct Entry {
    age: Age,
    connection: ConnectionKey,
    project: Option<ProjectId>,
    name: String,
    marker: Marker,
    recorded: Option<WebhookId>,
    pinned: Option<WebhookId>,
    creating: bool,
}

#[derive(Default)]
struct Maps {
    entries: HashMap<ObjectKey, Entry>,
    by_webhook: HashMap<WebhookId, HashSet<ObjectKey>>,
    by_marker: HashMap<Marker, ObjectKey>,
    by_connection: BTreeMap<ConnectionKey, HashSet<ObjectKey>>,
    creating: HashMap<(ProjectId, String), HashSet<ObjectKey>>,
    endpoints: HashMap<ConnectionKey, String>,
    /// Webhooks that a pass is about to adopt: from the decision until status records it.
    adopting: HashMap<WebhookId, ObjectKey>,
}

/// See the module.
pub struct Index {
    cluster: ClusterId,
    maps: Mutex<Maps>,
}

impl Index {
    /// An empty index of a cluster.
    #[must_use]
    pub fn new(cluster: ClusterId) -> Self {
        Self { cluster, maps: Mutex::default() }
    }

    /// Takes an object's present state in. Returns the connections that gained their first user or lost one.
    pub fn applied(&self, object: &ProjectWebhook) -> Vec<ConnectionKey> {
        let key = object_key(object);
        let entry = self.entry(&key, object);
        let mut maps = self.lock();
        let before = maps.remove(&key);
        let now = entry.connection.clone();
        let first = maps.insert(key, entry);
        if before.as_ref() == Some(&now) {
            return vec![];
        }
        before.into_iter().chain(first.then_some(now)).collect()
    }

    /// Forgets an object. Returns the connection that lost it.
    pub fn deleted(&self, key: &ObjectKey) -> Option<ConnectionKey> {
        self.lock().remove(key)
    }

    /// All objects that refer to a connection.
    #[must_use]
    pub fn users_of(&self, connection: &ConnectionKey) -> Vec<ObjectKey> {
        let mut users: Vec<_> = self.lock().by_connection.get(connection).into_iter().flatten().cloned().collect();
        users.sort();
        users
    }

    /// Reserves a webhook for an object that is about to adopt it, before anything is written. Returns the object that
    /// was first, if there is one.
    pub fn reserve(&self, id: WebhookId, me: &ObjectKey) -> Option<ObjectKey> {
        let mut maps = self.lock();
        let holder = maps.adopting.entry(id).or_insert_with(|| me.clone());
        (holder != me).then(|| holder.clone())
    }

    /// Gives up what [`Self::reserve`] reserved: status records it by now, or it came to nothing.
    pub fn release(&self, me: &ObjectKey) {
        self.lock().adopting.retain(|_, holder| holder != me);
    }

    /// Takes note of a connection's endpoint: claims count per endpoint, whatever the connection.
    pub fn endpoint(&self, connection: &ConnectionKey, endpoint: &str) {
        self.lock().endpoints.insert(connection.clone(), endpoint.to_owned());
    }

    /// The rivals of an object, as decisions see them.
    #[must_use]
    pub fn rivals(&self, me: &ObjectKey, endpoint: &str, project: ProjectId) -> impl Rivals + '_ {
        RivalsOf { index: self, me: me.clone(), endpoint: endpoint.to_owned(), project }
    }

    fn entry(&self, key: &ObjectKey, object: &ProjectWebhook) -> Entry {
        let spec = &object.spec;
        let status = object.status.as_ref();
        let claims = spec.management_policy != ManagementPolicy::Observe;
        let held = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let creating = object.annotations().get(CREATING).and_then(|annotation| Creating::parse(annotation));
        let intent = Intent { held, creating };
        let owned = status.filter(|status| status.ownership.is_some_and(|o| o != Ownership::Observed));
        let recorded = owned.and_then(|status| status.webhook_id.as_deref()?.parse().ok());
        Entry {
            age: age(object),
            connection: ConnectionKey::of(&spec.connection_ref, &key.namespace),
            project: spec.project_id.parse().ok(),
            name: spec.name.clone().unwrap_or_else(|| key.name.clone()),
            marker: Marker::of(&self.cluster, key),
            recorded,
            pinned: spec.webhook_id.as_deref().and_then(|id| id.parse().ok()).filter(|_| claims),
            creating: intent.is_open(recorded),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        // A poisoned lock only says that another pass panicked; see `Maps::insert` and `remove`, which can't.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    /// Whether it is the first user of its connection.
    fn insert(&mut self, key: ObjectKey, entry: Entry) -> bool {
        // What status records needs no reservation any more.
        if let Some(id) = entry.recorded.filter(|id| self.adopting.get(id) == Some(&key)) {
            self.adopting.remove(&id);
        }
        for id in [entry.recorded, entry.pinned].into_iter().flatten() {
            self.by_webhook.entry(id).or_default().insert(key.clone());
        }
        if let (true, Some(project)) = (entry.creating, entry.project) {
            self.creating.entry((project, entry.name.clone())).or_default().insert(key.clone());
        }
        self.by_marker.insert(entry.marker.clone(), key.clone());
        let connection = entry.connection.clone();
        let users = self.by_connection.entry(connection).or_default();
        users.insert(key.clone());
        let first = users.len() == 1;
        self.entries.insert(key, entry);
        first
    }

    /// The connection that it used.
    fn remove(&mut self, key: &ObjectKey) -> Option<ConnectionKey> {
        let entry = self.entries.remove(key)?;
        for id in [entry.recorded, entry.pinned].into_iter().flatten() {
            drop_from(&mut self.by_webhook, &id, key);
        }
        if let Some(project) = entry.project {
            drop_from(&mut self.creating, &(project, entry.name), key);
        }
        self.by_marker.remove(&entry.marker);
        if let Some(users) = self.by_connection.get_mut(&entry.connection) {
            users.remove(key);
            if users.is_empty() {
                self.by_connection.remove(&entry.connection);
            }
        }
        Some(entry.connection)
    }
}

fn drop_from<K: std::hash::Hash + Eq>(map: &mut HashMap<K, HashSet<ObjectKey>>, at: &K, key: &ObjectKey) {
    if let Some(keys) = map.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(at);
        }
    }
}

struct RivalsOf<'a> {
    index: &'a Index,
    me: ObjectKey,
    endpoint: String,
    project: ProjectId,
}

impl RivalsOf<'_> {
    /// Whether another object is about the same endpoint and project. An endpoint that is not known yet may be the same.
    fn is_rival(&self, maps: &Maps, key: &ObjectKey, entry: &Entry) -> bool {
        let same_endpoint = maps.endpoints.get(&entry.connection).is_none_or(|endpoint| *endpoint == self.endpoint);
        *key != self.me && entry.project == Some(self.project) && same_endpoint
    }
}

impl Rivals for RivalsOf<'_> {
    fn claimants(&self, id: WebhookId) -> Vec<Claimant> {
        let maps = self.index.lock();
        let claim = |key: &ObjectKey| {
            let entry = maps.entries.get(key)?;
            let strength = if entry.recorded == Some(id) { Strength::Recorded } else { Strength::Pinned };
            self.is_rival(&maps, key, entry).then(|| Claimant { key: key.clone(), age: entry.age.clone(), strength })
        };
        let mut claimants: Vec<_> = maps.by_webhook.get(&id).into_iter().flatten().filter_map(claim).collect();
        claimants.sort_by(|a, b| b.strength.cmp(&a.strength).then(a.age.cmp(&b.age)));
        claimants
    }

    fn owner_of(&self, marker: &Marker) -> Option<ObjectKey> {
        self.index.lock().by_marker.get(marker).cloned()
    }

    fn creating(&self, name: &str) -> Option<ObjectKey> {
        let maps = self.index.lock();
        let keys = maps.creating.get(&(self.project, name.to_owned()))?;
        keys.iter().filter(|key| maps.entries.get(*key).is_some_and(|e| self.is_rival(&maps, key, e))).min().cloned()
    }
}
