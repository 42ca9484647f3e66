//! The operator as a process: how it starts, waits and stops.

use std::time::{Duration, Instant};

use serde_json::json;
use simulator::{Fault, FaultKind};

use crate::support::{Operator, OperatorSetup, Plane, World, admin_client, apply_definitions, of_project, status};

#[tokio::test]
async fn sigterm_ends_it_with_exit_code_0() {
    let mut world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let operator = world.operator.as_mut().unwrap();
    let (code, text) = operator.get("/readyz").await;
    assert_eq!(code, 200, "{text}");
    let ended = operator.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", operator.log());
}

#[tokio::test]
async fn sigterm_cuts_a_call_that_does_not_end_and_the_next_start_finds_what_it_did() {
    let mut world = World::start().await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: true, hold_ms: None }).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the webhook", |state| state.webhook_count(&project) == 1).await;
    let other = world.sim.new_project();
    let asked = Instant::now();
    world.operator().signal("-TERM");
    world.operator().wait_logged("stopping: no new pass begins").await;
    world.webhook("late", of_project(&other)).await;
    let operator = world.operator.as_mut().unwrap();
    let ended = operator.exited().await;
    // The one time that is asserted: it is the promise.
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    let log = operator.log();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(log.contains("passes are still under way; cutting their calls"), "{log}");
    assert_eq!(world.sim.calls_for(&other.id).len(), 0, "a pass began after the signal");
    assert_eq!(status(&world.get("late").await).observed_generation, -1);
    world.restart_operator().await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
    world.wait_ready("late").await;
}

#[tokio::test]
async fn every_flag_can_be_given_by_environment_and_each_line_of_the_log_be_json() {
    let world = World::with(|setup| {
        setup.flag("--ownership-marker", "off").flag("--max-concurrent", "1").flag("--log-format", "json");
        // What is set to nothing is not set.
        setup.by_environment().env("HOOKWRIGHT_ALLOWED_RECEIVER", "").env("RUST_LOG", "debug")
    })
    .await;
    assert_eq!(world.operator_setup.args, Vec::<String>::new());
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    assert_eq!(world.only().headers.len(), 0, "no marker");
    let lines = world.operator().log();
    assert!(lines.lines().count() > 3, "{lines}");
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn an_empty_item_of_a_list_is_refused_with_what_to_write() {
    let kubeconfig = std::path::PathBuf::from("/nowhere");
    let env = vec![("HOOKWRIGHT_WATCH_NAMESPACE".to_owned(), "a,,b".to_owned())];
    let mut operator = Operator::start(&OperatorSetup { env, ..OperatorSetup::new(kubeconfig) });
    assert_eq!(operator.exited().await.code(), Some(2));
    operator.kill();
    assert!(operator.log().contains("leave no item empty"), "{}", operator.log());
}

#[tokio::test]
async fn it_is_alive_ready_and_measured() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    for path in ["/healthz", "/readyz"] {
        let (code, text) = world.operator().get(path).await;
        assert_eq!(code, 200, "{path}: {text}");
    }
    let all = ["hookwright_remote_calls_total", "hookwright_passes_total", "Synced"];
    world.wait_metrics("calls, passes and reasons", |text| all.iter().all(|part| text.contains(part))).await;
}

#[tokio::test]
async fn missing_definitions_are_waited_for_and_readyz_says_so() {
    let plane = Plane::start().await;
    let args = ["--http-addr", "127.0.0.1:0", "--namespace", "hookwright-system"].map(String::from).into();
    let operator = Operator::start(&OperatorSetup { args, ..OperatorSetup::new(plane.kubeconfig.clone()) });
    let says = |wanted: u16, part: &'static str| {
        let operator = &operator;
        async move {
            loop {
                let (code, text) = operator.get("/readyz").await;
                if code == wanted && text.contains(part) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    };
    let deadline = crate::support::DEADLINE;
    let missing = tokio::time::timeout(deadline, says(503, "projectwebhooks.hookwright.dev")).await;
    missing.unwrap_or_else(|_| panic!("/readyz does not name what is missing; log:\n{}", operator.log()));
    apply_definitions(&admin_client(&plane.kubeconfig).await).await;
    let ready = tokio::time::timeout(deadline, says(200, "")).await;
    ready.unwrap_or_else(|_| panic!("it is not ready; log:\n{}", operator.log()));
    drop(operator);
    plane.stop().await;
}
