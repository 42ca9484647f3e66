//! The index of all live ProjectWebhooks: who claims which webhook, whose marker is whose.
//! The watch feeds it before it triggers a pass, so a decision never misses an older object that was already seen.

mod rivals;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;

use self::rivals::RivalsOf;
use super::gathering::Company;

use crate::api::condition::Reason;
use crate::api::connection::{ClusterConnection, Connection};
use crate::api::project_webhook::{
    AdoptionPolicy, ConnectionKind, ConnectionRef, ManagementPolicy, Ownership, ProjectWebhook,
};
use crate::api::{CREATING, FINALIZER};
use crate::domain::case::Age;
use crate::domain::claim::Rivals;
use crate::domain::ids::{ObjectKey, ProjectId, WebhookId};
use crate::domain::intent::{Creating, Intent};
use crate::domain::marker::{ClusterId, Marker};
use crate::domain::pattern::EndpointPlace;
use crate::domain::status::current_reason;
use crate::domain::time::Moment;

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
        Self {
            kind: reference.kind,
            key: ObjectKey { namespace: namespace.into(), name: reference.name.as_str().into() },
        }
    }
}

impl fmt::Display for ConnectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.key)
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
    /// A TaskNotification.
    TaskNotification(ObjectKey),
    /// A connection.
    Connection(ConnectionKey),
}

impl User {
    /// Namespace and name.
    #[must_use]
    pub fn into_key(self) -> ObjectKey {
        match self {
            Self::ProjectWebhook(key) | Self::TaskNotification(key) | Self::Connection(ConnectionKey { key, .. }) => {
                key
            }
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProjectWebhook(key) => write!(f, "ProjectWebhook {key}"),
            Self::TaskNotification(key) => write!(f, "TaskNotification {key}"),
            Self::Connection(connection) => connection.fmt(f),
        }
    }
}

/// Namespace and name of an object.
#[must_use]
pub fn object_key(object: &impl ResourceExt) -> ObjectKey {
    ObjectKey { namespace: object.namespace().unwrap_or_default().into(), name: object.name_any().into() }
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
    name: Arc<str>,
    marker: Marker,
    recorded: Option<WebhookId>,
    pinned: Option<WebhookId>,
    creating: bool,
    /// No pass has said yet what becomes of its present spec.
    undecided: bool,
    /// If that is so, it may be about to adopt by name.
    wishing: bool,
    /// Somebody else has what it wants.
    conflicted: bool,
    generation: Option<i64>,
    /// Since when its spec is as it is, or something that it waits for has changed.
    since: Moment,
}

impl Entry {
    /// Whether it gives up what others might wait for.
    fn frees(&self, now: &Self) -> bool {
        let kept = |id| [now.recorded, now.pinned].contains(&Some(id));
        self.connection != now.connection
            || self.project != now.project
            || [self.recorded, self.pinned].into_iter().flatten().any(|id| !kept(id))
    }
}

/// The objects of a project that use one connection.
#[derive(Default)]
struct Members {
    /// How many there are.
    count: usize,
    /// Those on whose present spec no pass has decided yet, and since when the last of them is as it is.
    undecided: HashSet<ObjectKey>,
    newest: Moment,
}

#[derive(Default)]
struct Maps {
    /// Boxed: a table has room for up to twice as many as there are.
    entries: HashMap<ObjectKey, Box<Entry>>,
    /// Nearly always one.
    by_webhook: HashMap<WebhookId, Vec<ObjectKey>>,
    by_marker: HashMap<Marker, ObjectKey>,
    /// Those that are creating or wishing, by project and display name.
    contested: HashMap<(ProjectId, Arc<str>), HashSet<ObjectKey>>,
    projects: HashMap<(ConnectionKey, ProjectId), Members>,
    conflicted: HashSet<ObjectKey>,
    endpoints: HashMap<ConnectionKey, EndpointPlace>,
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

    /// Takes an object's present state in. Returns the objects in conflict, for which it may now be their turn.
    pub fn applied(
        &self,
        key: &ObjectKey,
        object: &ProjectWebhook,
        connection: ConnectionKey,
        now: Moment,
    ) -> Vec<ObjectKey> {
        let mut entry = self.entry(key, object, connection, now);
        let mut maps = self.lock();
        let before = maps.remove(key);
        if let Some(before) = before.as_ref().filter(|b| b.generation == entry.generation && b.age == entry.age) {
            entry.since = before.since;
        }
        let freed = before.as_ref().filter(|before| before.frees(&entry));
        let conflicted = freed.map(|before| maps.await_turn(before, key, now)).unwrap_or_default();
        maps.insert(key.clone(), entry);
        conflicted
    }

    /// Forgets an object. Returns the objects in conflict, for which it may now be their turn.
    pub fn deleted(&self, key: &ObjectKey, now: Moment) -> Vec<ObjectKey> {
        let mut maps = self.lock();
        maps.remove(key).map(|before| maps.await_turn(&before, key, now)).unwrap_or_default()
    }

    /// Notes that something changed that the object refers to: what the remote showed before says nothing to it.
    pub fn touch(&self, key: &ObjectKey, now: Moment) {
        if let Some(entry) = self.lock().entries.get_mut(key) {
            entry.since = now;
        }
    }

    /// Status says what became of the object's present spec; the watch tells so a little later.
    pub fn decided(&self, key: &ObjectKey) {
        let mut maps = self.lock();
        let Some(entry) = maps.entries.get_mut(key) else { return };
        entry.undecided = false;
        if let Some(at) = entry.project.map(|project| (entry.connection.clone(), project)) {
            maps.no_more_undecided(&at, key);
        }
    }

    /// The objects of a project on which no pass has decided yet; `None` if this one is none of them.
    #[must_use]
    pub fn company(&self, key: &ObjectKey) -> Option<Company> {
        let maps = self.lock();
        let entry = maps.entries.get(key).filter(|entry| entry.undecided)?;
        let Members { undecided, newest, .. } = maps.projects.get(&(entry.connection.clone(), entry.project?))?;
        Some(Company { undecided: undecided.len(), newest: *newest })
    }

    /// How many objects of a project use this connection.
    #[must_use]
    pub fn members(&self, connection: &ConnectionKey, project: ProjectId) -> usize {
        self.lock().projects.get(&(connection.clone(), project)).map_or(0, |members| members.count)
    }

    /// Since when an object is as it is: before it says that a webhook is not there, a LIST has to have begun after that,
    /// or it would miss one that a person made first.
    #[must_use]
    pub fn since(&self, key: &ObjectKey) -> Moment {
        self.lock().entries.get(key).map_or(Moment::default(), |entry| entry.since)
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

    /// Takes note of where a connection leads: claims count per place, whatever the connection.
    pub fn endpoint(&self, connection: &ConnectionKey, place: EndpointPlace) {
        self.lock().endpoints.insert(connection.clone(), place);
    }

    /// Forgets a connection that is gone.
    pub fn forget_connection(&self, connection: &ConnectionKey) {
        self.lock().endpoints.remove(connection);
    }

    /// The rivals of an object, as decisions see them.
    #[must_use]
    pub fn rivals(&self, me: &ObjectKey, endpoint: EndpointPlace, project: ProjectId) -> impl Rivals + '_ {
        RivalsOf { index: self, me: me.clone(), endpoint, project }
    }

    fn entry(&self, key: &ObjectKey, object: &ProjectWebhook, connection: ConnectionKey, now: Moment) -> Entry {
        let spec = &object.spec;
        let status = object.status.as_ref();
        let claims = spec.management_policy != ManagementPolicy::Observe;
        let held = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let creating = object.annotations().get(CREATING).and_then(|annotation| Creating::parse(annotation));
        let intent = Intent { held, creating };
        let owned = status.filter(|status| status.ownership.is_some_and(|o| o != Ownership::Observed));
        let recorded = owned.and_then(|status| status.webhook_id.as_deref()?.parse().ok());
        let undecided = status.is_none_or(|status| Some(status.observed_generation) != object.metadata.generation);
        let going = object.metadata.deletion_timestamp.is_some();
        let adopts = claims && spec.adoption_policy == AdoptionPolicy::Adopt && spec.webhook_id.is_none();
        let reason = status.and_then(|status| current_reason(&status.conditions));
        Entry {
            age: age(object),
            connection,
            project: spec.project_id.parse().ok(),
            name: spec.name.as_deref().map_or_else(|| key.name.clone(), Arc::from),
            marker: Marker::of(&self.cluster, key),
            recorded,
            pinned: spec.webhook_id.as_deref().and_then(|id| id.parse().ok()).filter(|_| claims),
            creating: intent.is_open(recorded),
            undecided: undecided && !spec.suspend && !going,
            wishing: adopts && undecided && recorded.is_none() && !spec.suspend && !going,
            conflicted: reason == Some(Reason::Conflict),
            generation: object.metadata.generation,
            since: now,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        // A poisoned lock only says that another pass panicked; see `Maps::insert` and `remove`, which can't.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn insert(&mut self, key: ObjectKey, entry: Entry) {
        // What status records needs no reservation any more.
        if let Some(id) = entry.recorded.filter(|id| self.adopting.get(id) == Some(&key)) {
            self.adopting.remove(&id);
        }
        for id in [entry.recorded, entry.pinned].into_iter().flatten() {
            let claimants = self.by_webhook.entry(id).or_insert_with(|| Vec::with_capacity(1));
            if !claimants.contains(&key) {
                claimants.push(key.clone());
            }
        }
        if let (true, Some(project)) = (entry.creating || entry.wishing, entry.project) {
            self.contested.entry((project, entry.name.clone())).or_default().insert(key.clone());
        }
        if let Some(project) = entry.project {
            let members = self.projects.entry((entry.connection.clone(), project)).or_default();
            members.count += 1;
            if entry.undecided {
                members.undecided.insert(key.clone());
                members.newest = members.newest.max(entry.since);
            }
        }
        if entry.conflicted {
            self.conflicted.insert(key.clone());
        }
        self.by_marker.insert(entry.marker.clone(), key.clone());
        self.entries.insert(key, Box::new(entry));
    }

    /// What was known of it.
    fn remove(&mut self, key: &ObjectKey) -> Option<Box<Entry>> {
        let entry = self.entries.remove(key)?;
        for id in [entry.recorded, entry.pinned].into_iter().flatten() {
            if let Some(claimants) = self.by_webhook.get_mut(&id) {
                claimants.retain(|claimant| claimant != key);
                if claimants.is_empty() {
                    self.by_webhook.remove(&id);
                }
            }
        }
        if let Some(project) = entry.project {
            drop_from(&mut self.contested, &(project, entry.name.clone()), key);
            let at = (entry.connection.clone(), project);
            self.no_more_undecided(&at, key);
            if let Some(members) = self.projects.get_mut(&at) {
                members.count -= 1;
                if members.count == 0 {
                    self.projects.remove(&at);
                }
            }
        }
        self.conflicted.remove(key);
        self.by_marker.remove(&entry.marker);
        Some(entry)
    }

    fn no_more_undecided(&mut self, at: &(ConnectionKey, ProjectId), key: &ObjectKey) {
        if let Some(members) = self.projects.get_mut(at)
            && members.undecided.remove(key)
            && members.undecided.is_empty()
        {
            (members.undecided, members.newest) = Default::default();
        }
    }

    /// The objects in conflict that may have waited for what this one held. They look at the remote as it is now.
    fn await_turn(&mut self, before: &Entry, key: &ObjectKey, now: Moment) -> Vec<ObjectKey> {
        let Self { entries, conflicted, .. } = self;
        let mut waiting = vec![];
        for other in conflicted.iter().filter(|other| *other != key) {
            if let Some(entry) = entries.get_mut(other).filter(|entry| entry.project == before.project) {
                entry.since = now;
                waiting.push(other.clone());
            }
        }
        waiting
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
