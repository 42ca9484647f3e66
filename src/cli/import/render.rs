//! Manifests as YAML that every reader of Kubernetes takes for what it is.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::domain::import::Imported;
use crate::domain::secret::SecretText;

/// What a spec says where it says nothing.
const DEFAULTS: [(&str, &str); 4] =
    [("kind", "Connection"), ("managementPolicy", "Enforce"), ("adoptionPolicy", "Refuse"), ("suspend", "false")];

/// One manifest.
#[derive(Debug)]
pub(super) struct Document {
    /// metadata.name.
    pub(super) name: String,
    /// Whether it holds secrets.
    pub(super) is_secret: bool,
    /// YAML, without a separator.
    pub(super) yaml: String,
}

/// The Secret, if one is needed, and the object of this kind.
pub(super) fn documents(
    kind: &str,
    namespace: &str,
    imported: &Imported<impl Serialize>,
) -> anyhow::Result<Vec<Document>> {
    let Imported { name, spec, secret_name, secret } = imported;
    let mut documents = vec![];
    if !secret.is_empty() {
        documents.push(document(secret_name, true, &secret_manifest(secret_name, namespace, secret))?);
    }
    let spec = without_defaults(serde_json::to_value(spec)?);
    let object = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": kind,
        "metadata": { "name": name, "namespace": namespace }, "spec": spec,
    });
    documents.push(document(name, false, &object)?);
    Ok(documents)
}

fn secret_manifest(name: &str, namespace: &str, secret: &BTreeMap<String, SecretText>) -> Value {
    let data: Map<_, _> = secret.iter().map(|(key, value)| (key.clone(), json!(value.expose()))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace }, "type": "Opaque",
        "stringData": data,
    })
}

/// What the API server adds by itself is left out: a person is to review the rest.
fn without_defaults(mut spec: Value) -> Value {
    let is_default = |name: &str, value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        DEFAULTS.contains(&(name, text.as_str()))
    };
    if let Value::Object(fields) = &mut spec {
        fields.retain(|name, value| !is_default(name, value));
        if let Some(Value::Object(reference)) = fields.get_mut("connectionRef") {
            reference.retain(|name, value| !is_default(name, value));
        }
    }
    spec
}

/// Strings that another reader might take for something else are quoted, whatever version of YAML it has, and no line is
/// folded. That it comes back as it went in is looked at: what is applied has to equal what was seen.
fn document(name: &str, is_secret: bool, manifest: &Value) -> anyhow::Result<Document> {
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    // Neither error may show the text: it may be that of a Secret.
    let yaml = serde_yaml::to_string_with_options(manifest, options).ok().context("it has no YAML form")?;
    let back = serde_yaml::from_str::<Value>(&yaml).ok();
    ensure!(back.as_ref() == Some(manifest), "its YAML form does not come back as it went in");
    Ok(Document { name: name.to_owned(), is_secret, yaml: yaml.trim_end().to_owned() + "\n" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn yaml(value: &str) -> String {
        document("it", true, &json!({ "value": value })).unwrap().yaml
    }

    #[test]
    fn what_an_older_reader_would_take_for_a_number_or_a_switch_is_quoted() {
        for text in [
            "64e000000000000000000001",
            "000000000000000000000001",
            "1e5",
            "0x1f",
            "0o17",
            "017",
            "12:30:45",
            "1_000",
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "n",
            "true",
            "null",
            "~",
            "",
            ".inf",
            "2026-01-01",
            "=",
            "<<",
            "- a",
            "a: b",
            "# a",
            "'a'",
            "%a",
            "@a",
            "`a",
            "*a",
            "&a",
            "!a",
            "{a",
            "[a",
            "|",
            ">",
            " a",
            "a ",
            "1.",
            ".5",
            "+1",
            "0b1",
            "190:20:30",
            "a #b",
        ] {
            let written = yaml(text);
            let value = written.strip_prefix("value: ").unwrap();
            assert!(value.starts_with(['"', '\'']), "{text} as {written}");
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_went_in(text in "(?s).{0,200}") {
            yaml(&text);
        }
    }

    #[test]
    fn defaults_are_left_out_and_what_differs_from_them_is_not() {
        let spec = json!({
            "connectionRef": { "kind": "Connection", "name": "a" }, "managementPolicy": "Enforce", "adoptionPolicy": "Refuse",
            "suspend": false, "active": false,
        });
        assert_eq!(without_defaults(spec), json!({ "connectionRef": { "name": "a" }, "active": false }));
        let other = json!({ "connectionRef": { "kind": "ClusterConnection", "name": "a" }, "suspend": true });
        assert_eq!(without_defaults(other.clone()), other);
    }
}
