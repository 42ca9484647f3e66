//! IO: what the API server would make of a manifest. It is asked with a dry run, which checks all that an apply checks and keeps
//! nothing.

use std::collections::BTreeMap;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, Status};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::manifests::{Manifest, Ours};
use super::redact::{refusal, values};
use crate::api::GROUP;
use crate::api::project_webhook::ProjectWebhookSpec;
use crate::controller::refuse::kubernetes;

/// A manifest as an object of the cluster.
#[derive(Debug)]
pub(super) enum Judged {
    /// As it would be once it is applied, with what is there already.
    Taken(Box<DynamicObject>),
    /// The API server may not be asked: the object as far as it is known here, and why.
    Unasked(Box<DynamicObject>, String),
    /// It would be refused, in the API server's own words.
    Refused(String),
}

/// Asks the API server. A spec counts as whole: what the manifest does not say any more would be gone.
///
/// # Errors
/// The API server can't be asked at all.
pub(super) async fn judge(client: &Client, manifest: &Manifest) -> anyhow::Result<Judged> {
    let api = api(client, manifest);
    let name = manifest.object.name_any();
    let called = manifest.called();
    let live = api.get_opt(&name).await;
    let live = live.map_err(|error| anyhow::anyhow!("{called} can't be read: {}", kubernetes(&error)))?;
    let answer = match &live {
        Some(live) => {
            let params = PatchParams { dry_run: true, ..PatchParams::default().validation_strict() };
            let patch = Patch::Json::<DynamicObject>(serde_json::from_value(replacement(live, &manifest.object))?);
            api.patch(&name, &params, &patch).await
        }
        None => {
            let params = PatchParams { dry_run: true, ..PatchParams::apply("hookwright").validation_strict() };
            api.patch(&name, &params, &Patch::Apply(&manifest.object)).await
        }
    };
    match answer {
        Ok(object) => Ok(Judged::Taken(Box::new(object))),
        Err(kube::Error::Api(status)) if is_about_the_manifest(&status) => {
            Ok(Judged::Refused(refusal(&status, &values(&manifest.object.data))))
        }
        // Nobody who may only read is kept from a plan, nor who brings the namespace along.
        Err(kube::Error::Api(status)) if [403, 404].contains(&status.code) => {
            let object = merged(live, manifest);
            Ok(Judged::Unasked(Box::new(object), kubernetes(&kube::Error::Api(status))))
        }
        Err(error) => anyhow::bail!("{called} can't be checked: {}", kubernetes(&error)),
    }
}

/// A field that no schema declares is answered with 500 where an object is new, and with 422 where it is there.
fn is_about_the_manifest(status: &Status) -> bool {
    matches!(status.code, 400 | 413 | 422) || status.message.starts_with("failed to create typed patch object")
}

fn api(client: &Client, manifest: &Manifest) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1alpha1", manifest.kind.as_str()));
    match manifest.object.namespace().filter(|_| manifest.kind != Ours::ClusterConnection) {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// The manifest's spec in place of the live one, and its annotations beside those that are there.
fn replacement(live: &DynamicObject, manifest: &DynamicObject) -> Value {
    let spec = manifest.data.get("spec").cloned().unwrap_or_else(|| json!({}));
    json!([
        { "op": "replace", "path": "/spec", "value": spec },
        { "op": "add", "path": "/metadata/annotations", "value": annotations(live, manifest) },
    ])
}

fn annotations(live: &DynamicObject, manifest: &DynamicObject) -> BTreeMap<String, String> {
    let mut annotations = live.annotations().clone();
    annotations.extend(manifest.annotations().clone());
    annotations
}

/// The same without the API server: what it would add is added where the object is read.
fn merged(live: Option<DynamicObject>, manifest: &Manifest) -> DynamicObject {
    let Manifest { kind, object: declared } = manifest;
    let Some(mut object) = live else { return declared.clone() };
    object.metadata.annotations = Some(annotations(&object, declared));
    let spec = declared.data.get("spec").cloned().unwrap_or_default();
    if !is_same(*kind, object.data.get("spec"), &spec) {
        object.metadata.generation = object.metadata.generation.map(|generation| generation + 1);
    }
    object.data["spec"] = spec;
    object
}

/// Whether two specs say the same once defaults are added. Only of a ProjectWebhook its generation decides anything.
fn is_same(kind: Ours, live: Option<&Value>, declared: &Value) -> bool {
    let read = |spec: &Value| serde_json::from_value::<ProjectWebhookSpec>(spec.clone()).ok();
    match kind {
        Ours::ProjectWebhook => live.and_then(read).is_some_and(|live| Some(live) == read(declared)),
        Ours::ClusterConnection | Ours::Connection | Ours::TaskNotification => live == Some(declared),
    }
}
