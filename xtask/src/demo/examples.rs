//! The manifests of `examples/`, and what the demo changes in them. They are written for a real account; the demo has a
//! simulator instead, so it lays a few values over them, in memory, and says so.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::stage::Addresses;

/// The token in the example Secrets, which the simulator therefore accepts.
pub const TOKEN: &str = "demo-token";
/// The ConfigMap that gives the connections the simulator's CA.
const CA_NAME: &str = "simulator-ca";
/// The operator's namespace, where a ClusterConnection finds what it refers to.
pub const OPERATOR_NAMESPACE: &str = "hookwright";

/// All the manifests, in the order in which they have to be applied.
pub struct Examples {
    pub(super) documents: Vec<Value>,
}

/// A webhook that an example expects to find, made by hand.
#[derive(Debug)]
pub struct Handmade {
    pub object: String,
    pub project: String,
    pub webhook: Value,
}

impl Examples {
    pub fn load(dir: &Path) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
        files.sort();
        let mut documents = Vec::new();
        for file in files {
            let read = || Ok::<Vec<Value>, anyhow::Error>(serde_yaml::from_multiple(&std::fs::read_to_string(&file)?)?);
            documents.extend(read().with_context(|| format!("reading {}", file.display()))?);
        }
        documents.sort_by_key(rank);
        Ok(Self { documents })
    }

    /// Points every connection at the simulator, and lets it trust the simulator's CA. Nothing else is changed.
    pub fn overlay(&mut self, addresses: &Addresses, ca_pem: &str) {
        let mut namespaces = BTreeSet::new();
        for document in &mut self.documents {
            let namespace = match document["kind"].as_str() {
                Some("Connection") => text(document, "/metadata/namespace").to_owned(),
                Some("ClusterConnection") => OPERATOR_NAMESPACE.to_owned(),
                _ => continue,
            };
            let spec = &mut document["spec"];
            if !spec["appMaker"].is_null() {
                spec["appMaker"]["endpoint"] = format!("{}/api/v1", addresses.https).into();
            }
            if let Some(code_arts) = spec.get_mut("codeArts") {
                code_arts["endpoint"] = addresses.check.as_str().into();
                if let Some(password) = code_arts["auth"].get_mut("password") {
                    password["iamEndpoint"] = addresses.iam.as_str().into();
                }
            }
            spec["caFrom"] = json!({ "configMapKeyRef": { "name": CA_NAME, "key": "ca.crt" } });
            namespaces.insert(namespace);
        }
        self.documents.extend(namespaces.into_iter().map(|namespace| {
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": CA_NAME, "namespace": namespace },
                "data": { "ca.crt": ca_pem },
            })
        }));
        self.documents.sort_by_key(rank);
    }

    /// One List, for `kubectl apply -f -`.
    pub fn manifest(&self) -> String {
        json!({ "apiVersion": "v1", "kind": "List", "items": self.documents }).to_string()
    }

    fn webhooks(&self) -> impl Iterator<Item = &Value> {
        self.documents.iter().filter(|document| document["kind"] == "ProjectWebhook")
    }

    /// How many objects of the operator's kinds there are to become Ready.
    pub fn objects(&self) -> usize {
        self.documents.iter().filter(|document| text(document, "/apiVersion").starts_with("hookwright.dev/")).count()
    }

    /// The projects that the examples speak of, as `organization/project`.
    pub fn projects(&self) -> BTreeSet<String> {
        self.webhooks()
            .map(|webhook| format!("{}/{}", text(webhook, "/spec/organizationId"), text(webhook, "/spec/projectId")))
            .collect()
    }

    /// The webhooks that have to be at the remote before: those that are to be observed or adopted.
    pub fn handmade(&self) -> Vec<Handmade> {
        let expected = |webhook: &&Value| {
            text(webhook, "/spec/managementPolicy") == "Observe" || text(webhook, "/spec/adoptionPolicy") == "Adopt"
        };
        self.webhooks().filter(expected).map(handmade).collect()
    }
}

fn handmade(object: &Value) -> Handmade {
    let spec = &object["spec"];
    let headers = spec["headers"].as_array().into_iter().flatten();
    let headers: serde_json::Map<_, _> =
        headers.filter_map(|header| Some((header["name"].as_str()?.to_owned(), header["value"].clone()))).collect();
    let name = if spec["name"].is_string() { &spec["name"] } else { &object["metadata"]["name"] };
    let webhook = json!({ "name": name, "url": spec["url"], "headers": headers, "events": spec["events"] });
    let of = |path| text(object, path).to_owned();
    Handmade { object: of("/metadata/name"), project: of("/spec/projectId"), webhook }
}

/// Namespaces first, then what is referred to, then what refers to it.
fn rank(document: &Value) -> u8 {
    match document["kind"].as_str() {
        Some("Namespace") => 0,
        Some("Secret" | "ConfigMap") => 1,
        Some("Connection" | "ClusterConnection") => 2,
        _ => 3,
    }
}

pub(super) fn text<'a>(document: &'a Value, path: &str) -> &'a str {
    document.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{demo::show, dirs};

    fn examples() -> Result<Examples> {
        Examples::load(&dirs::root().join("examples"))
    }

    #[test]
    fn only_connections_are_changed_and_each_finds_the_ca_in_its_namespace() -> Result<()> {
        let before = examples()?;
        let mut after = examples()?;
        let at = |url: &str| url.to_owned();
        let addresses = Addresses {
            https: at("https://127.0.0.1:1"),
            admin: at("http://127.0.0.1:2"),
            check: at("https://127.0.0.1:1"),
            iam: at("https://localhost:1"),
        };
        after.overlay(&addresses, "PEM");
        let changed: Vec<_> = after.documents.iter().filter(|document| !before.documents.contains(document)).collect();
        let found: Vec<_> =
            changed.iter().map(|document| (text(document, "/kind"), text(document, "/metadata/namespace"))).collect();
        assert_eq!(
            found,
            [
                ("ConfigMap", "default"),
                ("ConfigMap", "hookwright"),
                ("ClusterConnection", ""),
                ("Connection", "default"),
                ("Connection", "default"),
                ("Connection", "default"),
                ("Connection", "default")
            ]
        );
        for connection in &changed[2..] {
            let (app_maker, check) = ("/spec/appMaker/endpoint", "/spec/codeArts/endpoint");
            let endpoints = [text(connection, app_maker), text(connection, check)];
            assert!(
                [["https://127.0.0.1:1/api/v1", ""], ["", "https://127.0.0.1:1"]].contains(&endpoints),
                "{endpoints:?}"
            );
            let iam = connection.pointer("/spec/codeArts/auth/password/iamEndpoint");
            assert!(iam.is_none_or(|iam| iam == "https://localhost:1"), "{iam:?}");
            assert_eq!(text(connection, "/spec/caFrom/configMapKeyRef/name"), CA_NAME);
        }
        assert_eq!(before.objects(), after.objects());
        Ok(())
    }

    #[test]
    fn the_examples_use_the_token_that_the_simulator_accepts() -> Result<()> {
        let examples = examples()?;
        let tokens: Vec<_> = examples
            .documents
            .iter()
            .filter(|document| document["kind"] == "Secret" && text(document, "/metadata/name") == "app-maker")
            .map(|secret| text(secret, "/stringData/token"))
            .collect();
        assert_eq!(tokens, [TOKEN, TOKEN]);
        Ok(())
    }

    #[test]
    fn what_is_observed_or_adopted_is_there_before() -> Result<()> {
        let handmade = examples()?.handmade();
        let names: Vec<_> = handmade.iter().map(|handmade| handmade.object.as_str()).collect();
        assert_eq!(names, ["deploy-board", "legacy-audit"]);
        assert_eq!(handmade[0].webhook["headers"], json!({ "X-Board": "main" }));
        assert_eq!(handmade[1].webhook["url"], "https://audit.example.com/in");
        Ok(())
    }

    #[test]
    fn the_show_acts_on_webhooks_that_the_operator_creates_and_enforces() -> Result<()> {
        let examples = examples()?;
        for name in [show::CHANGED, show::DELETED] {
            let webhook = examples.webhooks().find(|webhook| text(webhook, "/metadata/name") == name);
            let webhook = webhook.with_context(|| format!("examples/ has no {name}"))?;
            for policy in ["managementPolicy", "adoptionPolicy", "deletionPolicy"] {
                assert!(webhook["spec"][policy].is_null(), "{name}: {policy}");
            }
        }
        Ok(())
    }
}
