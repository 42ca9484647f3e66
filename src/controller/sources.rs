//! Secrets and ConfigMaps: read when needed, cached until the metadata watch says that they changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt};

use super::index::User;
use crate::domain::secret::SecretText;

/// Which kind of object holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// One Secret or ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey {
    /// Which kind.
    pub kind: SourceKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The content of a source at one resourceVersion.
#[derive(Debug)]
pub struct Source {
    /// metadata.resourceVersion.
    pub version: String,
    /// Values by key; `None` where a value is not UTF-8.
    values: BTreeMap<String, Option<SecretText>>,
}

/// What is at a key.
#[derive(Debug)]
pub enum Value<'a> {
    /// Text.
    Text(&'a SecretText),
    /// Bytes that are no text.
    NotText,
    /// Nothing.
    Absent,
}

impl Source {
    /// The value at a key.
    #[must_use]
    pub fn value(&self, key: &str) -> Value<'_> {
        match self.values.get(key) {
            Some(Some(text)) => Value::Text(text),
            Some(None) => Value::NotText,
            None => Value::Absent,
        }
    }
}

impl From<Secret> for Source {
    fn from(secret: Secret) -> Self {
        let version = secret.resource_version().unwrap_or_default();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().map(SecretText::new);
        let values = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, text(value.0))).collect();
        Self { version, values }
    }
}

impl From<ConfigMap> for Source {
    fn from(map: ConfigMap) -> Self {
        let version = map.resource_version().unwrap_or_default();
        let text = |value: String| Some(SecretText::new(value));
        let values = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, text(value))).collect();
        Self { version, values }
    }
}

/// The reader.
pub struct Sources {
    client: Client,
    /// Whether changes are seen by a watch. Without one nothing may be kept.
    secrets_watched: AtomicBool,
    maps_watched: AtomicBool,
    /// Counts changes seen; a read that a change overtook is not kept.
    changes: AtomicU64,
    cache: Mutex<HashMap<SourceKey, Arc<Source>>>,
    users: Mutex<HashMap<SourceKey, HashSet<User>>>,
}

impl Sources {
    /// A reader that keeps nothing until [`Self::watched`].
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            secrets_watched: AtomicBool::new(false),
            maps_watched: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            cache: Mutex::default(),
            users: Mutex::default(),
        }
    }

    /// From now on a watch reports every change of this kind.
    pub fn watched(&self, kind: SourceKind) {
        self.is_watched(kind).store(true, Ordering::Release);
    }

    fn is_watched(&self, kind: SourceKind) -> &AtomicBool {
        match kind {
            SourceKind::Secret => &self.secrets_watched,
            SourceKind::ConfigMap => &self.maps_watched,
        }
    }

    /// Reads a source for a user, who is told when it changes. `None` if it does not exist.
    ///
    /// # Errors
    /// The API server's.
    pub async fn read(&self, key: &SourceKey, user: &User) -> Result<Option<Arc<Source>>, kube::Error> {
        lock(&self.users).entry(key.clone()).or_default().insert(user.clone());
        if let Some(source) = lock(&self.cache).get(key) {
            return Ok(Some(Arc::clone(source)));
        }
        let changes_before = self.changes.load(Ordering::Acquire);
        let Some(source) = self.fetch(key).await?.map(Arc::new) else { return Ok(None) };
        if self.is_watched(key.kind).load(Ordering::Acquire) {
            let mut cache = lock(&self.cache);
            if self.changes.load(Ordering::Acquire) == changes_before {
                cache.insert(key.clone(), Arc::clone(&source));
            }
        }
        Ok(Some(source))
    }

    async fn fetch(&self, key: &SourceKey) -> Result<Option<Source>, kube::Error> {
        let namespace = &key.namespace;
        Ok(match key.kind {
            SourceKind::Secret => {
                let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
                api.get_opt(&key.name).await?.map(Source::from)
            }
            SourceKind::ConfigMap => {
                let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
                api.get_opt(&key.name).await?.map(Source::from)
            }
        })
    }

    /// From now on this is what is there, whatever the API server has. If that is the same, it has the same version.
    pub async fn give(&self, key: SourceKey, source: Source) {
        let there = self.fetch(&key).await.ok().flatten().filter(|there| there.values == source.values);
        let changed = Source { version: String::new(), ..source };
        lock(&self.cache).insert(key, Arc::new(there.unwrap_or(changed)));
    }

    /// Takes note that the watch saw this version of a source (`None`: it is gone), and tells who uses it. The initial
    /// listing of a watch repeats versions that are known; nobody needs to be told of those.
    pub fn changed(&self, key: &SourceKey, version: Option<&str>) -> Vec<User> {
        {
            let mut cache = lock(&self.cache);
            if version.is_some() && cache.get(key).is_some_and(|source| Some(source.version.as_str()) == version) {
                return vec![];
            }
            self.changes.fetch_add(1, Ordering::AcqRel);
            cache.remove(key);
        }
        lock(&self.users).get(key).map(|users| users.iter().cloned().collect()).unwrap_or_default()
    }

    /// The sources of one kind in one namespace (or in all) that somebody uses.
    #[must_use]
    pub fn used(&self, kind: SourceKind, namespace: Option<&str>) -> HashSet<SourceKey> {
        let within =
            |key: &&SourceKey| key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace);
        lock(&self.users).keys().filter(within).cloned().collect()
    }

    /// Forgets a user that is gone, and what only it used.
    pub fn forget(&self, user: &User) {
        let mut unused = vec![];
        lock(&self.users).retain(|key, users| {
            users.remove(user);
            if users.is_empty() {
                unused.push(key.clone());
            }
            !users.is_empty()
        });
        let mut cache = lock(&self.cache);
        for key in unused {
            cache.remove(&key);
        }
    }
}

/// A poisoned lock only says that another pass panicked; the maps are whole after every statement.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
