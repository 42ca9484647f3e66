//! A leader that is asked to end gives the Lease up, and the next one has nothing to do.

use std::collections::BTreeMap;
use std::time::Instant;

use hookwright::api::connection::Connection;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use simulator::{Fault, FaultKind};

use super::elected;
use crate::support::{World, is_ready, passes, rendered};

/// The resourceVersions of everything in the namespace that an operator writes, but for the Lease.
async fn versions(world: &World) -> BTreeMap<String, String> {
    async fn of<K>(world: &World, kind: &str) -> Vec<(String, String)>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        let all = Api::<K>::namespaced(world.client.clone(), &world.namespace).list(&ListParams::default()).await;
        let version = |object: K| (format!("{kind} {}", object.name_any()), object.resource_version().unwrap());
        all.unwrap().items.into_iter().map(version).collect()
    }
    let mut all = of::<hookwright::api::project_webhook::ProjectWebhook>(world, "ProjectWebhook").await;
    all.extend(of::<Connection>(world, "Connection").await);
    all.extend(of::<Event>(world, "Event").await);
    all.into_iter().collect()
}

/// Waits until the Lease was renewed so often.
async fn renewals(world: &World, count: usize) {
    let mut seen = world.leases().get("hookwright").await.unwrap().resource_version().unwrap();
    for _ in 0..count {
        let before = seen.clone();
        let is_new = move |lease: &Lease| lease.resource_version().as_ref() != Some(&before);
        seen = world.wait_for(world.leases(), "hookwright", "a renewal", is_new).await.resource_version().unwrap();
    }
}

#[tokio::test]
async fn a_rolling_upgrade_changes_nothing_at_the_remote_and_is_quick() {
    // Nobody could wait for the end of this lease.
    let world = World::with(|setup| elected(setup).flag("--lease-duration", "10m")).await;
    let mut old = world.replica("old", &[]);
    old.leads().await;
    for name in ["builds", "alerts", "reports"] {
        world.webhook(name, json!({})).await;
    }
    for name in ["builds", "alerts", "reports"] {
        world.wait_ready(name).await;
    }
    let new = world.replica("new", &[]);
    new.stands_by().await;
    let remote = world.remote();
    world.sim.clear_calls();
    let begin = Instant::now();
    let ended = old.terminate().await;
    let stopped = begin.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", old.log());
    let told = versions(&world).await;
    new.leads().await;
    println!("rolling upgrade: the old one ended after {stopped:?}, the new one led after {:?}", begin.elapsed());
    new.wait_served("/metrics", "a look at each", |_, text| passes(text) >= 3).await;
    assert!(rendered(&world).iter().all(|call| call == "GET list"), "{:?}", rendered(&world));
    assert_eq!(world.remote(), remote);
    let mut after = versions(&world).await;
    // That there is another leader is told.
    after.retain(|name, _| !name.starts_with("Event hookwright.") || told.contains_key(name));
    assert_eq!(after, told, "nothing is written to Kubernetes");
    assert!(world.holder().await.starts_with("new_"));
}

#[tokio::test]
async fn at_rest_the_lease_is_all_that_is_written() {
    let world = World::with(|setup| elected(setup).flag("--resync-interval", "2s")).await;
    let leader = world.replica("leader", &[]);
    let standby = world.replica("standby", &[]);
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    // Events are written in their order, the one of the first look among the last.
    world.pass("builds").await;
    renewals(&world, 1).await;
    let before = versions(&world).await;
    renewals(&world, 3).await;
    assert_eq!(versions(&world).await, before);
    drop((leader, standby));
}

#[tokio::test]
async fn one_that_stands_by_ends_at_once_and_leaves_the_lease_alone() {
    let world = World::with(elected).await;
    let leader = world.replica("leader", &[]);
    leader.leads().await;
    let holder = world.holder().await;
    let mut standby = world.replica("standby", &[]);
    standby.stands_by().await;
    let ended = standby.terminate().await;
    assert_eq!(ended.code(), Some(0), "{}", standby.log());
    assert_eq!(world.holder().await, holder);
    leader.leads().await;
}

#[tokio::test]
async fn a_leader_whose_call_has_to_be_cut_gives_the_lease_up_too_and_the_next_finds_what_it_did() {
    let world = World::with(|setup| elected(setup).flag("--lease-duration", "10m")).await;
    let mut old = world.replica("old", &[]);
    old.leads().await;
    let new = world.replica("new", &[]);
    new.stands_by().await;
    world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: true, hold_ms: None }).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the webhook", |state| state.webhook_count(&project) == 1).await;
    let begin = Instant::now();
    let ended = old.terminate().await;
    println!("with a call under way: ended after {:?}", begin.elapsed());
    assert_eq!(ended.code(), Some(0), "{}", old.log());
    new.leads().await;
    let object = world.wait_ready("builds").await;
    assert!(is_ready(&object));
    assert_eq!(world.only().name, "builds");
}
