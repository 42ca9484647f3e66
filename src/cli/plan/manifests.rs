//! Pure: files as manifests. Errors say where, and never what stands there: it may be a Secret.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::GROUP;

/// Our API's one version.
const OURS: &str = "hookwright.dev/v1alpha1";

/// A manifest of ours, as it stands in a file.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// Which kind.
    pub(super) kind: Ours,
    /// The object, with its namespace if its kind has one.
    pub(super) object: DynamicObject,
}

/// Our kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ours {
    ClusterConnection,
    Connection,
    ProjectWebhook,
    TaskNotification,
}

impl Ours {
    const ALL: [Self; 4] = [Self::ClusterConnection, Self::Connection, Self::ProjectWebhook, Self::TaskNotification];

    /// The kind's name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterConnection => "ClusterConnection",
            Self::Connection => "Connection",
            Self::ProjectWebhook => "ProjectWebhook",
            Self::TaskNotification => "TaskNotification",
        }
    }
}

impl Manifest {
    /// The object's name, for people.
    pub(super) fn called(&self) -> String {
        let namespace = self.object.namespace().map(|namespace| namespace + "/").unwrap_or_default();
        format!("{} {namespace}{}", self.kind.as_str(), self.object.name_any())
    }
}

/// All manifests that a plan is made of; other kinds are left out.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    /// Ours, in their order.
    pub(super) ours: Vec<Manifest>,
    /// Secrets, whose `stringData` is in `data` by now.
    pub(super) secrets: Vec<Secret>,
    /// ConfigMaps.
    pub(super) config_maps: Vec<ConfigMap>,
    seen: BTreeSet<(String, String, String)>,
}

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFile {
    #[error("{0} is no YAML, or not one that can be read{1}")]
    NotYaml(String, Place),
    #[error("{0} is no manifest: it has no apiVersion, kind or metadata.name")]
    NoManifest(String),
    #[error("{0} is of {1}, and this program knows {OURS}; use the program of that version")]
    OtherVersion(String, String),
    #[error("{0} is no {1} that Kubernetes could read")]
    Unreadable(String, &'static str),
    #[error("{0} names an object that is there twice; keep one of them")]
    Twice(String),
}

/// Where in a file, if that is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place(Option<(u64, u64)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(line, column)| write!(f, " (line {line}, column {column})"))
    }
}

impl Manifests {
    /// Adds those of a file, which is called `path`; what names no namespace is of `namespace`.
    pub(super) fn add(&mut self, path: &str, text: &str, namespace: &str) -> Result<(), BadFile> {
        let options = serde_yaml::options! { with_snippet: false };
        let documents = serde_yaml::from_multiple_with_options::<Value>(text, options).map_err(|error| {
            let place = error.location().map(|location| (location.line(), location.column()));
            BadFile::NotYaml(path.to_owned(), Place(place))
        })?;
        for (index, document) in documents.into_iter().enumerate() {
            self.add_document(format!("{path}, document {}", index + 1), document, namespace)?;
        }
        Ok(())
    }

    fn add_document(&mut self, place: String, document: Value, namespace: &str) -> Result<(), BadFile> {
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        if let ("v1", "List", Some(Value::Array(items))) = (&*version, &*kind, document.get("items")) {
            for (index, item) in items.iter().enumerate() {
                self.add_document(format!("{place}, item {}", index + 1), item.clone(), namespace)?;
            }
            return Ok(());
        }
        let name = text("/metadata/name");
        if version.is_empty() || kind.is_empty() {
            return Err(BadFile::NoManifest(place));
        }
        let ours = Ours::ALL.into_iter().find(|ours| ours.as_str() == kind).filter(|_| version.starts_with(GROUP));
        if ours.is_some() && version != OURS {
            return Err(BadFile::OtherVersion(place, version));
        }
        let is_source = version == "v1" && ["Secret", "ConfigMap"].contains(&kind.as_str());
        if ours.is_none() && !is_source {
            return Ok(());
        }
        if name.is_empty() {
            return Err(BadFile::NoManifest(place));
        }
        let namespaced = ours != Some(Ours::ClusterConnection);
        let namespace =
            Some(text("/metadata/namespace")).filter(|own| !own.is_empty()).unwrap_or_else(|| namespace.into());
        let namespace = if namespaced { namespace } else { String::new() };
        if !self.seen.insert((kind.clone(), namespace.clone(), name)) {
            return Err(BadFile::Twice(place));
        }
        let namespace = Some(namespace).filter(|_| namespaced);
        match (ours, kind.as_str()) {
            (Some(kind), _) => {
                let mut object: DynamicObject = typed(place, "object", document)?;
                object.metadata.namespace = namespace;
                self.ours.push(Manifest { kind, object });
            }
            (None, "Secret") => {
                let mut secret: Secret = typed(place, "Secret", document)?;
                let data = secret.data.get_or_insert_default();
                for (key, value) in secret.string_data.take().unwrap_or_default() {
                    data.insert(key, k8s_openapi::ByteString(value.into_bytes()));
                }
                secret.metadata.namespace = namespace;
                self.secrets.push(secret);
            }
            (None, _) => {
                let mut map: ConfigMap = typed(place, "ConfigMap", document)?;
                map.metadata.namespace = namespace;
                self.config_maps.push(map);
            }
        }
        Ok(())
    }
}

fn typed<T: DeserializeOwned>(place: String, kind: &'static str, document: Value) -> Result<T, BadFile> {
    serde_json::from_value(document).map_err(|_| BadFile::Unreadable(place, kind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Manifests, BadFile> {
        let mut manifests = Manifests::default();
        manifests.add("a.yaml", text, "shop").map(|()| manifests)
    }

    const WEBHOOK: &str = "apiVersion: hookwright.dev/v1alpha1\nkind: ProjectWebhook\nmetadata: {name: a}\n";

    #[test]
    fn ours_and_what_they_refer_to_are_taken_and_other_kinds_are_not() {
        let text = format!(
            "{WEBHOOK}---\napiVersion: v1\nkind: Service\nmetadata: {{name: a}}\n---\n# nothing\n---\napiVersion: v1\nkind: List\n\
             items:\n- {{apiVersion: v1, kind: Secret, metadata: {{name: s, namespace: other}}, stringData: {{k: v}}}}\n\
             - {{apiVersion: hookwright.dev/v1alpha1, kind: ClusterConnection, metadata: {{name: c, namespace: ignored}}}}\n"
        );
        let manifests = read(&text).unwrap();
        let called: Vec<_> = manifests.ours.iter().map(Manifest::called).collect();
        assert_eq!(called, ["ProjectWebhook shop/a", "ClusterConnection c"]);
        let secret = &manifests.secrets[0];
        assert_eq!(secret.namespace().as_deref(), Some("other"));
        assert_eq!(secret.data.as_ref().unwrap()["k"].0, b"v");
    }

    #[test]
    fn errors_say_where_and_never_what() {
        let broken = read("a: 1\nb: {hunter2").unwrap_err().to_string();
        assert!(broken.starts_with("a.yaml is no YAML") && broken.contains("line"), "{broken}");
        assert!(!broken.contains("hunter2"), "{broken}");
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: 'hunter2!'}\n";
        let unreadable = read(secret).unwrap_err();
        assert_eq!(unreadable, BadFile::Unreadable("a.yaml, document 1".into(), "Secret"));
        assert!(matches!(read("kind: Secret"), Err(BadFile::NoManifest(_))));
        assert!(matches!(read(&WEBHOOK.replace("name: a", "generateName: a")), Err(BadFile::NoManifest(_))));
        assert!(matches!(read(&WEBHOOK.replace("v1alpha1", "v2")), Err(BadFile::OtherVersion(..))));
        assert!(matches!(read(&format!("{WEBHOOK}---\n{WEBHOOK}")), Err(BadFile::Twice(_))));
    }
}
