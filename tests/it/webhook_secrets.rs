//! Secrets: rotation reaches the remote, and what is missing or unusable is told.

use serde_json::{Value, json};

use crate::support::{World, assert_calls, assert_calls_after_look, assert_writes, is_ready, message, status};

fn bearer() -> Value {
    let from = json!({ "prefix": "Bearer ", "secretKeyRef": { "name": "receiver", "key": "token" } });
    json!({ "headers": [{ "name": "Authorization", "valueFrom": from }] })
}

#[tokio::test]
async fn a_rotated_secret_reaches_the_remote_with_the_headers_alone() {
    let world = World::start().await;
    let first = world.rotate("receiver", &[("token", "one")]).await;
    world.webhook("builds", bearer()).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).applied.unwrap().secrets["receiver"], first);
    world.sim.clear_calls();
    let second = world.rotate("receiver", &[("token", "two")]).await;
    let applied = |version: String| {
        move |s: &hookwright::api::project_webhook::ProjectWebhookStatus| {
            s.applied.as_ref().is_some_and(|applied| applied.secrets["receiver"] == version)
        }
    };
    world.wait_status("builds", "the rotated Secret", applied(second)).await;
    assert_calls_after_look(&world, &["PATCH headers", "GET list"]);
    assert_eq!(world.only().headers["Authorization"], "Bearer two");
    // A change of the Secret that is none for us is noted and not sent.
    let third = world.rotate("receiver", &[("token", "two"), ("other", "x")]).await;
    let object = world.wait_status("builds", "the Secret with one more key", applied(third)).await;
    assert!(is_ready(&object));
    assert_writes(&world, &["PATCH headers"]);
}

#[tokio::test]
async fn a_rotated_url_reaches_the_remote() {
    let world = World::start().await;
    world.secret("receiver", &[("url", "https://hooks.example.com/one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "url" } });
    world.webhook("builds", json!({ "url": null, "urlFrom": from })).await;
    world.wait_ready("builds").await;
    world.secret("receiver", &[("url", "https://hooks.example.com/two")]).await;
    let project = world.project.id.clone();
    world.wait_remote("the new URL", |state| state.webhooks(&project)[0].url.ends_with("/two")).await;
    assert_writes(&world, &["POST", "PATCH url"]);
}

#[tokio::test]
async fn a_missing_secret_is_waited_for() {
    let world = World::start().await;
    world.webhook("builds", bearer()).await;
    let object = world.wait_reason("builds", "SecretNotFound").await;
    assert!(message(&object).contains("receiver"), "{}", message(&object));
    assert_calls(&world, &[]);
    world.secret("receiver", &[("other", "one")]).await;
    world.wait_until("builds", "the key is named", |object| message(object).contains("token")).await;
    assert_calls(&world, &[]);
    world.secret("receiver", &[("token", "one")]).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
}

#[tokio::test]
async fn a_value_that_can_not_be_a_header_is_told_without_the_value() {
    let world = World::start().await;
    for (value, says) in [("hunter\n2", "control character"), ("***", "only *"), (&*"x".repeat(2100), "2048")] {
        world.secret("receiver", &[("token", value)]).await;
        let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
        world.webhook("builds", json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
        let object = world.wait_until("builds", says, |object| message(object).contains(says)).await;
        assert_eq!(crate::support::ready_reason(&object), Some("InvalidSpec"));
        assert!(!message(&object).contains("hunter"));
    }
    assert_calls(&world, &[]);
}

#[tokio::test]
async fn a_deleted_secret_leaves_the_remote_as_it_is() {
    let world = World::start().await;
    world.secret("receiver", &[("token", "one")]).await;
    world.webhook("builds", bearer()).await;
    let id = status(&world.wait_ready("builds").await).webhook_id;
    world.delete_secret("receiver").await;
    let object = world.wait_reason("builds", "SecretNotFound").await;
    assert_eq!(status(&object).webhook_id, id);
    assert_eq!(world.only().headers["Authorization"], "Bearer one");
    assert_writes(&world, &["POST"]);
}
