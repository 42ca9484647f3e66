//! The arithmetic of a pace, with the time as an argument: a token bucket, a limit of calls under way that adapts, and
//! the time before which the remote wants no call.

use std::time::Duration;

use tokio::time::Instant;

use super::Feedback;
use crate::api::connection::RateLimit;

/// First delay after a 429 that names none; it doubles with each 429 in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest delay after a 429 that names none.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// No limit is larger than this.
const MOST: u32 = 100_000;

/// When the next call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Now,
    At(Instant),
    /// When a call under way has ended.
    WhenReleased,
}

/// Decides when calls may be made.
#[derive(Debug)]
pub(super) struct Rules {
    limit: RateLimit,
    /// Time between two calls at the full rate.
    interval: Duration,
    /// When the bucket will be full again: the one number a token bucket needs (as in the generic cell rate algorithm).
    full_at: Instant,
    in_flight: u32,
    /// Calls that may be under way, between 1 and the limit's maximum; grows by less than one at a time.
    concurrency: f64,
    blocked_until: Option<Instant>,
    /// Counts the cuts of `concurrency`. Calls that began before the last one must not cut it again: when eight of
    /// eight calls meet the same overload, that is one overload.
    epoch: u64,
    /// 429 answers in a row that named no delay.
    pauses: u32,
}

impl Rules {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        let limit = within_bounds(limit);
        Self {
            limit,
            interval: interval(limit),
            full_at: now,
            in_flight: 0,
            concurrency: f64::from(limit.max_in_flight),
            blocked_until: None,
            epoch: 0,
            pauses: 0,
        }
    }

    pub(super) fn limit(&self) -> RateLimit {
        self.limit
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn blocked_for(&self, now: Instant) -> Option<Duration> {
        self.blocked_until?.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    pub(super) fn configure(&mut self, limit: RateLimit, now: Instant) {
        let limit = within_bounds(limit);
        let (before, after) = (f64::from(self.limit.max_in_flight), f64::from(limit.max_in_flight));
        self.concurrency = if self.concurrency >= before { after } else { self.concurrency.min(after) };
        // The tokens that are missing stay missing, as far as the new bucket can miss them.
        let start = self.blocked_until.map_or(now, |until| until.max(now));
        let slower = f64::from(self.limit.requests_per_second) / f64::from(limit.requests_per_second);
        let missing = self.full_at.saturating_duration_since(start).mul_f64(slower);
        self.limit = limit;
        self.interval = interval(limit);
        self.full_at = start + missing.min(self.interval * limit.burst);
    }

    pub(super) fn next(&self, now: Instant) -> Next {
        if f64::from(self.in_flight) >= self.concurrency.floor().max(1.0) {
            return Next::WhenReleased;
        }
        let slack = self.slack();
        let token_at = if self.full_at > now + slack { self.full_at - slack } else { now };
        let at = self.blocked_until.map_or(token_at, |until| until.max(token_at));
        if at > now { Next::At(at) } else { Next::Now }
    }

    /// Takes a token and a place, which [`Self::next`] said are there.
    pub(super) fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval;
        self.in_flight += 1;
    }

    /// Gives the place back.
    pub(super) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Gives a token back that nothing was sent with.
    pub(super) fn refund(&mut self) {
        self.full_at = self.full_at.checked_sub(self.interval).unwrap_or(self.full_at);
    }

    /// Learns from how a call went that began in `epoch`.
    pub(super) fn learn(&mut self, epoch: u64, feedback: Feedback, now: Instant) {
        let fresh = epoch == self.epoch;
        match feedback {
            Feedback::Neutral => {}
            Feedback::Good if fresh => {
                self.pauses = 0;
                let max = f64::from(self.limit.max_in_flight);
                self.concurrency = (self.concurrency + 1.0 / self.concurrency).min(max);
            }
            Feedback::Good => {}
            Feedback::Overloaded(delay) => {
                self.shrink(fresh);
                self.block(now, delay);
            }
            Feedback::RateLimited(delay) => {
                self.pauses += u32::from(fresh && delay.is_none());
                self.shrink(fresh);
                let pause = FIRST_PAUSE * 2_u32.pow(self.pauses.clamp(1, 7) - 1);
                self.block(now, Some(delay.unwrap_or(pause.min(LONGEST_PAUSE))));
            }
        }
    }

    fn shrink(&mut self, fresh: bool) {
        if fresh {
            self.epoch += 1;
            self.concurrency = (self.concurrency / 2.0).max(1.0);
        }
    }

    fn block(&mut self, now: Instant, delay: Option<Duration>) {
        let Some(delay) = delay else { return };
        let until = self.blocked_until.map_or(now + delay, |until| until.max(now + delay));
        self.blocked_until = Some(until);
        // The bucket is empty then: a full one would greet the remote with the very burst that it refused.
        self.full_at = self.full_at.max(until + self.slack());
    }

    /// How far the bucket may be from full while there still is a token.
    fn slack(&self) -> Duration {
        self.interval * (self.limit.burst - 1)
    }
}

fn interval(limit: RateLimit) -> Duration {
    Duration::from_secs(1) / limit.requests_per_second
}

/// Objects that are older than the schema's bounds may say anything, and the arithmetic must hold.
fn within_bounds(limit: RateLimit) -> RateLimit {
    let RateLimit { requests_per_second, burst, max_in_flight } = limit;
    RateLimit {
        requests_per_second: requests_per_second.clamp(1, MOST),
        burst: burst.clamp(1, MOST),
        max_in_flight: max_in_flight.clamp(1, MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules(requests_per_second: u32, burst: u32, max_in_flight: u32) -> (Rules, Instant) {
        let now = Instant::now();
        (Rules::new(RateLimit { requests_per_second, burst, max_in_flight }, now), now)
    }

    fn calls_now(rules: &mut Rules, now: Instant) -> u32 {
        let mut calls = 0;
        while rules.next(now) == Next::Now {
            rules.take(now);
            calls += 1;
        }
        calls
    }

    #[test]
    fn after_a_burst_calls_come_at_the_rate() {
        let (mut rules, start) = rules(10, 3, 100);
        assert_eq!(calls_now(&mut rules, start), 3);
        assert_eq!(rules.next(start), Next::At(start + SECOND / 10));
        assert_eq!(calls_now(&mut rules, start + SECOND / 10), 1);
        assert_eq!(calls_now(&mut rules, start + SECOND * 100), 3);
    }

    #[test]
    fn calls_under_way_are_limited_and_a_refund_gives_the_token_back() {
        let (mut rules, now) = rules(1, 2, 1);
        rules.take(now);
        assert_eq!(rules.next(now), Next::WhenReleased);
        rules.release();
        rules.take(now);
        rules.release();
        assert_eq!(rules.next(now), Next::At(now + SECOND));
        rules.refund();
        assert_eq!(rules.next(now), Next::Now);
    }

    #[test]
    fn a_429_stops_everything_until_its_time_and_is_followed_by_no_burst() {
        let (mut rules, now) = rules(10, 20, 8);
        rules.learn(0, Feedback::RateLimited(Some(SECOND * 30)), now);
        assert_eq!(rules.next(now + SECOND * 29), Next::At(now + SECOND * 30));
        assert_eq!(rules.blocked_for(now), Some(SECOND * 30));
        assert_eq!(calls_now(&mut rules, now + SECOND * 30), 1);
        assert_eq!(rules.blocked_for(now + SECOND * 30), None);
    }

    #[test]
    fn a_429_that_names_no_delay_doubles_it_each_time_up_to_a_minute_until_a_call_succeeds() {
        let (mut rules, mut now) = rules(10, 20, 8);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            rules.learn(rules.epoch(), Feedback::RateLimited(None), now);
            let pause = rules.blocked_for(now).unwrap_or_default();
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        rules.learn(rules.epoch(), Feedback::Good, now);
        rules.learn(rules.epoch(), Feedback::RateLimited(None), now);
        assert_eq!(rules.blocked_for(now), Some(SECOND));
    }

    #[test]
    fn eight_calls_that_meet_one_overload_halve_the_limit_once_and_successes_bring_it_back() {
        let (mut rules, now) = rules(1000, 1000, 8);
        for _ in 0..8 {
            rules.learn(0, Feedback::Overloaded(None), now);
        }
        assert_eq!(calls_now(&mut rules, now), 4);
        for _ in 0..100 {
            rules.learn(rules.epoch(), Feedback::Good, now);
        }
        assert_eq!(calls_now(&mut rules, now), 4, "4 are under way, 8 may be");
    }

    #[test]
    fn one_call_may_always_be_under_way() {
        let (mut rules, now) = rules(1000, 1000, 8);
        for _ in 0..10 {
            rules.learn(rules.epoch(), Feedback::Overloaded(None), now);
        }
        assert_eq!(calls_now(&mut rules, now), 1);
    }

    #[test]
    fn a_limit_of_nothing_is_taken_as_one_and_none_is_too_large() {
        let (mut rules, now) = rules(0, 0, 0);
        assert_eq!(calls_now(&mut rules, now), 1);
        let all = u32::MAX;
        rules.configure(RateLimit { requests_per_second: all, burst: all, max_in_flight: all }, now);
        rules.configure(RateLimit { requests_per_second: 0, burst: all, max_in_flight: all }, now);
        assert_eq!(calls_now(&mut rules, now), MOST - 1);
        rules.configure(RateLimit { requests_per_second: all, burst: 0, max_in_flight: 0 }, now);
        assert_eq!(rules.next(now), Next::WhenReleased);
    }

    #[test]
    fn a_new_limit_holds_at_once_in_both_directions() {
        let (mut rules, now) = rules(1, 100, 1);
        rules.take(now);
        rules.configure(RateLimit { requests_per_second: 10, burst: 2, max_in_flight: 8 }, now);
        assert_eq!(calls_now(&mut rules, now), 1, "one of the two tokens is missing");
        rules.configure(RateLimit { requests_per_second: 10, burst: 2, max_in_flight: 1 }, now + SECOND);
        assert_eq!(rules.next(now + SECOND), Next::WhenReleased);
    }
}
