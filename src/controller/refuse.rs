//! Turns errors into what is told on the object: reason, stable message with what to do, and when to try again.

use std::fmt;
use std::time::Duration;

use crate::api::condition::Reason;
use crate::domain::desired::InvalidValue;
use crate::domain::refusal::{Refusal, Retry, reveal};
use crate::domain::secret::SecretText;
use crate::remote::error::{Fault, RemoteError, RetryClass};
use crate::remote::gate::Closed;

/// Why a step can't go on.
#[derive(Debug)]
pub enum Halt {
    /// The object is told.
    Refused(Refusal),
    /// Nothing is decided yet: others need the same LIST, and are waited for, for so long at most. The pass goes on where it
    /// stands.
    Gathering(Duration),
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

/// What a failed call means for the object. `on_404` is the reason of a 404, which depends on what was asked for;
/// `secrets` are the values that a message of the remote must not repeat; where they are not known, nothing that it says
/// is shown.
#[must_use]
pub fn remote(error: &RemoteError, on_404: Reason, secrets: Option<&[SecretText]>) -> Halt {
    if error.is_own_stop() {
        return Halt::Retry(error.to_string());
    }
    let reason = match &error.fault {
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
    };
    let retry = match error.retry() {
        RetryClass::Soon => Retry::Backoff,
        RetryClass::After(delay) => Retry::After(delay),
        RetryClass::Person => Retry::OnChange,
    };
    let message = format!("{error}{}{}", Said { error, secrets }, advice(reason));
    Halt::Refused(Refusal { reason, message, retry })
}

fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::CredentialsRejected => "; put a valid token into the Secret of the connection",
        Reason::Forbidden => "; give the token's user the permission to manage the project's webhooks",
        Reason::ProjectNotFound => {
            "; correct spec.organizationId and spec.projectId, or give the token access to the project"
        }
        Reason::RemoteRejected => "; correct the spec",
        _ => "",
    }
}

/// The remote's own code and message, as far as they may be shown.
struct Said<'a> {
    error: &'a RemoteError,
    secrets: Option<&'a [SecretText]>,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(secrets) = self.secrets else { return Ok(()) };
        let code = self.error.code().map(|code| SecretText::new(code.as_str()));
        let shown = |text: &Option<&SecretText>| text.and_then(|text| reveal(text, secrets)).map(str::to_owned);
        match (shown(&code.as_ref()), shown(&self.error.message())) {
            (Some(code), Some(message)) => write!(f, " ({code}: {message})"),
            (Some(text), None) | (None, Some(text)) => write!(f, " ({text})"),
            (None, None) => Ok(()),
        }
    }
}
