//! Pure: who may take the Lease, what is written there, and for how long its holder is sure of it.
//!
//! These are the rules of client-go's leaderelection. Times that another process wrote are never compared with a clock here:
//! a Lease is over when this process has watched it unchanged for as long as it is good for. So clocks may differ as they
//! like; only their speed may not, by more than the [`Timing`] leaves between the end of a holder and the next one's turn.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// As client-go's retryPeriod is by default.
const MAX_RETRY: Duration = Duration::from_secs(2);
/// Longer than an API server takes that is only busy.
const MAX_PATIENCE: Duration = Duration::from_secs(10);

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// So long the Lease is good for: others wait for that after they saw it change. `--lease-duration`, whole seconds.
    pub lease: Duration,
    /// So long after a renewal was begun its holder may act. Two thirds, as client-go's renewDeadline: a clock that is half
    /// as fast again as this one still gives way in time.
    pub sure: Duration,
    /// From the begin of one renewal to that of the next. A third.
    pub renew: Duration,
    /// The longest that the API server is waited for before the next try. As long as that, and never more than ten seconds.
    pub patience: Duration,
    /// From one look or one failed try to the next. A fifteenth, and never more than two seconds, so that a lease that is
    /// given up finds its next holder soon.
    pub retry: Duration,
}

impl Timing {
    /// For Leases that are good for so long.
    #[must_use]
    pub fn of(lease: Duration) -> Self {
        let renew = lease / 3;
        let (patience, retry) = (renew.min(MAX_PATIENCE), (lease / 15).min(MAX_RETRY));
        Self { lease, sure: lease * 2 / 3, renew, patience, retry }
    }

    fn seconds(&self) -> i32 {
        i32::try_from(self.lease.as_secs()).unwrap_or(i32::MAX)
    }
}

/// The holder that a Lease names; `None` if nobody holds it.
#[must_use]
pub fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Who holds the Lease, and for how long at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its identity.
    pub by: String,
    /// From this moment on it may be taken, if it does not change before.
    pub until: Instant,
}

/// What a process that stands by knows of the Lease.
#[derive(Debug)]
pub struct Standby {
    timing: Timing,
    /// The Lease, and since when it is known to be so.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Standby {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(timing: Timing) -> Self {
        Self { timing, seen: None }
    }

    /// Takes in the Lease as an answer had it that came at `now`; `None` if there is none. Returns who else holds it; if
    /// nobody does, `me` may take it. A Lease that somebody deleted is still its holder's, who may not know yet.
    pub fn look(&mut self, spec: Option<&LeaseSpec>, me: &str, now: Instant) -> Option<Held> {
        if let Some(spec) = spec
            && self.seen.as_ref().is_none_or(|(seen, _)| seen != spec)
        {
            self.seen = Some((spec.clone(), now));
        }
        let (seen, since) = self.seen.as_ref()?;
        let by = holder(seen).filter(|holder| *holder != me)?;
        let seconds = seen.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let good_for = seconds.filter(|seconds| *seconds > 0).map_or(self.timing.lease, Duration::from_secs);
        let until = *since + good_for;
        (now < until).then(|| Held { by: by.to_owned(), until })
    }
}

/// The Lease as it is taken by `me`.
#[must_use]
pub fn taken(before: &LeaseSpec, me: &str, timing: &Timing, now: &MicroTime) -> LeaseSpec {
    let renewed = renewed(before, timing, now);
    if holder(before) == Some(me) {
        // An earlier try of ours got there, and its answer did not.
        return renewed;
    }
    let transitions = before.lease_transitions.map_or(0, |transitions| transitions.saturating_add(1));
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        acquire_time: Some(now.clone()),
        lease_transitions: Some(transitions),
        ..renewed
    }
}

/// The Lease as its holder renews it.
#[must_use]
pub fn renewed(before: &LeaseSpec, timing: &Timing, now: &MicroTime) -> LeaseSpec {
    LeaseSpec { renew_time: Some(now.clone()), lease_duration_seconds: Some(timing.seconds()), ..before.clone() }
}

/// The Lease as its holder gives it up.
#[must_use]
pub fn released(before: &LeaseSpec, now: &MicroTime) -> LeaseSpec {
    LeaseSpec { holder_identity: None, renew_time: Some(now.clone()), ..before.clone() }
}

#[cfg(test)]
mod tests;
