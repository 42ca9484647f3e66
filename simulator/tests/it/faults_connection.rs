//! Faults in which the client gets no answer.

use std::error::Error;
use std::io;

use reqwest::Method;
use serde_json::json;
use simulator::{Fault, FaultKind, Outcome, Silence};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, TOKEN, bench, webhook};

fn is_reset(error: &reqwest::Error) -> bool {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset) {
            return true;
        }
        source = error.source();
    }
    false
}

async fn create_is_reset(bench: &Bench) {
    let error = bench.create_request(&webhook("a")).send().await.expect_err("no answer");
    assert!(is_reset(&error), "{error:?}");
    assert_eq!(bench.last_call().outcome, Outcome::Reset);
}

#[tokio::test]
async fn a_reset_before_the_effect_leaves_nothing_behind() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Reset { applied: false }));
    create_is_reset(&bench).await;
    assert!(!bench.last_call().effect);
    assert_eq!(bench.truth(), 0);
}

#[tokio::test]
async fn a_reset_after_the_effect_leaves_the_webhook_behind() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Reset { applied: true }));
    create_is_reset(&bench).await;
    assert!(bench.last_call().effect);
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn a_reset_is_a_reset_under_tls_too() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Reset { applied: true }));
    let url = format!("{}{}", bench.simulator.https_url(), bench.path());
    let request = bench.client.post(url).bearer_auth(TOKEN).json(&webhook("a"));
    let error = request.send().await.expect_err("no answer");
    assert!(is_reset(&error), "{error:?}");
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn a_reset_sends_rst_and_not_one_byte() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Reset { applied: false }));
    let address = bench.simulator.http_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", bench.path()).as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received).await;
    assert_eq!(end.expect_err("no clean end").kind(), io::ErrorKind::ConnectionReset);
    assert!(received.is_empty());
}

#[tokio::test]
async fn a_connection_is_reset_alone_and_the_next_one_works() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Reset { applied: false }).once());
    create_is_reset(&bench).await;
    assert_eq!(bench.create(&webhook("a")).await.status(), 201);
}

/// Sends a request and waits until the record says that it is held; then nothing can have been answered.
async fn is_held(bench: &Bench) {
    let client = tokio::spawn(bench.create_request(&webhook("a")).send());
    bench
        .wait("a held call", |state| state.calls().next_back().is_some_and(|call| call.outcome == Outcome::Timeout))
        .await;
    assert!(!client.is_finished());
    client.abort();
}

#[tokio::test]
async fn a_timeout_before_the_effect_leaves_nothing_behind() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }));
    is_held(&bench).await;
    assert!(!bench.last_call().effect);
    assert_eq!(bench.truth(), 0);
}

#[tokio::test]
async fn a_timeout_after_the_effect_leaves_the_webhook_behind() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Timeout { applied: true, hold_ms: None }));
    is_held(&bench).await;
    assert!(bench.last_call().effect);
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn a_held_connection_can_be_reset_in_the_end() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: Some(1) }));
    let error = bench.create_request(&webhook("a")).send().await.expect_err("no answer");
    assert!(is_reset(&error), "{error:?}");
    assert_eq!(bench.last_call().outcome, Outcome::Timeout);
}

#[tokio::test]
async fn a_late_effect_lands_when_it_is_released_although_the_caller_gave_up() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::LateEffect { after_ms: None, silence: Silence::Reset }).once());
    create_is_reset(&bench).await;
    assert!(!bench.last_call().effect);
    assert!(bench.list().await.is_empty(), "the caller looks, and finds nothing");
    assert_eq!(bench.create(&webhook("a")).await.status(), 201, "so it creates again");
    bench.simulator.release_late_effects();
    bench.wait("the late webhook", |state| state.calls().any(|call| call.landed == Some(201))).await;
    assert!(bench.simulator.calls()[0].effect);
    assert_eq!(bench.list().await.len(), 2, "and has two");
}

#[tokio::test]
async fn a_late_effect_lands_by_itself_after_its_time() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    bench.simulator.add_fault(Fault::new(FaultKind::LateEffect { after_ms: Some(1), silence: Silence::Reset }).once());
    bench.item_request(Method::DELETE, &id).send().await.expect_err("no answer");
    let project = bench.project.id.clone();
    bench.wait("the late deletion", |state| state.webhook_count(&project) == 0).await;
    assert!(bench.last_call().effect);
}

#[tokio::test]
async fn a_late_effect_can_hold_the_caller_meanwhile() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::LateEffect { after_ms: None, silence: Silence::Held }));
    is_held(&bench).await;
    assert_eq!(bench.truth(), 0);
    bench.simulator.release_late_effects();
    let project = bench.project.id.clone();
    bench.wait("the late webhook", |state| state.webhook_count(&project) == 1).await;
}

#[tokio::test]
async fn a_late_effect_that_is_refused_by_then_has_none() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    bench.simulator.add_fault(Fault::new(FaultKind::LateEffect { after_ms: None, silence: Silence::Reset }).once());
    bench.item_request(Method::PATCH, &id).json(&json!({"name": "b"})).send().await.expect_err("no answer");
    assert_eq!(bench.delete(&id).await.status(), 204);
    bench.simulator.release_late_effects();
    bench.wait("the late update", |state| state.calls().any(|call| call.landed == Some(404))).await;
    assert_eq!(bench.truth(), 0);
    assert!(bench.simulator.calls().iter().all(|call| !call.effect || call.operation != "update"));
}

#[tokio::test]
async fn latency_comes_before_the_effect() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 3_600_000, applied: false }));
    let client = tokio::spawn(bench.create_request(&webhook("a")).send());
    bench.wait("a call that waits", |state| state.counts(None).in_flight == 1).await;
    assert_eq!(bench.last_call().outcome, Outcome::Pending);
    assert_eq!(bench.truth(), 0);
    client.abort();
}

#[tokio::test]
async fn latency_can_come_after_the_effect() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 3_600_000, applied: true }));
    let client = tokio::spawn(bench.create_request(&webhook("a")).send());
    bench.wait("an effect", |state| state.counts(None).effects == 1).await;
    assert_eq!(bench.last_call().outcome, Outcome::Pending);
    assert_eq!(bench.truth(), 1);
    assert!(!client.is_finished());
    client.abort();
}

#[tokio::test]
async fn a_slow_request_is_carried_out_although_the_caller_left() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 50, applied: false }));
    let client = tokio::spawn(bench.create_request(&webhook("a")).send());
    bench.wait("a call", |state| state.calls().next().is_some()).await;
    client.abort();
    let project = bench.project.id.clone();
    bench.wait("its effect", |state| state.webhook_count(&project) == 1).await;
}

#[tokio::test]
async fn latency_leaves_the_answer_as_it_is() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 1, applied: false }).id("slow"));
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 1, applied: true }).id("slower"));
    assert_eq!(bench.create(&webhook("a")).await.status(), 201);
    assert_eq!(bench.last_call().faults, ["slow", "slower"]);
}
