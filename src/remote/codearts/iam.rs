//! IAM's `POST /v3/auth/tokens`: a password for a token that lives for a day (facts: CodeArts, Token).
//!
//! One token serves all users of a connection, and one exchange at a time gets it. What is told apart here is when to get
//! another: before the end of the one there is, and at once after the remote refused it. A wrong password that is tried
//! again and again locks the account: who may try one is decided by the connection's credentials, as for any 401.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::auth::AuthToken;
use crate::domain::secret::SecretText;
use crate::ops::metrics::Provider;
use crate::remote::caller::{Ask, Caller};
use crate::remote::endpoint::{below, check_base};
use crate::remote::error::{BodyFault, Call, Fault, RemoteError};
use crate::remote::http::{Reply, SetupError};
use crate::remote::pace::Priority;

/// The call.
pub const ISSUE_TOKEN: Call =
    Call { name: "issue-token", method: "POST", target: "an IAM token", template: "/v3/auth/tokens" };

const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

/// How long a token is used whose end can't be read, or lies in the past by this machine's clock. A refusal ends it
/// anyway.
const UNKNOWN_LIFETIME: Duration = Duration::from_hours(1);

/// Whose password, and for which project. Prints as what it is.
#[derive(Clone)]
pub struct Login {
    /// The account, which IAM calls a domain.
    pub domain: String,
    /// The IAM user.
    pub user: String,
    /// The password.
    pub password: SecretText,
    /// The project that the token is for: a region's name.
    pub project: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(login)")
    }
}

/// The tokens of one login.
pub struct Tokens {
    iam: Url,
    login: Login,
    state: AsyncMutex<State>,
    /// The newest one, for keeping it out of messages without waiting for an exchange.
    newest: Mutex<Option<SecretText>>,
}

#[derive(Default)]
struct State {
    issued: Option<Issued>,
    /// The last exchange, if it failed, and when it ended.
    failed: Option<(RemoteError, Instant)>,
}

struct Issued {
    token: AuthToken,
    /// From then on another one is got while this one still works.
    renew_at: Instant,
    ends_at: Instant,
}

/// A token for one call.
pub(super) struct Current {
    pub token: AuthToken,
    /// Whether it was issued for this call.
    pub is_new: bool,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("host", &self.iam.host_str()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// The tokens of a login at an endpoint such as `https://iam.myhuaweicloud.com`; none yet.
    ///
    /// # Errors
    /// The endpoint can't be used.
    pub fn new(iam: Url, login: Login) -> Result<Self, SetupError> {
        check_base(&iam)?;
        Ok(Self { iam, login, state: AsyncMutex::default(), newest: Mutex::default() })
    }

    /// The newest token, which must not be shown.
    #[must_use]
    pub fn issued(&self) -> Option<SecretText> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token there is, or a new one. Who comes while an exchange is under way waits for it, and has its failure too: a
    /// wrong password is tried once, however many ask.
    pub(super) async fn current(&self, caller: &Caller, priority: Priority) -> Result<Current, RemoteError> {
        let came = Instant::now();
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(issued) = state.issued.as_ref().filter(|issued| now < issued.renew_at) {
            return Ok(Current { token: issued.token.clone(), is_new: false });
        }
        let still_works =
            state.issued.as_ref().filter(|issued| now < issued.ends_at).map(|issued| issued.token.clone());
        let shared = state.failed.as_ref().filter(|(_, ended)| came < *ended).map(|(error, _)| error.clone());
        let result = match shared {
            Some(error) => Err(error),
            None => {
                let result = self.exchange(caller, priority).await;
                state.failed = result.as_ref().err().map(|error| (error.clone(), Instant::now()));
                result.map(|issued| {
                    let token = issued.token.clone();
                    *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.text().clone());
                    state.issued = Some(issued);
                    token
                })
            }
        };
        match (result, still_works) {
            (Ok(token), _) => Ok(Current { token, is_new: true }),
            (Err(_), Some(token)) => Ok(Current { token, is_new: false }),
            (Err(error), None) => Err(error),
        }
    }

    /// The remote refused this token: it is not used again.
    pub(super) async fn refused(&self, token: &AuthToken) {
        // Somebody else may have got another one by now.
        self.state.lock().await.issued.take_if(|issued| issued.token.text() == token.text());
    }

    async fn exchange(&self, caller: &Caller, priority: Priority) -> Result<Issued, RemoteError> {
        let ask = Ask {
            provider: Provider::CodeArtsIam,
            call: ISSUE_TOKEN,
            url: url(&self.iam),
            about: &"-",
            json: Some(self.login.body()),
            priority,
        };
        let begun = Instant::now();
        caller.send(ask, |_| HeaderMap::new(), |reply| read(reply, begun)).await
    }
}

impl Login {
    /// Keystone's body: a password, and the scope of one project.
    fn body(&self) -> Value {
        let Self { domain, user, password, project } = self;
        let user = json!({ "name": user, "password": password.expose(), "domain": { "name": domain } });
        json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": { "name": project } },
        } })
    }
}

fn url(iam: &Url) -> Option<Url> {
    below(iam, ["v3", "auth", "tokens"])
}

/// The token from the header, and its end from the body. Without a token the answer is none; without an end it is one.
fn read(reply: Reply, begun: Instant) -> Result<Issued, Fault> {
    let no_token = Fault::Body(BodyFault::WrongShape("there is no X-Subject-Token beside it"));
    let text =
        reply.headers.get(SUBJECT_TOKEN).and_then(|value| value.to_str().ok()).ok_or_else(|| no_token.clone())?;
    let token = AuthToken::new(SecretText::new(text)).map_err(|_| no_token)?;
    let body = reply.body.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let lifetime = lifetime(&body, Timestamp::now()).unwrap_or(UNKNOWN_LIFETIME);
    Ok(Issued { token, renew_at: begun + lifetime.mul_f64(0.9), ends_at: begun + lifetime })
}

/// How long a token lives, by IAM's clock alone where it says when it issued it; `None` if that can't be told.
fn lifetime(body: &Value, now: Timestamp) -> Option<Duration> {
    let time = |name: &str| body.pointer(&format!("/token/{name}"))?.as_str()?.parse::<Timestamp>().ok();
    let lifetime = time("expires_at")?.duration_since(time("issued_at").unwrap_or(now));
    Duration::try_from(lifetime).ok().filter(|lifetime| !lifetime.is_zero())
}

#[cfg(test)]
mod tests;
