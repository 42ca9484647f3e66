//! Which requests a fault hits.

use reqwest::Method;
use serde_json::json;
use simulator::{Fault, FaultKind, Options, Simulator};

use crate::bench::{Bench, bench, client, webhook};

async fn list_status(bench: &Bench) -> u16 {
    bench.list_request().send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_fault_can_be_limited_to_methods_operations_and_paths() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    for fault in [
        Fault::status(503).methods(["patch", "DELETE"]),
        Fault::status(503).operations(["update", "delete"]),
        Fault::status(503).path_contains(format!("webhooks/{id}")).methods(["PATCH", "DELETE"]),
    ] {
        bench.simulator.add_fault(fault);
        assert_eq!(list_status(&bench).await, 200);
        bench.get(&id).await;
        assert_eq!(bench.patch(&id, &json!({"name": "b"})).await.status(), 503);
        assert_eq!(bench.delete(&id).await.status(), 503);
        bench.simulator.clear_faults();
    }
}

#[tokio::test]
async fn list_and_get_are_told_apart_by_operation() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    bench.simulator.add_fault(Fault::status(503).operations(["get"]));
    assert_eq!(list_status(&bench).await, 200);
    assert_eq!(bench.item_request(Method::GET, &id).send().await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_fault_can_be_limited_to_a_project() {
    let bench = bench().await;
    let other = bench.simulator.new_project();
    bench.simulator.add_fault(Fault::status(503).project(other.id.to_uppercase()));
    assert_eq!(list_status(&bench).await, 200);
    let path = format!("/api/v1/organizations/{}/projects/{}/settings/webhooks", other.organization, other.id);
    assert_eq!(bench.request(Method::GET, &path).send().await.unwrap().status(), 503);
}

#[tokio::test]
async fn a_fault_can_be_limited_to_a_token() {
    let bench = bench().await;
    let position = bench.simulator.add_token("another");
    bench.simulator.add_fault(Fault::status(429).token(position));
    assert_eq!(list_status(&bench).await, 200);
    let url = format!("{}{}", bench.simulator.http_url(), bench.path());
    assert_eq!(bench.client.get(url).bearer_auth("another").send().await.unwrap().status(), 429);
}

#[tokio::test]
async fn a_fault_can_skip_some_requests_and_strike_a_number_of_times() {
    let bench = bench().await;
    let id = bench.simulator.add_fault(Fault::status(503).skip(2).count(3));
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(list_status(&bench).await);
    }
    assert_eq!(statuses, [200, 200, 503, 503, 503, 200, 200]);
    assert_eq!(bench.simulator.injected()[&id], 3);
}

async fn strikes_with_seed(seed: u64) -> Vec<u16> {
    let simulator = Simulator::start(Options { seed, ..Options::default() }).await.unwrap();
    simulator.add_fault(Fault::status(503).rate(0.5));
    let client = client(simulator.ca_pem());
    let mut statuses = Vec::new();
    for _ in 0..64 {
        statuses.push(client.get(simulator.http_url()).send().await.unwrap().status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_rate_strikes_some_requests_and_the_same_ones_with_the_same_seed() {
    let first = strikes_with_seed(7).await;
    assert!(first.contains(&503) && first.contains(&404), "{first:?}");
    assert_eq!(first, strikes_with_seed(7).await);
    assert_ne!(first, strikes_with_seed(8).await);
}

#[tokio::test]
async fn rates_of_none_and_one_are_never_and_always() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::status(503).rate(0.0));
    assert_eq!(list_status(&bench).await, 200);
    bench.simulator.add_fault(Fault::status(503).rate(1.0));
    assert_eq!(list_status(&bench).await, 503);
}

#[tokio::test]
async fn the_first_fault_that_strikes_hides_those_after_it() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::status(500).id("first").once());
    bench.simulator.add_fault(Fault::status(502).id("second").once());
    assert_eq!(list_status(&bench).await, 500);
    assert_eq!(list_status(&bench).await, 502);
    assert_eq!(list_status(&bench).await, 200);
}

#[tokio::test]
async fn a_fault_with_a_known_id_replaces_the_old_one() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::status(500).id("only"));
    bench.simulator.add_fault(Fault::status(502).id("only"));
    assert_eq!(list_status(&bench).await, 502);
    assert!(bench.simulator.remove_fault("only"));
    assert!(!bench.simulator.remove_fault("only"));
    assert_eq!(list_status(&bench).await, 200);
}

#[tokio::test]
async fn every_injection_is_counted_by_id_and_by_kind_also_after_the_fault_is_lifted() {
    let bench = bench().await;
    bench.simulator.add_fault(Fault::new(FaultKind::Latency { ms: 0, applied: false }).id("slow"));
    bench.simulator.add_fault(Fault::status(503).id("busy").count(2));
    for _ in 0..3 {
        list_status(&bench).await;
    }
    bench.simulator.clear_faults();
    assert_eq!(list_status(&bench).await, 200);
    let injected: Vec<_> = bench.simulator.injected().into_iter().collect();
    let expected = [("busy", 2), ("kind/latency", 3), ("kind/status", 2), ("slow", 3)];
    assert_eq!(injected, expected.map(|(name, count)| (name.to_owned(), count)));
}
