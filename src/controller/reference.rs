//! IO: the connection that an object refers to, if it serves the object and can be used.

use std::sync::Arc;

use super::connect::{admits, connect};
use super::connections::{Declared, Live};
use super::context::Context;
use super::index::ConnectionKey;
use super::refuse::Halt;
use crate::api::condition::{Class, Reason};
use crate::api::project_webhook::{ConnectionKind, ConnectionRef};
use crate::domain::ids::ProjectPath;
use crate::domain::refusal::{Refusal, Retry};

/// The connection of an object in this namespace, about this project if it is about one.
///
/// # Errors
/// It is missing, does not serve the object, or can't be used.
pub async fn connection(
    context: &Context,
    reference: &ConnectionRef,
    namespace: &str,
    project: Option<&ProjectPath>,
) -> Result<Arc<Live>, Halt> {
    let key = ConnectionKey::of(reference, namespace);
    let declared = declared(context, &key)?;
    admits(context, &key, &declared.tenancy, namespace, project).await?;
    connect(context, &key, declared).await.map_err(|halt| match halt {
        Halt::Refused(refusal) => through_connection(refusal, &key).into(),
        other => other,
    })
}

fn declared(context: &Context, key: &ConnectionKey) -> Result<Declared, Refusal> {
    if key.kind == ConnectionKind::ClusterConnection && context.connections.cluster.is_none() {
        let message = "this operator watches only chosen namespaces (--watch-namespace) and serves no ClusterConnection; use \
                       a Connection of this namespace";
        return Err(Refusal::person(Reason::ConnectionNotAllowed, message));
    }
    context.connections.declared(key).ok_or_else(|| {
        let message =
            format!("{} {} does not exist; create it, or correct spec.connectionRef", key.kind.as_str(), key.key);
        Refusal::mending(Reason::ConnectionNotFound, message)
    })
}

/// What is wrong with a connection, as its users tell it: only a forbidden endpoint keeps its name there.
fn through_connection(refusal: Refusal, key: &ConnectionKey) -> Refusal {
    let reason = match refusal.reason {
        Reason::EndpointNotAllowed => Reason::EndpointNotAllowed,
        _ => Reason::ConnectionNotReady,
    };
    let message = format!("{} {} is not Ready: {}", key.kind.as_str(), key.key, refusal.message);
    // A person mends the connection, and that triggers its users; the object itself needs nobody.
    let retry = if reason.class() == Class::Stalled { refusal.retry } else { Retry::Backoff };
    Refusal { reason, message, retry }
}

/// An object refers to a connection of another provider.
#[must_use]
pub fn other_provider(key: &ConnectionKey, kind: &str, has: &str, needs: &str) -> Refusal {
    let message = format!(
        "{} {} is one with {has}, and a {kind} needs one with {needs}; correct spec.connectionRef",
        key.kind.as_str(),
        key.key
    );
    Refusal::person(Reason::InvalidSpec, message)
}
