//! Never a fight: what does not stay as it was set is given up and told.

use hookwright::api::project_webhook::ProjectWebhook;
use serde_json::json;
use simulator::app_maker::{Masking, PatchHeaders};
use simulator::{Behaviour, NewWebhook, WebhookEdit};

use crate::support::{
    MARKER, World, assert_calls, assert_calls_after_look, assert_writes, is_ready, message, ready_reason, rendered,
    status,
};

#[tokio::test]
async fn a_field_that_the_remote_changes_back_is_corrected_twice_and_then_left() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.behave(Behaviour { truncate_name: Some(4), ..Behaviour::default() });
    world.sim.clear_calls();
    world.webhook("builds", json!({ "name": "long name" })).await;
    let object = world.wait_reason("builds", "NotConverging").await;
    assert!(message(&object).contains("name"), "{}", message(&object));
    assert_eq!(corrections(&object), [("name".to_owned(), 2)]);
    assert_eq!(status(&object).drift[0].actual, "long");
    assert_writes(&world, &["PATCH name", "PATCH name"]);
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    assert_writes(&world, &["PATCH name", "PATCH name"]);
}

#[tokio::test]
async fn a_header_that_the_remote_drops_is_sent_twice_more_and_then_told() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { drop_headers: vec!["X-Team".into()], ..Behaviour::default() });
    world.webhook("builds", json!({ "headers": [{ "name": "X-Team", "value": "shop" }] })).await;
    let object = world.wait_reason("builds", "NotConverging").await;
    assert!(message(&object).contains("headers[X-Team]"), "{}", message(&object));
    assert_eq!(corrections(&object), [("headers[X-Team]".to_owned(), 2)]);
    let writes = ["POST", "PATCH headers", "PATCH headers"];
    assert_writes(&world, &writes);
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    assert_writes(&world, &writes);
}

/// What status tells of what keeps coming back.
fn corrections(object: &ProjectWebhook) -> Vec<(String, u32)> {
    status(object).corrections.into_iter().map(|c| (c.field, c.count)).collect()
}

#[tokio::test]
async fn a_webhook_that_a_person_keeps_deleting_is_created_again_twice_and_then_left() {
    let mut world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    for _ in 0..2 {
        world.console_delete(&world.only().id);
        assert!(is_ready(&world.pass("builds").await));
    }
    world.console_delete(&world.only().id);
    world.sim.clear_calls();
    let object = world.pass("builds").await;
    assert_eq!(ready_reason(&object), Some("NotConverging"));
    assert!(message(&object).contains("deleted at the remote after each creation"), "{}", message(&object));
    assert_eq!(corrections(&object), [("webhook".to_owned(), 2)]);
    assert_calls(&world, &["GET list", "GET"]);
    world.restart_operator().await;
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    assert_writes(&world, &[]);
    // What the message names: to ask for another one, which is no leave to go on, and to change the spec.
    world.annotate("builds", "hookwright.dev/correct-drift-requested-at", "1").await;
    world.wait_ready("builds").await;
    world.console_delete(&world.only().id);
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    assert_writes(&world, &["POST"]);
    world.webhook("builds", json!({ "active": false })).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(corrections(&object), []);
    assert_writes(&world, &["POST", "POST"]);
}

#[tokio::test]
async fn deletions_at_the_console_are_forgotten_once_the_webhook_stayed_for_an_interval() {
    let world = World::with(|setup| setup.flag("--resync-interval", "5s")).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    for _ in 0..2 {
        world.console_delete(&world.only().id);
        assert!(is_ready(&world.pass("builds").await));
    }
    assert_eq!(corrections(&world.get("builds").await), [("webhook".to_owned(), 2)]);
    world.wait_status("builds", "forgotten", |status| status.corrections.is_empty()).await;
    world.console_delete(&world.only().id);
    assert!(is_ready(&world.pass("builds").await));
    assert_writes(&world, &["POST", "POST", "POST", "POST"]);
}

#[tokio::test]
async fn it_starts_anew_when_the_spec_changes() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { truncate_name: Some(4), ..Behaviour::default() });
    world.webhook("builds", json!({ "name": "long name" })).await;
    world.wait_reason("builds", "NotConverging").await;
    world.sim.clear_calls();
    world.webhook("builds", json!({ "name": "long" })).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).corrections, []);
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn it_starts_anew_when_the_remote_changes() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { truncate_name: Some(4), ..Behaviour::default() });
    world.webhook("builds", json!({ "name": "long name" })).await;
    world.wait_reason("builds", "NotConverging").await;
    world.behave(Behaviour::default());
    let id = world.only().id;
    world.console_edit(&id, WebhookEdit { name: Some("other".into()), ..Default::default() });
    world.sim.clear_calls();
    assert!(is_ready(&world.pass("builds").await));
    assert_writes(&world, &["PATCH name"]);
}

#[tokio::test]
async fn a_restart_does_not_start_the_fight_anew() {
    let mut world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { truncate_name: Some(4), ..Behaviour::default() });
    world.webhook("builds", json!({ "name": "long name" })).await;
    world.wait_reason("builds", "NotConverging").await;
    world.sim.clear_calls();
    world.restart_operator().await;
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn it_starts_anew_when_a_secret_is_rotated_although_that_happens_during_a_restart() {
    let mut world = World::start().await;
    world.secret("receiver", &[("token", "one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    world.webhook("builds", json!({ "headers": [{ "name": "X-Token", "valueFrom": from }] })).await;
    world.wait_ready("builds").await;
    let stranger = || {
        let mut headers = world.only().headers;
        headers.insert("X-Token".into(), "stranger".into());
        world.console_edit(&world.only().id, WebhookEdit { headers: Some(headers), ..Default::default() });
    };
    for _ in 0..2 {
        stranger();
        assert!(is_ready(&world.pass("builds").await));
    }
    stranger();
    assert_eq!(ready_reason(&world.pass("builds").await), Some("NotConverging"));
    world.kill_operator();
    world.secret("receiver", &[("token", "two")]).await;
    world.sim.clear_calls();
    world.restart_operator().await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["PATCH headers"]);
    assert_eq!(world.only().headers["X-Token"], "two");
}

#[tokio::test]
async fn a_person_who_changes_it_back_again_and_again_is_not_fought() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let id = world.only().id;
    let off = || WebhookEdit { active: Some(false), ..Default::default() };
    world.sim.clear_calls();
    for _ in 0..2 {
        world.console_edit(&id, off());
        assert!(is_ready(&world.pass("builds").await));
    }
    world.console_edit(&id, off());
    let object = world.pass("builds").await;
    assert_eq!(ready_reason(&object), Some("NotConverging"));
    assert_writes(&world, &["PATCH active", "PATCH active"]);
    assert!(!world.only().active, "the person has the last word until somebody decides");
}

#[tokio::test]
async fn corrections_are_forgotten_once_it_stayed_equal_for_a_whole_interval() {
    let world = World::with(|setup| setup.flag("--resync-interval", "5s")).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let id = world.only().id;
    world.sim.clear_calls();
    // On a machine that is busy an interval may go by between two corrections, and they are not counted together.
    let mut edits = 0;
    loop {
        world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
        edits += 1;
        let object = world.pass("builds").await;
        assert!(is_ready(&object));
        if !status(&object).corrections.is_empty() {
            break;
        }
        assert!(edits < 10, "corrections one after the other are never counted");
    }
    world.wait_status("builds", "corrections are forgotten", |status| status.corrections.is_empty()).await;
    world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
    assert!(is_ready(&world.pass("builds").await));
    assert_writes(&world, &vec!["PATCH active"; edits + 1]);
}

#[tokio::test]
async fn events_that_the_remote_writes_in_lower_case_are_no_difference() {
    let world = World::start().await;
    world.behave(Behaviour { lowercase_events: true, ..Behaviour::default() });
    world.webhook("builds", json!({ "events": ["Deployment.Build.Created"] })).await;
    world.wait_ready("builds").await;
    assert!(is_ready(&world.pass("builds").await));
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn where_a_removed_header_stays_the_webhook_is_replaced() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() });
    world.webhook("builds", json!({ "headers": [{ "name": "X-Old", "value": "1" }] })).await;
    let old = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.sim.clear_calls();
    let recording = world.record().await;
    world.webhook("builds", json!({})).await;
    let object = world.wait_ready("builds").await;
    let new = world.only();
    assert_ne!(new.id, old);
    assert!(!new.headers.contains_key("X-Old"));
    assert_eq!(status(&object).webhook_id, Some(new.id.clone()));
    assert_writes(&world, &["PATCH headers", "PATCH headers", "POST", "DELETE"]);
    let calls = rendered(&world);
    let post = calls.iter().position(|call| call == "POST").unwrap();
    assert_eq!(calls[post + 1..post + 3], ["GET list", "DELETE"], "the new one is seen before the old one goes");
    let versions = recording.up_to(&object).await;
    assert!(
        versions.iter().any(|v| status(v).webhook_id == Some(new.id.clone()) && !is_ready(v)),
        "status names the new one before the old one goes"
    );
}

#[tokio::test]
async fn where_no_marker_can_be_seen_the_webhook_is_replaced_in_the_same_way() {
    for (marker, masking) in [("on", Masking::HeaderValues), ("off", Masking::None)] {
        let world = World::with(|setup| setup.flag("--settle-time", "1s").flag("--ownership-marker", marker)).await;
        world.behave(Behaviour { patch_headers: PatchHeaders::Merge, masking, ..Behaviour::default() });
        let header = |name: &str| json!({ "name": name, "value": "1" });
        world.webhook("builds", json!({ "headers": [header("X-Old"), header("X-Kept")] })).await;
        let old = status(&world.wait_ready("builds").await).webhook_id.unwrap();
        world.sim.clear_calls();
        world.webhook("builds", json!({ "headers": [header("X-Kept")] })).await;
        let object = world.wait_ready("builds").await;
        let new = world.only();
        assert_ne!(new.id, old);
        assert!(new.headers.contains_key("X-Kept") && !new.headers.contains_key("X-Old"), "{:?}", new.headers);
        assert_eq!(status(&object).webhook_id, Some(new.id));
        assert_writes(&world, &["PATCH headers", "PATCH headers", "POST", "DELETE"]);
    }
}

#[tokio::test]
async fn an_adopted_webhook_is_never_replaced() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() });
    let surplus = NewWebhook::new("builds", "https://hooks.example.com/builds").header("X-Old", "1");
    let there = world.console_create(surplus);
    world.webhook("builds", json!({ "adoptionPolicy": "Adopt" })).await;
    let object = world.wait_reason("builds", "NotConverging").await;
    assert!(message(&object).contains("headers[X-Old]"), "{}", message(&object));
    assert_writes(&world, &["PATCH headers", "PATCH headers"]);
    assert_eq!(world.only().id, there.id);
}

#[tokio::test]
async fn where_headers_are_merged_additions_and_changes_converge() {
    let world = World::start().await;
    world.behave(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() });
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "value": "1" }] })).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    let spec = json!({ "headers": [{ "name": "X-A", "value": "2" }, { "name": "X-B", "value": "3" }] });
    world.webhook("builds", spec).await;
    world.wait_ready("builds").await;
    assert_calls_after_look(&world, &["PATCH headers", "GET list"]);
    let headers = world.only().headers;
    assert_eq!((headers["X-A"].as_str(), headers["X-B"].as_str(), headers.contains_key(MARKER)), ("2", "3", true));
}

#[tokio::test]
async fn a_list_that_lags_behind_a_write_is_waited_for() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.behave(Behaviour { list_stale_ms: Some(1000), ..Behaviour::default() });
    world.sim.clear_calls();
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["PATCH active"]);
}
