//! Differences that somebody else made: corrected, reported, or only looked at.

use hookwright::api::project_webhook::{Drift, Ownership};
use kube::ResourceExt;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, NewWebhook, WebhookEdit};

use crate::support::{MARKER, World, assert_calls, assert_writes, message, ready_reason, status};

const CORRECT: &str = "hookwright.dev/correct-drift-requested-at";

fn drift(field: &str, desired: &str, actual: &str) -> Drift {
    Drift { field: field.into(), desired: desired.into(), actual: actual.into() }
}

fn headers(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A Ready webhook `builds`, with no call counted yet; its id at the remote.
async fn ready(world: &World, spec: Value) -> String {
    world.webhook("builds", spec).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    world.only().id
}

#[tokio::test]
async fn enforce_corrects_an_edit_at_the_console() {
    let world = World::start().await;
    let id = ready(&world, json!({})).await;
    world.console_edit(&id, WebhookEdit { active: Some(false), events: Some(vec!["x".into()]), ..Default::default() });
    let object = world.pass("builds").await;
    assert_calls(&world, &["GET list", "PATCH active,events", "GET list"]);
    let there = world.only();
    assert_eq!((there.active, there.events), (true, vec!["deployment.build.created".to_owned()]));
    assert!(crate::support::is_ready(&object));
    assert_eq!(status(&object).drift, []);
    world.wait_counted("corrections_total", 1).await;
}

#[tokio::test]
async fn enforce_corrects_at_the_resync_without_being_asked() {
    let world = World::with(|setup| setup.flag("--resync-interval", "1s")).await;
    let id = ready(&world, json!({})).await;
    world.console_edit(&id, WebhookEdit { name: Some("other".into()), ..Default::default() });
    let project = world.project.id.clone();
    world.wait_remote("the correction", |state| state.webhooks(&project)[0].name == "builds").await;
    assert_writes(&world, &["PATCH name"]);
}

#[tokio::test]
async fn enforce_creates_again_what_was_deleted_at_the_console() {
    let world = World::start().await;
    let id = ready(&world, json!({})).await;
    world.console_delete(&id);
    let object = world.pass("builds").await;
    assert_calls(&world, &["GET list", "GET", "POST", "GET list"]);
    assert_ne!(world.only().id, id);
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    assert!(crate::support::is_ready(&object));
}

#[tokio::test]
async fn a_marker_that_somebody_removed_is_no_drift() {
    let world = World::start().await;
    let id = ready(&world, json!({})).await;
    world.console_edit(&id, WebhookEdit { headers: Some(headers(&[])), ..Default::default() });
    assert!(crate::support::is_ready(&world.pass("builds").await));
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn report_drift_lists_each_difference_and_leaves_it() {
    let world = World::start().await;
    let spec = json!({ "managementPolicy": "ReportDrift", "headers": [{ "name": "X-A", "value": "hidden-1" }] });
    let id = ready(&world, spec).await;
    let edit = WebhookEdit {
        name: Some("other".into()),
        url: Some("https://hooks.example.com/hidden-2".into()),
        active: Some(false),
        events: Some(vec!["b".into(), "a".into()]),
        headers: Some(headers(&[("X-A", "hidden-3"), ("X-B", "hidden-4"), (MARKER, &world.marker("builds"))])),
    };
    world.console_edit(&id, edit);
    let object = world.pass("builds").await;
    assert_eq!(crate::support::ready_reason(&object), Some("Drifted"));
    let expected = [
        drift("name", "builds", "other"),
        drift("url", "(differs)", "(differs)"),
        drift("active", "true", "false"),
        drift("events", "[deployment.build.created]", "[a,b]"),
        drift("headers[X-A]", "(differs)", "(differs)"),
        drift("headers[X-B]", "(absent)", "(present)"),
    ];
    assert_eq!(status(&object).drift, expected);
    assert!(!serde_json::to_string(&object.status).unwrap().contains("hidden"));
    assert_calls(&world, &["GET list"]);
    assert_eq!(world.only().name, "other");
}

#[tokio::test]
async fn report_drift_applies_a_changed_spec() {
    let world = World::start().await;
    let id = ready(&world, json!({ "managementPolicy": "ReportDrift" })).await;
    world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
    world.pass("builds").await;
    assert_writes(&world, &[]);
    world.webhook("builds", json!({ "managementPolicy": "ReportDrift", "name": "n" })).await;
    let object = world.wait_ready("builds").await;
    assert_writes(&world, &["PATCH active,name"]);
    assert_eq!(status(&object).drift, []);
}

#[tokio::test]
async fn report_drift_applies_a_changed_secret() {
    let world = World::start().await;
    world.secret("receiver", &[("token", "one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    let spec = json!({ "managementPolicy": "ReportDrift", "headers": [{ "name": "X-A", "valueFrom": from }] });
    ready(&world, spec).await;
    let version = world.rotate("receiver", &[("token", "two")]).await;
    world
        .wait_status("builds", "the rotated Secret", |s| {
            s.applied.as_ref().is_some_and(|a| a.secrets["receiver"] == version)
        })
        .await;
    assert_writes(&world, &["PATCH headers"]);
    assert_eq!(world.only().headers["X-A"], "two");
}

#[tokio::test]
async fn report_drift_corrects_once_when_asked_to() {
    let world = World::start().await;
    let id = ready(&world, json!({ "managementPolicy": "ReportDrift" })).await;
    world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
    world.pass("builds").await;
    world.annotate("builds", CORRECT, "1").await;
    let object = world.wait_ready("builds").await;
    assert_writes(&world, &["PATCH active"]);
    assert_eq!(status(&object).last_handled_correct_drift_at.as_deref(), Some("1"));
    world.console_edit(&id, WebhookEdit { active: Some(false), ..Default::default() });
    let object = world.pass("builds").await;
    assert_eq!(crate::support::ready_reason(&object), Some("Drifted"));
    assert_writes(&world, &["PATCH active"]);
}

#[tokio::test]
async fn report_drift_reports_a_deletion_and_leaves_it() {
    let world = World::start().await;
    let id = ready(&world, json!({ "managementPolicy": "ReportDrift" })).await;
    world.console_delete(&id);
    let object = world.pass("builds").await;
    assert_eq!(crate::support::ready_reason(&object), Some("Drifted"));
    assert!(message(&object).contains("deleted at the remote"), "{}", message(&object));
    assert_eq!(status(&object).drift, [drift("webhook", "(present)", "(absent)")]);
    assert_calls(&world, &["GET list", "GET"]);
    world.annotate("builds", CORRECT, "1").await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["POST"]);
}

#[tokio::test]
async fn report_drift_creates_what_was_never_there() {
    let world = World::start().await;
    world.webhook("builds", json!({ "managementPolicy": "ReportDrift" })).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    assert_eq!(world.remote().len(), 1);
}

#[tokio::test]
async fn observe_finds_by_name_and_url_and_never_writes() {
    let world = World::start().await;
    let there = world.console_lookalike("builds");
    world.webhook("builds", json!({ "managementPolicy": "Observe", "active": false })).await;
    let object = world.wait_reason("builds", "Observed").await;
    let seen = status(&object);
    assert_eq!((seen.webhook_id, seen.ownership), (Some(there.id.clone()), Some(Ownership::Observed)));
    assert_eq!(seen.drift, [drift("active", "false", "true")]);
    assert!(crate::support::is_ready(&object));
    assert_eq!(object.metadata.finalizers, None);
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_calls(&world, &["GET list"]);
    assert_eq!(world.only().id, there.id);
}

#[tokio::test]
async fn observe_finds_by_id_whatever_its_name() {
    let world = World::start().await;
    let there = world.console_create(NewWebhook::new("other", "https://other.example.com/"));
    world.webhook("builds", json!({ "managementPolicy": "Observe", "webhookId": there.id })).await;
    let object = world.wait_reason("builds", "Observed").await;
    let fields: Vec<_> = status(&object).drift.into_iter().map(|drift| drift.field).collect();
    assert_eq!(fields, ["name", "url"]);
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn observe_of_what_is_not_there_is_drifted() {
    let world = World::start().await;
    world.webhook("builds", json!({ "managementPolicy": "Observe" })).await;
    let object = world.wait_reason("builds", "Drifted").await;
    assert_eq!(status(&object).drift, [drift("webhook", "(present)", "(absent)")]);
    assert_eq!(object.metadata.finalizers, None);
    assert_calls(&world, &["GET list"]);
    world.console_lookalike("builds");
    assert!(crate::support::is_ready(&world.pass("builds").await));
    assert_calls(&world, &["GET list", "GET list"]);
}

#[tokio::test]
async fn what_was_seen_for_an_object_that_is_gone_is_not_said_of_the_next_of_its_name() {
    let world = World::start().await;
    world.console_lookalike("builds");
    let recording = world.record().await;
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 1500, applied: false }).operations(["list"]).once());
    world.webhook("builds", json!({ "managementPolicy": "Observe" })).await;
    world.wait_remote("the look", |state| state.counts(None).in_flight == 1).await;
    world.delete("builds").await;
    world.wait_gone("builds").await;
    let url = "https://hooks.example.com/other";
    world.webhook("builds", json!({ "managementPolicy": "Observe", "url": url })).await;
    let next = world.wait_reason("builds", "Drifted").await;
    let told = recording.up_to(&next).await.into_iter().filter(|version| version.uid() == next.uid());
    let reasons: Vec<_> = told.filter_map(|version| ready_reason(&version).map(str::to_owned)).collect();
    assert_eq!(reasons, ["Drifted"]);
}
