//! Exactly one webhook, whatever happens while it is created.

use kube::ResourceExt;
use serde_json::json;
use simulator::app_maker::{CreateResponse, Masking};
use simulator::{Behaviour, Fault, FaultKind, NewWebhook, Silence};

use crate::support::{MARKER, World, assert_calls, assert_writes, status};

const FINALIZER: &str = "hookwright.dev/finalizer";

#[tokio::test]
async fn creation_is_one_post_with_the_marker_and_two_kubernetes_writes() {
    let world = World::start().await;
    let recording = world.record().await;
    world.webhook("builds", json!({})).await;
    let object = world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    let posted = world.calls()[1].body.clone().unwrap();
    assert_eq!(posted["headers"], json!({ MARKER: world.marker("builds") }));
    let versions = recording.up_to(&object).await;
    assert_eq!(versions.len(), 3, "what the user applied, the finalizer, the status: {versions:#?}");
    assert!(versions[0].finalizers().is_empty());
    assert_eq!(versions[1].finalizers(), [FINALIZER]);
    assert!(versions[1].annotations().contains_key("hookwright.dev/creating"), "in the same write");
    assert_eq!(status(&versions[1]).webhook_id, None);
    assert_eq!(status(&versions[2]).webhook_id, Some(world.only().id));
    assert_eq!(serde_json::to_value(status(&object).ownership).unwrap(), "Created");
}

#[tokio::test]
async fn the_finalizer_is_there_before_the_post() {
    let world = World::start().await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }).methods(["POST"]));
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the POST", |state| state.calls_for(&project).any(|call| call.method == "POST")).await;
    assert_eq!(world.get("builds").await.finalizers(), [FINALIZER]);
}

#[tokio::test]
async fn before_the_first_look_status_says_so() {
    let world = World::with(|setup| setup.no_operator()).await;
    let object = world.webhook("builds", json!({})).await;
    assert_eq!(status(&object).observed_generation, -1);
    assert!(object.finalizers().is_empty());
}

#[tokio::test]
async fn the_id_in_the_answer_to_a_post_is_never_believed() {
    for create_response in [CreateResponse::Project, CreateResponse::Webhook] {
        let world = World::start().await;
        world.behave(Behaviour { create_response, ..Behaviour::default() });
        world.webhook("builds", json!({})).await;
        let object = world.wait_ready("builds").await;
        assert_eq!(status(&object).webhook_id, Some(world.only().id));
        assert_calls(&world, &["GET list", "POST", "GET list"]);
    }
}

#[tokio::test]
async fn a_post_without_an_answer_that_took_effect_is_found_and_not_repeated() {
    let kinds = [
        FaultKind::Reset { applied: true },
        FaultKind::Status { code: 504, body: None, retry_after: None, applied: true },
    ];
    for kind in kinds {
        let world = World::start().await;
        world.sim.add_fault(Fault::new(kind).methods(["POST"]).once());
        world.webhook("builds", json!({})).await;
        let object = world.wait_ready("builds").await;
        assert_eq!(status(&object).webhook_id, Some(world.only().id));
        assert_calls(&world, &["GET list", "POST", "GET list"]);
    }
}

#[tokio::test]
async fn a_post_without_an_answer_is_repeated_only_after_the_settle_time() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.sim.add_fault(Fault::new(FaultKind::Reset { applied: false }).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let waiting = world.wait_reason("builds", "Progressing").await;
    assert!(crate::support::message(&waiting).contains("no clear result yet"));
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_writes(&world, &["POST", "POST"]);
    // How often it looks in between is a matter of time; that it looks after the settle time is not.
    let calls = crate::support::rendered(&world);
    let posts: Vec<_> = calls.iter().enumerate().filter(|(_, call)| *call == "POST").map(|(at, _)| at).collect();
    assert!(posts[1] - posts[0] > 2, "looks between the two: {calls:?}");
}

#[tokio::test]
async fn a_post_that_lands_after_it_was_repeated_leaves_one_webhook() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    let late = FaultKind::LateEffect { after_ms: None, silence: Silence::Reset };
    world.sim.add_fault(Fault::new(late).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let kept = world.only();
    world.sim.release_late_effects();
    let project = world.project.id.clone();
    world.wait_remote("the late webhook", |state| state.webhook_count(&project) == 2).await;
    world.sim.clear_calls();
    let object = world.pass("builds").await;
    assert_eq!(world.only().id, kept.id, "the one in status stays");
    assert_eq!(status(&object).webhook_id, Some(kept.id));
    assert_calls(&world, &["GET list", "DELETE", "GET list"]);
}

#[tokio::test]
async fn a_crash_between_post_and_status_leaves_one_webhook() {
    let mut world = World::start().await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: true, hold_ms: None }).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the webhook", |state| state.webhook_count(&project) == 1).await;
    world.kill_operator();
    assert_eq!(status(&world.get("builds").await).webhook_id, None);
    world.sim.clear_calls();
    world.restart_operator().await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn a_crash_before_a_lost_post_creates_one_after_the_settle_time() {
    let mut world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the POST", |state| state.calls_for(&project).any(|call| call.method == "POST")).await;
    world.kill_operator();
    world.sim.clear_calls();
    world.restart_operator().await;
    world.wait_reason("builds", "Progressing").await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn of_two_with_our_marker_one_is_removed_within_one_pass() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let kept = world.only();
    let duplicate =
        NewWebhook::new("builds", "https://hooks.example.com/builds").header(MARKER, world.marker("builds"));
    world.console_create(duplicate);
    world.sim.clear_calls();
    let object = world.pass("builds").await;
    assert_calls(&world, &["GET list", "DELETE", "GET list"]);
    assert_eq!(world.only().id, kept.id);
    assert_eq!(status(&object).webhook_id, Some(kept.id));
    world.wait_counted("duplicates_removed_total", 1).await;
}

#[tokio::test]
async fn of_two_with_our_marker_the_one_that_equals_the_spec_stays() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let first = world.only();
    let equal = NewWebhook::new("builds", "https://hooks.example.com/builds").header(MARKER, world.marker("builds"));
    let equal = world.console_create(equal);
    world.console_edit(&first.id, simulator::WebhookEdit { active: Some(false), ..Default::default() });
    world.sim.clear_calls();
    let object = world.pass("builds").await;
    assert_calls(&world, &["GET list", "DELETE", "GET list"]);
    assert_eq!(world.only().id, equal.id);
    assert_eq!(status(&object).webhook_id, Some(equal.id));
}

#[tokio::test]
async fn without_the_marker_the_new_webhook_is_found_by_name_url_and_events() {
    let world = World::with(|setup| setup.flag("--ownership-marker", "off")).await;
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "value": "1" }] })).await;
    let object = world.wait_ready("builds").await;
    let there = world.only();
    assert!(!there.headers.contains_key(MARKER));
    assert_eq!(status(&object).webhook_id, Some(there.id));
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn switching_the_marker_off_affects_new_webhooks_only() {
    let mut world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.operator_setup.args.extend(["--ownership-marker".into(), "off".into()]);
    world.restart_operator().await;
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "value": "1" }] })).await;
    world.wait_ready("builds").await;
    assert_eq!(world.only().headers[MARKER], world.marker("builds"), "sent again with the whole map");
    assert_writes(&world, &["POST", "PATCH headers"]);
}

#[tokio::test]
async fn where_header_values_come_back_masked_it_is_created_once_and_ready() {
    let world = World::start().await;
    world.behave(Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() });
    let spec = |value: &str| json!({ "headers": [{ "name": "X-A", "value": value }] });
    world.webhook("builds", spec("1")).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    world.webhook("builds", spec("2")).await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["POST", "PATCH headers"]);
    assert_eq!(world.only().headers["X-A"], "2");
    assert_eq!(world.only().headers[MARKER], world.marker("builds"), "sent again with the whole map");
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn where_the_remote_drops_the_marker_it_is_created_once_and_ready() {
    let world = World::start().await;
    world.behave(Behaviour { drop_headers: vec!["X-Hookwright-*".into()], ..Behaviour::default() });
    world.webhook("builds", json!({})).await;
    let object = world.wait_ready("builds").await;
    world.pass("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn two_accepted_posts_that_no_list_ever_shows_end_in_not_converging() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { list_cap: Some(0), ..Behaviour::default() });
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "NotConverging").await;
    assert!(crate::support::message(&object).contains("never lists the webhook"));
    assert_writes(&world, &["POST", "POST"]);
    world.pass("builds").await;
    assert_writes(&world, &["POST", "POST"]);
}
