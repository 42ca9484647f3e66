//! What we tell people to apply can be applied: every example, and every block of YAML in README and docs. Nothing runs that
//! would act on it. On the control plane of one test at a time, because some of it has no namespace.

use std::collections::BTreeMap;

use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, Scope, pinned_kind};
use kube::{Api, Client};
use serde_json::Value;

use crate::pages::{Block, pages, root};
use crate::support::{World, random};

async fn api_server() -> World {
    World::with(|setup| setup.wide().no_operator().no_connection()).await
}

fn is_manifest(document: &Value) -> bool {
    document["apiVersion"].is_string() && document["kind"].is_string()
}

fn kind_of(manifest: &Value) -> GroupVersionKind {
    let text = |field: &str| manifest[field].as_str().unwrap();
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    GroupVersionKind::gvk(group, version, text("kind"))
}

/// The namespaces that a block names, each with one that is new.
struct Fresh<'a> {
    world: &'a World,
    by_name: BTreeMap<Option<String>, String>,
}

impl Fresh<'_> {
    async fn namespace(&mut self, name: Option<String>) -> String {
        if let Some(fresh) = self.by_name.get(&name) {
            return fresh.clone();
        }
        let fresh = random("docs");
        self.world.create_namespace(&fresh).await;
        self.by_name.insert(name, fresh.clone());
        fresh
    }

    /// Where a manifest goes: itself, if it is a namespace, and what it names, are replaced by new ones.
    async fn place(&mut self, object: &mut DynamicObject, resource: &ApiResource, scope: &Scope) -> Api<DynamicObject> {
        let client = self.world.client.clone();
        if resource.kind == "Namespace" {
            object.metadata.name = Some(self.namespace(object.metadata.name.take()).await);
        }
        if *scope == Scope::Cluster {
            return Api::all_with(client, resource);
        }
        let namespace = self.namespace(object.metadata.namespace.take()).await;
        object.metadata.namespace = Some(namespace.clone());
        Api::namespaced_with(client, &namespace, resource)
    }
}

/// Applies manifests in order, unknown fields refused, and takes away what has no namespace.
async fn apply(world: &World, at: &str, manifests: &[Value]) {
    let mut fresh = Fresh { world, by_name: BTreeMap::new() };
    let mut cluster_wide = vec![];
    for manifest in manifests {
        let mut object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        let name = object.metadata.name.clone().unwrap_or_default();
        let found = pinned_kind(&world.client, &kind_of(manifest)).await;
        let (resource, ApiCapabilities { scope, .. }) =
            found.unwrap_or_else(|error| panic!("{at}: {} {name}: {error}", manifest["kind"]));
        let api = fresh.place(&mut object, &resource, &scope).await;
        let name = object.metadata.name.clone().unwrap_or(name);
        let params = PatchParams::apply("docs").force().validation_strict();
        let applied = api.patch(&name, &params, &Patch::Apply(&object)).await;
        applied.unwrap_or_else(|error| panic!("{at}: {} {name}: {error}", resource.kind));
        if scope == Scope::Cluster && resource.kind != "Namespace" {
            cluster_wide.push((api, name));
        }
    }
    for (api, name) in cluster_wide {
        api.delete(&name, &DeleteParams::default()).await.unwrap_or_else(|error| panic!("{at}: {name}: {error}"));
    }
}

/// Why a block can't be applied here; `None`: it could, or is only written wrong. Only a whole group counts as unknown, or a
/// misspelt kind of ours would.
async fn why_not(client: &Client, block: &Block) -> Option<&'static str> {
    let documents = block.documents();
    // `tests/chart` gives these to the chart.
    let is_values =
        |document: &Value| ["apiVersion", "kind", "metadata", "spec"].iter().all(|key| document[key].is_null());
    if documents.iter().all(is_values) {
        return Some("values of the chart");
    }
    let groups = client.list_api_groups().await.unwrap().groups;
    let served = |group: &str| group.is_empty() || groups.iter().any(|served| served.name == group);
    let foreign = |document: &Value| is_manifest(document) && !served(&kind_of(document).group);
    documents.iter().all(foreign).then_some("of a group that the API server does not have")
}

#[tokio::test]
async fn every_example_is_accepted_by_the_api_server() {
    let world = api_server().await;
    let mut files = 0;
    let entries = ["examples", "examples/argocd"].map(|directory| std::fs::read_dir(root().join(directory)).unwrap());
    for path in entries.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let (at, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        let documents = Block { at: at.clone(), text, no_apply: false }.documents();
        assert!(!documents.is_empty() && documents.iter().all(is_manifest), "{at} holds more than manifests");
        apply(&world, &at, &documents).await;
        files += 1;
    }
    assert!(files > 0, "examples/ is empty");
}

#[tokio::test]
async fn every_block_of_yaml_in_readme_and_docs_is_accepted_by_the_api_server() {
    let world = api_server().await;
    let (mut applied, mut wrong) = (0, vec![]);
    for block in pages().iter().flat_map(crate::pages::Page::yaml) {
        let documents = block.documents();
        if block.no_apply {
            if why_not(&world.client, &block).await.is_none() {
                wrong.push(format!(
                    "{}: is marked no-apply, and could be applied or is misspelt: take the mark away",
                    block.at
                ));
            }
        } else if documents.iter().all(is_manifest) {
            apply(&world, &block.at, &documents).await;
            applied += 1;
        } else {
            wrong.push(format!("{}: not all of it has apiVersion and kind: mark it ```yaml no-apply", block.at));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(applied > 12, "only {applied} blocks");
}

#[tokio::test]
async fn a_mark_that_hides_a_mistake_is_found() {
    let world = api_server().await;
    let reason = async |text: &str| {
        let block = Block { at: "here".into(), text: text.into(), no_apply: true };
        why_not(&world.client, &block).await
    };
    assert_eq!(reason("replicas: 2\n").await, Some("values of the chart"));
    let foreign = "apiVersion: argoproj.io/v1alpha1\nkind: Application\n";
    assert_eq!(reason(foreign).await, Some("of a group that the API server does not have"));
    for hides in [
        "apiVersion: v1\nkind: Secret\n",
        "apiVersion: hookwright.dev/v1alpha1\nkind: ProjectWebhok\n",
        "apiVersion: hookwright.dev/v1\nkind: ProjectWebhook\n",
        "apiVerson: v1\nkind: Secret\n",
        "metadata: {name: a}\n",
        &format!("{foreign}---\napiVersion: v1\nkind: Secret\n"),
    ] {
        assert_eq!(reason(hides).await, None, "{hides}");
    }
}
