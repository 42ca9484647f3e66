//! Who needs the same LIST waits for the others, without holding a place: one LIST then serves all objects of a project
//! that are applied or changed together.

use std::collections::HashSet;
use std::time::Duration;

use crate::domain::ids::ObjectKey;
use crate::domain::time::Moment;

/// Longest time that one waits for others: whoever is slower than that has a LIST of his own.
const LONGEST: Duration = Duration::from_secs(2);
/// No object of the project has come or changed for so long: all of them that are applied together are there.
const QUIET: Duration = Duration::from_millis(100);

/// The other objects of the project.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// How many there are, this one included, on whose present spec no pass has decided yet.
    pub undecided: usize,
    /// When the last of them came or changed.
    pub newest: Moment,
}

/// Those who wait for a LIST of one project.
#[derive(Debug, Default)]
pub struct Gathering {
    since: Option<Moment>,
    waiting: HashSet<ObjectKey>,
}

impl Gathering {
    /// How long this object waits for others; `None` if the LIST is to begin now. `newcomer` has no webhook yet: more of
    /// its kind may be about to come.
    pub fn wait(&mut self, me: &ObjectKey, newcomer: bool, company: Company, now: Moment) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        self.waiting.insert(me.clone());
        let left = rest_of(LONGEST, since, now)?;
        if company.undecided > self.waiting.len() {
            return Some(left);
        }
        rest_of(QUIET, company.newest, now).filter(|_| newcomer).map(|quiet| quiet.min(left))
    }

    /// The LIST is there, or failed: those who waited for it.
    pub fn end(&mut self) -> Vec<ObjectKey> {
        self.since = None;
        self.waiting.drain().collect()
    }

    /// It is gone.
    pub fn forget(&mut self, object: &ObjectKey) {
        self.waiting.remove(object);
    }
}

fn rest_of(time: Duration, since: Moment, now: Moment) -> Option<Duration> {
    time.checked_sub(now.since(since)).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::since_start(Duration::from_millis(millis))
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "shop".into(), name: name.into() }
    }

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn who_is_alone_waits_only_until_nobody_else_comes() {
        let mut gathering = Gathering::default();
        let alone = Company { undecided: 1, newest: at(1000) };
        assert_eq!(gathering.wait(&key("a"), true, alone, at(1010)), millis(90));
        assert_eq!(gathering.wait(&key("a"), true, alone, at(1100)), None);
        assert_eq!(gathering.wait(&key("a"), false, alone, at(1010)), None, "who has a webhook does not wait");
    }

    #[test]
    fn the_last_one_begins_and_all_others_are_told() {
        let mut gathering = Gathering::default();
        let three = Company { undecided: 3, newest: at(0) };
        assert_eq!(gathering.wait(&key("a"), false, three, at(1000)), millis(2000));
        assert_eq!(gathering.wait(&key("b"), false, three, at(1500)), millis(1500));
        assert_eq!(gathering.wait(&key("b"), false, three, at(1600)), millis(1400), "who comes again is counted once");
        assert_eq!(gathering.wait(&key("c"), false, three, at(1700)), None);
        let mut told = gathering.end();
        told.sort();
        assert_eq!(told, ["a", "b", "c"].map(key));
        assert_eq!(gathering.wait(&key("a"), false, three, at(9000)), millis(2000), "the next LIST is another");
    }

    #[test]
    fn nobody_waits_for_ever_for_one_that_does_not_come() {
        let mut gathering = Gathering::default();
        let company = |newest| Company { undecided: 9, newest };
        assert!(gathering.wait(&key("a"), true, company(at(0)), at(1000)).is_some());
        assert_eq!(gathering.wait(&key("a"), true, company(at(2999)), at(3000)), None);
    }
}
