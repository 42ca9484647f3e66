//! The custom resources of group `hookwright.dev`, version `v1alpha1`: types, schemas and validation rules, and
//! nothing else. `hookwright crds` prints what these types generate; `crds/` holds it, and a test keeps it fresh.

pub mod condition;
pub mod connection;
pub mod project_webhook;
pub mod source;
pub mod task_notification;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

/// The API group, and the prefix of our annotations.
pub const GROUP: &str = "hookwright.dev";
/// The finalizer on objects that (may) have something at the remote, and on connections in use.
pub const FINALIZER: &str = "hookwright.dev/finalizer";
/// Asks for a pass now; the value is echoed in `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "hookwright.dev/reconcile-requested-at";
/// Asks for one correction of drift under `managementPolicy: ReportDrift`, or for one more creation of a webhook that
/// somebody keeps deleting.
pub const CORRECT_DRIFT_REQUESTED_AT: &str = "hookwright.dev/correct-drift-requested-at";
/// The intent to create, written before the POST: see [`crate::domain::intent::Intent`].
pub const CREATING: &str = "hookwright.dev/creating";

/// Every CustomResourceDefinition of this operator, by plural name, in the order they are to be applied: `crds/` holds
/// them as they are here.
///
/// # Errors
/// One has no YAML form.
pub fn crd_documents() -> Result<Vec<(String, String)>, CrdError> {
    let crds = [
        connection::Connection::crd(),
        connection::ClusterConnection::crd(),
        project_webhook::ProjectWebhook::crd(),
        task_notification::TaskNotification::crd(),
    ];
    crds.into_iter().map(|crd| Ok((crd.spec.names.plural.clone(), yaml(&crd)?))).collect()
}

/// A definition has no YAML form.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// It can't become JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It can't become YAML.
    #[error(transparent)]
    Yaml(#[from] serde_yaml::ser::Error),
}

fn yaml(crd: &CustomResourceDefinition) -> Result<String, CrdError> {
    let mut crd = serde_json::to_value(crd)?;
    // Without `nullable`, a `null` takes the field's default, and is refused where there is none: it is never stored as a
    // value that `has()` sees.
    tidy(&mut crd);
    let versions = crd.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        // kstatus takes an object without observedGeneration for current; the default says "never looked at".
        if let Some(status) =
            version.pointer_mut("/schema/openAPIV3Schema/properties/status").and_then(Value::as_object_mut)
        {
            status.insert("default".into(), json!({ "observedGeneration": project_webhook::never_observed() }));
        }
    }
    let mut text = serde_yaml::to_string(&crd)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Drops `nullable`, and the formats of Rust's unsigned numbers, which the API server does not know and warns of.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("nullable");
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.remove("format");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Adds to a schema, member by member.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(name, value)| merge(into.entry(name).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}
