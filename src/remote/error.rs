//! What can become of a call to a remote, everything apart.
//!
//! Texts are stable and name no secret: no URL, no request id, no time, no counter, nothing of a response. What the
//! remote itself says of a refusal is carried as [`Said`], for the domain, which alone knows what must not be shown.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::domain::secret::SecretText;

/// Longest text of the remote that an error carries, in bytes.
pub const MAX_MESSAGE: usize = 256;

/// One kind of call. Its parts are written in the source, so that an error or a log line can't name a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is asked for, as a metric label: `list`, `create`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// What it is asked of, for people: `the project's webhooks`.
    pub target: &'static str,
    /// The path below the endpoint, with placeholders for ids.
    pub template: &'static str,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.method, self.target)
    }
}

/// The remote's own code for a refusal. Neither `Display` nor readable in `Debug`: a remote may put anything there that
/// looks like a code, a token too, and only the domain can compare it with what must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteCode(String);

impl RemoteCode {
    /// A code, if the text is one: `[A-Za-z0-9._-]{1,64}`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        ((1..=64).contains(&text.len()) && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RemoteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(code)")
    }
}

/// What the remote says of its refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its code, if it is one.
    pub code: Option<RemoteCode>,
    /// Its message: at most [`MAX_MESSAGE`] bytes, without control characters.
    pub message: Option<SecretText>,
}

/// Why nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The endpoint's host has no address.
    Dns,
    /// No TCP connection: refused, unreachable, reset.
    Connect,
    /// No connection in time.
    Timeout,
    /// The certificate's issuer is not trusted.
    UntrustedIssuer,
    /// The certificate is expired, not yet valid, or for another name.
    BadCertificate,
    /// TLS failed for another reason.
    Tls,
    /// The request could not be put together.
    Internal,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the endpoint's host name can't be resolved",
            Self::Connect => "no connection to the endpoint can be opened",
            Self::Timeout => "opening a connection to the endpoint takes too long",
            Self::UntrustedIssuer => {
                "the endpoint's certificate is signed by an unknown authority; if that is a CA of your own, set \
                 spec.caFrom of the connection"
            }
            Self::BadCertificate => {
                "the endpoint's certificate is not valid (expired, for another host name, or malformed); if it is of \
                 your own CA, compare it with spec.caFrom of the connection"
            }
            Self::Tls => "no TLS connection to the endpoint can be agreed on",
            Self::Internal => "the request can't be put together",
        })
    }
}

/// Why the body of an answer can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// Larger than the bound.
    TooLarge,
    /// Not JSON.
    NotJson,
    /// JSON of another shape than the documented one; says which part.
    WrongShape(&'static str),
    /// It ended before its end.
    Truncated,
}

impl fmt::Display for BodyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => f.write_str("is larger than 4 MiB"),
            Self::NotJson => f.write_str("is not JSON"),
            Self::WrongShape(what) => write!(f, "has an undocumented shape ({what})"),
            Self::Truncated => f.write_str("ended too early"),
        }
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing was sent: the connection could not be made.
    NotSent(NotSent),
    /// No complete answer before the deadline; 408 too.
    Timeout,
    /// The connection broke after something was sent.
    Network,
    /// 3xx; never followed, because credentials must not travel to another place.
    Redirected {
        /// The status.
        status: u16,
    },
    /// 401.
    Unauthorized(Said),
    /// 403.
    Forbidden(Said),
    /// 404.
    NotFound(Said),
    /// 400, 409, 422 and every other 4xx.
    Rejected {
        /// The status.
        status: u16,
        /// What the remote says.
        said: Said,
    },
    /// 429.
    RateLimited {
        /// How long to wait, bounded, if the remote said so.
        retry_after: Option<Duration>,
    },
    /// 5xx, and statuses that HTTP does not know.
    Server {
        /// The status.
        status: u16,
        /// How long to wait, bounded, if the remote said so.
        retry_after: Option<Duration>,
    },
    /// A good status with a body that can't be used.
    Body(BodyFault),
    /// Nothing was sent: this process is stopping, or does not lead any more.
    Draining,
    /// Cut under way, because this process is stopping, or is not sure any more that it leads.
    Cut,
}

/// When a failed call may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// With the caller's own backoff.
    Soon,
    /// Not before this.
    After(Duration),
    /// When a person has changed something.
    Person,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteError {
    /// Which call.
    pub call: Call,
    /// What went wrong.
    pub fault: Fault,
}

impl RemoteError {
    /// Puts the two together.
    #[must_use]
    pub const fn new(call: Call, fault: Fault) -> Self {
        Self { call, fault }
    }

    /// When the call may be tried again.
    #[must_use]
    pub const fn retry(&self) -> RetryClass {
        match &self.fault {
            Fault::RateLimited { retry_after: Some(delay) } | Fault::Server { retry_after: Some(delay), .. } => {
                RetryClass::After(*delay)
            }
            Fault::Unauthorized(_) | Fault::Forbidden(_) | Fault::NotFound(_) | Fault::Rejected { .. } => {
                RetryClass::Person
            }
            Fault::NotSent(_)
            | Fault::Timeout
            | Fault::Network
            | Fault::Redirected { .. }
            | Fault::RateLimited { retry_after: None }
            | Fault::Server { retry_after: None, .. }
            | Fault::Body(_)
            | Fault::Draining
            | Fault::Cut => RetryClass::Soon,
        }
    }

    /// Whether the request may have taken effect although it failed.
    #[must_use]
    pub const fn ambiguous(&self) -> bool {
        match &self.fault {
            Fault::Timeout
            | Fault::Network
            | Fault::Redirected { .. }
            | Fault::Server { .. }
            | Fault::Body(_)
            | Fault::Cut => true,
            Fault::NotSent(_)
            | Fault::Unauthorized(_)
            | Fault::Forbidden(_)
            | Fault::NotFound(_)
            | Fault::Rejected { .. }
            | Fault::RateLimited { .. }
            | Fault::Draining => false,
        }
    }

    /// Whether the remote does not accept the credentials (401).
    #[must_use]
    pub const fn is_auth(&self) -> bool {
        matches!(self.fault, Fault::Unauthorized(_))
    }

    /// Whether the call was not made, or not ended, because this process is stopping: it says nothing of the remote.
    #[must_use]
    pub const fn is_own_stop(&self) -> bool {
        matches!(self.fault, Fault::Draining | Fault::Cut)
    }

    /// What the remote says of its refusal.
    #[must_use]
    pub const fn said(&self) -> Option<&Said> {
        match &self.fault {
            Fault::Unauthorized(said)
            | Fault::Forbidden(said)
            | Fault::NotFound(said)
            | Fault::Rejected { said, .. } => Some(said),
            _ => None,
        }
    }

    /// The remote's own code.
    #[must_use]
    pub fn code(&self) -> Option<&RemoteCode> {
        self.said()?.code.as_ref()
    }

    /// The remote's own message. Only the domain decides whether it may be shown.
    #[must_use]
    pub fn message(&self) -> Option<&SecretText> {
        self.said()?.message.as_ref()
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = &self.call;
        match &self.fault {
            Fault::NotSent(why) => write!(f, "{call} was not sent: {why}"),
            Fault::Timeout => write!(f, "{call} timed out"),
            Fault::Network => write!(f, "{call} failed: the connection broke before an HTTP answer was complete"),
            Fault::Redirected { status } => {
                write!(
                    f,
                    "{call} was answered with a redirect ({status}), which is never followed; correct the endpoint"
                )
            }
            Fault::Unauthorized(_) => write!(f, "{call} was refused: the remote does not accept the credentials (401)"),
            Fault::Forbidden(_) => write!(f, "{call} was refused: the credentials lack a permission (403)"),
            Fault::NotFound(_) => write!(f, "{call} failed: the remote knows no such thing (404)"),
            Fault::Rejected { status, .. } => write!(f, "{call} was rejected: the remote answers {status}"),
            Fault::RateLimited { .. } => write!(f, "{call} was put off: the remote limits the rate (429)"),
            Fault::Server { status, .. } => write!(f, "{call} failed: the remote answers {status}"),
            Fault::Body(fault) => write!(f, "{call} failed: the body of the answer {fault}"),
            Fault::Draining => write!(f, "{call} was not sent: this operator is stopping, or another one leads"),
            Fault::Cut => write!(f, "{call} was cut: this operator is stopping, or another one leads"),
        }
    }
}

// Without a source on purpose: the texts of the libraries below hold URLs.
impl Error for RemoteError {}
