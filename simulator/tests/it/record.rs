//! The record of calls, and waiting for it.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use simulator::{Fault, FaultKind, Options, Outcome, Simulator};

use crate::bench::{TOKEN, bench, client, webhook};

#[tokio::test]
async fn every_call_is_recorded_with_what_it_asked_and_how_it_ended() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    bench.list().await;
    bench.get(&id).await;
    bench.patch(&id, &json!({"name": "b", "active": false})).await;
    bench.delete(&id).await;
    bench.delete(&id).await;
    let calls = bench.simulator.calls();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.operation, call.method.as_str(), call.outcome, call.effect)).collect();
    assert_eq!(
        seen,
        [
            ("create", "POST", Outcome::Status(201), true),
            ("list", "GET", Outcome::Status(200), false),
            ("get", "GET", Outcome::Status(200), false),
            ("update", "PATCH", Outcome::Status(200), true),
            ("delete", "DELETE", Outcome::Status(204), true),
            ("delete", "DELETE", Outcome::Status(404), false),
        ]
    );
    for (call, next) in calls.iter().zip(&calls[1..]) {
        assert!(call.sequence < next.sequence && call.at <= next.at);
    }
    let update = &calls[3];
    assert_eq!(update.path, format!("{}/{id}", bench.path()));
    assert_eq!(update.organization.as_ref(), Some(&bench.project.organization));
    assert_eq!(update.project.as_ref(), Some(&bench.project.id));
    assert_eq!(update.resource.as_ref(), Some(&id));
    assert_eq!(update.body, Some(json!({"name": "b", "active": false})));
    assert_eq!(update.fields(), ["active", "name"]);
    assert_eq!(calls[1].body, None);
}

#[tokio::test]
async fn the_record_names_the_position_of_a_token_and_never_the_token() {
    let bench = bench().await;
    assert_eq!(bench.simulator.add_token("second-token"), 1);
    bench.list().await;
    let url = format!("{}{}", bench.simulator.http_url(), bench.path());
    bench.client.get(&url).bearer_auth("second-token").send().await.unwrap();
    // A removed token's position is not given to another.
    bench.simulator.remove_token("second-token");
    assert_eq!(bench.simulator.add_token("third-token"), 2);
    bench.client.get(&url).bearer_auth("third-token").send().await.unwrap();
    let calls = bench.simulator.calls();
    assert_eq!(calls.iter().map(|call| call.token).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    let text = format!("{calls:?}{}", serde_json::to_string(&calls).unwrap());
    assert!(!text.contains(TOKEN) && !text.contains("second-token") && !text.contains("third-token"));
}

#[tokio::test]
async fn calls_and_counts_can_be_asked_for_one_project() {
    let bench = bench().await;
    let other = bench.simulator.new_project();
    bench.created(&webhook("a")).await;
    let path = format!("/api/v1/organizations/{}/projects/{}/settings/webhooks", other.organization, other.id);
    bench.request(Method::GET, &path).send().await.unwrap();
    bench.request(Method::GET, "/nowhere").send().await.unwrap();
    assert_eq!(bench.simulator.calls().len(), 3);
    assert_eq!(bench.simulator.calls_for(&bench.project.id.to_uppercase()).len(), 1);
    let (all, own) = (bench.simulator.counts(None), bench.simulator.counts(Some(&bench.project.id.to_uppercase())));
    assert_eq!((all.total, all.operation("list"), all.operation("unknown"), all.effects), (3, 1, 1, 1));
    assert_eq!((own.total, own.operation("create"), own.status(Outcome::Status(201)), own.effects), (1, 1, 1, 1));
    assert_eq!((own.in_flight, own.max_in_flight), (0, 1));
}

#[tokio::test]
async fn cleared_calls_are_forgotten_and_the_sequence_goes_on() {
    let bench = bench().await;
    bench.list().await;
    let before = bench.last_call().sequence;
    bench.simulator.clear_calls();
    assert!(bench.simulator.calls().is_empty());
    assert_eq!(bench.simulator.counts(None), simulator::Counts::default());
    bench.list().await;
    assert_eq!(bench.last_call().sequence, before + 1);
    assert_eq!(bench.simulator.counts(None).total, 1);
}

#[tokio::test]
async fn a_call_that_ends_after_the_record_was_cleared_is_not_counted() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }).skip(1));
    bench
        .simulator
        .add_fault(Fault::new(FaultKind::LateEffect { after_ms: None, silence: simulator::Silence::Reset }).once());
    bench.create_request(&webhook("a")).send().await.expect_err("no answer");
    bench.simulator.clear_calls();
    bench.simulator.release_late_effects();
    let project = bench.project.id.clone();
    bench.wait("the late webhook", |state| state.webhook_count(&project) == 1).await;
    assert_eq!(bench.simulator.counts(None), simulator::Counts::default());
}

#[tokio::test]
async fn only_the_newest_calls_are_kept_but_all_are_counted() {
    let options = Options { calls_kept: 2, ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let client = client(simulator.ca_pem());
    for _ in 0..5 {
        client.get(simulator.http_url()).send().await.unwrap();
    }
    let calls = simulator.calls();
    assert_eq!(calls.iter().map(|call| call.sequence).collect::<Vec<_>>(), [4, 5]);
    assert!(calls.iter().all(|call| call.outcome == Outcome::Status(404)));
    assert_eq!(simulator.counts(None).status(Outcome::Status(404)), 5);
}

#[tokio::test]
async fn the_most_calls_at_once_are_counted() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 3_600_000, applied: false }).count(3));
    let held: Vec<_> = (0..3).map(|_| tokio::spawn(bench.list_request().send())).collect();
    bench.wait("three calls", |state| state.counts(None).in_flight == 3).await;
    bench.list().await;
    assert_eq!(bench.simulator.counts(None).max_in_flight, 4);
    for client in held {
        client.abort();
    }
}

#[tokio::test]
async fn waiting_ends_at_once_when_it_is_so_already() {
    let bench = bench().await;
    bench.simulator.wait_until("nothing", Duration::ZERO, |_| true).await.unwrap();
}

#[tokio::test]
async fn waiting_in_vain_ends_with_an_error_that_names_what_was_waited_for() {
    let bench = bench().await;
    let error = bench.simulator.wait_until("pigs that fly", Duration::from_millis(1), |_| false).await.unwrap_err();
    assert!(error.to_string().contains("pigs that fly"), "{error:#}");
}

#[tokio::test]
async fn waiting_sees_changes_at_the_console() {
    let bench = bench().await;
    let project = bench.project.id.clone();
    let wait = bench.wait("a webhook", |state| state.webhook_count(&project) == 1);
    let create = async {
        bench.simulator.console_create(&project, simulator::NewWebhook::new("a", "https://example.com")).unwrap();
    };
    tokio::join!(wait, create);
}
