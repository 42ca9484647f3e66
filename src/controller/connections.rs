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
use crate::remote::codearts::auth::Auth;
use crate::remote::codearts::check::Check;
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
    /// The client of its provider.
    pub service: Service,
    /// Whether the remote takes these credentials. A new Secret makes a new `Live`, and so starts anew.
    pub credentials: Credentials,
    /// What its Secrets hold, for keeping it out of messages.
    pub(super) given: Vec<SecretText>,
    /// What they held before that changed: the remote may still quote it.
    pub(super) given_before: Vec<SecretText>,
    /// Versions of the object, its Secrets and the trust roots: what tells this client from the next.
    pub built_from: String,
}

/// A client, by provider.
pub enum Service {
    /// Of ProjectWebhooks.
    AppMaker(AppMaker),
    /// Of TaskNotifications.
    CodeArts(Check),
}

impl Live {
    /// Everything that no message may repeat: what the Secrets hold or held, and the token that was issued for it.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretText> {
        let issued = match &self.service {
            Service::CodeArts(check) => match check.auth() {
                Auth::Password(tokens) => tokens.issued(),
                Auth::Token(_) | Auth::AccessKey(_) => None,
            },
            Service::AppMaker(_) => None,
        };
        self.given.iter().chain(&self.given_before).cloned().chain(issued).collect()
    }

    /// What was given before, now that `given` is.
    pub(super) fn rotated_out(&self, given: &[SecretText]) -> Vec<SecretText> {
        if self.given == given { self.given_before.clone() } else { self.secrets() }
    }
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
        let mut all = lock(&self.live);
        // Several may build the same one at a time; with two of them a password would be exchanged twice.
        if let Some(first) = all.get(&live.key).filter(|first| first.built_from == live.built_from) {
            return Arc::clone(first);
        }
        let live = Arc::new(live);
        all.insert(live.key.clone(), Arc::clone(&live));
        live
    }
}
