//! Several replicas and one Lease: one works, and the next takes over, whatever becomes of the first.

mod frozen;
mod guarded;
mod handover;
mod lost;

use std::time::{Duration, Instant};

use hookwright::controller::fail_point::FailPoint;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;
use simulator::{Fault, FaultKind, Silence};

use crate::support::{Operator, Setup, World, assert_calls, is_ready, status};

/// Long enough that a busy machine does not lose it, and short enough to be waited for.
const LEASE: &str = "10s";
const LEASE_TIME: Duration = Duration::from_secs(10);

/// Operators of this world stand for election.
fn elected(setup: &mut Setup) -> &mut Setup {
    setup.no_operator().flag("--leader-elect", "true").flag("--lease-duration", LEASE)
}

impl World {
    /// Starts one more replica, by the name of its pod.
    fn replica(&self, pod: &str, env: &[(&str, &str)]) -> Operator {
        let mut setup = self.operator_setup.clone();
        setup.env.push(("HOSTNAME".into(), pod.into()));
        setup.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Operator::start(&setup)
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Who holds the Lease; empty if nobody does.
    async fn holder(&self) -> String {
        let lease = self.leases().get("hookwright").await.expect("the Lease is there");
        lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()
    }
}

impl Operator {
    async fn leads(&self) {
        self.wait_served("/metrics", "it leads", |_, text| text.contains("\nhookwright_leader 1\n")).await;
    }

    async fn stands_by(&self) {
        self.wait_served("/readyz", "it stands by", |code, text| code == 200 && text.contains("standing by")).await;
    }
}

/// Dies at every write that is not to the Lease.
fn forbidden_to_write() -> String {
    let others = FailPoint::ALL.iter().filter(|point| **point != FailPoint::Lease);
    others.map(|point| format!("{}=return", point.name())).collect::<Vec<_>>().join(";")
}

#[tokio::test]
async fn one_of_two_works_and_the_other_is_ready_and_does_nothing() {
    let world = World::with(elected).await;
    let first = world.replica("first", &[]);
    first.leads().await;
    let second = world.replica("second", &[("FAILPOINTS", &forbidden_to_write())]);
    second.stands_by().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    assert_calls(&world, &["GET list", "POST", "GET list"]);
    assert!(world.holder().await.starts_with("first_"), "{}", world.holder().await);
    let (_, ready) = second.get("/readyz").await;
    assert!(ready.contains(&format!("ok, standing by: {} leads", world.holder().await)), "{ready}");
    let (_, metrics) = second.get("/metrics").await;
    assert!(metrics.contains("\nhookwright_leader 0\n") && !metrics.contains("remote_calls_total{"), "{metrics}");
    let (code, text) = second.get("/healthz").await;
    assert_eq!(code, 200, "{text}");
    let told = |event: &k8s_openapi::api::events::v1::Event| event.reason.as_deref() == Some("LeaderElection");
    let note = world.wait_event("hookwright", "who leads", told).await;
    assert_eq!(note, format!("{} leads", world.holder().await));
    let described = world.kubectl(&["describe", "lease", "hookwright"]).await;
    let described = String::from_utf8(described.stdout).unwrap();
    assert!(described.contains("LeaderElection") && described.contains(&note), "{described}");
}

/// What becomes of the POST of a leader that is killed while it waits for the answer. The next one goes on in this world.
async fn killed_mid_create(post: FaultKind) -> World {
    let mut world = World::with(elected).await;
    let mut first = world.replica("first", &[]);
    first.leads().await;
    let second = world.replica("second", &[]);
    second.stands_by().await;
    world.sim.add_fault(Fault::new(post).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    let project = world.project.id.clone();
    world.wait_remote("the POST", |state| state.counts(Some(&project)).operation("create") == 1).await;
    let killed = Instant::now();
    first.kill();
    second.leads().await;
    println!("killed mid-create: another leads after {:?}, with a lease of {LEASE_TIME:?}", killed.elapsed());
    world.sim.release_late_effects();
    let object = world.wait_ready("builds").await;
    println!("killed mid-create: Ready after {:?}", killed.elapsed());
    assert_eq!(status(&object).webhook_id, Some(world.only().id), "exactly one");
    world.operator = Some(second);
    world
}

#[tokio::test]
async fn a_leader_killed_while_its_post_is_being_carried_out_leaves_one_webhook() {
    let world = killed_mid_create(FaultKind::Timeout { applied: true, hold_ms: None }).await;
    let posts = world.calls().iter().filter(|call| call.method == "POST").count();
    assert_eq!(posts, 1, "the next leader finds what the first one made");
}

#[tokio::test]
async fn a_leader_killed_before_its_post_takes_effect_leaves_one_webhook() {
    let world = killed_mid_create(FaultKind::LateEffect { after_ms: None, silence: Silence::Held }).await;
    let object = world.pass("builds").await;
    assert!(is_ready(&object));
    assert_eq!(status(&object).webhook_id, Some(world.only().id), "exactly one, also at the next look");
}
