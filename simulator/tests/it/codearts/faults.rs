//! The same faults as App Maker's, in the vendor's error shapes.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::codearts::{Behaviour, ErrorShape, Unauthorized};
use simulator::{Fault, FaultKind, Outcome, RetryAfter, Shape};

use super::rig::{TOKEN, expired, read, rig};

#[tokio::test]
async fn a_status_comes_as_the_service_or_its_gateway_would_say_it() {
    let rig = rig().await;
    for (code, error) in [
        (400, "CC.00000000.400"),
        (401, "CC.00000003"),
        (403, "CC.00000000.403"),
        (404, "CC.00000000.404"),
        (429, "APIG.0308"),
        (500, "CC.00000000.500"),
        (503, "CC.00000000.503"),
    ] {
        rig.simulator.add_fault(Fault::status(code).once());
        let (status, body) = rig.ask().await;
        assert_eq!((status, &body["error_code"]), (code, &json!(error)), "{body}");
        assert!(body["error_msg"].is_string(), "{body}");
    }
    assert_eq!(rig.ask().await.0, 200);
}

#[tokio::test]
async fn a_status_keeps_to_the_behaviour_in_force() {
    let rig = rig().await;
    let behaviour = Behaviour {
        error_shape: ErrorShape::CamelCase,
        error_nested: true,
        unauthorized: Unauthorized::Gateway,
        ..Behaviour::default()
    };
    rig.simulator.set_check_behaviour(behaviour);
    rig.simulator.add_fault(Fault::status(401).once());
    let (_, body) = rig.ask().await;
    assert_eq!(body["error"]["errorCode"], json!("APIG.0301"), "{body}");
}

#[tokio::test]
async fn throttling_tells_when_to_come_back_and_names_the_request() {
    let rig = rig().await;
    let retry_after = Some(RetryAfter::Seconds(7));
    rig.simulator.add_fault(Fault::new(FaultKind::Status { code: 429, body: None, retry_after, applied: false }));
    let answer = rig.request().header("X-Auth-Token", TOKEN).send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "7");
    let (status, body) = read(answer).await;
    assert_eq!((status, &body["error_code"]), (429, &json!("APIG.0308")));
    assert!(body["request_id"].is_string(), "{body}");
}

#[tokio::test]
async fn a_body_of_ones_own_takes_the_place_of_the_apis() {
    let rig = rig().await;
    let body = Some(json!("<html>no</html>"));
    rig.simulator.add_fault(Fault::new(FaultKind::Status { code: 502, body, retry_after: None, applied: false }));
    let answer = rig.request().send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (502, &"text/plain".parse().unwrap()));
    assert!(answer.headers().contains_key("x-request-id"));
    assert_eq!(answer.text().await.unwrap(), "<html>no</html>");
}

#[tokio::test]
async fn iam_fails_in_its_own_shape() {
    let rig = rig().await;
    let user = rig.simulator.new_user();
    rig.simulator.add_fault(Fault::status(503).operations(["issue_token"]).once());
    let (status, body) = read(rig.exchange(&user).await).await;
    let error = json!({"error": {"code": 503, "message": "injected by a fault", "title": "Service Unavailable"}});
    assert_eq!((status, body), (503, error));
    assert_eq!(rig.exchange(&user).await.status(), 201);
}

#[tokio::test]
async fn faults_can_be_limited_to_a_task_a_user_an_operation_a_method_or_a_credential() {
    let rig = rig().await;
    let (user, other) = (rig.simulator.new_user(), rig.simulator.new_task());
    let token = rig.issued(&user).await;
    for (fault, check, iam) in [
        (Fault::status(500).project(&rig.task), 500, 201),
        (Fault::status(500).project(&other), 200, 201),
        (Fault::status(500).project(&user.user), 200, 500),
        (Fault::status(500).operations(["task_webhook_info"]), 500, 201),
        (Fault::status(500).methods(["POST"]), 200, 500),
        (Fault::status(500).path_contains("/v3/"), 200, 500),
        (Fault::status(500).token(0), 500, 201),
    ] {
        rig.simulator.clear_faults();
        rig.simulator.add_fault(fault);
        assert_eq!((rig.ask().await.0, rig.exchange(&user).await.status().as_u16()), (check, iam));
    }
    assert_eq!(rig.with_token(&token).await.0, 200, "another credential than the one at position 0");
}

#[tokio::test]
async fn a_token_can_be_issued_although_nobody_hears_of_it() {
    let rig = rig().await;
    let user = rig.simulator.new_user();
    rig.simulator.add_fault(Fault::new(FaultKind::Reset { applied: true }).methods(["POST"]).once());
    let url = format!("{}/v3/auth/tokens", rig.simulator.iam_endpoint());
    let request = rig.client.request(Method::POST, url).json(&super::rig::exchange(&user));
    request.send().await.expect_err("no answer");
    let call = rig.last_call();
    assert_eq!((call.outcome, call.effect), (Outcome::Reset, true));
    assert_eq!(rig.simulator.revoke_issued_tokens(), 1);
}

#[tokio::test]
async fn a_distorted_body_keeps_the_headers() {
    let rig = rig().await;
    let user = rig.simulator.new_user();
    rig.simulator.add_fault(Fault::new(FaultKind::WrongShape { shape: Shape::Object }));
    let answer = rig.exchange(&user).await;
    assert!(answer.headers().contains_key("x-subject-token"));
    assert_eq!(read(answer).await, (201, json!({})));
    assert_eq!(rig.ask().await, (200, json!({})));
    rig.simulator.clear_faults();
    rig.simulator.add_fault(Fault::new(FaultKind::NotJson));
    let answer = rig.request().header("X-Auth-Token", TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.expect_err("HTML");
}

#[tokio::test]
async fn a_refusal_by_the_service_itself_is_distorted_too() {
    let rig = rig().await;
    rig.simulator.add_fault(Fault::new(FaultKind::WrongShape { shape: Shape::Data }));
    let (status, body) = expired();
    assert_eq!(rig.with_token("stranger").await, (status, json!({ "data": body })));
}
