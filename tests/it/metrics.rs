//! What is counted, seen from outside: each thing that happens shows in `/metrics`. Corrections, orphans and duplicates that
//! were removed are counted in the tests of those.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind, RetryAfter};

use crate::support::{World, of_project};

/// The value of one series; 0 before it is first counted.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

fn calls(method: &str, class: &str) -> String {
    format!(r#"hookwright_remote_calls_total{{provider="app-maker",method="{method}",status_class="{class}"}}"#)
}

fn webhooks(reason: &str) -> String {
    format!(r#"hookwright_objects{{kind="ProjectWebhook",reason="{reason}"}}"#)
}

fn passes(result: &str) -> String {
    format!(r#"hookwright_passes_total{{kind="ProjectWebhook",result="{result}"}}"#)
}

/// Waits until a series has a value as wanted.
async fn wait(world: &World, series: &str, what: &str, is_so: impl Fn(f64) -> bool) {
    world.wait_metrics(&format!("{series} {what}"), |metrics| is_so(value(metrics, series))).await;
}

#[tokio::test]
async fn each_way_in_which_a_call_ends_is_counted_with_its_duration_and_what_it_made_of_the_object() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.secret("app-maker", &[("token", crate::support::TOKEN)]).await;
    world.connection("app-maker", json!({ "timeoutSeconds": 3 })).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let status = |code, retry_after| FaultKind::Status { code, body: None, retry_after, applied: false };
    let location = "https://elsewhere.example.com/".to_owned();
    let table = [
        ("429", status(429, Some(RetryAfter::Seconds(1))), "RateLimited", "waiting"),
        ("5xx", status(500, None), "RemoteUnavailable", "waiting"),
        ("4xx", status(403, None), "Forbidden", "stalled"),
        ("3xx", FaultKind::Redirect { location, code: 302 }, "RemoteUnavailable", "waiting"),
        ("network", FaultKind::Reset { applied: false }, "RemoteUnavailable", "waiting"),
        ("body", FaultKind::NotJson, "RemoteUnavailable", "waiting"),
        ("timeout", FaultKind::Timeout { applied: false, hold_ms: None }, "RemoteUnavailable", "waiting"),
    ];
    for (class, kind, reason, result) in table {
        let before = world.metrics().await;
        assert_eq!(value(&before, &calls("list", class)), 0.0, "{class}");
        world.sim.add_fault(Fault::new(kind).id("it").operations(["list"]));
        world.pass("builds").await;
        wait(&world, &calls("list", class), "is counted", |count| count >= 1.0).await;
        wait(&world, &webhooks(reason), "is 1", |count| count == 1.0).await;
        wait(&world, &passes(result), "rises", |count| count > value(&before, &passes(result))).await;
        world.sim.remove_fault("it");
        world.pass("builds").await;
        world.wait_ready("builds").await;
        wait(&world, &webhooks(reason), "is 0 again", |count| count == 0.0).await;
    }
    // Every call that ended is in a histogram of durations too, and none that did not.
    let metrics = world.metrics().await;
    let of_list =
        metrics.lines().filter(|line| line.starts_with("hookwright_remote_calls_total") && line.contains("\"list\""));
    let ended: f64 = of_list.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum();
    let durations =
        |part: &str| format!(r#"hookwright_remote_call_duration_seconds_{part}{{provider="app-maker",method="list"}}"#);
    assert_eq!(value(&metrics, &durations("count")), ended);
    assert!(value(&metrics, &durations("sum")) >= 3.0, "the one that timed out took three seconds");
}

#[tokio::test]
async fn each_call_and_each_object_is_counted_by_what_it_is() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_ready("builds").await;
    world.console_delete(&world.only().id);
    world.pass("builds").await;
    let configured = r#"hookwright_objects{kind="Connection",reason="Configured"}"#;
    let pass_count = r#"hookwright_pass_duration_seconds_count{kind="ProjectWebhook"}"#;
    let synced = webhooks("Synced");
    for (series, expected) in [
        (&*calls("create", "2xx"), 2.0),
        (&*calls("update", "2xx"), 1.0),
        // 404, which is what it was asked for.
        (&*calls("get", "4xx"), 1.0),
        (&*synced, 1.0),
        (configured, 1.0),
    ] {
        wait(&world, series, &format!("is {expected}"), |count| count == expected).await;
    }
    world.delete("builds").await;
    world.wait_gone("builds").await;
    wait(&world, &calls("delete", "2xx"), "is 1", |count| count == 1.0).await;
    wait(&world, &synced, "is 0", |count| count == 0.0).await;
    let ended = |metrics: &str| -> f64 {
        ["settled", "waiting", "stalled", "failed"].iter().map(|result| value(metrics, &passes(result))).sum()
    };
    world.wait_metrics("each pass has a duration", |metrics| ended(metrics) == value(metrics, pass_count)).await;
}

#[tokio::test]
async fn waiting_for_a_turn_and_what_that_makes_of_the_interval_are_counted() {
    let world = World::with(|setup| setup.flag("--resync-interval", "1s").no_connection()).await;
    world.secret("app-maker", &[("token", crate::support::TOKEN)]).await;
    // One call a second, and half of it for looking: three projects can be looked at every six seconds.
    world.connection("app-maker", json!({ "rateLimit": { "requestsPerSecond": 1, "burst": 1 } })).await;
    for n in 0..3 {
        let project: Value = of_project(&world.sim.new_project());
        world.webhook(&format!("hook-{n}"), project).await;
    }
    for n in 0..3 {
        world.wait_ready(&format!("hook-{n}")).await;
    }
    let waited = |part: &str| format!(r#"hookwright_pacing_wait_seconds_{part}{{provider="app-maker"}}"#);
    // Three that begin together share one turn a second.
    wait(&world, &waited("count"), "is each call", |count| count >= 9.0).await;
    wait(&world, &waited("sum"), "shows waiting", |seconds| seconds > 0.1).await;
    let stretch = r#"hookwright_resync_stretch{kind="ProjectWebhook"}"#;
    wait(&world, stretch, "tells that the rate allows no more", |ratio| ratio == 6.0).await;
}

#[tokio::test]
async fn looking_late_is_counted_by_how_late() {
    // One pass at a time, and each look takes longer than the interval: the other project waits that long for its turn.
    let world = World::with(|setup| setup.flag("--resync-interval", "1s").flag("--max-concurrent", "1")).await;
    for n in 0..2 {
        let project: Value = of_project(&world.sim.new_project());
        world.webhook(&format!("hook-{n}"), project).await;
        world.wait_ready(&format!("hook-{n}")).await;
    }
    let late = |part: &str| format!(r#"hookwright_resync_lag_seconds_{part}{{kind="ProjectWebhook"}}"#);
    let before = world.metrics().await;
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 3000, applied: false }).operations(["list"]));
    let mean = |metrics: &str| {
        let since = |part: &str| value(metrics, &late(part)) - value(&before, &late(part));
        (since("count"), since("sum") / since("count"))
    };
    let is_so = |metrics: &str| {
        let (count, mean) = mean(metrics);
        count >= 4.0 && mean > 0.5
    };
    world.wait_metrics("looks are late by more than half a second in the mean", is_so).await;
}
