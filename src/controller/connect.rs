//! IO: makes a declared connection usable, and says whom it serves.

mod service;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::SelectorExt;
use kube::{Api, ResourceExt};
use url::Url;

use super::connections::{Declared, Live, Tenancy};
use super::context::Context;
use super::credentials::Credentials;
use super::index::{ConnectionKey, User};
use super::refuse::Halt;
use super::sources::{SourceKey, SourceKind, Value};
use crate::api::condition::Reason;
use crate::api::connection::{AllowedNamespaces, ConnectionSpec};
use crate::api::source::KeyRef;
use crate::domain::desired::strip_newline;
use crate::domain::ids::ProjectPath;
use crate::domain::pattern::{EndpointPlace, endpoint_allowed};
use crate::domain::refusal::Refusal;
use crate::domain::secret::SecretText;
use crate::remote::caller::Caller;
use crate::remote::http::{ClientOptions, HttpClient, SetupError};

/// Makes a declared connection usable: checks the endpoints, reads credentials and trust roots, builds the client. What
/// has not changed is not built again.
///
/// # Errors
/// What is missing or not allowed, in the connection's own terms.
pub async fn connect(context: &Context, key: &ConnectionKey, declared: Declared) -> Result<Arc<Live>, Halt> {
    let namespace = match declared.tenancy {
        Tenancy::Namespace => &*key.key.namespace,
        Tenancy::Cluster { .. } => context.settings.namespace.as_str(),
    };
    let user = User::Connection(key.clone());
    let given = service::given(context, &declared.spec, namespace, &user).await?;
    context.index.endpoint(key, EndpointPlace::of(&given.endpoint));
    let ca = match &declared.spec.ca_from {
        None => None,
        Some(from) => Some(value(context, SourceKind::ConfigMap, namespace, &from.config_map_key_ref, &user).await?),
    };
    let (ca, ca_version) = ca.unzip();
    let built_from = format!("{} {}{}", declared.version, given.versions, ca_version.unwrap_or_default());
    let before = context.connections.last_seen(key);
    if let Some(live) = before.as_ref().filter(|live| live.built_from == built_from) {
        return Ok(Arc::clone(live));
    }
    let given_before = before.map(|live| live.rotated_out(&given.values)).unwrap_or_default();
    let timeout = Duration::from_secs(declared.spec.timeout_seconds.into());
    let options = ClientOptions { ca_pem: ca.map(|ca| ca.expose().as_bytes().to_vec()), timeout };
    let caller = Caller {
        client: HttpClient::new(&options).map_err(|error| unusable_client(&declared.spec, error))?,
        pace: context.connections.pace(key, &declared.spec),
        metrics: Arc::clone(&context.metrics),
        gate: Arc::clone(&context.connections.gate),
        cut: context.connections.cut.clone(),
    };
    let live = Live {
        key: key.clone(),
        declared,
        endpoint: given.endpoint.clone(),
        timeout,
        credentials: Credentials::new(given.advice),
        given: given.values.clone(),
        given_before,
        service: service::build(given, caller)?,
        built_from,
    };
    Ok(context.connections.remember(live))
}

/// The trust roots can't be used.
fn unusable_client(spec: &ConnectionSpec, error: SetupError) -> Refusal {
    match (error, &spec.ca_from) {
        (SetupError::NoCertificate | SetupError::BadCertificate, Some(from)) => {
            service::unusable("ConfigMap", &from.config_map_key_ref, &error)
        }
        _ => Refusal::person(Reason::InvalidSpec, error.to_string()),
    }
}

/// The endpoint of a connection, if it may be called.
#[must_use]
pub fn allowed_endpoint_of(context: &Context, spec: &ConnectionSpec) -> Option<Url> {
    let of_app_maker = spec.app_maker.as_ref().map(|app_maker| &app_maker.endpoint);
    let endpoint = of_app_maker.or(spec.code_arts.as_ref().map(|code_arts| &code_arts.endpoint))?;
    allowed_endpoint(context, "its endpoint", endpoint).ok()
}

/// An endpoint that may be called. `field` is where it stands.
fn allowed_endpoint(context: &Context, field: &str, endpoint: &str) -> Result<Url, Refusal> {
    let refuse = || {
        let message = format!(
            "{field} matches none of the operator's --allowed-endpoint patterns; use another endpoint, or have the \
             operator's administrator allow it"
        );
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

/// Whether a connection serves this namespace and, where the object is about one, project.
///
/// # Errors
/// It does not, or Kubernetes can't be asked for the namespace's labels.
pub async fn admits(
    context: &Context,
    key: &ConnectionKey,
    tenancy: &Tenancy,
    namespace: &str,
    project: Option<&ProjectPath>,
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
    let Some(path) = project.map(ToString::to_string) else { return Ok(()) };
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
