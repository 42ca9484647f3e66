//! When objects are to be looked at again. kube's scheduler would hold the name of each twice beside its timer, and never give
//! the room for that back.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::sync::Notify;

use super::clock::Clock;
use super::sources::lock;
use crate::domain::ids::ObjectKey;
use crate::domain::time::Moment;

/// See the module.
#[derive(Default)]
pub struct Timetable {
    entries: Mutex<BTreeSet<(Moment, ObjectKey)>>,
    earlier: Notify,
}

impl Timetable {
    /// Takes an object's entry for `before` out, and enters it for `after`.
    pub fn put(&self, key: &ObjectKey, before: Option<Moment>, after: Option<Moment>) {
        let mut entries = lock(&self.entries);
        if let Some(before) = before {
            entries.remove(&(before, key.clone()));
        }
        let Some(after) = after else { return };
        entries.insert((after, key.clone()));
        if entries.first().is_some_and(|(first, _)| *first == after) {
            self.earlier.notify_one();
        }
    }

    /// Takes out and calls each object whose time has come, for ever.
    pub async fn call(&self, clock: Clock, call: impl Fn(ObjectKey)) {
        loop {
            self.take_until(clock.now()).into_iter().for_each(&call);
            let earlier = self.earlier.notified();
            match self.first() {
                Some(next) => {
                    tokio::select! {
                        () = tokio::time::sleep(next.since(clock.now())) => {}
                        () = earlier => {}
                    }
                }
                None => earlier.await,
            }
        }
    }

    fn take_until(&self, now: Moment) -> Vec<ObjectKey> {
        let mut entries = lock(&self.entries);
        let mut taken = vec![];
        while entries.first().is_some_and(|(at, _)| *at <= now) {
            taken.extend(entries.pop_first().map(|(_, key)| key));
        }
        taken
    }

    fn first(&self) -> Option<Moment> {
        lock(&self.entries).first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "shop".into(), name: name.into() }
    }

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    #[test]
    fn each_is_taken_once_when_its_time_has_come_and_not_at_one_that_was_replaced() {
        let table = Timetable::default();
        table.put(&key("a"), None, Some(at(10)));
        table.put(&key("b"), None, Some(at(20)));
        table.put(&key("c"), None, Some(at(5)));
        assert_eq!(table.first(), Some(at(5)));
        table.put(&key("c"), Some(at(5)), None);
        table.put(&key("a"), Some(at(10)), Some(at(30)));
        assert_eq!(table.take_until(at(19)), []);
        assert_eq!(table.take_until(at(30)), [key("b"), key("a")]);
        assert_eq!((table.take_until(at(99)), table.first()), (vec![], None));
    }

    #[tokio::test]
    async fn whoever_is_due_is_called_also_if_entered_while_it_waits_for_a_later_one() {
        let (table, clock) = (Timetable::default(), Clock::start());
        let (sender, mut called) = tokio::sync::mpsc::unbounded_channel();
        let soon = |millis| clock.now().after(Duration::from_millis(millis));
        table.put(&key("late"), None, Some(soon(3_600_000)));
        let calls = table.call(clock, |key| drop(sender.send(key)));
        let test = async {
            table.put(&key("soon"), None, Some(soon(1)));
            assert_eq!(called.recv().await, Some(key("soon")));
            table.put(&key("now"), None, Some(soon(0)));
            assert_eq!(called.recv().await, Some(key("now")));
        };
        tokio::select! { () = calls => {}, () = test => {} }
        assert_eq!(table.take_until(soon(3_600_000)), [key("late")]);
    }
}
