//! Whether the remote takes a connection's credentials. No documented call tests a token by itself, so its users tell:
//! a 401 of one stops all, and then one at a time tries again.

use std::sync::Mutex;
use std::time::Duration;

use super::index::ConnectionKey;
use super::sources::lock;
use crate::domain::schedule::backoff;
use crate::domain::time::Moment;

/// What is said while credentials are rejected; the same text for the connection and all its users.
pub const CREDENTIALS_REJECTED: &str =
    "the remote does not accept the credentials of the connection (401); put a valid token into its Secret";

/// What the remote said of the credentials.
#[derive(Debug, Default)]
pub struct Credentials(Mutex<Option<Rejected>>);

#[derive(Clone, Copy, Debug)]
struct Rejected {
    failures: u32,
    probe_at: Moment,
}

impl Credentials {
    /// Whether a call may be tried: always before the first 401; after it, one user at a time, with backoff. `Err` says
    /// when to come back.
    ///
    /// # Errors
    /// They are known to be rejected, and it is not time to probe, or somebody else does.
    pub fn admit(&self, now: Moment, key: &ConnectionKey) -> Result<(), Duration> {
        let mut rejected = lock(&self.0);
        let Some(state) = rejected.as_mut() else { return Ok(()) };
        if now < state.probe_at {
            return Err(state.probe_at.since(now));
        }
        // The next user comes back after this probe, whether it ends or not.
        state.probe_at = now.after(backoff(state.failures, key));
        Ok(())
    }

    /// The remote answered 401. True if that is news.
    pub fn reject(&self, now: Moment, key: &ConnectionKey) -> bool {
        let mut rejected = lock(&self.0);
        let failures = rejected.map_or(1, |state| state.failures.saturating_add(1));
        let news = rejected.is_none();
        *rejected = Some(Rejected { failures, probe_at: now.after(backoff(failures, key)) });
        news
    }

    /// Time until the next probe.
    #[must_use]
    pub fn probe_in(&self, now: Moment) -> Duration {
        lock(&self.0).map_or(Duration::ZERO, |state| state.probe_at.since(now))
    }

    /// The remote took them. True if that is news.
    pub fn accept(&self) -> bool {
        lock(&self.0).take().is_some()
    }

    /// Whether the last answer was a 401.
    #[must_use]
    pub fn are_rejected(&self) -> bool {
        lock(&self.0).is_some()
    }
}
