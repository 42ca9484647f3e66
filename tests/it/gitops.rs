//! What GitOps controllers do all day: they apply what is in Git, again and again, beside the operator. Neither side
//! touches what is the other's.

use std::collections::BTreeMap;

use hookwright::api::connection::Connection;
use hookwright::api::{CREATING, FINALIZER};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::support::{Manifest, TOKEN, World, assert_writes, merge, status};

/// Argo CD's name for itself where it applies server-side.
const ARGO_CD: &str = "argocd-controller";

/// Applies server-side, and fails on any conflict. (Argo CD forces its will; not to need that is more.)
async fn sync(world: &World, manifest: &Value) -> DynamicObject {
    let object = manifest.object();
    let name = object.name_any();
    let applied = world.dynamic(&object).patch(&name, &PatchParams::apply(ARGO_CD), &Patch::Apply(&object)).await;
    applied.unwrap_or_else(|error| panic!("applying {name} again: {error}"))
}

/// What is in Git: a Secret, a Connection and a ProjectWebhook.
fn in_git(world: &World) -> [Value; 3] {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "app-maker" }, "stringData": { "token": TOKEN },
    });
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": "app-maker" },
        "spec": { "appMaker": {
            "endpoint": world.sim.http_endpoint(), "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
        } },
    });
    let mut webhook = world.webhook_manifest(
        "builds",
        json!({
            "headers": [
                { "name": "X-Team", "value": "shop" },
                { "name": "Authorization", "valueFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } } },
            ],
            "events": ["deployment.build.created", "deployment.build.failed"],
            "active": false,
        }),
    );
    merge(&mut webhook, json!({ "metadata": { "annotations": { "argocd.argoproj.io/tracking-id": "shop:builds" } } }));
    [secret, connection, webhook]
}

async fn connection(world: &World) -> Connection {
    Api::<Connection>::namespaced(world.client.clone(), &world.namespace).get("app-maker").await.unwrap()
}

/// Everything synced once, and the webhook Ready. The Connection carries its finalizer by then.
async fn synced_once() -> (World, [Value; 3]) {
    let world = World::with(|setup| setup.no_connection()).await;
    let manifests = in_git(&world);
    for manifest in &manifests {
        sync(&world, manifest).await;
    }
    world.wait_ready("builds").await;
    let held = |connection: &Connection| connection.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let api = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    world
        .wait_for(api, "app-maker", "in use and Ready", |connection: &Connection| {
            held(connection) && connection.status.as_ref().is_some_and(|status| status.observed_generation == 1)
        })
        .await;
    (world, manifests)
}

/// Who set which fields, as paths: `f:spec.f:url`. Argo CD's are those that it applied.
fn owned(metadata: &ObjectMeta) -> BTreeMap<bool, Vec<String>> {
    let mut owned = BTreeMap::<bool, Vec<String>>::new();
    for entry in metadata.managed_fields.iter().flatten() {
        let is_argo_cd = entry.manager.as_deref() == Some(ARGO_CD);
        let fields = entry.fields_v1.as_ref().unwrap().0.as_object().unwrap();
        for (top, below) in fields {
            for name in below.as_object().unwrap().keys().filter(|name| *name != ".") {
                let at = format!("{top}.{name}");
                // One step deeper where several may share.
                let deeper = below[name].as_object().unwrap().keys().filter(|key| *key != "." && top == "f:metadata");
                let deeper: Vec<_> = deeper.map(|key| format!("{at}.{key}")).collect();
                owned.entry(is_argo_cd).or_default().extend(if deeper.is_empty() { vec![at] } else { deeper });
            }
        }
    }
    owned
}

#[tokio::test]
async fn what_is_applied_again_and_again_stays_as_it_is_and_nobody_conflicts() {
    let (world, manifests) = synced_once().await;
    let writes = world.calls().len();
    for round in 0..5 {
        if round == 3 {
            // The operator writes status in between.
            world.pass("builds").await;
        }
        let before = (world.get("builds").await, connection(&world).await);
        for manifest in &manifests {
            sync(&world, manifest).await;
        }
        let after = (world.get("builds").await, connection(&world).await);
        // A new version would be a write, and so a pass, and so the beginning of a fight.
        assert_eq!(before.0.resource_version(), after.0.resource_version(), "round {round}: {:#?}", after.0);
        assert_eq!(before.1.resource_version(), after.1.resource_version(), "round {round}: {:#?}", after.1);
    }
    let object = world.get("builds").await;
    assert_eq!(object.finalizers(), [FINALIZER]);
    assert!(object.annotations().contains_key(CREATING), "{:?}", object.annotations());
    assert_eq!(connection(&world).await.finalizers(), [FINALIZER]);
    assert!(world.calls()[writes..].iter().all(|call| call.method == "GET"), "{:?}", world.calls());
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn the_operator_owns_its_finalizer_its_annotation_and_status_and_whoever_applies_owns_the_rest() {
    let (world, _) = synced_once().await;
    let object = world.get("builds").await;
    let ours = [format!("f:metadata.f:annotations.f:{CREATING}"), format!("f:metadata.f:finalizers.v:\"{FINALIZER}\"")];
    let fields = owned(&object.metadata);
    let (status, rest): (Vec<_>, Vec<_>) = fields[&false].iter().cloned().partition(|at| at.starts_with("f:status."));
    assert!(!status.is_empty());
    assert_eq!(rest, ours, "all that is not Argo CD's");
    assert!(fields[&true].iter().all(|at| at.starts_with("f:spec.") || at.contains("argocd")), "{:?}", fields[&true]);

    let fields = owned(&connection(&world).await.metadata);
    let rest: Vec<_> = fields[&false].iter().filter(|at| !at.starts_with("f:status.")).collect();
    assert_eq!(rest, [&ours[1]], "all that is not Argo CD's");
    assert!(fields[&true].iter().all(|at| at.starts_with("f:spec.")), "{:?}", fields[&true]);
}

#[tokio::test]
async fn what_changes_in_git_reaches_the_remote_and_what_is_dropped_there_returns_to_its_default() {
    let (world, [.., mut webhook]) = synced_once().await;
    let before = world.only();
    assert!(!before.active && before.headers.contains_key("X-Team"), "{before:?}");

    webhook["spec"]["url"] = "https://hooks.example.com/elsewhere".into();
    webhook["spec"].as_object_mut().unwrap().remove("active");
    webhook["spec"]["headers"].as_array_mut().unwrap().remove(0);
    sync(&world, &webhook).await;
    let object = world.wait_ready("builds").await;
    let after = world.only();
    assert_eq!((after.id, after.url.as_str(), after.active), (before.id, "https://hooks.example.com/elsewhere", true));
    assert!(
        !after.headers.contains_key("X-Team") && after.headers.contains_key("Authorization"),
        "{:?}",
        after.headers
    );
    assert_eq!(status(&object).observed_generation, 2);
    assert_eq!(object.finalizers(), [FINALIZER]);
    assert!(object.annotations().contains_key(CREATING), "{:?}", object.annotations());
    assert_writes(&world, &["POST", "PATCH url,headers,active"]);
}

#[tokio::test]
async fn nothing_that_the_operator_or_a_default_adds_is_a_difference_to_what_was_applied() {
    let (world, manifests) = synced_once().await;
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(&world.namespace);
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("manifests.json");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": &manifests[1..] });
    std::fs::write(&file, list.to_string()).unwrap();
    let file = file.to_str().unwrap();
    // kubectl shows what it would change, and ends with 1 if that is anything.
    let server_side = world.kubectl(&["diff", "--server-side", "--field-manager", ARGO_CD, "-f", file]).await;
    assert!(server_side.status.success(), "{server_side:?}");
    // Argo CD's and kubectl's older way: three-way merge by the client. The first time it adds its own annotation.
    assert!(world.kubectl(&["apply", "-f", file]).await.status.success());
    world.pass("builds").await;
    let client_side = world.kubectl(&["diff", "-f", file]).await;
    assert!(client_side.status.success(), "{client_side:?}");
    let again = world.kubectl(&["apply", "-f", file]).await;
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(said.lines().filter(|line| line.ends_with(" unchanged")).count(), 2, "{said}");
    std::fs::remove_dir_all(directory).unwrap();
}
