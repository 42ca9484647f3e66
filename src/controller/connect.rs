//! IO: makes a declared connection usable, and says whom it serves.

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
use crate::domain::pattern::endpoint_allowed;
use crate::domain::refusal::Refusal;
use crate::domain::secret::SecretText;
use crate::remote::app_maker::{AppMaker, Parts};
use crate::remote::http::{ClientOptions, HttpClient, SetupError};

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
        Tenancy::Namespace => &*key.key.namespace,
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
    let before = context.connections.last_seen(key);
    if let Some(live) = before.as_ref().filter(|live| live.built_from == built_from) {
        return Ok(Arc::clone(live));
    }
    let token_before =
        before.and_then(|live| if live.token == token { live.token_before.clone() } else { Some(live.token.clone()) });
    let timeout = Duration::from_secs(declared.spec.timeout_seconds.into());
    let options = ClientOptions { ca_pem: ca.map(|ca| ca.expose().as_bytes().to_vec()), timeout };
    let client = HttpClient::new(&options).map_err(|error| unusable(&declared.spec, error))?;
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
    .map_err(|error| unusable(&declared.spec, error))?;
    let credentials = Credentials::default();
    let live =
        Live { key: key.clone(), declared, endpoint, timeout, app_maker, credentials, token, token_before, built_from };
    Ok(context.connections.remember(live))
}

/// A value that can be read and not be used, by the name of where it is from.
fn unusable(spec: &ConnectionSpec, error: SetupError) -> Refusal {
    let token = spec.app_maker.as_ref().map(|app_maker| ("Secret", &app_maker.token_from.secret_key_ref));
    let ca = spec.ca_from.as_ref().map(|from| ("ConfigMap", &from.config_map_key_ref));
    let from = match error {
        SetupError::BadToken => token,
        SetupError::NoCertificate | SetupError::BadCertificate => ca,
        SetupError::NoTrustRoots | SetupError::BadEndpoint => None,
    };
    let message = match from {
        Some((kind, KeyRef { name, key })) => format!("key {key} of {kind} {name} can't be used: {error}"),
        None => error.to_string(),
    };
    Refusal::person(Reason::InvalidSpec, message)
}

/// The endpoint, written in one way: claims count per endpoint, and with a slash at its end it is the same place.
fn allowed_endpoint(context: &Context, endpoint: &str) -> Result<Url, Refusal> {
    let refuse = || {
        let message = "spec.appMaker.endpoint matches none of the operator's --allowed-endpoint patterns; \
                       use another endpoint, or have the operator's administrator allow it";
        Refusal::person(Reason::EndpointNotAllowed, message)
    };
    let mut url = Url::parse(endpoint).map_err(|_| refuse())?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
    }
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
