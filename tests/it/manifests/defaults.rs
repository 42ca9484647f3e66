//! What the API server fills in, what it drops, and what kubectl says of fields that do not exist.

use kube::api::{DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::World;

async fn api_server() -> World {
    World::with(|setup| setup.no_operator().no_connection()).await
}

/// What the API server makes of a manifest. Not a dry run: status is filled in where it is stored.
async fn stored(world: &World, manifest: Value) -> Value {
    let object = world.apply(manifest).await.unwrap();
    let read = world.dynamic(&object).get(object.metadata.name.as_deref().unwrap()).await.unwrap();
    serde_json::to_value(read).unwrap()
}

fn connection() -> Value {
    json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": "least" },
        "spec": { "appMaker": { "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } } } },
    })
}

#[tokio::test]
async fn a_webhook_that_says_the_least_has_the_defaults_of_the_page() {
    let world = api_server().await;
    let object = stored(&world, world.webhook_manifest("least", json!({}))).await;
    let spec = &object["spec"];
    let expected = json!({
        "connectionRef": { "kind": "Connection", "name": "app-maker" },
        "organizationId": world.project.organization,
        "projectId": world.project.id,
        "url": "https://hooks.example.com/least",
        "active": true,
        "events": ["deployment.build.created"],
        "managementPolicy": "Enforce",
        "adoptionPolicy": "Refuse",
        "suspend": false,
    });
    // No name, deletionPolicy or resyncInterval: what is there without them depends on more than the schema.
    assert_eq!(*spec, expected);
}

#[tokio::test]
async fn a_connection_that_says_the_least_has_endpoint_rate_and_timeout() {
    let world = api_server().await;
    let object = stored(&world, connection()).await;
    assert_eq!(object["spec"]["appMaker"]["endpoint"], "https://abp-api.akinon.net/api/v1");
    let rate = json!({ "requestsPerSecond": 10, "burst": 20, "maxInFlight": 8 });
    assert_eq!(object["spec"]["rateLimit"], rate);
    assert_eq!(object["spec"]["timeoutSeconds"], 30);
    let mut partly = connection();
    partly["spec"]["rateLimit"] = json!({ "burst": 3 });
    let object = stored(&world, partly).await;
    assert_eq!(object["spec"]["rateLimit"], json!({ "requestsPerSecond": 10, "burst": 3, "maxInFlight": 8 }));
}

#[tokio::test]
async fn a_notification_that_says_the_least_has_the_defaults_of_the_page_and_its_channels_are_as_written() {
    let world = api_server().await;
    let spec = json!({ "connectionRef": { "name": "a" }, "taskId": "t", "channels": [{ "type": "lark", "url": "https://a" }] });
    let manifest = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "TaskNotification", "metadata": { "name": "least" }, "spec": spec,
    });
    let object = stored(&world, manifest).await;
    let expected = json!({
        "connectionRef": { "kind": "Connection", "name": "a" },
        "taskId": "t",
        // Nothing is added to a channel: whoever applies a list whole would see a difference for ever.
        "channels": [{ "type": "lark", "url": "https://a" }],
        "suspend": false,
    });
    assert_eq!(object["spec"], expected);
    assert_eq!(object["status"], json!({ "observedGeneration": -1 }));
}

#[tokio::test]
async fn nothing_counts_as_current_before_the_first_look() {
    let world = api_server().await;
    for manifest in [world.webhook_manifest("new", json!({})), connection()] {
        let object = stored(&world, manifest).await;
        assert_eq!(object["status"], json!({ "observedGeneration": -1 }), "{}", object["kind"]);
        assert_eq!(object["metadata"]["generation"], 1, "{}", object["kind"]);
    }
}

#[tokio::test]
async fn status_is_not_written_through_the_spec_and_does_not_count_as_a_change_of_it() {
    let world = api_server().await;
    let mut manifest = world.webhook_manifest("claims", json!({}));
    manifest["status"] = json!({ "observedGeneration": 1, "webhookId": "66b0c0ffee00000000000001" });
    let object = stored(&world, manifest).await;
    assert_eq!(object["status"], json!({ "observedGeneration": -1 }));
    let api = world.dynamic(&serde_json::from_value::<DynamicObject>(object).unwrap());
    let patch = Patch::Merge(json!({ "status": { "observedGeneration": 1 }, "spec": { "active": false } }));
    let after = api.patch_status("claims", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(after.metadata.generation, Some(1), "a status is no new spec");
    assert_eq!(after.data["spec"]["active"], true, "and a spec is not written with a status");
}

#[tokio::test]
async fn null_takes_the_default_and_is_refused_where_there_is_none() {
    let world = api_server().await;
    let mut manifest = world.webhook_manifest("nulls", json!({}));
    manifest["spec"]["active"] = Value::Null;
    manifest["spec"]["managementPolicy"] = Value::Null;
    let object = stored(&world, manifest.clone()).await;
    assert_eq!(object["spec"]["active"], true);
    assert_eq!(object["spec"]["managementPolicy"], "Enforce");
    // A template that leaves `name:` without a value is told so, and not taken for one without a name.
    manifest["spec"]["name"] = Value::Null;
    let error = world.apply(manifest).await.unwrap_err().to_string();
    assert!(error.contains("spec.name in body must be of type string"), "{error}");
}
