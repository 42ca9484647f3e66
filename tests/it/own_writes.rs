//! The cache lags behind what the operator itself wrote: it waits, and does nothing twice.

use hookwright::api::connection::Connection;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{LaggingApiServer, TOKEN, World, assert_writes, condition, is_ready, ready_reason, status};

/// Waits until the connection `app-maker` has this reason.
async fn connection_is(world: &World, reason: &str) {
    let api = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    let is_so = |connection: &Connection| {
        let conditions = connection.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        condition(conditions, "Ready").is_some_and(|ready| ready.reason == reason)
    };
    world.wait_for(api, "app-maker", reason, is_so).await;
}

#[tokio::test]
async fn no_pass_begins_until_the_cache_shows_the_operators_own_last_write() {
    // Without the marker, so that nothing at the remote tells what the cache does not.
    let mut world = World::with(|setup| setup.flag("--ownership-marker", "off").no_operator()).await;
    let server = LaggingApiServer::start(world.client.clone()).await;
    world.operator_setup.kubeconfig.clone_from(&server.kubeconfig);
    world.restart_operator().await;
    world.secret("app-maker", &[("token", TOKEN), ("value", "one")]).await;
    connection_is(&world, "Configured").await;
    let recording = world.record().await;
    server.hold();
    let from = json!({ "secretKeyRef": { "name": "app-maker", "key": "value" } });
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
    let created = world.wait_ready("builds").await;
    // The cache holds the object as the user applied it. What comes now triggers passes over it: a Secret that lacks the
    // token, one that has it again and another value, and each time the connection, which has a cache of its own.
    let secrets = Api::<Secret>::namespaced(world.client.clone(), &world.namespace);
    let without_token = Patch::Merge(json!({ "data": { "token": null } }));
    secrets.patch("app-maker", &PatchParams::default(), &without_token).await.unwrap();
    connection_is(&world, "SecretNotFound").await;
    world.secret("app-maker", &[("token", TOKEN), ("value", "two")]).await;
    connection_is(&world, "Configured").await;
    let versions = recording.up_to(&created).await;
    assert_eq!(versions.len(), 3, "what the user applied, the finalizer, the status");
    assert_eq!(recording.all().len(), 3, "and nothing since: {:#?}", recording.all().last());
    assert_writes(&world, &["POST"]);

    server.release();
    let version = |object: &_| status(object).applied.map(|applied| applied.secrets["app-maker"].clone());
    let first = version(&created);
    let object =
        world.wait_until("builds", "the new value", |object| is_ready(object) && version(object) != first).await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_eq!(world.only().headers["X-A"], "two");
    assert_writes(&world, &["POST", "PATCH headers"]);
    let told: Vec<_> =
        recording.up_to(&object).await.iter().filter_map(|v| ready_reason(v).map(str::to_owned)).collect();
    assert!(told.iter().all(|reason| reason == "Synced"), "{told:?}");
}

/// Kubernetes answers the removal of the last finalizer with the version that the object had before: nothing in the answer tells that
/// the cache, which shows it for a while, is behind.
#[tokio::test]
async fn no_pass_begins_over_an_object_that_was_let_go_and_that_the_cache_still_shows() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    let server = LaggingApiServer::start(world.client.clone()).await;
    world.operator_setup.kubeconfig.clone_from(&server.kubeconfig);
    world.restart_operator().await;
    world.webhook("builds", json!({ "deletionPolicy": "Orphan" })).await;
    world.wait_ready("builds").await;
    server.hold();
    world.delete("builds").await;
    // It lists the object as it goes, and hears nothing of its end.
    world.restart_operator().await;
    world.wait_gone("builds").await;
    world.sim.clear_calls();
    // Each time the connection changes, its users are triggered.
    let secrets = Api::<Secret>::namespaced(world.client.clone(), &world.namespace);
    for _ in 0..3 {
        let without_token = Patch::Merge(json!({ "data": { "token": null } }));
        secrets.patch("app-maker", &PatchParams::default(), &without_token).await.unwrap();
        connection_is(&world, "SecretNotFound").await;
        world.secret("app-maker", &[("token", TOKEN)]).await;
        connection_is(&world, "Configured").await;
    }
    server.release();
    world.webhook("other", json!({})).await;
    world.wait_ready("other").await;
    let told = world.operator().log().matches("builds is orphaned").count();
    assert_eq!(told, 1, "{}", world.operator().log());
    assert_writes(&world, &["POST"]);
    assert_eq!(world.sim.counts(None).operation("list"), 2, "one before the creation and one after");
}
