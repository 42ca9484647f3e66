//! Each field of a ProjectWebhook and what it makes of the remote webhook.

use serde_json::json;

use crate::support::{World, assert_calls};

#[tokio::test]
async fn a_webhook_is_created_once_and_ready_when_it_was_seen() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    assert_eq!(object.status.unwrap().webhook_id.unwrap(), world.only().id);
}
