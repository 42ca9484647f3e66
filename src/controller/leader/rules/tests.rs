#![allow(clippy::unwrap_used)]
use super::*;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;

const LEASE: Duration = Duration::from_secs(15);

fn timing() -> Timing {
    Timing::of(LEASE)
}

/// The time of day that somebody's clock shows, which says nothing.
fn wall(seconds: i64) -> MicroTime {
    MicroTime(Timestamp::from_second(seconds).unwrap())
}

fn held_by(who: &str, renewed: i64) -> LeaseSpec {
    taken(&LeaseSpec::default(), who, &timing(), &wall(renewed))
}

#[test]
fn a_third_for_renewals_two_thirds_of_certainty_and_looks_in_between() {
    let seconds = Duration::from_secs;
    let (sure, renew, retry) = (seconds(10), seconds(5), seconds(1));
    assert_eq!(timing(), Timing { lease: LEASE, sure, renew, patience: renew, retry });
    let long = Timing::of(seconds(600));
    assert_eq!(
        (long.patience, long.retry),
        (seconds(10), seconds(2)),
        "a release is seen soon, however long the lease"
    );
}

#[test]
fn a_lease_that_is_not_there_or_that_nobody_holds_may_be_taken_at_once() {
    let now = Instant::now();
    let mut standby = Standby::new(timing());
    assert_eq!(standby.look(None, "me", now), None);
    let released = released(&held_by("other", 0), &wall(1));
    assert_eq!((standby.look(Some(&released), "me", now), holder(&released)), (None, None));
    let emptied = LeaseSpec { holder_identity: Some(String::new()), ..released };
    assert_eq!(standby.look(Some(&emptied), "me", now), None);
}

#[test]
fn anothers_lease_may_be_taken_only_once_it_was_watched_unchanged_for_as_long_as_it_is_good_for() {
    let begin = Instant::now();
    let mut standby = Standby::new(timing());
    let until = begin + LEASE;
    let held = Some(Held { by: "other".into(), until });
    assert_eq!(standby.look(Some(&held_by("other", 0)), "me", begin), held);
    let just_before = until - Duration::from_nanos(1);
    assert_eq!(standby.look(Some(&held_by("other", 0)), "me", just_before), held);
    assert_eq!(standby.look(Some(&held_by("other", 0)), "me", until), None);
    // Whatever it shows, a renewal is a sign of life.
    let renewed = Some(Held { by: "other".into(), until: until + LEASE });
    assert_eq!(standby.look(Some(&held_by("other", -99_999)), "me", until), renewed);
}

#[test]
fn the_lease_says_itself_for_how_long_it_is_good() {
    let begin = Instant::now();
    for (says, good_for) in [(Some(60), 60), (Some(0), 15), (Some(-5), 15), (None, 15)] {
        let spec = LeaseSpec { lease_duration_seconds: says, ..held_by("other", 0) };
        let held = Standby::new(timing()).look(Some(&spec), "me", begin).unwrap();
        assert_eq!(held.until, begin + Duration::from_secs(good_for), "{says:?}");
    }
}

#[test]
fn a_deleted_lease_is_still_its_holders() {
    let begin = Instant::now();
    let mut standby = Standby::new(timing());
    let held = standby.look(Some(&held_by("other", 0)), "me", begin);
    assert_eq!(standby.look(None, "me", begin + LEASE / 2), held);
    assert_eq!(standby.look(None, "me", begin + LEASE), None);
}

#[test]
fn what_an_earlier_try_of_mine_wrote_is_mine() {
    let now = Instant::now();
    let mine = held_by("me", 5);
    assert_eq!(Standby::new(timing()).look(Some(&mine), "me", now), None);
    let again = taken(&mine, "me", &timing(), &wall(9));
    assert_eq!((again.acquire_time, again.renew_time), (Some(wall(5)), Some(wall(9))));
    assert_eq!(again.lease_transitions, Some(0));
}

#[test]
fn the_lease_tells_who_took_it_when_how_often_it_changed_hands_and_for_how_long_it_is_good() {
    let first = held_by("one", 1);
    let later = renewed(&first, &Timing::of(LEASE * 2), &wall(2));
    let second = taken(&released(&later, &wall(3)), "two", &timing(), &wall(4));
    let expected = LeaseSpec {
        holder_identity: Some("one".into()),
        acquire_time: Some(wall(1)),
        renew_time: Some(wall(1)),
        lease_duration_seconds: Some(15),
        lease_transitions: Some(0),
        ..LeaseSpec::default()
    };
    assert_eq!(first, expected);
    let expected = LeaseSpec { renew_time: Some(wall(2)), lease_duration_seconds: Some(30), ..first };
    assert_eq!(later, expected);
    let expected = LeaseSpec {
        holder_identity: Some("two".into()),
        acquire_time: Some(wall(4)),
        renew_time: Some(wall(4)),
        lease_duration_seconds: Some(15),
        lease_transitions: Some(1),
        ..LeaseSpec::default()
    };
    assert_eq!(second, expected);
}

proptest! {
    /// The promise itself: whenever a standby may take the Lease, its holder is not sure of it any more. The holder renews
    /// and is delayed as it likes, the standby looks when it likes, and its clock may be half as fast again. A renewal takes
    /// effect after it was begun, and a look sees what took effect before it was answered.
    #[test]
    fn two_are_never_sure_at_the_same_time(
        renewals in proptest::collection::vec((0_u64..20_000, 0_u64..8_000), 1..8),
        looks in proptest::collection::vec(1_u64..4_000, 1..60),
        speed in 0.5_f64..=1.5,
    ) {
        let mut at = 0;
        let effects: Vec<_> = renewals.iter().map(|(pause, delay)| {
            let begun = at + pause;
            at = begun + delay;
            (begun, at)
        }).collect();
        let zero = Instant::now();
        let mut standby = Standby::new(timing());
        let mut now = 0;
        for pause in looks {
            now += pause;
            let Some(last) = effects.iter().rposition(|(_, effect)| *effect <= now) else { continue };
            let spec = held_by("other", i64::try_from(last).unwrap());
            let mine = zero + Duration::from_millis(now).mul_f64(speed);
            if standby.look(Some(&spec), "me", mine).is_none() {
                let sure_until = Duration::from_millis(effects[last].0) + timing().sure;
                prop_assert!(sure_until <= Duration::from_millis(now), "sure until {sure_until:?}, taken at {now} ms");
                // The holder's next renewal finds another version there, and fails.
                break;
            }
        }
    }
}
