//! When the operator looks, and that it costs nothing when there is nothing to do.

use std::time::Instant;

use hookwright::api::connection::Connection;
use hookwright::api::project_webhook::ProjectWebhook;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use simulator::{Fault, FaultKind, WebhookEdit};

use crate::support::{DEADLINE, World, assert_calls, assert_writes, is_ready, of_project, passes, rendered, status};

async fn versions(world: &World) -> Vec<(String, Option<String>)> {
    let all: Vec<ProjectWebhook> = world.webhooks().list(&ListParams::default()).await.unwrap().items;
    all.into_iter().map(|object| (object.name_any(), object.resource_version())).collect()
}

async fn lists(world: &World, count: u64) {
    let project = world.project.id.clone();
    world.wait_remote("LISTs", |state| state.counts(Some(&project)).operation("list") >= count).await;
}

#[tokio::test]
async fn at_rest_one_list_serves_ten_webhooks_and_nothing_is_written() {
    let world = World::with(|setup| setup.flag("--resync-interval", "2s")).await;
    let names: Vec<_> = (0..10).map(|n| format!("hook-{n}")).collect();
    for name in &names {
        world.webhook(name, json!({})).await;
    }
    for name in &names {
        world.wait_ready(name).await;
    }
    // One whole resync later nothing of the creation is left to be looked after.
    world.sim.clear_calls();
    lists(&world, 1).await;
    let before = versions(&world).await;
    let passes_before = passes(&world.metrics().await);
    world.sim.clear_calls();
    let looked = |text: &str| passes(text) - passes_before;
    let metrics = world.wait_metrics("two looks of each", |text| looked(text) >= 20).await;
    let lists = world.calls().len() as u64;
    assert!(rendered(&world).iter().all(|call| call == "GET list"), "{:?}", rendered(&world));
    // A look may be under way when the counting begins, and another when it ends.
    assert!(lists <= looked(&metrics).div_ceil(10) + 2, "{lists} LISTs for {} looks", looked(&metrics));
    assert_eq!(versions(&world).await, before, "nothing was written to Kubernetes");
}

/// While it gathers, an object has a time at which it would go on alone. If its pass is under way by then, that is no reason for
/// another one.
#[tokio::test]
async fn a_pass_that_takes_longer_than_its_object_would_have_waited_is_followed_by_no_other() {
    const OBJECTS: u64 = 4;
    let world = World::start().await;
    world.webhook("first", json!({})).await;
    world.wait_ready("first").await;
    let slow = FaultKind::Latency { ms: 3000, applied: false };
    world.sim.add_fault(Fault::new(slow).operations(["create"]));
    let before = passes(&world.metrics().await);
    let recording = world.record().await;
    world.create_all((0..OBJECTS).map(|n| (format!("hook-{n}"), json!({})))).await;
    recording.wait_count(OBJECTS as usize, "Ready", is_ready).await;
    // Whatever was requested meanwhile has its turn before this one.
    world.webhook("last", json!({})).await;
    world.wait_ready("last").await;
    let passes = passes(&world.metrics().await) - before;
    assert!(passes < 2 * OBJECTS, "{passes} passes over {OBJECTS} objects and one more");
}

#[tokio::test]
async fn a_hundred_objects_of_one_project_that_are_applied_together_share_their_lists() {
    const OBJECTS: usize = 100;
    let world = World::start().await;
    let recording = world.record().await;
    world.create_all((0..OBJECTS).map(|n| (format!("hook-{n}"), json!({})))).await;
    recording.wait_count(OBJECTS, "Ready", is_ready).await;
    let counts = world.sim.counts(Some(&world.project.id));
    println!("{counts:?}");
    assert_eq!((counts.operation("create"), counts.operation("get")), (OBJECTS as u64, 0));
    // Two would do: one before the first creation, one after the last. On a machine that is busy not all come together.
    assert!(counts.operation("list") <= 10, "{counts:?}");
}

#[tokio::test]
async fn the_shortest_interval_decides_for_the_project() {
    // The operator's own is an hour.
    let world = World::start().await;
    world.webhook("slow", json!({ "resyncInterval": "24h" })).await;
    world.wait_ready("slow").await;
    world.webhook("quick", json!({ "resyncInterval": "30s" })).await;
    world.wait_ready("quick").await;
    assert_writes(&world, &["POST", "POST"]);
    world.sim.clear_calls();
    lists(&world, 1).await;
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn an_interval_beyond_the_bounds_is_refused() {
    let world = World::with(|setup| setup.no_operator()).await;
    for bad in ["29s", "25h", "soon"] {
        assert!(world.try_webhook("builds", json!({ "resyncInterval": bad })).await.is_err(), "{bad}");
    }
}

#[tokio::test]
async fn the_project_is_looked_at_again_and_again() {
    let world = World::with(|setup| setup.flag("--resync-interval", "1s")).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    lists(&world, 2).await;
    assert_writes(&world, &[]);
}

#[tokio::test]
async fn an_asked_for_pass_is_made_at_once_and_echoed() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    world.annotate("builds", "hookwright.dev/reconcile-requested-at", "2026-11-21T00:00:00Z").await;
    let echoed =
        |object: &ProjectWebhook| status(object).last_handled_reconcile_at.as_deref() == Some("2026-11-21T00:00:00Z");
    let object = world.wait_until("builds", "the echo", echoed).await;
    assert!(is_ready(&object));
    assert_calls(&world, &["GET list"]);
}

#[tokio::test]
async fn suspended_nothing_is_done_and_the_conditions_stay() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    let ready = world.wait_ready("builds").await;
    let id = world.only().id;
    world.sim.clear_calls();
    let suspended = world.webhook("builds", json!({ "suspend": true, "active": false })).await;
    world.console_edit(&id, WebhookEdit { name: Some("other".into()), ..Default::default() });
    world.annotate("builds", "hookwright.dev/reconcile-requested-at", "now").await;
    // Another object's pass, over another project, shows that the operator has seen all that.
    world.webhook("other", of_project(&world.sim.new_project())).await;
    world.wait_ready("other").await;
    let object = world.get("builds").await;
    assert_eq!(status(&object), status(&ready), "generation {:?}", suspended.metadata.generation);
    assert_calls(&world, &[]);
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "PATCH active,name", "GET list"]);
}

#[tokio::test]
async fn suspended_a_deletion_is_still_carried_out() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.webhook("builds", json!({ "suspend": true })).await;
    world.sim.clear_calls();
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_calls(&world, &["GET list", "DELETE", "GET list"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn suspended_from_the_start_nothing_is_created() {
    let world = World::start().await;
    world.webhook("builds", json!({ "suspend": true })).await;
    world.webhook("other", json!({})).await;
    world.wait_ready("other").await;
    let object = world.get("builds").await;
    assert_eq!(status(&object).observed_generation, -1);
    assert_eq!(object.metadata.finalizers, None);
    assert_eq!(world.only().name, "other");
}

#[tokio::test]
async fn a_restart_at_rest_writes_nothing() {
    let mut world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let connections = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    let held = |connection: &Connection| !connection.finalizers().is_empty() && connection.status.is_some();
    let connection = world.wait_for(connections.clone(), "app-maker", "in use and told", held).await;
    let before = versions(&world).await;
    world.sim.clear_calls();
    world.restart_operator().await;
    lists(&world, 1).await;
    // Another object's pass shows that the first one's had its time.
    world.webhook("other", json!({ "managementPolicy": "Observe" })).await;
    world.wait_reason("other", "Drifted").await;
    assert_writes(&world, &[]);
    let after: Vec<_> = versions(&world).await.into_iter().filter(|(name, _)| name == "builds").collect();
    assert_eq!(after, before);
    assert_eq!(connections.get("app-maker").await.unwrap().resource_version(), connection.resource_version());
}

#[tokio::test]
async fn events_tell_writes_in_the_plans_words_and_nothing_at_rest() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let changed = |event: &Event| event.reason.as_deref() == Some("RemoteChanged");
    let note = world.wait_event("builds", "the creation", changed).await;
    assert_eq!(note, "create webhook \"builds\" for hooks.example.com");
    for _ in 0..3 {
        world.pass("builds").await;
    }
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    let id = world.only().id;
    let updated = |event: &Event| event.note.as_deref() == Some(&format!("update webhook {id}: active"));
    world.wait_event("builds", "the update", updated).await;
    // They are written in their order: had there been others before, they would be here. One that is repeated is counted
    // in the first.
    let events = world.events_of("builds").await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.series.is_none()), "{events:#?}");
}

#[tokio::test]
async fn a_reason_is_told_once_as_a_warning_if_a_person_is_needed_however_often_it_is_looked_at() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let told = |reason: &'static str, type_: &'static str| {
        move |event: &Event| event.reason.as_deref() == Some(reason) && event.type_.as_deref() == Some(type_)
    };
    let forbidden = world.sim.add_fault(Fault::status(403).operations(["list"]));
    for _ in 0..3 {
        world.pass("builds").await;
    }
    world.sim.remove_fault(&forbidden);
    let unavailable = world.sim.add_fault(Fault::status(503).operations(["list"]));
    for _ in 0..3 {
        world.pass("builds").await;
    }
    world.sim.remove_fault(&unavailable);
    world.pass("builds").await;
    world.wait_event("builds", "the end", told("Synced", "Normal")).await;
    world.wait_event("builds", "a person is needed", told("Forbidden", "Warning")).await;
    world.wait_event("builds", "it mends itself", told("RemoteUnavailable", "Normal")).await;
    let events = world.events_of("builds").await;
    assert_eq!(events.len(), 4, "and the creation: {events:#?}");
    assert!(events.iter().all(|event| event.series.is_none()), "{events:#?}");
}

#[tokio::test]
async fn status_follows_the_remotes_times_and_says_when_it_was_written_to() {
    let world = World::start().await;
    // The remote shows milliseconds.
    let times = || (Some(format!("{:.3}", world.only().created_at)), Some(format!("{:.3}", world.only().updated_at)));
    world.webhook("builds", json!({})).await;
    let created = status(&world.wait_ready("builds").await);
    let remote = created.remote.clone().unwrap();
    assert_eq!((remote.created_at, remote.updated_at), times());
    let written = created.last_applied_time.clone().unwrap();
    assert_eq!(status(&world.pass("builds").await).last_applied_time, Some(written.clone()), "a look is no write");
    // The time is in seconds: as soon as the next one has begun, a PATCH moves it.
    let (begun, mut active, mut now) = (Instant::now(), true, created);
    while now.last_applied_time.unwrap().0 <= written.0 {
        assert!(begun.elapsed() < DEADLINE, "no PATCH moves lastAppliedTime");
        active = !active;
        world.webhook("builds", json!({ "active": active })).await;
        now = status(&world.wait_ready("builds").await);
        let remote = now.remote.clone().unwrap();
        assert_eq!((remote.created_at, remote.updated_at), times());
    }
}
