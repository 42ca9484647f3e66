//! What a call said of the connection's credentials, for the connection and all its users.

use super::connections::Live;
use super::context::Context;
use super::refuse::{Halt, said};
use crate::api::condition::Reason;
use crate::domain::refusal::{Refusal, Retry, is_vendors_code};
use crate::remote::error::RemoteError;

/// Once the remote has rejected the credentials, one user at a time tries them again.
///
/// # Errors
/// It is not this one's turn.
pub fn admit(context: &Context, live: &Live) -> Result<(), Refusal> {
    live.credentials.admit(context.clock.now(), &live.key).map_err(|again| rejected(live, Retry::After(again)))
}

/// The remote answered, and took the credentials: if that is news, everybody goes on.
pub fn accepted(context: &Context, live: &Live) {
    context.health.moved(&live.key.to_string());
    if live.credentials.accept() {
        context.triggers.connection(live.key.clone());
        for user in context.users.of(&live.key) {
            context.triggers.user(user);
        }
    }
}

/// What a 401 means; `None` where the call failed for another reason.
#[must_use]
pub fn unauthorized(context: &Context, live: &Live, error: &RemoteError) -> Option<Halt> {
    if !error.is_auth() {
        return None;
    }
    let now = context.clock.now();
    // The same text is on all objects of the connection, whose secrets are not known here: only the vendor's own form of a
    // code (facts: CC.00000003, APIG.0301) can't be one of them.
    let code = said(error.code(), &live.secrets()).filter(|code| is_vendors_code(code));
    if live.credentials.reject(now, &live.key, code) {
        context.triggers.connection(live.key.clone());
    }
    Some(rejected(live, Retry::After(live.credentials.probe_in(now))).into())
}

fn rejected(live: &Live, retry: Retry) -> Refusal {
    Refusal { reason: Reason::CredentialsRejected, message: live.credentials.message(), retry }
}
