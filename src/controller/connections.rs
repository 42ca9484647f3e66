//! Connections as they can be used: allowed, with credentials, client and governor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use url::Url;

use super::credentials::Credentials;
use super::index::ConnectionKey;
use super::sources::lock;
use crate::api::condition::Reason;
use crate::api::connection::{AllowedNamespaces, ClusterConnection, Connection, ConnectionSpec};
use crate::api::project_webhook::ConnectionKind;
use crate::domain::secret::SecretText;
use crate::remote::app_maker::AppMaker;
use crate::remote::gate::{Cut, Gate};
use crate::remote::pace::Pace;

/// Whom a connection serves.
#[derive(Clone, Debug)]
pub enum Tenancy {
    /// Its own namespace.
    Namespace,
    /// Chosen namespaces and projects.
    Cluster {
        /// `spec.allowedNamespaces`.
        namespaces: Option<AllowedNamespaces>,
        /// `spec.allowedProjects`.
        projects: Option<Vec<String>>,
    },
}

/// What a connection's object says.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The part that both kinds share.
    pub spec: ConnectionSpec,
    /// Whom it serves.
    pub tenancy: Tenancy,
    /// metadata.uid and metadata.generation: what a client is built from.
    pub(super) version: String,
}

/// A connection that can be used.
pub struct Live {
    /// Which one.
    pub key: ConnectionKey,
    /// What it was built from.
    pub declared: Declared,
    /// Its endpoint, normalised.
    pub endpoint: Url,
    /// Total time of one call.
    pub timeout: Duration,
    /// The client.
    pub app_maker: AppMaker,
    /// Whether the remote takes these credentials. A new Secret makes a new `Live`, and so starts anew.
    pub credentials: Credentials,
    /// The token, for keeping it out of messages.
    pub token: SecretText,
    /// The token before it was rotated: the remote may still quote it.
    pub token_before: Option<SecretText>,
    /// Versions of the object, the Secret and the trust roots: what tells this client from the next.
    pub built_from: String,
}

/// The rooms' door to connections.
pub struct Connections {
    /// One store per watched namespace, or one for all.
    pub namespaced: Vec<Store<Connection>>,
    /// Absent where only chosen namespaces are watched: then no ClusterConnection is served.
    pub cluster: Option<Store<ClusterConnection>>,
    /// Ends calls when the process stops.
    pub cut: Cut,
    /// Asked before each call.
    pub gate: Arc<dyn Gate>,
    paces: Mutex<HashMap<ConnectionKey, Pace>>,
    live: Mutex<HashMap<ConnectionKey, Arc<Live>>>,
    reasons: Mutex<HashMap<ConnectionKey, Reason>>,
}

impl Connections {
    /// Over these stores.
    #[must_use]
    pub fn new(
        namespaced: Vec<Store<Connection>>,
        cluster: Option<Store<ClusterConnection>>,
        cut: Cut,
        gate: Arc<dyn Gate>,
    ) -> Self {
        Self {
            namespaced,
            cluster,
            cut,
            gate,
            paces: Mutex::default(),
            live: Mutex::default(),
            reasons: Mutex::default(),
        }
    }

    /// What the connection's object says now.
    #[must_use]
    pub fn declared(&self, key: &ConnectionKey) -> Option<Declared> {
        let version = |object: &dyn Fn() -> (Option<String>, Option<i64>)| {
            let (uid, generation) = object();
            format!("{}/{}", uid.unwrap_or_default(), generation.unwrap_or_default())
        };
        match key.kind {
            ConnectionKind::Connection => {
                let reference = ObjectRef::new(&key.key.name).within(&key.key.namespace);
                let found = self.namespaced.iter().find_map(|store| store.get(&reference))?;
                Some(Declared {
                    spec: found.spec.clone(),
                    tenancy: Tenancy::Namespace,
                    version: version(&|| (found.uid(), found.metadata.generation)),
                })
            }
            ConnectionKind::ClusterConnection => {
                let found = self.cluster.as_ref()?.get(&ObjectRef::new(&key.key.name))?;
                let (namespaces, projects) =
                    (found.spec.allowed_namespaces.clone(), found.spec.allowed_projects.clone());
                Some(Declared {
                    spec: ConnectionSpec::from(&found.spec),
                    tenancy: Tenancy::Cluster { namespaces, projects },
                    version: version(&|| (found.uid(), found.metadata.generation)),
                })
            }
        }
    }

    /// The connection as it was last used, if it was: a deletion may go on with it after its Secret or itself is gone.
    #[must_use]
    pub fn last_seen(&self, key: &ConnectionKey) -> Option<Arc<Live>> {
        lock(&self.live).get(key).cloned()
    }

    /// Forgets a connection that is gone and has no users: its token too.
    pub fn forget(&self, key: &ConnectionKey) {
        lock(&self.live).remove(key);
        lock(&self.paces).remove(key);
    }

    /// Takes note of what a connection's status says now (`None`: it is gone), and returns what it said before.
    pub fn reason(&self, key: &ConnectionKey, now: Option<Reason>) -> Option<Reason> {
        let mut reasons = lock(&self.reasons);
        match now {
            Some(reason) => reasons.insert(key.clone(), reason),
            None => reasons.remove(key),
        }
    }

    pub(super) fn pace(&self, key: &ConnectionKey, spec: &ConnectionSpec) -> Pace {
        let mut paces = lock(&self.paces);
        let pace = paces.entry(key.clone()).or_insert_with(|| Pace::new(spec.rate_limit));
        if pace.limit() != spec.rate_limit {
            pace.configure(spec.rate_limit);
        }
        pace.clone()
    }

    pub(super) fn remember(&self, live: Live) -> Arc<Live> {
        let live = Arc::new(live);
        lock(&self.live).insert(live.key.clone(), Arc::clone(&live));
        live
    }
}
