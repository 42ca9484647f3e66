//! The pass over a Connection or ClusterConnection: whether it can be used, and who uses it.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::clock::Clock;
use super::connect::connect;
use super::context::Context;
use super::fail_point::FailPoint;
use super::index::{ConnectionKey, User};
use super::publish::{event_on, event_type, merge_diff};
use super::refuse::{Halt, is_gone};
use crate::api::FINALIZER;
use crate::api::condition::Reason;
use crate::api::connection::{ClusterConnection, Connection, ConnectionStatus};
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::schedule::backoff;
use crate::domain::status::{conditions, current_reason};
use crate::ops::metrics::Kind as MetricsKind;

/// What the two kinds of connection have in common.
pub trait ConnectionObject:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// Name of the kind, for metrics.
    const KIND: MetricsKind;
    /// Its status.
    fn status(&self) -> Option<&ConnectionStatus>;
    /// Its key.
    fn connection_key(&self) -> ConnectionKey;
    /// The API it is written through.
    fn api(client: Client, key: &ConnectionKey) -> Api<Self>;
}

impl ConnectionObject for Connection {
    const KIND: MetricsKind = MetricsKind::Connection;
    fn status(&self) -> Option<&ConnectionStatus> {
        self.status.as_ref()
    }
    fn connection_key(&self) -> ConnectionKey {
        self.into()
    }
    fn api(client: Client, key: &ConnectionKey) -> Api<Self> {
        Api::namespaced(client, &key.key.namespace)
    }
}

impl ConnectionObject for ClusterConnection {
    const KIND: MetricsKind = MetricsKind::ClusterConnection;
    fn status(&self) -> Option<&ConnectionStatus> {
        self.status.as_ref()
    }
    fn connection_key(&self) -> ConnectionKey {
        self.into()
    }
    fn api(client: Client, _: &ConnectionKey) -> Api<Self> {
        Api::all(client)
    }
}

/// How many users a message names.
const NAMED: usize = 5;

/// One pass.
pub async fn reconcile<K: ConnectionObject>(context: &Arc<Context>, object: &K) -> Action {
    let key = object.connection_key();
    match pass(context, object, &key).await {
        Ok(action) => action,
        Err(halt) => {
            match halt {
                // A connection waits for nobody.
                Halt::Gathering(_) | Halt::NotDue(_) => {}
                Halt::Outdated => tracing::debug!(connection = %key.key, "somebody else wrote it in between"),
                Halt::Refused(Refusal { message: why, .. }) | Halt::Retry(why) => {
                    tracing::warn!(connection = %key.key, "pass ended early, trying again: {why}");
                }
            }
            Action::requeue(backoff(1, &key))
        }
    }
}

async fn pass<K: ConnectionObject>(context: &Arc<Context>, object: &K, key: &ConnectionKey) -> Result<Action, Halt> {
    let users = context.users.of(key);
    let going = object.meta().deletion_timestamp.is_some();
    let held = object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let mut version = object.resource_version();
    if users.is_empty() && held {
        version = finalizer(context, object, key, false).await?;
        if going {
            return Ok(Action::await_change());
        }
    } else if !users.is_empty() && !held && !going {
        version = finalizer(context, object, key, true).await?;
    }
    if going && users.is_empty() {
        return Ok(Action::await_change());
    }
    let (reason, message, retry) = if going { blocked(&users) } else { judge(context, key).await? };
    context.metrics.object_reason(K::KIND, context.connections.reason(key, Some(reason)), Some(reason));
    let before = object.status().cloned().unwrap_or_default();
    let generation = object.meta().generation.unwrap_or_default();
    let after = ConnectionStatus {
        observed_generation: generation,
        conditions: conditions(&before.conditions, reason, &message, generation, &Clock::time()),
    };
    if after != before {
        // A pass that began before the cache had the last write would make the same one again: it ends as outdated.
        let patch = json!({ "metadata": { "resourceVersion": version }, "status": diff(&before, &after)? });
        publish(context, object, key, patch, (&before, &after), reason).await?;
    }
    Ok(match retry {
        Some(Retry::Backoff) => Action::requeue(backoff(4, key)),
        Some(Retry::After(delay)) => Action::requeue(delay),
        // Nobody tells of a changed Secret then.
        Some(Retry::OnChange) | None if !context.settings.secrets_watch => Action::requeue(context.settings.resync),
        Some(Retry::OnChange) | None => Action::await_change(),
    })
}

fn blocked(users: &[User]) -> (Reason, String, Option<Retry>) {
    let named: Vec<_> = users.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if users.len() > NAMED { format!(" and {} more", users.len() - NAMED) } else { String::new() };
    let message = format!(
        "being deleted, but in use by {}{more}; delete them, or change their spec.connectionRef",
        named.join(", ")
    );
    (Reason::DeletionBlocked, message, None)
}

/// Whether the connection can be used. No documented call tests a token by itself: what its users met decides.
async fn judge(context: &Arc<Context>, key: &ConnectionKey) -> Result<(Reason, String, Option<Retry>), Halt> {
    let Some(declared) = context.connections.declared(key) else {
        return Err(Halt::Retry("the cache does not hold the connection yet".into()));
    };
    match connect(context, key, declared).await {
        Ok(live) if live.credentials.are_rejected() => {
            Ok((Reason::CredentialsRejected, live.credentials.message(), None))
        }
        Ok(_) => Ok((Reason::Configured, "references resolve and the endpoint is allowed".into(), None)),
        Err(Halt::Refused(Refusal { reason, message, retry })) => Ok((reason, message, Some(retry))),
        Err(retry) => Err(retry),
    }
}

fn diff(before: &ConnectionStatus, after: &ConnectionStatus) -> Result<Value, Halt> {
    let json = |status: &ConnectionStatus| serde_json::to_value(status).map_err(|e| Halt::Retry(e.to_string()));
    Ok(merge_diff(&json(before)?, &json(after)?))
}

async fn publish<K: ConnectionObject>(
    context: &Arc<Context>,
    object: &K,
    key: &ConnectionKey,
    patch: Value,
    (before, after): (&ConnectionStatus, &ConnectionStatus),
    reason: Reason,
) -> Result<(), Halt> {
    let (api, patch) = (K::api(context.client.clone(), key), Patch::Merge(patch));
    FailPoint::ConnectionStatus.after(api.patch_status(&key.key.name, &PatchParams::default(), &patch)).await?;
    let ready = |conditions: &[Condition]| current_reason(conditions);
    let (old, new) = (ready(&before.conditions), ready(&after.conditions));
    if old == new {
        return Ok(());
    }
    let note = after.conditions.first().map(|condition| condition.message.clone()).unwrap_or_default();
    event_on(context, &object.object_ref(&()), event_type(reason), reason.as_str(), note).await;
    // What its users say depends on it. One that can be used from the start is no news to them: they resolve it themselves,
    // and a second pass would repeat a write that the remote has just refused.
    if old.is_some() || new != Some(Reason::Configured) {
        context.users.of(key).into_iter().for_each(|user| context.triggers.user(user));
    }
    Ok(())
}

/// A connection in use carries a finalizer, so that its users can still be cleaned up. Returns the version that it has
/// then; `None` if it is gone.
async fn finalizer<K: ConnectionObject>(
    context: &Arc<Context>,
    object: &K,
    key: &ConnectionKey,
    wanted: bool,
) -> Result<Option<String>, Halt> {
    let mut finalizers: Vec<_> = object.finalizers().iter().filter(|other| *other != FINALIZER).cloned().collect();
    if wanted {
        finalizers.push(FINALIZER.into());
    }
    let patch = json!({ "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers } });
    let api = K::api(context.client.clone(), key);
    let point = if wanted { FailPoint::ConnectionHold } else { FailPoint::ConnectionRelease };
    match point.after(api.patch_metadata(&key.key.name, &PatchParams::default(), &Patch::Merge(patch))).await {
        Err(error) if is_gone(&error) => Ok(None),
        other => Ok(other?.resource_version()),
    }
}

/// The connection is gone.
pub fn forget<K: ConnectionObject>(context: &Context, key: &ConnectionKey) {
    context.metrics.object_reason(K::KIND, context.connections.reason(key, None), None);
    context.sources.forget(&User::Connection(key.clone()));
    let users = context.users.of(key);
    if users.is_empty() {
        context.connections.forget(key);
        context.index.forget_connection(key);
    }
    for user in users {
        context.triggers.user(user);
    }
}
