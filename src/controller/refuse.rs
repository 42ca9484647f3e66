//! Turns errors into what is told on the object: reason, stable message with what to do, and when to try again.

use std::fmt;
use std::time::Duration;

use crate::api::condition::Reason;
use crate::domain::desired::InvalidValue;
use crate::domain::notification::InvalidChannel;
use crate::domain::refusal::{Refusal, Retry, is_plain, is_vendors_code, reveal};
use crate::domain::secret::SecretText;
use crate::remote::error::{Fault, RemoteCode, RemoteError, RetryClass};
use crate::remote::gate::Closed;

/// Why a step can't go on.
#[derive(Debug)]
pub enum Halt {
    /// The object is told.
    Refused(Refusal),
    /// Nothing is decided yet: others need the same LIST, and are waited for, for so long at most. The pass goes on where it
    /// stands.
    Gathering(Duration),
    /// Nothing has changed since the last look, and the next one is not due before this time: all stays as it is.
    NotDue(Duration),
    /// Somebody else wrote the object in between: the pass is tried again with what it is now.
    Outdated,
    /// Nothing is wrong with the object, so nothing is said there: Kubernetes could not be asked or written to, or this
    /// process is stopping. The pass is tried again.
    Retry(String),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<kube::Error> for Halt {
    fn from(error: kube::Error) -> Self {
        if is_conflict(&error) { Self::Outdated } else { Self::Retry(kubernetes(&error)) }
    }
}

impl From<InvalidValue> for Refusal {
    fn from(error: InvalidValue) -> Self {
        Self::person(Reason::InvalidSpec, error.to_string())
    }
}

impl From<InvalidChannel> for Refusal {
    fn from(error: InvalidChannel) -> Self {
        Self::person(Reason::InvalidSpec, error.to_string())
    }
}

/// What Kubernetes answered, without the request: its body may hold a status with the user's values.
#[must_use]
pub fn kubernetes(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("the API server answers {} {}", status.code, status.reason),
        kube::Error::Service(error) if error.is::<Closed>() => Closed.to_string(),
        _ => "the API server can't be reached".into(),
    }
}

/// Whether Kubernetes says that somebody else wrote the object in between.
#[must_use]
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// Whether Kubernetes says that there is no such object.
#[must_use]
pub fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// What a failed call means for the object. `on_404` is the reason of a 404, which depends on what was asked for.
#[must_use]
pub const fn reason_of(error: &RemoteError, on_404: Reason) -> Reason {
    match &error.fault {
        Fault::Unauthorized(_) => Reason::CredentialsRejected,
        Fault::Forbidden(_) => Reason::Forbidden,
        Fault::NotFound(_) => on_404,
        Fault::Rejected { .. } => Reason::RemoteRejected,
        Fault::RateLimited { .. } => Reason::RateLimited,
        Fault::NotSent(_)
        | Fault::Timeout
        | Fault::Network
        | Fault::Redirected { .. }
        | Fault::Server { .. }
        | Fault::Body(_)
        | Fault::Draining
        | Fault::Cut => Reason::RemoteUnavailable,
    }
}

/// What of a remote's code and message is kept back.
#[derive(Clone, Copy)]
pub enum Withheld<'a> {
    /// What repeats one of these: nothing else there is secret.
    These(&'a [SecretText]),
    /// What repeats one of these, and whatever is not plain, because the remote may hold what is not known here.
    TheseAndUnknown(&'a [SecretText]),
    /// All of it.
    Everything,
}

/// A failed call, as it is told on the object. `advice` says what to do.
#[must_use]
pub fn remote(error: &RemoteError, reason: Reason, advice: &str, withheld: Withheld<'_>) -> Halt {
    if error.is_own_stop() {
        return Halt::Retry(error.to_string());
    }
    let retry = match error.retry() {
        RetryClass::Soon => Retry::Backoff,
        RetryClass::After(delay) => Retry::After(delay),
        RetryClass::Person => Retry::OnChange,
    };
    let message = format!("{error}{}{advice}", Said { error, withheld });
    Halt::Refused(Refusal { reason, message, retry })
}

/// The remote's own code, if it repeats nothing secret.
#[must_use]
pub fn said(code: Option<&RemoteCode>, secrets: &[SecretText]) -> Option<String> {
    reveal(&SecretText::new(code?.as_str()), secrets).map(str::to_owned)
}

/// The remote's own code and message, as far as they may be shown.
struct Said<'a> {
    error: &'a RemoteError,
    withheld: Withheld<'a>,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secrets, known) = match self.withheld {
            Withheld::These(secrets) => (secrets, true),
            Withheld::TheseAndUnknown(secrets) => (secrets, false),
            Withheld::Everything => return Ok(()),
        };
        let message = self.error.message().and_then(|text| reveal(text, secrets));
        let message = message.filter(|text| known || is_plain(text));
        let code = said(self.error.code(), secrets);
        let code = code.filter(|code| known || is_vendors_code(code) || is_plain(code));
        match (code.as_deref(), message) {
            (Some(code), Some(message)) => write!(f, " ({code}: {message})"),
            (Some(text), None) | (None, Some(text)) => write!(f, " ({text})"),
            (None, None) => Ok(()),
        }
    }
}
