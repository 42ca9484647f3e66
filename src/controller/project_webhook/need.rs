//! Pure: how new a LIST has to be.

use crate::controller::snapshot::FRESH;
use crate::domain::time::Moment;

/// What an object needs of a LIST, whatever the project's timer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// One that began after this: somebody waits for an answer to what was asked then.
    Since(Moment),
    /// Nothing: what the project's timer brings is enough.
    AtRest,
    /// A fresh one, because it may write. A webhook that is found by its id is as good as its LIST is fresh.
    Known,
    /// The same for one that has no webhook yet: it would miss what a person made just before asking for this.
    Newcomer {
        /// Since when the object is as it is.
        since: Moment,
    },
}

impl Need {
    /// When the LIST has to have begun, or later. `due` is the moment at which the project's timer was due, if it was: a
    /// LIST from after that is new enough for the timer, and may still be too old for the need.
    pub(super) fn begun_after(self, due: Option<Moment>, now: Moment) -> Moment {
        let need = match self {
            Self::Since(moment) => moment,
            Self::AtRest => Moment::default(),
            Self::Known => now.before(FRESH),
            Self::Newcomer { since } => now.before(FRESH).max(since),
        };
        due.map_or(need, |due| due.max(need))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: u64) -> Moment {
        Moment::since_start(Duration::from_secs(second))
    }

    #[test]
    fn a_timer_that_is_overdue_makes_no_old_list_good_enough_for_who_may_write() {
        let now = at(100);
        for overdue in [Some(at(40)), None] {
            let newcomer = |since| Need::Newcomer { since: at(since) }.begun_after(overdue, now);
            assert_eq!(newcomer(98), at(98), "it would miss what was made just before it came: {overdue:?}");
            assert_eq!(newcomer(10), at(95), "{overdue:?}");
            assert_eq!(Need::Known.begun_after(overdue, now), at(95), "{overdue:?}");
            assert_eq!(Need::Since(at(99)).begun_after(overdue, now), at(99), "{overdue:?}");
        }
    }

    #[test]
    fn a_timer_that_is_due_has_everybody_look_and_at_rest_nobody_else_does() {
        let now = at(100);
        assert_eq!(Need::AtRest.begun_after(None, now), Moment::default());
        assert_eq!(Need::AtRest.begun_after(Some(at(40)), now), at(40));
        assert_eq!(Need::Known.begun_after(Some(now), now), now, "the first look of a project");
        assert_eq!(Need::Newcomer { since: at(98) }.begun_after(Some(at(99)), now), at(99));
    }
}
