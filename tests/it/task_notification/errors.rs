//! What Check refuses, in every shape, and how that is told.

use serde_json::{Value, json};
use simulator::codearts::{Behaviour, ErrorShape, UnknownTask};
use simulator::{Fault, FaultKind, RetryAfter, Shape};

use super::stage::{Stage, TOKEN, says};

const CODE: &str = "CC.00000001";

/// An error in one of the vendor's shapes.
fn error(code: &str, message: &str, shape: usize, nested: bool) -> Value {
    let (code_name, message_name) =
        [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")][shape];
    let error = json!({ code_name: code, message_name: message });
    if nested { json!({ "error": error }) } else { error }
}

fn answer(code: u16, body: Value) -> FaultKind {
    FaultKind::Status { code, body: Some(body), retry_after: None, applied: false }
}

/// Lets each look meet a fault, and waits until this is told of it.
async fn meet(stage: &Stage, kind: FaultKind, reason: &str, text: &str) -> String {
    let shown = format!("{kind:?}");
    stage.sim.add_fault(Fault::new(kind).id("fault").operations(["task_webhook_info"]));
    let status = stage.look("checks").await;
    stage.sim.remove_fault("fault");
    assert_eq!(status.conditions[0].reason, reason, "{shown}: {}", says(&status));
    assert!(says(&status).contains(text), "{shown}: {}", says(&status));
    says(&status)
}

async fn synced() -> Stage {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    stage
}

#[tokio::test]
async fn code_and_message_are_told_in_whatever_shape_they_come() {
    let stage = synced().await;
    for shape in 0..3 {
        for nested in [false, true] {
            let body = error(CODE, "The operation is not allowed now.", shape, nested);
            let text = format!("({CODE}: The operation is not allowed now.)");
            meet(&stage, answer(422, body), "RemoteRejected", &text).await;
        }
    }
    let long = meet(&stage, answer(422, error(CODE, &"long ".repeat(1000), 0, false)), "RemoteRejected", CODE).await;
    assert!(long.len() < 600, "{} bytes", long.len());
    let no_code = error("not a code at all, with blanks", "m", 0, false);
    let told = meet(&stage, answer(422, no_code), "RemoteRejected", "(m)").await;
    assert!(!told.contains("blanks"), "{told}");
}

#[tokio::test]
async fn a_task_that_is_unknown_is_told_apart_from_bad_credentials_and_a_missing_permission() {
    let stage = Stage::start().await;
    for (unknown_task, status) in [(UnknownTask::NotFound, "404"), (UnknownTask::BadRequest, "400")] {
        for error_shape in [ErrorShape::SnakeCase, ErrorShape::CamelCase, ErrorShape::Plain] {
            stage.behave(Behaviour { unknown_task, error_shape, ..Behaviour::default() });
            stage.notify("checks", json!({ "taskId": "nobody-knows-it" })).await;
            let told = stage.told_that("checks", "TaskNotFound", status).await;
            let advice = "correct spec.taskId, or the region in the endpoint of the connection";
            assert!(says(&told).contains(advice), "{}", says(&told));
            stage.remove("checks").await;
        }
    }
    stage.behave(Behaviour::default());
    stage.sim.forbid_check_token(TOKEN);
    stage.notify("checks", json!({})).await;
    stage.told_that("checks", "Forbidden", "the permission codeartscheck:task:get").await;
    stage.sim.remove_check_token(TOKEN);
    stage.look("checks").await;
    stage.told("checks", "CredentialsRejected").await;
}

#[tokio::test]
async fn each_fault_is_told_as_what_it_is_and_what_was_known_stays() {
    let stage = synced().await;
    let retry = Some(RetryAfter::Seconds(1));
    let limited = FaultKind::Status { code: 429, body: None, retry_after: retry, applied: false };
    for (kind, reason, text) in [
        (limited, "RateLimited", "429"),
        (answer(500, json!({})), "RemoteUnavailable", "500"),
        (answer(503, json!("away")), "RemoteUnavailable", "503"),
        (FaultKind::Reset { applied: false }, "RemoteUnavailable", "the connection broke"),
        (FaultKind::TruncatedBody, "RemoteUnavailable", "ended too early"),
        (FaultKind::NotJson, "RemoteUnavailable", "is not JSON"),
        (FaultKind::EndlessBody, "RemoteUnavailable", "is larger than 4 MiB"),
        (FaultKind::WrongShape { shape: Shape::Strings }, "RemoteUnavailable", "undocumented shape"),
        (
            FaultKind::Redirect { location: "https://elsewhere.example".into(), code: 302 },
            "RemoteUnavailable",
            "redirect",
        ),
    ] {
        meet(&stage, kind, reason, text).await;
        let status = stage.notifications().get("checks").await.unwrap().status.unwrap();
        assert!(status.channels[0].in_sync && status.drift.is_empty(), "a failure says nothing of the task");
    }
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
}

#[tokio::test]
async fn a_good_status_with_an_errors_body_is_not_a_task_without_channels() {
    let stage = synced().await;
    let body = answer(200, error(CODE, "no", 0, false));
    meet(&stage, body, "RemoteUnavailable", "undocumented shape (it has no data)").await;
}
