//! What the operator's rights are for. Each journey has a project of its own at the remote.

use hookwright::api::FINALIZER;
use hookwright::api::connection::ClusterConnection;
use hookwright::api::project_webhook::Ownership;
use hookwright::api::task_notification::TaskNotification;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use serde_json::json;
use simulator::WebhookEdit;
use simulator::codearts::NewChannel;

use super::deployed::{Deployed, SERVED};
use crate::support::{DEADLINE, TOKEN, World, assert_writes, condition, is_ready, status};

/// The six that every installation has to pass.
pub async fn six(deployed: &mut Deployed) {
    create(&mut deployed.world).await;
    drift(&mut deployed.world).await;
    rotation(&mut deployed.world).await;
    adoption(&mut deployed.world).await;
    deletion(&mut deployed.world).await;
    leader_change(deployed).await;
}

fn begin(world: &mut World, journey: &str) {
    println!("journey: {journey}");
    world.project = world.sim.new_project();
}

async fn create(world: &mut World) {
    begin(world, "create");
    world.webhook("created", json!({})).await;
    let object = world.wait_ready("created").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_writes(world, &["POST"]);
    let told = |event: &Event| event.reason.as_deref() == Some("RemoteChanged");
    world.wait_event("created", "what was written", told).await;
}

/// Twice: the second Event that says the same is counted with the first.
async fn drift(world: &mut World) {
    begin(world, "drift");
    world.webhook("drifted", json!({})).await;
    world.wait_ready("drifted").await;
    let id = world.only().id;
    for _ in 0..2 {
        world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
        world.pass("drifted").await;
        assert!(world.only().active);
    }
    assert_writes(world, &["POST", "PATCH active", "PATCH active"]);
    let again = |event: &Event| event.series.as_ref().is_some_and(|series| series.count == 2);
    world.wait_event("drifted", "that it was corrected again", again).await;
}

pub async fn rotation(world: &mut World) {
    begin(world, "rotation");
    world.secret("receiver", &[("token", "one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    world.webhook("rotated", json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
    world.wait_ready("rotated").await;
    let second = world.rotate("receiver", &[("token", "two")]).await;
    let applied = |s: &hookwright::api::project_webhook::ProjectWebhookStatus| {
        s.applied.as_ref().is_some_and(|applied| applied.secrets["receiver"] == second)
    };
    world.wait_status("rotated", "the rotated Secret", applied).await;
    assert_eq!(world.only().headers["X-A"], "two");
    assert_writes(world, &["POST", "PATCH headers"]);
}

async fn adoption(world: &mut World) {
    begin(world, "adoption");
    let there = world.console_lookalike("adopted");
    world.webhook("adopted", json!({})).await;
    world.wait_reason("adopted", "AdoptionRequired").await;
    world.webhook("adopted", json!({ "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_ready("adopted").await;
    assert_eq!(status(&object).webhook_id, Some(there.id));
    assert_eq!(status(&object).ownership, Some(Ownership::Adopted));
    assert_writes(world, &[]);
}

/// Of one that goes at the remote too, and of one that stays there and is told of.
async fn deletion(world: &mut World) {
    begin(world, "deletion");
    world.webhook("deleted", json!({})).await;
    world.wait_ready("deleted").await;
    world.delete("deleted").await;
    world.wait_gone("deleted").await;
    assert_eq!(world.remote(), []);
    world.webhook("orphaned", json!({ "deletionPolicy": "Orphan" })).await;
    world.wait_ready("orphaned").await;
    world.delete("orphaned").await;
    world.wait_gone("orphaned").await;
    let told = |event: &Event| event.reason.as_deref() == Some("Orphaned");
    let note = world.wait_event("orphaned", "a Warning", told).await;
    assert!(note.contains(&world.only().id), "{note}");
}

async fn leader_change(deployed: &mut Deployed) {
    begin(&mut deployed.world, "leader change");
    deployed.world.webhook("handed-over", json!({})).await;
    deployed.world.wait_ready("handed-over").await;
    deployed.kill_leader().await;
    let world = &deployed.world;
    world.webhook("handed-over", json!({ "active": false })).await;
    world.wait_until("handed-over", "switched off", |object| is_ready(object) && !world.only().active).await;
    assert_writes(world, &["POST", "PATCH active"]);
}

/// A TaskNotification through a connection with a CA of its own; and one that somebody gave our finalizer.
pub async fn notification(world: &mut World) {
    begin(world, "TaskNotification");
    world.check_sources().await;
    world.check_connection("codearts", json!({})).await;
    let task = world.sim.new_task();
    let channel = NewChannel::new("wecom", "https://hooks.example.com/robot").notify(["jobResult"]);
    world.sim.console_set_channel(&task, channel).unwrap();
    let notifications = Api::<TaskNotification>::namespaced(world.client.clone(), SERVED);
    world.notification("jobs", &task, json!({})).await;
    let synced = |object: &TaskNotification| {
        let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        condition(conditions, "Ready").is_some_and(|ready| ready.reason == "Synced")
    };
    world.wait_for(notifications.clone(), "jobs", "Synced", synced).await;
    let copied = Patch::Merge(json!({ "metadata": { "finalizers": [FINALIZER] } }));
    notifications.patch_metadata("jobs", &PatchParams::default(), &copied).await.unwrap();
    notifications.delete("jobs", &DeleteParams::default()).await.unwrap();
    gone(notifications, "jobs").await;
}

/// A ClusterConnection that chooses by labels, from its first user to its end.
pub async fn cluster_connection(world: &mut World) {
    begin(world, "ClusterConnection");
    let token = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "central", "namespace": "hw" },
        "stringData": { "token": TOKEN },
    });
    world.apply(token).await.unwrap();
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": "central" },
        "spec": {
            "appMaker": {
                "endpoint": world.sim.http_endpoint(),
                "tokenFrom": { "secretKeyRef": { "name": "central", "key": "token" } },
            },
            "allowedNamespaces": { "selector": { "matchLabels": { "kubernetes.io/metadata.name": SERVED } } },
        },
    });
    world.apply(connection).await.unwrap();
    let by_it = json!({ "connectionRef": { "kind": "ClusterConnection", "name": "central" } });
    world.webhook("central", by_it).await;
    world.wait_ready("central").await;
    world.delete("central").await;
    world.wait_gone("central").await;
    let connections = Api::<ClusterConnection>::all(world.client.clone());
    connections.delete("central", &DeleteParams::default()).await.unwrap();
    gone(connections, "central").await;
}

async fn gone<K>(api: Api<K>, name: &str)
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let uid = api.get_metadata_opt(name).await.unwrap().and_then(|object| object.metadata.uid);
    let Some(uid) = uid else { return };
    let gone = await_condition(api, name, is_deleted(&uid));
    tokio::time::timeout(DEADLINE, gone).await.expect("it goes in time").expect("a watch");
}
