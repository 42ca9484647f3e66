//! Every state of our objects that a test meets, kept as a file. `tests/gitops.rs` says in the end what GitOps tools make of
//! them; `cargo xtask test` names the directory. Without one nothing is kept.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures::StreamExt;
use futures::future::join_all;
use hookwright::api::crd_documents;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde::Serialize;
use serde_json::Value;

use super::cluster::{admin_client, random};

fn directory() -> Option<PathBuf> {
    std::env::var_os("HOOKWRIGHT_TEST_STATES").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Keeps an object if its state is a new one: what a test has waited for is not missed, however soon the test ends.
pub fn saw<K: Serialize>(object: &K) {
    let Some(directory) = directory() else { return };
    let object = serde_json::to_value(object).expect("an object is JSON");
    if object["apiVersion"].as_str().is_some_and(|version| version.starts_with("hookwright.dev/")) {
        keep(&directory, &object);
    }
}

/// Keeps every state on a control plane from now on, also those that no test waits for. The thread ends with the process.
pub fn watch(kubeconfig: PathBuf) {
    let Some(directory) = directory() else { return };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = admin_client(&kubeconfig).await;
            join_all(resources().iter().map(|resource| watch_one(&client, resource, &directory))).await;
        });
    });
}

async fn watch_one(client: &Client, resource: &ApiResource, directory: &Path) {
    let api = Api::<DynamicObject>::all_with(client.clone(), resource);
    let objects = watcher(api, watcher::Config::default()).default_backoff().touched_objects();
    objects
        .for_each(async |object| {
            // The soak's API server is away now and then.
            if let Ok(object) = object {
                keep(directory, &serde_json::to_value(&object).expect("an object is JSON"));
            }
        })
        .await;
}

/// All kinds that there are.
fn resources() -> Vec<ApiResource> {
    let resource = |(plural, yaml): (String, String)| {
        let crd: Value = serde_yaml::from_str(&yaml).expect("a definition is YAML");
        let (group, version) = ("hookwright.dev".to_owned(), "v1alpha1".to_owned());
        let kind = crd["spec"]["names"]["kind"].as_str().expect("a kind").to_owned();
        ApiResource { api_version: format!("{group}/{version}"), group, version, kind, plural }
    };
    crd_documents().expect("definitions").into_iter().map(resource).collect()
}

/// What of an object may make a difference to a GitOps tool.
fn state(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let conditions: Vec<_> = conditions.map(|c| [&c["type"], &c["status"], &c["reason"]].map(text)).collect();
    let metadata = &object["metadata"];
    format!(
        "{} going: {} current: {} suspended: {} {conditions:?}",
        object["kind"],
        metadata["deletionTimestamp"].is_string(),
        metadata["generation"] == object["status"]["observedGeneration"],
        object["spec"]["suspend"],
    )
}

/// Whether the status is the operator's word. A few tests write one themselves, to see what becomes of it.
fn is_ours(object: &Value) -> bool {
    let written = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    written.filter(|entry| entry["subresource"] == "status").all(|entry| entry["manager"] == "hookwright")
}

/// Files are named after the state and moved into place, because several processes of tests run side by side.
fn keep(directory: &Path, object: &Value) {
    static KEPT: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
    if !is_ours(object) {
        return;
    }
    let mut hasher = DefaultHasher::new();
    state(object).hash(&mut hasher);
    let hash = hasher.finish();
    if !KEPT.lock().unwrap().get_or_insert_default().insert(hash) {
        return;
    }
    let unfinished = directory.join(random(".unfinished"));
    std::fs::write(&unfinished, object.to_string()).expect("the state can be written");
    std::fs::rename(unfinished, directory.join(format!("{hash:016x}.json"))).expect("the state can be kept");
}
