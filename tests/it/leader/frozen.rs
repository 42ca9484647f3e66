//! A leader that stands still for longer than its lease, and goes on: what it had decided is not done any more.

use std::time::Instant;

use hookwright::controller::fail_point::FailPoint;
use serde_json::json;
use simulator::{Fault, FaultKind};

use super::{LEASE_TIME, elected};
use crate::support::{Operator, World, assert_writes, rendered, status};

/// After a freeze: another one takes over and ends what was begun. Then the first one goes on, and does nothing but end.
async fn takes_over_and_the_frozen_one_ends(world: &World, mut first: Operator, second: &Operator) {
    let frozen = Instant::now();
    second.leads().await;
    println!("{}: another leads after {:?}, with a lease of {LEASE_TIME:?}", world.namespace, frozen.elapsed());
    let object = world.wait_ready("builds").await;
    // The second one has written all that it had to.
    world.pass("builds").await;
    let before = world.get("builds").await.metadata.resource_version;
    world.sim.clear_calls();
    first.signal("-CONT");
    let ended = first.exited().await;
    first.wait_logged("not leading any more, ending at once").await;
    assert_eq!(ended.code(), Some(1), "{}", first.log());
    assert_eq!(rendered(world), Vec::<String>::new(), "no call of the one that was frozen");
    assert_eq!(world.get("builds").await.metadata.resource_version, before, "nor did it write to Kubernetes");
    assert_eq!(status(&object).webhook_id, Some(world.only().id), "exactly one");
    second.leads().await;
}

/// Freezes right after a write of a creation; returns when it stands still and the other one stands by.
async fn frozen_after(point: FailPoint) -> (World, Operator, Operator) {
    let world = World::with(elected).await;
    let first = world.replica("first", &[("FAILPOINTS", &format!("{}=1*return(freeze)", point.name()))]);
    first.leads().await;
    let second = world.replica("second", &[]);
    second.stands_by().await;
    world.webhook("builds", json!({})).await;
    first.wait_logged(&format!("fail point {}: this process freezes here", point.name())).await;
    first.frozen().await;
    (world, first, second)
}

#[tokio::test]
async fn a_post_that_was_decided_and_not_sent_is_not_sent() {
    let (world, first, second) = frozen_after(FailPoint::Hold).await;
    assert_writes(&world, &[]);
    takes_over_and_the_frozen_one_ends(&world, first, &second).await;
}

#[tokio::test]
async fn a_status_that_was_to_follow_a_post_is_not_written() {
    let (world, first, second) = frozen_after(FailPoint::Create).await;
    assert_writes(&world, &["POST"]);
    takes_over_and_the_frozen_one_ends(&world, first, &second).await;
}

#[tokio::test]
async fn an_event_that_was_to_follow_a_status_is_not_written() {
    let (world, first, second) = frozen_after(FailPoint::Status).await;
    assert_writes(&world, &["POST"]);
    takes_over_and_the_frozen_one_ends(&world, first, &second).await;
    let events = world.events_of("builds").await;
    assert!(events.is_empty(), "nothing was new to the second one: {events:#?}");
}

#[tokio::test]
async fn an_answer_that_came_while_it_was_frozen_leads_to_nothing() {
    // The LIST says that nothing is there: what would follow is a POST. The other answer is that to the POST itself.
    for (operation, expected) in [("list", "GET list"), ("create", "POST")] {
        let world = World::with(elected).await;
        let first = world.replica("first", &[]);
        first.leads().await;
        let second = world.replica("second", &[]);
        second.stands_by().await;
        let slow = FaultKind::Latency { ms: 1000, applied: operation == "create" };
        world.sim.add_fault(Fault::new(slow).operations([operation]).once());
        world.webhook("builds", json!({})).await;
        let project = world.project.id.clone();
        world.wait_remote("the call", |state| state.counts(Some(&project)).operation(operation) == 1).await;
        first.signal("-STOP");
        first.frozen().await;
        assert_eq!(rendered(&world).last().map(String::as_str), Some(expected));
        takes_over_and_the_frozen_one_ends(&world, first, &second).await;
    }
}
