//! Remotes that limit, crawl or are dead, and Secrets that are broken, with many objects at once: bounded calls, writes and
//! memory, and nobody starves.

use std::time::Instant;

use hookwright::api::project_webhook::ProjectWebhook;
use kube::ResourceExt;
use serde_json::{Value, json};
use simulator::{Call, Fault, FaultKind, Options, Outcome, ProjectRef, RetryAfter, Simulator, State, WebhookEdit};
use tokio::net::TcpListener;

use crate::support::{Recording, TOKEN, World, is_ready, of_project, passes, ready_reason, status};

/// `per_project` objects in each of these projects, named after their place.
fn spread(projects: &[ProjectRef], per_project: usize, spec: &Value) -> Vec<(String, Value)> {
    let mut all = vec![];
    for (at, project) in projects.iter().enumerate() {
        for n in 0..per_project {
            let mut own = of_project(project);
            crate::support::merge(&mut own, spec.clone());
            all.push((format!("hook-{at}-{n}"), own));
        }
    }
    all
}

fn projects(sim: &Simulator, count: usize) -> Vec<ProjectRef> {
    (0..count).map(|_| sim.new_project()).collect()
}

/// Passes of one connection that can be under way at the same time: all places but those of one more lane.
const LANE: u64 = 64 / 2;
/// Calls of one connection that can be under way at the same time, unless it says otherwise.
const IN_FLIGHT: usize = 8;

/// Kibibytes that the operator, as the debug build that the tests run, may take for an object that waits.
const KIB_WAITING: u64 = 20;
/// The same for one that has been through all of it, with what its writes and Events leave behind.
const KIB_READY: u64 = 40;

/// What the operator takes more than `before` is bounded by the number of objects.
#[track_caller]
fn assert_memory(world: &World, before: u64, objects: usize, each: u64) {
    let now = world.operator().resident_kib();
    println!("resident: {before} KiB before, {now} KiB with {objects} objects");
    assert!(
        now.saturating_sub(before) <= each * objects as u64,
        "{before} KiB before, {now} KiB with {objects} objects"
    );
}

/// What the operator takes once it has been through all of it, and has loaded what everybody needs. Nothing of that is counted.
async fn warmed_up(world: &World) -> u64 {
    world.webhook("first", json!({})).await;
    world.wait_ready("first").await;
    world.sim.clear_calls();
    world.operator().resident_kib()
}

/// At the end of a storm: each object has its webhook, no POST was repeated but a refused one, and what was asked beside
/// that is bounded by the number of refusals.
async fn assert_weathered(world: &World, recording: &Recording, projects: &[ProjectRef], objects: u64) {
    let (counts, calls) = (world.sim.counts(None), world.sim.calls());
    let refusals = counts.status(Outcome::Status(429));
    let refused = |operation| calls.iter().filter(|c| c.operation == operation && !c.faults.is_empty()).count() as u64;
    assert_eq!(
        counts.operation("create"),
        objects + refused("create"),
        "a refused POST is repeated, an accepted one never"
    );
    let each = objects as usize / projects.len();
    assert!(projects.iter().all(|project| world.sim.webhooks(&project.id).len() == each));
    // One look for every 20 objects is the bound on a quiet machine (`cargo xtask bench`). On a busy one fewer are under way at
    // the same time, and share less.
    let looks = counts.operation("list") - refused("list");
    assert!(looks <= objects / 2, "{counts:?}");
    assert_eq!(counts.total, counts.operation("create") + counts.operation("list"), "{counts:?}");
    // Each object's own pass, and one more for each of three changes of its connection: its first status, its finalizer, and
    // what the storm makes of it. Who is under way when a refusal comes may end by it and has to come back: at most a full
    // lane for each, and that only if all refusals came one by one.
    let passes = passes(&world.metrics().await);
    assert!(passes <= 4 * objects + refusals * LANE, "{passes} passes");
    // What the user applied, the finalizer, the status; and those that a 429 ends are told.
    let versions = recording.all().len() as u64;
    assert!(versions <= 3 * objects + refusals * LANE, "{versions} versions");
    println!("{} calls, {refusals} refused, {looks} looks; {passes} passes, {versions} versions", counts.total);
}

#[tokio::test]
async fn a_storm_of_429_costs_one_more_call_for_each_and_everything_becomes_ready() {
    const OBJECTS: u64 = 200;
    const STORM: u64 = 12;
    let world = World::start().await;
    let before = warmed_up(&world).await;
    let is_storms = |object: &ProjectWebhook| object.name_any().starts_with("hook-") && is_ready(object);
    let limited = |id, retry_after| {
        let kind = FaultKind::Status { code: 429, body: None, retry_after: Some(retry_after), applied: false };
        Fault::new(kind).id(id).rate(0.3).count(STORM / 2)
    };
    world.sim.add_fault(limited("seconds", RetryAfter::Seconds(1)));
    world.sim.add_fault(limited("date", RetryAfter::DateInSeconds(1)));
    let recording = world.record().await;
    let projects = projects(&world.sim, 4);
    world.create_all(spread(&projects, 50, &json!({}))).await;
    recording.wait_count(OBJECTS as usize, "Ready", is_storms).await;
    assert_eq!(world.sim.counts(None).status(Outcome::Status(429)), STORM);
    assert_weathered(&world, &recording, &projects, OBJECTS).await;
    assert_memory(&world, before, OBJECTS as usize, KIB_READY);
}

/// How many calls each wave has: the next one begins after a pause that is twice as long each time.
fn waves<'a>(calls: impl Iterator<Item = &'a Call>) -> Vec<usize> {
    let (mut waves, mut last) = (vec![], i64::MIN / 2);
    for at in calls.map(|call| call.at.as_millisecond()) {
        // The first 429 asks for a second. The record's clock may be a little off the operator's.
        let pause = 1000 << waves.len().saturating_sub(1);
        match waves.last_mut() {
            Some(wave) if at - last < pause - 100 => *wave += 1,
            _ => waves.push(1),
        }
        last = at;
    }
    waves
}

#[tokio::test]
async fn a_storm_of_429_that_names_no_time_is_met_with_ever_fewer_calls_and_ever_longer_pauses() {
    const OBJECTS: u64 = 200;
    const WAVES: usize = 5;
    let world = World::start().await;
    let everything = world.sim.add_fault(Fault::status(429));
    let recording = world.record().await;
    let projects = projects(&world.sim, 4);
    world.create_all(spread(&projects, 50, &json!({}))).await;
    let last = |state: &State| waves(state.calls()).len() == WAVES;
    world.sim.wait_until("the last wave", crate::support::DEADLINE, last).await.unwrap();
    let waves = waves(world.sim.calls().iter());
    world.sim.remove_fault(&everything);
    for (n, calls) in waves.iter().enumerate() {
        assert!(*calls <= (IN_FLIGHT >> n).max(1), "half as many each time: {waves:?}");
    }
    // Then it lets up, by and by.
    world.sim.add_fault(Fault::status(429).rate(0.3).count(12));
    recording.wait_count(OBJECTS as usize, "Ready", is_ready).await;
    assert_weathered(&world, &recording, &projects, OBJECTS).await;
}

#[tokio::test]
async fn a_429_stops_the_calls_of_its_connection_and_of_no_other() {
    let world = World::start().await;
    let limited = Simulator::start(Options { tokens: vec![TOKEN.into()], ..Options::default() }).await.unwrap();
    let retry_after = Some(RetryAfter::Seconds(300));
    limited.add_fault(Fault::new(FaultKind::Status { code: 429, body: None, retry_after, applied: false }));
    world.connection("limited", json!({ "appMaker": { "endpoint": limited.http_endpoint() } })).await;
    let recording = world.record().await;
    world.create_all(spread(&projects(&limited, 100), 1, &json!({ "connectionRef": { "name": "limited" } }))).await;
    let told = |object: &ProjectWebhook| ready_reason(object) == Some("RateLimited");
    let first = |state: &State| state.counts(None).status(Outcome::Status(429)) > 0;
    limited.wait_until("the first refusal", crate::support::DEADLINE, first).await.unwrap();
    let others = spread(&projects(&world.sim, 4), 5, &json!({})).into_iter();
    world.create_all(others.map(|(name, spec)| (format!("other-{name}"), spec))).await;
    recording.wait_count(20, "Ready", is_ready).await;
    // Those that were under way when the first one was refused; whoever made them is told, and the others wait.
    let total = limited.counts(None).total;
    assert!(total <= 8, "{total} calls");
    recording.wait_count(total as usize, "RateLimited", told).await;
    assert_eq!(limited.counts(None).total, total);
}

#[tokio::test]
async fn a_remote_that_takes_two_seconds_for_each_answer_is_asked_no_question_twice() {
    const OBJECTS: u64 = 24;
    let world = World::start().await;
    // Half of it before the request is carried out and half after: what arrives is old by then.
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 1000, applied: false }));
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 1000, applied: true }));
    let recording = world.record().await;
    world.create_all(spread(&projects(&world.sim, 2), 12, &json!({}))).await;
    recording.wait_count(OBJECTS as usize, "Ready", is_ready).await;
    let counts = world.sim.counts(None);
    assert_eq!(counts.operation("create"), OBJECTS);
    assert!(counts.operation("list") <= 2 * OBJECTS, "{counts:?}");
    assert_eq!(counts.total, counts.operation("create") + counts.operation("list"));
    assert_eq!(recording.all().len() as u64, 3 * OBJECTS, "applied, finalizer, status: no word of waiting");
    assert_eq!(world.operator().get("/healthz").await.0, 200);
    println!("{} calls", counts.total);
}

/// An endpoint that takes connections and never reads a byte.
async fn black_hole() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/api/v1", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// `count` new objects on the world's own connection become Ready. Returns how many calls were under way at once, how many
/// passes it took, and for how long.
async fn healthy(world: &World, recording: &Recording, prefix: &str, count: usize) -> (u64, u64, f64) {
    let before = passes(&world.metrics().await);
    world.sim.clear_calls();
    let begin = Instant::now();
    let there = spread(&projects(&world.sim, 4), count / 4, &json!({}));
    world.create_all(there.into_iter().map(|(hook, spec)| (format!("{prefix}-{hook}"), spec))).await;
    let is_so = |object: &ProjectWebhook| object.name_any().starts_with(prefix) && is_ready(object);
    recording.wait_count(count, "Ready", is_so).await;
    let took = begin.elapsed().as_secs_f64();
    (world.sim.counts(None).max_in_flight, passes(&world.metrics().await) - before, took)
}

#[tokio::test]
async fn dead_connections_do_not_hold_up_a_healthy_one_beside_them() {
    // More than a lane's share, four times: together more than all places.
    const DEAD: usize = 50;
    const HEALTHY: usize = 40;
    let world = World::start().await;
    // Long beside what this machine computes: what takes its time below is waiting, and it is waited side by side.
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 150, applied: false }));
    let recording = world.record().await;
    let (at_once_alone, passes_alone, seconds_alone) = healthy(&world, &recording, "alone", HEALTHY).await;
    let before = world.operator().resident_kib();

    let dead = Simulator::start(Options { tokens: vec![TOKEN.into()], ..Options::default() }).await.unwrap();
    dead.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }));
    let (_hole, hole) = black_hole().await;
    // Its calls are given up after five minutes: as far as this test is concerned, never.
    let connection = |endpoint: String| json!({ "appMaker": { "endpoint": endpoint }, "timeoutSeconds": 300 });
    // A project for each, or they would wait for one and the same LIST.
    for (name, endpoint) in
        [("dead-1", dead.http_endpoint()), ("hole-1", hole.clone()), ("dead-2", dead.http_endpoint()), ("hole-2", hole)]
    {
        world.connection(name, connection(endpoint)).await;
        let there = spread(&projects(&dead, DEAD), 1, &json!({ "connectionRef": { "name": name } }));
        world.create_all(there.into_iter().map(|(hook, spec)| (format!("{name}-{hook}"), spec))).await;
    }
    let full = |state: &State| state.counts(None).operation("list") == 2 * IN_FLIGHT as u64;
    dead.wait_until("as many calls hang as may", crate::support::DEADLINE, full).await.unwrap();

    let (at_once, passes, seconds) = healthy(&world, &recording, "beside", HEALTHY).await;
    println!("calls at once, passes, seconds: alone {at_once_alone}, {passes_alone}, {seconds_alone:.2}");
    println!("beside the dead: {at_once}, {passes}, {seconds:.2}");
    // It has its share of the places: enough to keep as many calls under way as its connection may have.
    assert_eq!((at_once_alone, at_once), (IN_FLIGHT as u64, IN_FLIGHT as u64), "calls at once");
    // None of its passes comes in vain, to find that others have the places.
    assert!(passes <= 2 * passes_alone, "{passes_alone} passes alone, {passes} beside dead connections");
    // Nor do the others come first otherwise. The factor is far from what a busy machine does to one half of a test.
    assert!(seconds <= 5.0 * seconds_alone, "{seconds_alone} s alone, {seconds} s beside dead connections");

    // What changes later is not held up either: a changed spec, and an edit at the console.
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    world.console_edit(&world.only().id, WebhookEdit { name: Some("other".into()), ..Default::default() });
    assert!(is_ready(&world.pass("builds").await));
    assert_eq!(world.only().name, "builds");

    let hangs = |object: &ProjectWebhook| status(object).observed_generation == -1;
    recording.wait_count(4 * DEAD, "still without an answer", hangs).await;
    assert_eq!(dead.counts(None).total, 2 * IN_FLIGHT as u64, "and nobody waited for these calls to end");
    assert_memory(&world, before, 4 * DEAD + HEALTHY, KIB_READY);
}

#[tokio::test]
async fn a_thousand_objects_with_a_broken_secret_cost_one_write_each_and_no_call_and_hold_up_nobody() {
    const OBJECTS: usize = 1000;
    let world = World::start().await;
    world.secret("receiver", &[("other", "one")]).await;
    let before = warmed_up(&world).await;
    let recording = world.record().await;
    let versions = || recording.all().iter().filter(|object| object.name_any().starts_with("hook-")).count();
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    let spec = json!({ "headers": [{ "name": "X-A", "valueFrom": from }] });
    let projects = projects(&world.sim, 20);
    world.create_all(spread(&projects, OBJECTS / 20, &spec)).await;
    let broken = |object: &ProjectWebhook| ready_reason(object) == Some("SecretNotFound");
    recording.wait_count(OBJECTS, "SecretNotFound", broken).await;
    // Each has been tried again since, and found nothing to write.
    let tried = 3 * OBJECTS as u64;
    world.wait_metrics("three passes over each", |metrics| passes(metrics) >= tried).await;
    assert_eq!(versions(), 2 * OBJECTS, "what the user applied, and one status");
    assert_eq!(world.sim.counts(None).total, 0);
    assert_memory(&world, before, OBJECTS, KIB_WAITING);

    // On the same connection, one that is well is made and changed meanwhile.
    world.webhook("well", json!({})).await;
    world.wait_ready("well").await;
    world.webhook("well", json!({ "active": false })).await;
    world.wait_ready("well").await;
    let counts = world.sim.counts(None);
    assert_eq!((counts.operation("create"), counts.operation("update")), (1, 1));
    assert!(counts.total <= 2 + 4, "a look before and after each write at most: {counts:?}");
    assert_eq!(versions(), 2 * OBJECTS, "the others still wait");
    world.sim.clear_calls();

    world.secret("receiver", &[("token", "one")]).await;
    // The two that are well are in the recording as well, or before it.
    recording.wait_count(OBJECTS + 1, "Ready", is_ready).await;
    assert!(projects.iter().all(|project| world.sim.webhooks(&project.id).len() == OBJECTS / 20));
    let counts = world.sim.counts(None);
    assert_eq!(counts.operation("create"), OBJECTS as u64);
    assert!(counts.operation("list") <= OBJECTS as u64, "looks are shared: {counts:?}");
    assert_eq!(counts.total, counts.operation("create") + counts.operation("list"));
    assert_eq!(versions(), 4 * OBJECTS, "and then the finalizer and one status more");
    assert_memory(&world, before, OBJECTS, KIB_READY);
}

#[tokio::test]
async fn a_pass_that_does_not_end_turns_healthz_red_until_it_does() {
    let world = World::with(|setup| setup.flag("--stalled-after", "1s")).await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: Some(4000) }).once());
    assert_eq!(world.operator().get("/healthz").await.0, 200);
    world.webhook("builds", json!({})).await;
    let stalled = format!("these passes have stalled:\n- ProjectWebhook {}/builds\n", world.namespace);
    world.wait_served("/healthz", &stalled, |code, text| code == 503 && text.ends_with(&stalled)).await;
    world.wait_ready("builds").await;
    assert_eq!(world.operator().get("/healthz").await.0, 200);
}
