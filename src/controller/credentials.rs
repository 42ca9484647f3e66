//! Whether the remote takes a connection's credentials. No documented call tests a token by itself, so its users tell:
//! a 401 of one stops all, and then one at a time tries again.

use std::sync::Mutex;
use std::time::Duration;

use super::index::ConnectionKey;
use super::sources::lock;
use crate::domain::schedule::backoff;
use crate::domain::time::Moment;

/// What the remote said of the credentials.
#[derive(Debug)]
pub struct Credentials {
    /// What to do where they are rejected.
    advice: &'static str,
    rejected: Mutex<Option<Rejected>>,
}

#[derive(Clone, Debug)]
struct Rejected {
    failures: u32,
    probe_at: Moment,
    /// Somebody tries them again, and has not told yet.
    probing: bool,
    code: Option<String>,
}

impl Credentials {
    /// Nothing is known of them. `advice` is what to do where they are rejected.
    #[must_use]
    pub const fn new(advice: &'static str) -> Self {
        Self { advice, rejected: Mutex::new(None) }
    }

    /// Whether a call may be tried: always before the first 401; after it, one user at a time, with backoff. `Err` says
    /// when to come back.
    ///
    /// # Errors
    /// They are known to be rejected, and it is not time to probe, or somebody else does.
    pub fn admit(&self, now: Moment, key: &ConnectionKey) -> Result<(), Duration> {
        let mut rejected = lock(&self.rejected);
        let Some(state) = rejected.as_mut() else { return Ok(()) };
        if now < state.probe_at {
            return Err(state.probe_at.since(now));
        }
        // The next user comes back after this probe, whether it ends or not.
        state.probe_at = now.after(backoff(state.failures, key));
        state.probing = true;
        Ok(())
    }

    /// The remote answered 401, with this code of its own, if it may be shown. True if that is news.
    pub fn reject(&self, now: Moment, key: &ConnectionKey, code: Option<String>) -> bool {
        let mut rejected = lock(&self.rejected);
        let failures = match rejected.as_ref() {
            None => 1,
            Some(state) if state.probing => state.failures.saturating_add(1),
            // It was under way when another one was answered so: that is the same failure, not one more.
            Some(_) => return false,
        };
        let news = rejected.is_none();
        let probe_at = now.after(backoff(failures, key));
        *rejected = Some(Rejected { failures, probe_at, probing: false, code });
        news
    }

    /// Time until the next probe.
    #[must_use]
    pub fn probe_in(&self, now: Moment) -> Duration {
        lock(&self.rejected).as_ref().map_or(Duration::ZERO, |state| state.probe_at.since(now))
    }

    /// The remote took them. True if that is news.
    pub fn accept(&self) -> bool {
        lock(&self.rejected).take().is_some()
    }

    /// Whether the last answer was a 401.
    #[must_use]
    pub fn are_rejected(&self) -> bool {
        lock(&self.rejected).is_some()
    }

    /// What is said while they are rejected; the same text for the connection and all its users.
    #[must_use]
    pub fn message(&self) -> String {
        let code = lock(&self.rejected).as_ref().and_then(|state| state.code.clone());
        let code = code.map(|code| format!(": {code}")).unwrap_or_default();
        format!("the remote does not accept the credentials of the connection (401{code}); {}", self.advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::project_webhook::ConnectionKind;
    use crate::domain::ids::ObjectKey;

    fn key() -> ConnectionKey {
        let key = ObjectKey { namespace: "shop".into(), name: "c".into() };
        ConnectionKey { kind: ConnectionKind::Connection, key }
    }

    fn failures(credentials: &Credentials) -> Option<u32> {
        lock(&credentials.rejected).as_ref().map(|state| state.failures)
    }

    #[test]
    fn calls_that_were_under_way_together_are_one_failure_and_each_probe_is_one_more() {
        let (credentials, now) = (Credentials::new("do something"), Moment::default());
        assert!(credentials.admit(now, &key()).is_ok());
        assert!(credentials.reject(now, &key(), None));
        assert!(!credentials.reject(now, &key(), None));
        assert_eq!(failures(&credentials), Some(1));
        assert!(credentials.admit(now, &key()).is_err());
        let later = now.after(Duration::from_secs(2));
        assert!(credentials.admit(later, &key()).is_ok());
        assert!(credentials.admit(later, &key()).is_err(), "one at a time");
        assert!(!credentials.reject(later, &key(), None));
        assert_eq!(failures(&credentials), Some(2));
        assert!(credentials.accept());
        assert!(!credentials.accept());
    }

    #[test]
    fn the_message_has_the_remotes_code_and_what_to_do() {
        let credentials = Credentials::new("do something");
        credentials.reject(Moment::default(), &key(), Some("CC.00000003".into()));
        let message = "the remote does not accept the credentials of the connection (401: CC.00000003); do something";
        assert_eq!(credentials.message(), message);
    }
}
