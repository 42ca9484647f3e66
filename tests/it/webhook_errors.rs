//! What the remote refuses, and how that is told.

use hookwright::api::connection::Connection;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, RetryAfter, Shape};

use crate::support::{World, assert_calls, assert_writes, condition, message, passes, ready_reason, rendered, status};

fn answer(code: u16, body: Value) -> Fault {
    Fault::new(FaultKind::Status { code, body: Some(body), retry_after: None, applied: false })
}

fn connections(world: &World) -> Api<Connection> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

fn reason_of(connection: &Connection) -> Option<&str> {
    let status = connection.status.as_ref()?;
    condition(&status.conditions, "Ready").map(|ready| ready.reason.as_str())
}

#[tokio::test]
async fn rejected_credentials_are_told_on_both_and_a_new_secret_mends_all() {
    let world = World::start().await;
    let configured = |c: &Connection| reason_of(c) == Some("Configured");
    world.wait_for(connections(&world), "app-maker", "Configured", configured).await;
    world.sim.remove_token(crate::support::TOKEN);
    world.webhook("one", json!({})).await;
    world.webhook("two", json!({})).await;
    for name in ["one", "two"] {
        let object = world.wait_reason(name, "CredentialsRejected").await;
        assert!(message(&object).contains("valid token"), "{}", message(&object));
        assert!(condition(&status(&object).conditions, "Stalled").is_some());
    }
    let rejected = |c: &Connection| reason_of(c) == Some("CredentialsRejected");
    world.wait_for(connections(&world), "app-maker", "CredentialsRejected", rejected).await;
    let tries = world.calls().len();
    assert!(tries <= 3, "one user probes for all: {:?}", rendered(&world));
    world.sim.add_token("new-token");
    world.secret("app-maker", &[("token", "new-token")]).await;
    world.wait_ready("one").await;
    world.wait_ready("two").await;
    world.wait_for(connections(&world), "app-maker", "Configured", configured).await;
    assert_writes(&world, &["POST", "POST"]);
    // One Event for each change of the reason: what says the same is counted in the first.
    let times = |event: &Event| event.series.as_ref().map_or(1, |series| series.count);
    let told = |reason: &'static str, type_: &'static str, count: i32| {
        move |event: &Event| {
            event.reason.as_deref() == Some(reason) && event.type_.as_deref() == Some(type_) && times(event) == count
        }
    };
    world.wait_event("app-maker", "Configured, rejected, Configured again", told("Configured", "Normal", 2)).await;
    world.wait_event("app-maker", "the rejection", told("CredentialsRejected", "Warning", 1)).await;
    assert_eq!(world.events_of("app-maker").await.len(), 2);
}

#[tokio::test]
async fn a_forbidden_token_says_what_is_missing() {
    let world = World::start().await;
    world.sim.forbid_token(crate::support::TOKEN);
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "Forbidden").await;
    assert!(message(&object).contains("permission"), "{}", message(&object));
    assert_calls(&world, &["GET list"]);
    assert_eq!(object.metadata.finalizers, None);
}

#[tokio::test]
async fn an_unknown_project_is_told() {
    let world = World::start().await;
    world.sim.remove_project(&world.project.id);
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "ProjectNotFound").await;
    assert!(message(&object).contains("spec.projectId"), "{}", message(&object));
    assert_calls(&world, &["GET list"]);
    world.sim.add_project(&world.project.organization, &world.project.id).unwrap();
    assert!(crate::support::is_ready(&world.pass("builds").await));
}

#[tokio::test]
async fn a_rejected_write_is_told_with_the_remotes_own_words_and_not_repeated() {
    for code in [400, 422] {
        let world = World::start().await;
        let body = json!({ "code": "EVENTS_INVALID", "message": "events are not valid" });
        world.sim.add_fault(answer(code, body).methods(["POST"]));
        world.webhook("builds", json!({})).await;
        let object = world.wait_reason("builds", "RemoteRejected").await;
        let text = message(&object);
        assert!(text.contains("EVENTS_INVALID") && text.contains("events are not valid"), "{text}");
        assert!(condition(&status(&object).conditions, "Stalled").is_some());
        assert_calls(&world, &["GET list", "POST"]);
    }
}

#[tokio::test]
async fn a_connection_that_turns_out_usable_meanwhile_makes_nobody_repeat_a_rejected_write() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    world.sim.add_fault(Fault::status(422).methods(["POST"]));
    world.webhook("builds", json!({})).await;
    // Both are new to it, and their passes run side by side.
    world.restart_operator().await;
    world.wait_reason("builds", "RemoteRejected").await;
    world.wait_event("app-maker", "usable", |event| event.reason.as_deref() == Some("Configured")).await;
    // A pass that is asked for comes after all that were queued before.
    world.pass("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list", "POST"]);
}

#[tokio::test]
async fn the_remotes_words_are_kept_back_if_they_repeat_a_secret() {
    let world = World::start().await;
    world.secret("receiver", &[("token", "hunter2-hunter2")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    let body = json!({ "code": "HEADER", "message": "header value hunter2-hunter2 is not valid" });
    world.sim.add_fault(answer(400, body).methods(["POST"]));
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
    let object = world.wait_reason("builds", "RemoteRejected").await;
    assert!(message(&object).contains("HEADER"), "{}", message(&object));
    assert!(!message(&object).contains("hunter2"), "{}", message(&object));
    assert!(!world.operator().log().contains("hunter2"));
}

#[tokio::test]
async fn a_rejected_update_keeps_what_is_there_and_a_corrected_spec_mends_it() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let id = status(&world.wait_ready("builds").await).webhook_id;
    let fault = world.sim.add_fault(answer(422, json!({ "message": "no" })).methods(["PATCH"]));
    world.webhook("builds", json!({ "events": ["nonsense"] })).await;
    let object = world.wait_reason("builds", "RemoteRejected").await;
    assert_eq!(status(&object).webhook_id, id);
    world.sim.remove_fault(&fault);
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["POST", "PATCH events", "PATCH active"]);
}

#[tokio::test]
async fn a_rate_limit_is_told_and_waited_for() {
    let world = World::start().await;
    let limited =
        FaultKind::Status { code: 429, body: None, retry_after: Some(RetryAfter::Seconds(1)), applied: false };
    world.sim.add_fault(Fault::new(limited).operations(["list"]).once());
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "RateLimited").await;
    assert!(condition(&status(&object).conditions, "Reconciling").is_some());
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "GET list", "POST", "GET list"]);
}

#[tokio::test]
async fn a_server_error_is_told_and_tried_again() {
    let world = World::start().await;
    world.sim.add_fault(Fault::status(500).operations(["list"]).once());
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "RemoteUnavailable").await;
    assert!(condition(&status(&object).conditions, "Reconciling").is_some());
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "GET list", "POST", "GET list"]);
}

#[tokio::test]
async fn a_list_that_is_not_the_documented_array_is_never_read_as_empty() {
    let kinds = [
        FaultKind::WrongShape { shape: Shape::Data },
        FaultKind::WrongShape { shape: Shape::Object },
        FaultKind::WrongShape { shape: Shape::Null },
        FaultKind::WrongShape { shape: Shape::Strings },
        FaultKind::NotJson,
        FaultKind::TruncatedBody,
    ];
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    for kind in kinds {
        let fault = world.sim.add_fault(Fault::new(kind).operations(["list"]));
        let object = world.pass("builds").await;
        assert_eq!(ready_reason(&object), Some("RemoteUnavailable"));
        world.sim.remove_fault(&fault);
    }
    assert_writes(&world, &["POST"]);
    assert!(rendered(&world).iter().all(|call| call != "GET"), "nor is it taken for a webhook that is gone");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::start().await;
    let location = format!("{}/elsewhere", world.sim.http_url());
    world.sim.add_fault(Fault::new(FaultKind::Redirect { location, code: 302 }));
    world.webhook("builds", json!({})).await;
    world.wait_reason("builds", "RemoteUnavailable").await;
    assert!(world.sim.calls().iter().all(|call| !call.path.contains("elsewhere")));
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn an_update_of_what_vanished_in_between_creates_it_again() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.sim.clear_calls();
    // Held back long enough to delete the webhook between LIST and PATCH.
    world.sim.add_fault(Fault::status(404).methods(["PATCH"]).once());
    world.console_edit(&id, simulator::WebhookEdit { active: Some(false), ..Default::default() });
    assert!(crate::support::is_ready(&world.pass("builds").await));
    assert_writes(&world, &["PATCH active", "PATCH active"]);
}

#[tokio::test]
async fn what_was_seen_before_a_look_that_failed_makes_nothing_ready_again() {
    let world = World::start().await;
    world.secret("receiver", &[("key", "value")]).await;
    let header = json!({ "name": "X-Key", "valueFrom": { "secretKeyRef": { "name": "receiver", "key": "key" } } });
    world.webhook("builds", json!({ "headers": [header] })).await;
    world.wait_ready("builds").await;
    let limited =
        FaultKind::Status { code: 429, body: None, retry_after: Some(RetryAfter::Seconds(200)), applied: false };
    world.sim.add_fault(Fault::new(limited).methods(["GET"]));
    world.annotate("builds", "hookwright.dev/reconcile-requested-at", "now").await;
    world.wait_reason("builds", "RateLimited").await;
    // Whatever happens to its Secret has the object looked at, and there is no other LIST.
    for n in 1..=3 {
        let before = passes(&world.metrics().await);
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { "example.com/n": n.to_string() } } }));
        let secrets = Api::<Secret>::namespaced(world.client.clone(), &world.namespace);
        secrets.patch_metadata("receiver", &PatchParams::default(), &patch).await.unwrap();
        world.wait_metrics("a pass more", |metrics| passes(metrics) > before).await;
        assert_eq!(ready_reason(&world.get("builds").await), Some("RateLimited"));
    }
}
