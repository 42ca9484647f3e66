//! IO: what the operator writes to Kubernetes. Only what changed is sent, and nothing if nothing did.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::fail_point::FailPoint;
use super::kind::{Kind, Pass};
use super::refuse::Halt;
use crate::api::FINALIZER;
use crate::api::condition::{Class, READY, Reason};
use crate::domain::status::current_reason;

/// Writes the status if it changed, and an Event for what a person would want to see in `kubectl describe`.
///
/// # Errors
/// Kubernetes does not take it.
pub async fn status<K: Kind>(pass: &mut Pass<'_, K>, after: K::Status) -> Result<(), Halt> {
    let before = pass.status.clone();
    if after != before {
        write_status(pass, after).await?;
    }
    // Also where it is the same: what was written to the remote within one second may leave it so.
    transition(pass, K::conditions(&before)).await;
    Ok(())
}

async fn write_status<K: Kind>(pass: &mut Pass<'_, K>, after: K::Status) -> Result<(), Halt> {
    let (old, new) = (to_json(&pass.status)?, to_json(&after)?);
    // An object from before the schema's default has no status: then all of it has to be sent.
    let status = if K::status(pass.object).is_none() { new } else { merge_diff(&old, &new) };
    let api = Api::<K::Object>::namespaced(pass.context.client.clone(), &pass.key.namespace);
    let mut patch = json!({ "status": status });
    if !pass.held && !pass.object.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        // Without the finalizer another object may have this name by now: what was seen says nothing of that one.
        patch["metadata"] = json!({ "resourceVersion": pass.version });
    }
    let patch = Patch::Merge(patch);
    let object = FailPoint::Status.after(api.patch_status(&pass.key.name, &PatchParams::default(), &patch)).await?;
    pass.version = object.resource_version();
    pass.status = after;
    Ok(())
}

/// One Event for each write to the remote, in the plan's words, and one for a changed reason, unless it is that what was
/// written is good: Events are a third of what creating many webhooks costs the API server.
async fn transition<K: Kind>(pass: &mut Pass<'_, K>, before: &[Condition]) {
    let notes = std::mem::take(&mut pass.noted);
    let wrote = !notes.is_empty();
    for note in notes {
        event(pass, EventType::Normal, "RemoteChanged", note).await;
    }
    let after = K::conditions(&pass.status);
    let (old, new) = (current_reason(before), current_reason(after));
    let told = |reason: &Reason| old == new || (wrote && reason.class() == Class::Ready);
    let Some(reason) = new.filter(|reason| !told(reason)) else { return };
    let ready = after.iter().find(|condition| condition.type_ == READY);
    let note = ready.map(|condition| condition.message.clone()).unwrap_or_default();
    event(pass, event_type(reason), reason.as_str(), note).await;
}

/// A Warning is for what needs a person.
#[must_use]
pub fn event_type(reason: Reason) -> EventType {
    match reason.class() {
        Class::Stalled => EventType::Warning,
        Class::Ready | Class::Mending => EventType::Normal,
    }
}

/// An Event on the pass's object, written soon.
pub async fn event<K: Kind>(pass: &Pass<'_, K>, type_: EventType, reason: &str, note: String) {
    event_on(pass.context, &pass.object.object_ref(&()), type_, reason, note).await;
}

/// An Event on any object, written soon.
pub async fn event_on(context: &Context, on: &ObjectReference, type_: EventType, reason: &str, note: String) {
    context.events.queue(event_of(type_, reason, &note), on).await;
}

/// A Warning on any object, written when this returns. Where Kubernetes refuses to take it at all, the log has it: to try
/// again would not help.
///
/// # Errors
/// Kubernetes can't take it now.
pub async fn warning_on(context: &Context, on: &ObjectReference, reason: &str, note: &str) -> Result<(), Halt> {
    match context.events.write(event_of(EventType::Warning, reason, note), on).await {
        Err(kube::Error::Api(status)) if (400..500).contains(&status.code) && status.code != 429 => Ok(()),
        other => Ok(other?),
    }
}

fn event_of(type_: EventType, reason: &str, note: &str) -> Event {
    // 1 KiB is the API's bound on an Event's note.
    let note = note.chars().take(1000).collect::<String>();
    Event { type_, reason: reason.into(), note: Some(note), action: "Reconcile".into(), secondary: None }
}

/// Adds the finalizer, and annotations beside it in the same patch. The resourceVersion makes it fail if somebody else
/// wrote in between: the list of finalizers is replaced whole.
///
/// # Errors
/// Kubernetes does not take it; a conflict too.
pub async fn hold<K: Kind>(pass: &mut Pass<'_, K>, annotations: Value) -> Result<(), Halt> {
    let mut finalizers = pass.object.finalizers().to_vec();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.into());
    }
    finalizer_patch(pass, &finalizers, annotations, FailPoint::Hold).await?;
    pass.held = true;
    Ok(())
}

/// Removes the finalizer: the object may go.
///
/// # Errors
/// Kubernetes does not take it; a conflict too.
pub async fn release<K: Kind>(pass: &mut Pass<'_, K>) -> Result<(), Halt> {
    let finalizers: Vec<_> =
        pass.object.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).cloned().collect();
    finalizer_patch(pass, &finalizers, json!({}), FailPoint::Release).await?;
    pass.released = true;
    Ok(())
}

async fn finalizer_patch<K: Kind>(
    pass: &mut Pass<'_, K>,
    finalizers: &[String],
    annotations: Value,
    point: FailPoint,
) -> Result<(), Halt> {
    let version = pass.version.clone().or_else(|| pass.object.resource_version());
    let patch = json!({
        "metadata": { "resourceVersion": version, "finalizers": finalizers, "annotations": annotations },
    });
    let api = Api::<K::Object>::namespaced(pass.context.client.clone(), &pass.key.namespace);
    match point.after(api.patch_metadata(&pass.key.name, &PatchParams::default(), &Patch::Merge(patch))).await {
        Ok(object) => pass.version = object.resource_version(),
        Err(error) if super::refuse::is_gone(&error) && finalizers.is_empty() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The status as JSON.
fn to_json(status: &impl Serialize) -> Result<Value, Halt> {
    serde_json::to_value(status).map_err(|error| Halt::Retry(format!("the status has no JSON form: {error}")))
}

/// The JSON merge patch (RFC 7396) that makes `old` into `new`: changed members, and null for those that go.
#[must_use]
pub fn merge_diff(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return new.clone() };
    let mut patch = Map::new();
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before) => {
                patch.insert(name.clone(), merge_diff(before, value));
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mends_itself_warns_nobody() {
        let normal = [
            "Synced",
            "Observed",
            "Configured",
            "Progressing",
            "SecretNotFound",
            "ConfigMapNotFound",
            "ConnectionNotFound",
            "ConnectionNotReady",
            "RateLimited",
            "RemoteUnavailable",
        ];
        for reason in Reason::ALL {
            let warns = matches!(event_type(*reason), EventType::Warning);
            assert_eq!(warns, !normal.contains(&reason.as_str()), "{reason}");
        }
    }

    #[test]
    fn a_merge_patch_removes_what_went_and_leaves_what_stayed() {
        let old = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1]});
        let new = json!({"a": 1, "b": {"c": 3}, "f": {}});
        assert_eq!(merge_diff(&old, &new), json!({"b": {"c": 3, "d": null}, "e": null, "f": {}}));
        assert_eq!(merge_diff(&new, &new), json!({}));
    }
}
