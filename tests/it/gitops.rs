//! What GitOps controllers do all day: they apply what is in Git, again and again, beside the operator. Neither side
//! touches what is the other's.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use hookwright::api::connection::Connection;
use hookwright::api::task_notification::TaskNotification;
use hookwright::api::{CREATING, FINALIZER};
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

/// What is in Git: a Secret, a Connection, a TaskNotification whose connection is not, and a ProjectWebhook.
fn in_git(world: &World) -> [Value; 4] {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "app-maker" }, "stringData": { "token": TOKEN },
    });
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": "app-maker" },
        "spec": { "appMaker": {
            "endpoint": world.sim.http_endpoint(), "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
        } },
    });
    let notification = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "TaskNotification", "metadata": { "name": "nightly" },
        "spec": {
            "connectionRef": { "name": "codearts" }, "taskId": "ac26d65ef4ef45c2986611c0ffee00fa",
            "channels": [{ "type": "wecom", "url": "https://robots.example.com/1", "notify": ["jobResult"] }],
        },
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
    [secret, connection, notification, webhook]
}

/// Objects as they are now.
async fn now(world: &World, manifests: &[Value]) -> Vec<DynamicObject> {
    let get = async |manifest: &Value| {
        let object = manifest.object();
        world.dynamic(&object).get(&object.name_any()).await.unwrap()
    };
    join_all(manifests.iter().map(get)).await
}

/// Everything synced once, and all that the operator then does is done.
async fn synced_once() -> (World, [Value; 4]) {
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
    let api = Api::<TaskNotification>::namespaced(world.client.clone(), &world.namespace);
    let seen = |object: &TaskNotification| object.status.as_ref().is_some_and(|status| status.observed_generation == 1);
    world.wait_for(api, "nightly", "looked at", seen).await;
    (world, manifests)
}

/// Which fields who set, as paths: `f:spec.f:url`, and one step deeper in metadata, which several share.
fn owned(object: &DynamicObject) -> BTreeMap<String, BTreeSet<String>> {
    let mut owned = BTreeMap::<_, BTreeSet<_>>::new();
    let below = |value: &Value| value.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    for entry in object.metadata.managed_fields.iter().flatten() {
        let fields = owned.entry(entry.manager.clone().unwrap_or_default()).or_default();
        let mut open: Vec<(String, Value)> = below(&entry.fields_v1.as_ref().unwrap().0);
        while let Some((at, value)) = open.pop() {
            let depth = if at.starts_with("f:metadata") { 2 } else { 1 };
            let deeper: Vec<(String, Value)> = below(&value);
            if at.matches(".f:").count() + at.matches(".v:").count() == depth || deeper.is_empty() {
                fields.insert(at);
                continue;
            }
            let deeper = deeper.into_iter().filter(|(name, _)| name != ".");
            open.extend(deeper.map(|(name, value)| (format!("{at}.{name}"), value)));
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
        let before = now(&world, &manifests).await;
        for manifest in &manifests {
            sync(&world, manifest).await;
        }
        // A new version would be a write, and so a pass, and so the beginning of a fight.
        assert_eq!(before, now(&world, &manifests).await, "round {round}");
    }
    let object = world.get("builds").await;
    assert_eq!(object.finalizers(), [FINALIZER]);
    assert!(object.annotations().contains_key(CREATING), "{:?}", object.annotations());
    assert_eq!(now(&world, &manifests).await[1].finalizers(), [FINALIZER]);
    assert!(world.calls()[writes..].iter().all(|call| call.method == "GET"), "{:?}", world.calls());
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn the_operator_owns_its_finalizer_its_annotation_and_status_and_whoever_applies_owns_the_rest() {
    let (world, manifests) = synced_once().await;
    let finalizer = format!("f:metadata.f:finalizers.v:\"{FINALIZER}\"");
    let annotation = format!("f:metadata.f:annotations.f:{CREATING}");
    let ours = [vec![], vec![&finalizer], vec![], vec![&annotation, &finalizer]];
    for (object, ours) in now(&world, &manifests).await.iter().zip(ours) {
        let name = object.name_any();
        let mut fields = owned(object);
        let applied = fields.remove(ARGO_CD).unwrap();
        let theirs = |at: &String| {
            ["f:spec.", "f:data.", "f:type", "f:metadata.f:annotations.f:argocd"].iter().any(|own| at.starts_with(own))
        };
        assert!(applied.iter().all(|at| theirs(at) || at.starts_with("f:stringData")), "{name}: {applied:?}");
        let written = fields.remove("hookwright").unwrap_or_default();
        let rest: Vec<_> = written.iter().filter(|at| !at.starts_with("f:status.")).collect();
        assert_eq!(rest, ours, "{name}: what the operator owns beside status");
        assert_eq!(written.len() > rest.len(), object.data.get("spec").is_some(), "{name}: {written:?}");
        assert!(fields.is_empty(), "{name}: somebody else's are {fields:?}");
    }
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
    assert_writes(&world, &["POST", "PATCH active,headers,url"]);
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
    assert_eq!(said.lines().filter(|line| line.ends_with(" unchanged")).count(), 3, "{said}");
    std::fs::remove_dir_all(directory).unwrap();
}
