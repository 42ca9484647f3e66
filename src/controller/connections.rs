//! Connections as they can be used: allowed, with credentials, client and governor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::SelectorExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, ResourceExt};
use url::Url;

use super::context::Context;
use super::index::{ConnectionKey, User};
use super::refuse::Halt;
use super::sources::{SourceKey, SourceKind, Value, lock};
use crate::api::condition::Reason;
use crate::api::connection::{AllowedNamespaces, ClusterConnection, Connection, ConnectionSpec};
use crate::api::project_webhook::ConnectionKind;
use crate::api::source::KeyRef;
use crate::domain::desired::strip_newline;
use crate::domain::ids::ProjectPath;
use crate::domain::pattern::endpoint_allowed;
use crate::domain::refusal::Refusal;
use crate::domain::schedule::backoff;
use crate::domain::secret::SecretText;
use crate::domain::time::Moment;
use crate::remote::app_maker::{AppMaker, Parts};
use crate::remote::gate::{Cut, Gate};
use crate::remote::http::{ClientOptions, HttpClient};
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
    /// metadata.uid and metadata.generation: what a client was built from.
    version: String,
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
    /// Versions of the object, the Secret and the trust roots: what tells this client from the next.
    pub built_from: String,
}

/// What the remote said of the credentials.
#[derive(Debug, Default)]
pub struct Credentials(Mutex<Option<Rejected>>);

#[derive(Clone, Copy, Debug)]
struct Rejected {
    failures: u32,
    probe_at: Moment,
}

impl Credentials {
    /// Whether a call may be tried: always before the first 401; after it, one user at a time, with backoff. `Err` says
    /// when to come back.
    ///
    /// # Errors
    /// They are known to be rejected, and it is not time to probe, or somebody else does.
    pub fn admit(&self, now: Moment, key: &ConnectionKey) -> Result<(), Duration> {
        let mut rejected = lock(&self.0);
        let Some(state) = rejected.as_mut() else { return Ok(()) };
        if now < state.probe_at {
            return Err(state.probe_at.since(now));
        }
        // The next user comes back after this probe, whether it ends or not.
        state.probe_at = now.after(backoff(state.failures, key));
        Ok(())
    }

    /// The remote answered 401. True if that is news.
    pub fn reject(&self, now: Moment, key: &ConnectionKey) -> bool {
        let mut rejected = lock(&self.0);
        let failures = rejected.map_or(1, |state| state.failures.saturating_add(1));
        let news = rejected.is_none();
        *rejected = Some(Rejected { failures, probe_at: now.after(backoff(failures, key)) });
        news
    }

    /// Time until the next probe.
    #[must_use]
    pub fn probe_in(&self, now: Moment) -> Duration {
        lock(&self.0).map_or(Duration::ZERO, |state| state.probe_at.since(now))
    }

    /// The remote took them. True if that is news.
    pub fn accept(&self) -> bool {
        lock(&self.0).take().is_some()
    }

    /// Whether the last answer was a 401.
    #[must_use]
    pub fn are_rejected(&self) -> bool {
        lock(&self.0).is_some()
    }
}

/// What is said while credentials are rejected; the same text for the connection and all its users.
pub const CREDENTIALS_REJECTED: &str =
    "the remote does not accept the credentials of the connection (401); put a valid token into its Secret";

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

    /// Takes note of what a connection's status says now (`None`: it is gone), and returns what it said before.
    pub fn reason(&self, key: &ConnectionKey, now: Option<Reason>) -> Option<Reason> {
        let mut reasons = lock(&self.reasons);
        match now {
            Some(reason) => reasons.insert(key.clone(), reason),
            None => reasons.remove(key),
        }
    }

    fn pace(&self, key: &ConnectionKey, spec: &ConnectionSpec) -> Pace {
        let mut paces = lock(&self.paces);
        let pace = paces.entry(key.clone()).or_insert_with(|| Pace::new(spec.rate_limit));
        if pace.limit() != spec.rate_limit {
            pace.configure(spec.rate_limit);
        }
        pace.clone()
    }

    fn remember(&self, live: Live) -> Arc<Live> {
        let live = Arc::new(live);
        lock(&self.live).insert(live.key.clone(), Arc::clone(&live));
        live
    }
}

/// Makes a declared connection usable: checks the endpoint, reads token and trust roots, builds the client. What has
/// not changed is not built again.
///
/// # Errors
/// What is missing or not allowed, in the connection's own terms.
pub async fn connect(context: &Context, key: &ConnectionKey, declared: Declared) -> Result<Arc<Live>, Halt> {
    let Some(app_maker) = declared.spec.app_maker.clone() else {
        return Err(Refusal::person(Reason::InvalidSpec, "spec.appMaker is missing; set it").into());
    };
    let endpoint = allowed_endpoint(context, &app_maker.endpoint)?;
    context.index.endpoint(key, endpoint.as_str());
    let namespace = match declared.tenancy {
        Tenancy::Namespace => key.key.namespace.as_str(),
        Tenancy::Cluster { .. } => context.settings.namespace.as_str(),
    };
    let user = User::Connection(key.clone());
    let (token, token_version) =
        value(context, SourceKind::Secret, namespace, &app_maker.token_from.secret_key_ref, &user).await?;
    let ca = match &declared.spec.ca_from {
        None => None,
        Some(from) => Some(value(context, SourceKind::ConfigMap, namespace, &from.config_map_key_ref, &user).await?),
    };
    let (ca, ca_version) = ca.unzip();
    let built_from = format!("{} {token_version} {}", declared.version, ca_version.unwrap_or_default());
    if let Some(live) = context.connections.last_seen(key).filter(|live| live.built_from == built_from) {
        return Ok(live);
    }
    let timeout = Duration::from_secs(declared.spec.timeout_seconds.into());
    let options = ClientOptions { ca_pem: ca.map(|ca| ca.expose().as_bytes().to_vec()), timeout };
    let client = HttpClient::new(&options)
        .map_err(|error| Refusal::person(Reason::InvalidSpec, format!("the client can't be built: {error}")))?;
    let pace = context.connections.pace(key, &declared.spec);
    let app_maker = AppMaker::new(Parts {
        base: endpoint.clone(),
        client,
        token: token.clone(),
        pace,
        metrics: Arc::clone(&context.metrics),
        gate: Arc::clone(&context.connections.gate),
        cut: context.connections.cut.clone(),
    })
    .map_err(|error| Refusal::person(Reason::InvalidSpec, error.to_string()))?;
    let credentials = Credentials::default();
    let live = Live { key: key.clone(), declared, endpoint, timeout, app_maker, credentials, token, built_from };
    Ok(context.connections.remember(live))
}

fn allowed_endpoint(context: &Context, endpoint: &str) -> Result<Url, Refusal> {
    let refuse = || {
        let message = "spec.appMaker.endpoint matches none of the operator's --allowed-endpoint patterns; \
                       use another endpoint, or have the operator's administrator allow it";
        Refusal::person(Reason::EndpointNotAllowed, message)
    };
    let url = Url::parse(endpoint).map_err(|_| refuse())?;
    if endpoint_allowed(&context.settings.endpoints, &url) { Ok(url) } else { Err(refuse()) }
}

/// One value of a Secret or ConfigMap, with one trailing newline stripped, and the version of its object.
///
/// # Errors
/// It is missing, or not text.
pub async fn value(
    context: &Context,
    kind: SourceKind,
    namespace: &str,
    from: &KeyRef,
    user: &User,
) -> Result<(SecretText, String), Halt> {
    let key = SourceKey { kind, namespace: namespace.to_owned(), name: from.name.clone() };
    let (what, reason) = match kind {
        SourceKind::Secret => ("Secret", Reason::SecretNotFound),
        SourceKind::ConfigMap => ("ConfigMap", Reason::ConfigMapNotFound),
    };
    let KeyRef { name, key: data_key } = from;
    let Some(source) = context.sources.read(&key, user).await? else {
        let message = format!("{what} {name} is not in namespace {namespace}; create it with key {data_key}");
        return Err(Refusal::mending(reason, message).into());
    };
    match source.value(data_key) {
        Value::Text(text) => {
            let text = match kind {
                SourceKind::Secret => SecretText::new(strip_newline(text.expose())),
                SourceKind::ConfigMap => text.clone(),
            };
            Ok((text, source.version.clone()))
        }
        Value::NotText => {
            let message = format!("key {data_key} of {what} {name} is not UTF-8 text; correct it");
            Err(Refusal::person(Reason::InvalidSpec, message).into())
        }
        Value::Absent => {
            let message = format!("{what} {name} in namespace {namespace} has no key {data_key}; add it");
            Err(Refusal::mending(reason, message).into())
        }
    }
}

/// Whether a connection serves this namespace and project.
///
/// # Errors
/// It does not, or Kubernetes can't be asked for the namespace's labels.
pub async fn admits(
    context: &Context,
    key: &ConnectionKey,
    tenancy: &Tenancy,
    namespace: &str,
    project: &ProjectPath,
) -> Result<(), Halt> {
    let Tenancy::Cluster { namespaces, projects } = tenancy else { return Ok(()) };
    let name = &key.key.name;
    let allowed = match namespaces {
        None => false,
        Some(AllowedNamespaces { names, selector }) => {
            names.iter().any(|name| name == namespace)
                || match selector {
                    None => false,
                    Some(selector) => selects(context, selector, namespace).await?,
                }
        }
    };
    if !allowed {
        let message = format!(
            "ClusterConnection {name} does not admit namespace {namespace}; have it added to spec.allowedNamespaces there"
        );
        return Err(Refusal::person(Reason::ConnectionNotAllowed, message).into());
    }
    let path = project.to_string();
    if projects.as_ref().is_some_and(|projects| !projects.iter().any(|allowed| allowed.eq_ignore_ascii_case(&path))) {
        let message = format!(
            "ClusterConnection {name} does not admit project {path}; have it added to spec.allowedProjects there"
        );
        return Err(Refusal::person(Reason::ConnectionNotAllowed, message).into());
    }
    Ok(())
}

async fn selects(context: &Context, selector: &LabelSelector, namespace: &str) -> Result<bool, Halt> {
    let message = "spec.allowedNamespaces.selector of the ClusterConnection is not valid; have it corrected";
    let selector: kube::core::Selector =
        selector.clone().try_into().map_err(|_| Refusal::person(Reason::ConnectionNotAllowed, message))?;
    let found = Api::<Namespace>::all(context.client.clone()).get_metadata_opt(namespace).await?;
    Ok(found.is_some_and(|namespace| selector.matches(namespace.labels())))
}
