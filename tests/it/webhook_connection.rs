//! `connectionRef` may change; the webhook stays the one that it was.

use serde_json::json;

use crate::support::{TOKEN, World, assert_calls, assert_writes, message, ready_reason, status};

#[tokio::test]
async fn another_connection_to_the_same_endpoint_keeps_the_id() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let id = status(&world.wait_ready("builds").await).webhook_id;
    world.sim.add_token("second-token");
    world.secret("second", &[("token", "second-token")]).await;
    let from = json!({ "secretKeyRef": { "name": "second", "key": "token" } });
    world.connection("second", json!({ "appMaker": { "tokenFrom": from } })).await;
    world.sim.clear_calls();
    world.webhook("builds", json!({ "connectionRef": { "name": "second" } })).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, id);
    assert_calls(&world, &["GET list"]);
    assert_eq!(world.calls()[0].token, Some(1), "with the new connection's token");
}

#[tokio::test]
async fn where_the_id_is_not_there_nothing_is_created() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    let other = simulator::Simulator::start(simulator::Options { tokens: vec![TOKEN.into()], ..Default::default() })
        .await
        .unwrap();
    other.add_project(&world.project.organization, &world.project.id).unwrap();
    world.connection("other", json!({ "appMaker": { "endpoint": other.http_endpoint() } })).await;
    world.webhook("builds", json!({ "connectionRef": { "name": "other" } })).await;
    let object = world.wait_reason("builds", "WebhookNotFound").await;
    assert!(message(&object).contains(&id), "{}", message(&object));
    assert_eq!(status(&object).webhook_id, Some(id.clone()), "it is still known");
    assert_eq!(other.webhooks(&world.project.id).len(), 0);
    assert!(other.calls().iter().all(|call| call.method == "GET"));
    world.webhook("builds", json!({})).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(id));
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn a_connection_that_comes_later_is_waited_for() {
    let world = World::start().await;
    world.webhook("builds", json!({ "connectionRef": { "name": "later" } })).await;
    let object = world.wait_reason("builds", "ConnectionNotFound").await;
    assert!(message(&object).contains("later"), "{}", message(&object));
    assert_calls(&world, &[]);
    world.connection("later", json!({})).await;
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn a_connection_without_its_secret_is_waited_for() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.connection("app-maker", json!({})).await;
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "ConnectionNotReady").await;
    assert_eq!(ready_reason(&object), Some("ConnectionNotReady"));
    assert_calls(&world, &[]);
    world.secret("app-maker", &[("token", TOKEN)]).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
}

#[tokio::test]
async fn a_receiver_that_is_not_allowed_costs_no_call() {
    let world = World::with(|setup| setup.flag("--allowed-receiver", "*.example.org")).await;
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "ReceiverNotAllowed").await;
    assert!(message(&object).contains("hooks.example.com"), "{}", message(&object));
    assert_calls(&world, &[]);
    world.webhook("builds", json!({ "url": "https://hooks.example.org/builds" })).await;
    world.wait_ready("builds").await;
}
