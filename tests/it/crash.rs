//! The process dies right after a write, and another one is started: it all ends where nobody had died. Every write of
//! every journey has its turn, and where it can happen again, the process dies there twice in a row.

mod journey;

use std::os::unix::process::ExitStatusExt;

use futures::StreamExt;
use hookwright::controller::fail_point::FailPoint;
use simulator::Behaviour;

use crate::support::{DEADLINE, World, assert_writes, message};
use journey::{Journey, assert_all_are_named_as_orphans};

/// `std::process::abort` ends a process by it.
const SIGABRT: i32 = 6;

macro_rules! journeys {
    ($($name:ident => $journey:ident,)*) => {
        /// Every one; each has a test.
        const JOURNEYS: &[Journey] = &[$(Journey::$journey,)*];

        $(#[tokio::test]
        async fn $name() {
            survives(Journey::$journey).await;
        })*
    };
}

journeys! {
    a_creation_survives_the_end_of_the_process_after_each_write => Creation,
    a_creation_behind_masked_values_survives_it => CreationMasked,
    a_creation_beside_a_lookalike_behind_masked_values_survives_it => CreationBesideLookalike,
    a_creation_without_marker_survives_it => CreationUnmarked,
    a_creation_by_an_elected_leader_survives_it => CreationElected,
    a_changed_spec_survives_it => Update,
    a_rotated_secret_survives_it => Rotation,
    a_correction_of_drift_survives_it => Drift,
    an_adoption_survives_it => Adoption,
    an_adoption_of_what_equals_the_spec_survives_it => AdoptionOfEqual,
    a_replacement_survives_it => Replacement,
    a_replacement_behind_masked_values_survives_it => ReplacementMasked,
    the_removal_of_a_duplicate_survives_it => Duplicate,
    the_removal_of_what_status_names_survives_it => BetterDuplicate,
    a_deletion_survives_it => Deletion,
    an_orphaning_survives_it => Orphaning,
    a_deletion_of_what_status_does_not_name_yet_survives_it => DeletionOfUnrecorded,
    a_deletion_of_that_behind_masked_values_survives_it => DeletionOfUnrecordedMasked,
    a_deletion_together_with_the_connection_survives_it => DeletionOfAll,
}

#[test]
fn every_fail_point_is_on_some_journey() {
    for point in FailPoint::ALL {
        let meets = |journey: &&Journey| journey.writes().iter().any(|writes| writes.point == *point);
        assert!(JOURNEYS.iter().any(|journey| meets(&journey)), "{point:?}: no journey makes this write");
    }
}

/// Where and how often the process dies.
struct Death {
    after: FailPoint,
    /// After the first or a later one of these writes.
    nth: usize,
    /// How many processes die there, one after the other.
    processes: usize,
}

async fn survives(journey: Journey) {
    let mut deaths = vec![];
    for writes in journey.writes() {
        deaths.extend((1..=writes.times).map(|nth| Death { after: writes.point, nth, processes: 1 }));
        deaths.extend(writes.again.then_some(Death { after: writes.point, nth: 1, processes: 2 }));
    }
    let cases = deaths.iter().map(|death| survives_death(journey, death));
    let ((), ()) =
        tokio::join!(writes_nothing_else(journey), futures::stream::iter(cases).buffer_unordered(2).collect());
}

async fn survives_death(journey: Journey, death: &Death) {
    let Death { after, nth, processes } = death;
    let mut world = World::with(|setup| journey.setup(setup)).await;
    // Shown only if the test fails: its world tells its namespace then.
    println!("{}: {journey:?}, {processes} die after write {nth} of {after:?}", world.namespace);
    let untouched = journey.before(&mut world).await;
    for round in 1..=*processes {
        journey.act(&world, round).await;
        world.run_until_death(*after, *nth).await;
    }
    world.restart_operator().await;
    journey.end(&world, *processes, &untouched).await;
}

/// With a fail point set after one write more of each kind than the journey makes, it lives.
async fn writes_nothing_else(journey: Journey) {
    let mut world = World::with(|setup| journey.setup(setup)).await;
    println!("{}: {journey:?}, nobody dies", world.namespace);
    let untouched = journey.before(&mut world).await;
    journey.act(&world, 1).await;
    // A Lease is renewed as time goes by.
    let counted = FailPoint::ALL.iter().filter(|point| **point != FailPoint::Lease);
    let actions = counted.map(|point| die_after(*point, journey.most(*point) + 1));
    world.set_fail_points(&actions.collect::<Vec<_>>().join(";"));
    world.restart_operator().await;
    journey.end(&world, 1, &untouched).await;
    assert!(world.operator().log().contains("serving /healthz"));
    assert!(!world.operator().log().contains("fail point"), "{}", world.operator().log());
}

/// In the words of the `fail` crate.
fn die_after(point: FailPoint, nth: usize) -> String {
    let before = if nth > 1 { format!("{}*off->", nth - 1) } else { String::new() };
    format!("{}={before}return", point.name())
}

impl World {
    /// For operators that are started from now on.
    fn set_fail_points(&mut self, actions: &str) {
        self.operator_setup.env = vec![("FAILPOINTS".into(), actions.into())];
    }

    /// Starts an operator, and waits until it has died there and nowhere else.
    async fn run_until_death(&mut self, after: FailPoint, nth: usize) {
        self.set_fail_points(&die_after(after, nth));
        self.restart_operator().await;
        let operator = self.operator.as_mut().expect("it was just started");
        let ended = operator.exited().await;
        assert_eq!(ended.signal(), Some(SIGABRT), "{ended}, not at {after:?}; its log:\n{}", operator.log());
        let said = format!("fail point {}:", after.name());
        let begin = std::time::Instant::now();
        // The last of its pipe may not be read yet.
        while !operator.log().contains(&said) {
            assert!(begin.elapsed() < DEADLINE, "it ended elsewhere than at {after:?}; its log:\n{}", operator.log());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        self.operator_setup.env.clear();
    }
}

#[tokio::test]
async fn two_posts_of_two_processes_that_no_list_showed_in_time_leave_one_webhook() {
    let journey = Journey::Creation;
    let mut world = World::with(|setup| journey.setup(setup)).await;
    journey.act(&world, 1).await;
    world.behave(Behaviour { list_cap: Some(0), ..Behaviour::default() });
    world.run_until_death(FailPoint::Create, 1).await;
    world.run_until_death(FailPoint::Create, 1).await;
    assert_eq!(world.remote().len(), 2);
    world.behave(Behaviour::default());
    world.restart_operator().await;
    journey.end(&world, 1, &[]).await;
}

#[tokio::test]
async fn two_such_posts_behind_masked_values_are_named_and_left() {
    let journey = Journey::CreationMasked;
    let mut world = World::with(|setup| journey.setup(setup)).await;
    journey.act(&world, 1).await;
    world.behave(Behaviour { list_cap: Some(0), ..journey.behaviour() });
    world.run_until_death(FailPoint::Create, 1).await;
    world.run_until_death(FailPoint::Create, 1).await;
    world.behave(journey.behaviour());
    world.sim.clear_calls();
    world.restart_operator().await;
    let object = world.wait_reason("builds", "AdoptionRequired").await;
    let both = world.remote();
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|webhook| message(&object).contains(&webhook.id)), "{}", message(&object));
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_writes(&world, &[]);
    assert_eq!(world.remote(), both);
    assert_all_are_named_as_orphans(&world).await;
}
