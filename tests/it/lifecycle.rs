//! The operator as a process: how it starts, waits and stops.

use serde_json::json;
use simulator::{Fault, FaultKind};

use crate::support::{Operator, OperatorSetup, Plane, World, admin_client, apply_definitions, status};

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
    let operator = world.operator.as_mut().unwrap();
    let ended = operator.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", operator.log());
    world.restart_operator().await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(world.only().id));
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
    let operator = Operator::start(&OperatorSetup { kubeconfig: plane.kubeconfig.clone(), args, env: vec![] });
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
