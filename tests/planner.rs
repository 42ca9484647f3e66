//! The decisions as a state machine: objects, a remote in each of its variants, a person at the console and a process
//! that crashes between any two writes. Whatever happened before, a few passes reach rest, and the rest is right.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "planner/cluster.rs"]
mod cluster;
#[path = "planner/objects.rs"]
mod objects;
#[path = "planner/remote.rs"]
mod remote;
#[path = "planner/rules.rs"]
mod rules;
#[path = "planner/script.rs"]
mod script;

use std::time::Duration;

use hookwright::api::project_webhook::ManagementPolicy;

use cluster::{Ended, TIMING, World};
use objects::Object;
use proptest::prelude::*;
use remote::{Remote, Values};
use script::{Scenario, play, scenario};

/// Rounds that lead from any state to rest. More objects don't take more: each has a pass in each round.
const FEW: usize = 4;

/// A round is one pass over each object. Where one waits, time goes on past the settle time, and to when it wants to look
/// again. Returns whether it was one of rest: nothing was written, to the remote or to Kubernetes, and nobody waits.
fn round(world: &mut World) -> bool {
    let before = (world.remote.writes, world.kubernetes_writes);
    let mut waits: Option<Duration> = None;
    for i in 0..world.objects.len() {
        match world.pass(i).unwrap() {
            Ended::Published { waits: more } => waits = waits.max(more),
            Ended::Released => {}
            Ended::Circling => panic!("object {i} goes in circles: {}", world.objects[i].message()),
        }
        if world.remote.variant.lag.is_zero() {
            rules::synced_is_true(world, i);
        }
    }
    let pause = waits.map_or(Duration::ZERO, |again| again.max(TIMING.settle)) + Duration::from_secs(1);
    world.remote.advance(pause);
    waits.is_none() && before == (world.remote.writes, world.kubernetes_writes)
}

/// The most rounds to rest from here. Where the LIST lags, a pass that writes does not see that it did, so each step takes
/// a second round, which waits for it or, after the settle time, repeats it. What is late and lands between two rounds is
/// a new state to begin from, once: nothing is later than the time that the first ones take. Where the LIST is cut off, or shows
/// neither marker nor name of what was made, it takes one more to give that up.
fn most(world: &World) -> usize {
    let variant = &world.remote.variant;
    let unrecognised = variant.shouts && variant.hides_markers(world.marking);
    let few = FEW + usize::from(variant.cap.is_some() || unrecognised);
    if variant.lag.is_zero() && !world.remote.is_anything_late() { few } else { 2 * few }
}

/// Passes until nothing is written and nothing waits, which is soon.
fn settle(world: &mut World) {
    world.remote.faults.clear();
    let most = most(world);
    let mut rounds = 0;
    while !round(world) {
        rounds += 1;
        let states = || world.objects.iter().map(|object| (object.reason(), object.message())).collect::<Vec<_>>();
        assert!(rounds <= most, "no rest after {rounds} rounds: {:?}", states());
    }
}

fn check(scenario: &Scenario) {
    let objects = scenario.specs.iter().cloned().map(Object::new).collect();
    let mut world = World::new(Remote::new(scenario.variant), objects, scenario.marking);
    play(&mut world, &scenario.actions);

    // From whatever state this is: rest, soon.
    settle(&mut world);

    // What still comes late, or becomes visible late, is found, and removed within one pass.
    world.remote.advance(10 * TIMING.settle);
    let visible = !scenario.variant.hides_markers(scenario.marking) && scenario.variant.cap.is_none();
    round(&mut world);
    for i in 0..world.objects.len() {
        // Observe deletes nothing; who is pinned to what is not his stops before he writes.
        let stopped =
            world.objects[i].spec.management == ManagementPolicy::Observe || world.objects[i].reason() == "Conflict";
        if visible && scenario.variant.lag.is_zero() && !stopped {
            assert!(rules::made_by(&world, i).len() <= 1, "a duplicate survives a pass");
        }
    }
    settle(&mut world);
    // A LIST that lags by more than the settle time shows a second creation only now.
    world.remote.advance(10 * TIMING.settle);
    settle(&mut world);
    at_rest(&mut world);
    rules::no_webhook_has_two_owners(&world);
    for i in 0..world.objects.len() {
        rules::synced_is_true(&world, i);
        rules::one_webhook(&world, i);
        rules::stops_where_it_must(&world, i);
    }

    // A new process knows nothing, and has nothing to write to the remote; at most what is masked or not shown, of which
    // nobody remembers that the remote accepted it, once more.
    let writes = world.remote.writes;
    world.forget();
    settle(&mut world);
    let hides_values = scenario.variant.values == Values::Masked || scenario.variant.unshown.is_some();
    let again = if hides_values { world.objects.len() } else { 0 };
    let states: Vec<_> = world.objects.iter().map(|object| (object.reason(), &object.status.corrections)).collect();
    assert!(world.remote.writes <= writes + again, "a restart at rest wrote to the remote: {states:?}");

    for i in 0..world.objects.len() {
        world.objects[i].going = true;
        settle(&mut world);
        assert!(world.objects[i].gone);
        rules::nothing_left(&world, i);
    }
}

/// Rest stays: no more writes to the remote, however long it lasts, and an identical status.
fn at_rest(world: &mut World) {
    let statuses = |world: &World| world.objects.iter().map(|object| object.status.clone()).collect::<Vec<_>>();
    let (before, writes) = (statuses(world), world.kubernetes_writes);
    let remote = world.remote.writes;
    round(world);
    assert_eq!(statuses(world), before);
    assert_eq!(world.kubernetes_writes, writes, "something was written at rest");
    world.remote.advance(2 * TIMING.interval);
    // Corrections may be forgotten now: that is the one write that time alone brings.
    world.remote.meddled = world.remote.now;
    round(world);
    let (before, writes) = (statuses(world), world.kubernetes_writes);
    round(world);
    assert_eq!(statuses(world), before);
    assert_eq!(world.kubernetes_writes, writes, "something was written at rest");
    assert_eq!(world.remote.writes, remote, "the remote was written to at rest");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_any_state_a_few_passes_reach_a_rest_that_is_right_and_stays(scenario in scenario()) {
        check(&scenario);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 10, max_shrink_iters: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_keeps_deleting_at_the_console_is_not_fought_for_ever(scenario in scenario(), restarts in prop::collection::vec(any::<bool>(), 8)) {
        keeps_deleting(scenario, &restarts);
    }
}

/// Each time that there is a webhook, a person deletes it, within less than an interval.
fn keeps_deleting(scenario: Scenario, restarts: &[bool]) {
    let spec = objects::Spec { management: ManagementPolicy::Enforce, ..scenario.specs[0].clone() };
    // A LIST that lags or is cut off shows what is gone, and hides what is there, and where names change beside hidden
    // markers nothing is known again: what comes of that is judged above.
    // Nor where beside hidden markers half of the webhook is not shown: then it was never known as ours.
    let hidden = scenario.variant.hides_markers(scenario.marking);
    let (shouts, unshown) = (scenario.variant.shouts && !hidden, scenario.variant.unshown.filter(|_| !hidden));
    let variant = remote::Variant { lag: Duration::ZERO, cap: None, shouts, unshown, ..scenario.variant };
    let mut world = World::new(Remote::new(variant), vec![Object::new(spec)], scenario.marking);
    settle(&mut world);
    let mut made = world.remote.made;
    let mut told = 0;
    for restart in restarts {
        world.remote.webhooks.clear();
        world.remote.changed();
        // What status does not tell yet is forgotten with the process; what it tells is not.
        if *restart && world.objects[0].status.corrections.iter().any(|c| c.field == "webhook") {
            world.forget();
        }
        settle(&mut world);
        told += usize::from(world.remote.made > made);
        made = world.remote.made;
    }
    let object = &world.objects[0];
    assert!(told <= 2, "created again {told} times: {}", object.message());
    assert_eq!(object.reason(), "NotConverging", "{}", object.message());
    assert!(object.status.corrections.iter().any(|c| c.field == "webhook"), "{:?}", object.status.corrections);
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3000)
}
