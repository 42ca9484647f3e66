//! `POST /v3/auth/tokens`: a password for a token.

use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::credentials::IamUser;
use super::{CodeArts, answer, refusal};
use crate::remote::{ApiRequest, Reply};

const PASSWORD: &str = "/auth/identity/password/user/password";

/// The body, with what `facts.md` names (domain, user, password, project scope) and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    auth: Auth,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    identity: Identity,
    scope: Scope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    methods: Vec<String>,
    password: Password,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    user: User,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    password: String,
    domain: Named,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    project: Named,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

/// The user that a request is about, as far as it says so.
pub(super) fn user_name(request: &ApiRequest) -> Option<&str> {
    request.json.as_ref()?.pointer("/auth/identity/password/user/name")?.as_str()
}

/// The body without the password.
pub(super) fn recorded(request: &ApiRequest) -> Option<Value> {
    let mut body = request.json.clone()?;
    if let Some(password) = body.pointer_mut(PASSWORD) {
        *password = json!("********");
    }
    Some(body)
}

impl CodeArts {
    /// 201 with the token in `X-Subject-Token`, 401 for a user, password or project that is none, else 400.
    pub(super) fn issue_token(&mut self, request: &ApiRequest) -> Reply {
        let Some(user) = read(request) else {
            return refusal::iam(StatusCode::BAD_REQUEST, "The request body is invalid.");
        };
        if !self.credentials.login(&user) {
            return refusal::iam(StatusCode::UNAUTHORIZED, "The username or password is wrong.");
        }
        let issued_at = self.behaviour.now();
        let expires_at = issued_at + SignedDuration::from_secs(self.behaviour.token_lifetime_seconds.into());
        let token = self.credentials.issue(&user, expires_at);
        let mut reply = answer(StatusCode::CREATED, &described(&user, issued_at, expires_at));
        // Letters and digits only, so it is a header's value.
        if let Ok(value) = HeaderValue::from_str(&token) {
            reply.headers.push((HeaderName::from_static("x-subject-token"), value));
        }
        reply.with_effect()
    }
}

fn read(request: &ApiRequest) -> Option<IamUser> {
    if !request.says_json() {
        return None;
    }
    let Body { auth: Auth { identity, scope } } = serde_json::from_slice(&request.body).ok()?;
    let User { name, password, domain } = identity.password.user;
    (identity.methods == ["password"]).then_some(IamUser {
        domain: domain.name,
        user: name,
        password,
        project: scope.project.name,
    })
}

/// The token, as Keystone describes one. Its value is in the header alone.
fn described(user: &IamUser, issued_at: Timestamp, expires_at: Timestamp) -> Value {
    let domain = json!({ "name": user.domain });
    json!({ "token": {
        "catalog": [],
        "expires_at": format!("{expires_at:.6}"),
        "issued_at": format!("{issued_at:.6}"),
        "methods": ["password"],
        "project": { "name": user.project, "domain": domain },
        "roles": [],
        "user": { "name": user.user, "domain": domain },
    } })
}
