//! What we tell people to apply can be applied.

use std::path::Path;

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::Value;

use crate::support::World;

/// The documents of a YAML file that are Kubernetes manifests.
fn manifests(text: &str) -> Vec<Value> {
    let documents = text.split("\n---").map(serde_yaml::from_str::<Value>);
    let documents = documents.map(|document| document.unwrap_or_else(|error| panic!("{error}\n{text}")));
    documents.filter(|document| document["apiVersion"].is_string() && document["kind"].is_string()).collect()
}

/// Asks the API server whether it would take them, unknown fields included. Namespaces that a reader has are replaced by
/// the one that is there.
async fn accepted(world: &World, source: &str, text: &str) -> usize {
    let manifests = manifests(text);
    for manifest in &manifests {
        let mut object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
        object.metadata.namespace = object.metadata.namespace.map(|_| world.namespace.clone());
        let name = object.metadata.name.clone().unwrap();
        let params = PatchParams { dry_run: true, ..PatchParams::apply("tests").force().validation_strict() };
        let result = world.dynamic(&object).patch(&name, &params, &Patch::Apply(&object)).await;
        result.unwrap_or_else(|error| panic!("{source}: {} {name}: {error}", manifest["kind"]));
    }
    manifests.len()
}

async fn api_server() -> World {
    World::with(|setup| setup.no_operator().no_connection()).await
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
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
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display().to_string();
        assert!(accepted(&world, &name, &text).await > 0, "{name} holds no manifest");
        files += 1;
    }
    assert!(files > 0, "examples/ is empty");
}

#[tokio::test]
async fn every_manifest_in_the_readme_is_accepted_by_the_api_server() {
    let world = api_server().await;
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|block| block.split("\n```").next().unwrap_or_default());
    let mut found = 0;
    for block in blocks {
        found += accepted(&world, "README.md", block).await;
    }
    assert!(found > 0, "README.md shows no manifest in a ```yaml block");
}
