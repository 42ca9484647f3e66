//! Claims count per endpoint, project and id, whatever the connection.

use hookwright::api::project_webhook::ProjectWebhook;
use serde_json::{Value, json};

use crate::support::{World, assert_writes, is_ready, message, ready_reason, status};

/// A second connection to the same remote, with another token. Its endpoint is written in another way.
async fn second_connection(world: &World) {
    world.sim.add_token("second-token");
    world.secret("second", &[("token", "second-token")]).await;
    let from = json!({ "secretKeyRef": { "name": "second", "key": "token" } });
    let endpoint = format!("{}//", world.sim.http_endpoint());
    world.connection("second", json!({ "appMaker": { "endpoint": endpoint, "tokenFrom": from } })).await;
}

/// Two objects that want the same webhook, each through its own connection: one has it, the other is told.
async fn two_want(world: &mut World, spec: Value) {
    second_connection(world).await;
    for (name, connection) in [("one", "app-maker"), ("two", "second")] {
        let mut own = spec.clone();
        own["connectionRef"] = json!({ "name": connection });
        world.webhook(name, own).await;
    }
    world.restart_operator().await;
    let settled = |object: &ProjectWebhook| matches!(ready_reason(object), Some("Synced" | "Conflict"));
    let one = world.wait_until("one", "settled", settled).await;
    let two = world.wait_until("two", "settled", settled).await;
    assert!(is_ready(&one) != is_ready(&two), "one of them has it: {one:#?}\n{two:#?}");
    let (winner, loser) = if is_ready(&one) { ("one", "two") } else { ("two", "one") };
    let told = world.pass(loser).await;
    assert_eq!(ready_reason(&told), Some("Conflict"));
    assert!(message(&told).contains(&format!("{}/{winner}", world.namespace)), "{}", message(&told));
    assert_eq!(status(&told).webhook_id, None);
    assert!(is_ready(&world.pass(winner).await));
}

#[tokio::test]
async fn two_connections_to_one_endpoint_do_not_make_one_webhook_two_objects_own() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    let there = world.console_lookalike("shared");
    let spec = json!({ "adoptionPolicy": "Adopt", "name": "shared", "url": "https://hooks.example.com/shared" });
    two_want(&mut world, spec).await;
    assert_writes(&world, &[]);
    assert_eq!(world.only().id, there.id);
}

#[tokio::test]
async fn a_webhook_that_two_objects_pin_through_two_connections_is_one_objects() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    let there = world.console_lookalike("shared");
    let spec = json!({ "webhookId": there.id, "name": "shared", "url": "https://hooks.example.com/shared" });
    two_want(&mut world, spec).await;
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn what_was_created_through_one_connection_is_a_conflict_through_another_and_outlives_the_loser() {
    let world = World::start().await;
    second_connection(&world).await;
    world.webhook("first", json!({})).await;
    let id = status(&world.wait_ready("first").await).webhook_id.unwrap();
    world.sim.clear_calls();
    let spec = json!({ "connectionRef": { "name": "second" }, "webhookId": id, "deletionPolicy": "Delete" });
    world.webhook("second", spec).await;
    let told = world.wait_reason("second", "Conflict").await;
    assert!(message(&told).contains(&format!("{}/first", world.namespace)), "{}", message(&told));
    world.delete("second").await;
    world.wait_gone("second").await;
    assert_writes(&world, &[]);
    assert_eq!(world.only().id, id);
}
