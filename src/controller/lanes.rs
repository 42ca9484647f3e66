//! Lanes: passes share their places by connection, so that one whose remote is dead or slow can't take them all and
//! starve the others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;

use super::index::ConnectionKey;
use super::sources::lock;
use crate::domain::ids::ObjectKey;

#[derive(Default)]
struct Lane {
    running: usize,
    waiting: VecDeque<ObjectKey>,
    /// What is in `waiting`: an object that is triggered twice waits once.
    queued: HashSet<ObjectKey>,
    /// Whose turn it is.
    called: HashSet<ObjectKey>,
}

impl Lane {
    fn next(&mut self) -> Option<ObjectKey> {
        let next = self.waiting.pop_front()?;
        self.queued.remove(&next);
        self.called.insert(next.clone());
        Some(next)
    }

    /// Whether it waited.
    fn forget(&mut self, object: &ObjectKey) -> bool {
        self.called.remove(object);
        let waited = self.queued.remove(object);
        if waited {
            self.waiting.retain(|other| other != object);
        }
        waited
    }
}

/// The places of one kind's passes.
pub struct Lanes {
    places: usize,
    lanes: Mutex<HashMap<ConnectionKey, Lane>>,
}

impl Lanes {
    /// So many passes at the same time, over all connections.
    #[must_use]
    pub fn new(places: u16) -> Self {
        Self { places: places.into(), lanes: Mutex::default() }
    }

    /// Takes a place. `false`: the lane has its share, and the object is handed out by [`Self::leave`] in its turn; one that
    /// `goes_on` with what it has begun comes before all that have not.
    pub fn enter(&self, connection: &ConnectionKey, object: &ObjectKey, goes_on: bool) -> bool {
        let mut lanes = lock(&self.lanes);
        // As if one more lane were there: whoever comes next finds a place. In lanes where nobody is, nobody needs one.
        let others = lanes.iter().filter(|(other, lane)| *other != connection && lane.running > 0).count();
        let share = (self.places / (others + 2)).max(1);
        let lane = lanes.entry(connection.clone()).or_default();
        // Nobody overtakes those who wait, as long as somebody is there to call the next one.
        let first = lane.called.remove(object) || goes_on;
        if lane.running < share && (first || lane.waiting.is_empty() || lane.running == 0) {
            lane.running += 1;
            lane.forget(object);
            return true;
        }
        if lane.queued.insert(object.clone()) {
            if first {
                lane.waiting.push_front(object.clone());
            } else {
                lane.waiting.push_back(object.clone());
            }
        }
        false
    }

    /// Gives a place back. Returns the object that waits longest in this lane: it is to be triggered.
    pub fn leave(&self, connection: &ConnectionKey) -> Option<ObjectKey> {
        let mut lanes = lock(&self.lanes);
        let lane = lanes.get_mut(connection)?;
        lane.running = lane.running.saturating_sub(1);
        let next = lane.next();
        if lane.running == 0 && lane.waiting.is_empty() && next.is_none() {
            lanes.remove(connection);
        }
        next
    }

    /// An object is gone, or uses another connection. If it did not wait, it may have been handed out, and then nobody would
    /// hand out the next one: returns that.
    pub fn gone(&self, connection: &ConnectionKey, object: &ObjectKey) -> Option<ObjectKey> {
        let mut lanes = lock(&self.lanes);
        let lane = lanes.get_mut(connection)?;
        let next = if lane.forget(object) { None } else { lane.next() };
        if lane.running == 0 && lane.waiting.is_empty() && next.is_none() {
            lanes.remove(connection);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::project_webhook::ConnectionKind;

    fn connection(name: &str) -> ConnectionKey {
        ConnectionKey { kind: ConnectionKind::Connection, key: object(name) }
    }

    fn object(name: &str) -> ObjectKey {
        ObjectKey { namespace: "shop".into(), name: name.into() }
    }

    #[test]
    fn one_connection_never_takes_all_places_and_who_waits_is_handed_out_in_turn() {
        let lanes = Lanes::new(4);
        let dead = connection("dead");
        let entered = (0..10).filter(|n| lanes.enter(&dead, &object(&n.to_string()), false)).count();
        assert_eq!(entered, 2);
        assert!(lanes.enter(&connection("healthy"), &object("a"), false));
        assert_eq!(lanes.leave(&dead), Some(object("2")));
        assert_eq!(lanes.leave(&dead), Some(object("3")));
    }

    #[test]
    fn who_goes_on_comes_before_who_has_not_begun() {
        let lanes = Lanes::new(2);
        let one = connection("one");
        assert!(lanes.enter(&one, &object("a"), false));
        assert!(!lanes.enter(&one, &object("b"), false) && !lanes.enter(&one, &object("c"), true));
        assert_eq!((lanes.leave(&one), lanes.leave(&one)), (Some(object("c")), Some(object("b"))));
    }

    #[test]
    fn nobody_overtakes_those_who_wait() {
        let lanes = Lanes::new(4);
        let one = connection("one");
        assert!(lanes.enter(&one, &object("a"), false) && lanes.enter(&one, &object("b"), false));
        assert!(!lanes.enter(&one, &object("c"), false) && !lanes.enter(&one, &object("d"), false));
        assert_eq!(lanes.leave(&one), Some(object("c")));
        assert!(!lanes.enter(&one, &object("e"), false), "the free place is for the one that was called");
        assert!(lanes.enter(&one, &object("c"), false));
        assert_eq!((lanes.leave(&one), lanes.leave(&one)), (Some(object("d")), Some(object("e"))));
        assert!(lanes.enter(&one, &object("f"), false), "nobody is left to call the next one");
    }

    #[test]
    fn the_turn_of_one_that_is_gone_is_not_lost() {
        let lanes = Lanes::new(2);
        let one = connection("one");
        assert!(lanes.enter(&one, &object("a"), false));
        for waiting in ["gone", "also gone", "c"] {
            assert!(!lanes.enter(&one, &object(waiting), false));
        }
        assert_eq!(lanes.gone(&one, &object("also gone")), None, "it only waited");
        assert_eq!(lanes.leave(&one), Some(object("gone")));
        assert_eq!(lanes.gone(&one, &object("gone")), Some(object("c")));
        assert_eq!(lanes.gone(&one, &object("c")), None);
        assert!(lock(&lanes.lanes).is_empty(), "a lane that nobody uses takes no share");
    }

    #[test]
    fn who_finds_a_place_waits_no_more() {
        let lanes = Lanes::new(2);
        let one = connection("one");
        assert!(lanes.enter(&one, &object("a"), false) && !lanes.enter(&one, &object("b"), false));
        lock(&lanes.lanes).get_mut(&one).unwrap().running = 0;
        assert!(lanes.enter(&one, &object("b"), false));
        assert_eq!(lanes.leave(&one), None);
    }

    #[test]
    fn every_lane_has_a_place_even_where_there_are_more_lanes_than_places() {
        let lanes = Lanes::new(2);
        assert!((0..5).all(|n| lanes.enter(&connection(&n.to_string()), &object("a"), false)));
    }

    #[test]
    fn a_lane_whose_last_objects_went_elsewhere_takes_no_share() {
        let lanes = Lanes::new(4);
        let one = connection("one");
        assert!(lanes.enter(&one, &object("a"), false) && lanes.enter(&one, &object("b"), false));
        assert!(!lanes.enter(&one, &object("moved"), false) && !lanes.enter(&one, &object("c"), false));
        assert_eq!(lanes.gone(&one, &object("moved")), None);
        assert_eq!((lanes.leave(&one), lanes.leave(&one)), (Some(object("c")), None));
        let other = connection("other");
        let entered = ["1", "2", "3"].map(|name| lanes.enter(&other, &object(name), false));
        assert_eq!(entered, [true, true, false]);
    }

    #[test]
    fn an_empty_lane_takes_no_share() {
        let lanes = Lanes::new(4);
        assert!(lanes.enter(&connection("a"), &object("1"), false));
        assert_eq!(lanes.leave(&connection("a")), None);
        assert!(
            lanes.enter(&connection("b"), &object("1"), false) && lanes.enter(&connection("b"), &object("2"), false)
        );
    }
}
