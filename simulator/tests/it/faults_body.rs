//! Faults in which the client gets an answer that it must not trust.

use futures::FutureExt;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Outcome, RetryAfter, Shape};

use crate::bench::{bench, webhook};

#[tokio::test]
async fn any_status_can_be_answered_before_the_effect() {
    let bench = bench().await;
    for code in [400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 502, 503, 504] {
        bench.simulator.add_fault(Fault::status(code).once());
        let answer = bench.create(&webhook("a")).await;
        assert_eq!(answer.status(), code);
        assert!(answer.headers().get("retry-after").is_none());
        let body: Value = answer.json().await.unwrap();
        assert!(body["name"].is_string() && body["message"].is_string(), "{body}");
        assert_eq!(bench.last_call().outcome, Outcome::Status(code));
    }
    assert_eq!(bench.truth(), 0);
}

#[tokio::test]
async fn a_status_can_be_answered_after_the_effect() {
    let bench = bench().await;
    let kind = FaultKind::Status { code: 504, body: None, retry_after: None, applied: true };
    bench.simulator.add_fault(Fault::new(kind));
    assert_eq!(bench.create(&webhook("a")).await.status(), 504);
    assert!(bench.last_call().effect);
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn a_status_can_carry_any_body() {
    let bench = bench().await;
    for (body, content_type, text) in [
        (json!("<html>"), "text/plain", "<html>"),
        (json!({"code": 7}), "application/json; charset=utf-8", r#"{"code":7}"#),
    ] {
        let kind = FaultKind::Status { code: 500, body: Some(body), retry_after: None, applied: false };
        bench.simulator.add_fault(Fault::new(kind).once());
        let answer = bench.list_request().send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], content_type);
        assert_eq!(answer.text().await.unwrap(), text);
    }
}

#[tokio::test]
async fn retry_after_can_be_seconds_or_an_http_date_or_nonsense() {
    let bench = bench().await;
    let retry_after = async |retry_after| {
        let kind = FaultKind::Status { code: 429, body: None, retry_after: Some(retry_after), applied: false };
        bench.simulator.add_fault(Fault::new(kind).once());
        let answer = bench.list_request().send().await.unwrap();
        answer.headers()["retry-after"].to_str().unwrap().to_owned()
    };
    assert_eq!(retry_after(RetryAfter::Seconds(7)).await, "7");
    assert_eq!(retry_after(RetryAfter::Verbatim("soon".into())).await, "soon");
    for seconds in [3600, -3600] {
        let sent = retry_after(RetryAfter::DateInSeconds(seconds)).await;
        let date = sent.strip_suffix(" GMT").expect("an IMF-fixdate is in GMT");
        let at = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S", date).unwrap().to_datetime().unwrap();
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        assert_eq!(at > jiff::Timestamp::now(), seconds > 0, "{sent}");
    }
}

#[tokio::test]
async fn a_redirect_is_answered_without_an_effect() {
    let bench = bench().await;
    let kind = FaultKind::Redirect { location: "http://169.254.169.254/latest".into(), code: 302 };
    bench.simulator.add_fault(Fault::new(kind));
    let answer = bench.create(&webhook("a")).await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "http://169.254.169.254/latest");
    assert_eq!(bench.truth(), 0);
}

#[tokio::test]
async fn a_truncated_body_promises_more_than_it_holds() {
    let bench = bench().await;
    bench.created(&webhook("a")).await;
    let whole = bench.list_request().send().await.unwrap().bytes().await.unwrap();
    bench.simulator.add_fault(Fault::new(FaultKind::TruncatedBody));
    let mut answer = bench.list_request().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.content_length(), Some(whole.len() as u64));
    let mut received = Vec::new();
    let error = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => received.extend_from_slice(&chunk),
            Ok(None) => panic!("a clean end"),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(received, whole[..whole.len() / 2]);
}

#[tokio::test]
async fn an_answer_that_is_not_json_says_that_it_is() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::NotJson));
    let answer = bench.list_request().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert!(serde_json::from_str::<Value>(&answer.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn answers_can_have_another_shape_than_documented() {
    let bench = bench().await;
    bench.created(&webhook("a")).await;
    let truth = bench.list().await;
    for (shape, shown) in [
        (Shape::Data, json!({ "data": truth })),
        (Shape::Object, json!({})),
        (Shape::Strings, json!(["not", "documented"])),
        (Shape::Null, json!(null)),
    ] {
        bench.simulator.add_fault(Fault::new(FaultKind::WrongShape { shape }).once());
        let answer: Value = bench.list_request().send().await.unwrap().json().await.unwrap();
        assert_eq!(answer, shown);
    }
}

#[tokio::test]
async fn a_write_is_carried_out_although_its_answer_is_spoilt() {
    let bench = bench().await;
    for (made, kind) in [FaultKind::TruncatedBody, FaultKind::NotJson, FaultKind::WrongShape { shape: Shape::Object }]
        .into_iter()
        .enumerate()
    {
        bench.simulator.add_fault(Fault::new(kind).once());
        assert_eq!(bench.create(&webhook("a")).await.status(), 201);
        assert!(bench.last_call().effect);
        assert_eq!(bench.truth(), made + 1);
    }
    let id = bench.simulator.webhooks(&bench.project.id)[0].id.clone();
    bench.simulator.add_fault(Fault::new(FaultKind::NotJson).methods(["DELETE"]));
    let answer = bench.item_request(Method::DELETE, &id).send().await.unwrap();
    assert_eq!(answer.status(), 200, "a 204 can't carry a body");
    assert_eq!(bench.truth(), 2);
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_client_has_enough() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::EndlessBody).once());
    let mut answer = bench.list_request().send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, None));
    let mut received = 0;
    while received < 8 * 1024 * 1024 {
        received += answer.chunk().await.unwrap().expect("more").len();
    }
    drop(answer);
    assert!(bench.list().await.is_empty(), "the simulator still answers");
}

#[tokio::test]
async fn a_slow_body_does_not_come_with_its_head() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::SlowBody { ms_per_byte: 3_600_000 }));
    let mut answer = bench.list_request().send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.chunk().now_or_never().is_none());
}

#[tokio::test]
async fn a_slow_body_is_complete_in_the_end() {
    let bench = bench().await;
    bench.created(&webhook("a")).await;
    let truth = bench.list().await;
    bench.simulator.add_fault(Fault::new(FaultKind::SlowBody { ms_per_byte: 1 }));
    assert_eq!(bench.list().await, truth);
}
