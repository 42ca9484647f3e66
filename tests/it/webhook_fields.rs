//! Each field of a ProjectWebhook and what it makes of the remote webhook.

use std::collections::BTreeMap;

use hookwright::api::project_webhook::ProjectWebhook;
use serde_json::{Value, json};
use simulator::Behaviour;
use simulator::app_maker::{EmptyHeaders, EventOrder};

use crate::support::{MARKER, World, assert_calls, assert_calls_after_look, assert_writes, is_ready, status};

const EVENT: &str = "deployment.build.created";

/// Headers at the remote without the marker.
fn headers(world: &World) -> BTreeMap<String, String> {
    let mut headers = world.only().headers;
    headers.remove(MARKER);
    headers
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A Ready ProjectWebhook `builds`, then changed to another spec, and Ready again.
async fn changed(world: &World, before: Value, after: Value) -> ProjectWebhook {
    world.webhook("builds", before).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    world.webhook("builds", after).await;
    world.wait_ready("builds").await
}

#[tokio::test]
async fn every_field_arrives_at_the_remote_and_is_told_in_status() {
    let world = World::start().await;
    world.secret("receiver", &[("token", "s3cret\n")]).await;
    world
        .webhook(
            "builds",
            json!({
                "name": "Build alerts", "url": "https://hooks.example.com:8443/in?key=1", "active": false,
                "events": [EVENT, "deployment.codepush.failed"],
                "headers": [
                    { "name": "X-Team", "value": "shop" },
                    { "name": "Authorization", "valueFrom": {
                        "prefix": "Bearer ", "secretKeyRef": { "name": "receiver", "key": "token" } } },
                ],
            }),
        )
        .await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    let there = world.only();
    assert_eq!((there.name.as_str(), there.active), ("Build alerts", false));
    assert_eq!(there.url, "https://hooks.example.com:8443/in?key=1");
    assert_eq!(there.events, [EVENT, "deployment.codepush.failed"]);
    assert_eq!(headers(&world), map(&[("Authorization", "Bearer s3cret"), ("X-Team", "shop")]));
    let status = status(&object);
    let remote = status.remote.unwrap();
    assert_eq!(
        (remote.name.as_str(), remote.active, remote.url_host.as_str()),
        ("Build alerts", Some(false), "hooks.example.com:8443")
    );
    assert_eq!(remote.events, there.events);
    assert_eq!(remote.header_names, ["Authorization", "X-Team"]);
    assert_eq!(status.webhook_id, Some(there.id));
    assert_eq!(status.applied.unwrap().generation, object.metadata.generation.unwrap());
}

#[tokio::test]
async fn without_a_name_the_remote_shows_the_objects_own() {
    let world = World::start().await;
    let object = changed(&world, json!({}), json!({ "name": "Build alerts" })).await;
    assert_calls_after_look(&world, &["PATCH name", "GET list"]);
    assert_eq!(status(&object).remote.unwrap().name, "Build alerts");
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    assert_eq!(world.only().name, "builds");
}

#[tokio::test]
async fn a_changed_url_is_the_only_thing_sent() {
    let world = World::start().await;
    changed(&world, json!({}), json!({ "url": "https://hooks.example.com/new" })).await;
    assert_calls_after_look(&world, &["PATCH url", "GET list"]);
    assert_eq!(world.only().url, "https://hooks.example.com/new");
}

#[tokio::test]
async fn a_url_from_a_secret_arrives_and_only_its_host_is_told() {
    let world = World::start().await;
    world.secret("receiver", &[("url", "https://hooks.example.com/T0KEN?key=hidden\n")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "url" } });
    world.webhook("builds", json!({ "url": null, "urlFrom": from })).await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    assert_eq!(world.only().url, "https://hooks.example.com/T0KEN?key=hidden");
    assert_eq!(status(&object).remote.unwrap().url_host, "hooks.example.com");
    assert!(!serde_json::to_string(&object).unwrap().contains("T0KEN"));
}

#[tokio::test]
async fn a_url_that_the_remote_normalises_is_no_drift() {
    let world = World::start().await;
    world.behave(Behaviour { normalize_url: true, ..Behaviour::default() });
    world.webhook("builds", json!({ "url": "https://HOOKS.example.com:443" })).await;
    world.wait_ready("builds").await;
    world.pass("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list", "GET list"]);
    assert_eq!(world.only().url, "https://hooks.example.com/");
}

#[tokio::test]
async fn active_is_switched_at_the_remote() {
    let world = World::start().await;
    let object = changed(&world, json!({}), json!({ "active": false })).await;
    assert_calls_after_look(&world, &["PATCH active", "GET list"]);
    assert!(!world.only().active);
    assert_eq!(status(&object).remote.unwrap().active, Some(false));
}

#[tokio::test]
async fn events_are_a_set() {
    let world = World::start().await;
    world.behave(Behaviour { event_order: EventOrder::Reversed, ..Behaviour::default() });
    let object = changed(&world, json!({ "events": [EVENT, "b", "a"] }), json!({ "events": ["a", "b", EVENT] })).await;
    world.pass("builds").await;
    assert_writes(&world, &[]);
    assert_eq!(status(&object).applied.unwrap().generation, 2);
    world.webhook("builds", json!({ "events": ["a", "c"] })).await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["PATCH events"]);
    assert_eq!(world.only().events, ["a", "c"]);
}

#[tokio::test]
async fn headers_are_added_changed_and_removed_as_one_map() {
    let world = World::start().await;
    let before = json!({ "headers": [{ "name": "X-Old", "value": "1" }, { "name": "X-Both", "value": "1" }] });
    let after = json!({ "headers": [{ "name": "X-Both", "value": "2" }, { "name": "X-New", "value": "3" }] });
    let object = changed(&world, before, after).await;
    assert_calls_after_look(&world, &["PATCH headers", "GET list"]);
    assert_eq!(headers(&world), map(&[("X-Both", "2"), ("X-New", "3")]));
    assert_eq!(world.only().headers[MARKER], world.marker("builds"), "the marker stays with the map");
    assert_eq!(status(&object).remote.unwrap().header_names, ["X-Both", "X-New"]);
}

#[tokio::test]
async fn the_last_header_can_be_removed() {
    let world = World::start().await;
    changed(&world, json!({ "headers": [{ "name": "X-Team", "value": "shop" }] }), json!({})).await;
    assert_calls_after_look(&world, &["PATCH headers", "GET list"]);
    assert_eq!(headers(&world), map(&[]));
}

#[tokio::test]
async fn no_headers_are_no_headers_however_the_remote_shows_them() {
    for empty_headers in [EmptyHeaders::Object, EmptyHeaders::Null, EmptyHeaders::Absent] {
        let world = World::with(|setup| setup.flag("--ownership-marker", "off")).await;
        world.behave(Behaviour { empty_headers, ..Behaviour::default() });
        world.webhook("builds", json!({})).await;
        world.wait_ready("builds").await;
        assert!(is_ready(&world.pass("builds").await));
        assert_writes(&world, &["POST"]);
    }
}

#[tokio::test]
async fn header_names_compare_without_regard_to_case() {
    let world = World::start().await;
    world.behave(Behaviour { lowercase_header_names: true, ..Behaviour::default() });
    let object = changed(
        &world,
        json!({ "headers": [{ "name": "X-Team", "value": "shop" }] }),
        json!({ "headers": [{ "name": "X-TEAM", "value": "shop" }] }),
    )
    .await;
    world.pass("builds").await;
    assert_writes(&world, &[]);
    assert_eq!(status(&object).remote.unwrap().header_names, ["x-team"], "the marker, in lower case too, is not told");
}

#[tokio::test]
async fn an_update_sends_all_that_differs_and_nothing_else() {
    let world = World::start().await;
    let after = json!({ "name": "n", "url": "https://hooks.example.com/2", "active": false, "events": ["b"],
        "headers": [{ "name": "X-A", "value": "1" }] });
    let object = changed(&world, json!({}), after).await;
    assert_calls_after_look(&world, &["PATCH active,events,headers,name,url", "GET list"]);
    let calls = world.calls();
    let patch = calls.iter().find(|call| call.method == "PATCH").unwrap().body.as_ref().unwrap();
    assert_eq!(patch["headers"], json!({ "X-A": "1", MARKER: world.marker("builds") }));
    assert_eq!(status(&object).drift, []);
}

#[tokio::test]
async fn a_change_is_not_ready_before_the_remote_shows_it() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    // The PATCH is accepted, and no LIST shows it.
    world.behave(Behaviour { list_stale_ms: Some(3_600_000), ..Behaviour::default() });
    world.webhook("builds", json!({ "active": false })).await;
    let object = world.wait_reason("builds", "Progressing").await;
    assert_eq!(status(&object).applied.unwrap().generation, 1);
    assert!(!world.only().active);
    world.behave(Behaviour::default());
    assert!(is_ready(&world.wait_ready("builds").await));
    assert_writes(&world, &["POST", "PATCH active"]);
}

#[tokio::test]
async fn last_applied_time_moves_only_with_writes_to_the_remote() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let created = status(&world.wait_ready("builds").await).last_applied_time;
    assert!(created.is_some());
    let looked = status(&world.pass("builds").await).last_applied_time;
    assert_eq!(looked, created);
    assert_calls(&world, &["GET list", "POST", "GET list", "GET list"]);
}
