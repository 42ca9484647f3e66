//! Who may call Check: tokens, users of IAM, and access keys.

use std::collections::HashMap;

use hyper::header::{self, HeaderMap};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::behaviour::Behaviour;
use super::refusal::Refusal;
use super::signature::Signature;
use crate::remote::ApiRequest;

/// A user of IAM, who exchanges a password for a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IamUser {
    /// The account.
    pub domain: String,
    /// The user's name; calls to IAM are recorded and counted under it.
    pub user: String,
    /// The password.
    pub password: String,
    /// The only project that a token is issued for, such as `ap-southeast-3`.
    pub project: String,
}

/// An access key, which signs requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    /// The public half.
    pub access_key: String,
    /// The half that signs.
    pub secret_key: String,
    /// What `X-Project-Id` must say.
    pub project_id: String,
    /// What `X-Security-Token` must say: only a temporary key has one.
    #[serde(default)]
    pub security_token: Option<String>,
}

/// Whom a token was issued to: domain and name.
type UserName = (String, String);

struct Token {
    position: usize,
    forbidden: bool,
    expires_at: Option<Timestamp>,
    user: Option<UserName>,
}

struct Key {
    position: usize,
    forbidden: bool,
    key: AccessKey,
}

struct User {
    forbidden: bool,
    user: IamUser,
}

/// What is known of everybody. Tokens and access keys share one numbering, by which records name them.
#[derive(Default)]
pub(crate) struct Credentials {
    tokens: HashMap<String, Token>,
    keys: HashMap<String, Key>,
    users: HashMap<UserName, User>,
    added: usize,
}

impl Credentials {
    fn next_position(&mut self) -> usize {
        self.added += 1;
        self.added - 1
    }

    /// Adds a token that does not expire, or changes what a known one may do; tells its position.
    pub(crate) fn set_token(&mut self, token: &str, forbidden: bool) -> usize {
        if let Some(known) = self.tokens.get_mut(token) {
            known.forbidden = forbidden;
            return known.position;
        }
        let position = self.next_position();
        self.tokens.insert(token.to_owned(), Token { position, forbidden, expires_at: None, user: None });
        position
    }

    /// Forgets a token. Its position is not given to another.
    pub(crate) fn remove_token(&mut self, token: &str) -> bool {
        self.tokens.remove(token).is_some()
    }

    /// Forgets every token that IAM has issued, and tells how many those were.
    pub(crate) fn revoke_issued(&mut self) -> usize {
        let before = self.tokens.len();
        self.tokens.retain(|_, token| token.user.is_none());
        before - self.tokens.len()
    }

    /// Adds or changes a user. Another password kills the tokens that were issued for the old one.
    pub(crate) fn set_user(&mut self, user: IamUser) {
        let name = (user.domain.clone(), user.user.clone());
        match self.users.get_mut(&name) {
            Some(known) => {
                let changed = known.user.password != user.password;
                known.user = user;
                if changed {
                    self.revoke_issued_to(&name);
                }
            }
            None => {
                self.users.insert(name, User { forbidden: false, user });
            }
        }
    }

    /// From now on this user's tokens, those that there are included, may or may not do anything.
    pub(crate) fn forbid_user(&mut self, domain: &str, user: &str, forbidden: bool) -> bool {
        let known = self.users.get_mut(&(domain.to_owned(), user.to_owned()));
        known.map(|known| known.forbidden = forbidden).is_some()
    }

    /// Forgets a user and their tokens.
    pub(crate) fn remove_user(&mut self, domain: &str, user: &str) -> bool {
        let name = (domain.to_owned(), user.to_owned());
        self.revoke_issued_to(&name);
        self.users.remove(&name).is_some()
    }

    fn revoke_issued_to(&mut self, name: &UserName) {
        self.tokens.retain(|_, token| token.user.as_ref() != Some(name));
    }

    /// Whether there is this user, with this password and this project.
    pub(super) fn login(&self, given: &IamUser) -> bool {
        self.users.get(&(given.domain.clone(), given.user.clone())).is_some_and(|known| known.user == *given)
    }

    /// Issues a token.
    pub(super) fn issue(&mut self, user: &IamUser, expires_at: Timestamp) -> String {
        // The vendor's begin like this as well: it is how a PKCS#7 structure looks in base64.
        let token = format!("MII{}", (0..253).map(|_| fastrand::alphanumeric()).collect::<String>());
        let position = self.next_position();
        let user = Some((user.domain.clone(), user.user.clone()));
        self.tokens.insert(token.clone(), Token { position, forbidden: false, expires_at: Some(expires_at), user });
        token
    }

    /// Adds or changes an access key that may do everything; tells its position.
    pub(crate) fn set_key(&mut self, key: AccessKey) -> usize {
        if let Some(known) = self.keys.get_mut(&key.access_key) {
            (known.key, known.forbidden) = (key, false);
            return known.position;
        }
        let position = self.next_position();
        self.keys.insert(key.access_key.clone(), Key { position, forbidden: false, key });
        position
    }

    /// Marks an access key whose every request is answered with 403.
    pub(crate) fn forbid_key(&mut self, access_key: &str) -> bool {
        self.keys.get_mut(access_key).map(|known| known.forbidden = true).is_some()
    }

    /// Forgets an access key. Its position is not given to another.
    pub(crate) fn remove_key(&mut self, access_key: &str) -> bool {
        self.keys.remove(access_key).is_some()
    }

    /// The position of the credential that a request names, be it good or not.
    pub(super) fn position(&self, request: &ApiRequest) -> Option<usize> {
        match Claim::read(&request.headers).ok()? {
            Claim::Token(token) => self.tokens.get(token).map(|known| known.position),
            Claim::Signature(signature) => self.keys.get(signature.access_key).map(|known| known.position),
        }
    }

    /// Whether the request may be carried out.
    pub(super) fn authorize(&self, request: &ApiRequest, behaviour: &Behaviour) -> Result<(), Refusal> {
        let forbidden = match Claim::read(&request.headers).map_err(|flaw| Refusal::Unauthorized(flaw.to_owned()))? {
            Claim::Token(token) => self.check_token(token, behaviour.now())?,
            Claim::Signature(signature) => self.check_signature(&signature, request, behaviour.now())?,
        };
        if forbidden { Err(Refusal::Forbidden) } else { Ok(()) }
    }

    fn check_token(&self, token: &str, now: Timestamp) -> Result<bool, Refusal> {
        let known = self
            .tokens
            .get(token)
            .filter(|known| known.expires_at.is_none_or(|end| now < end))
            .ok_or_else(|| Refusal::Unauthorized("decrypt token fail".to_owned()))?;
        let user = known.user.as_ref().and_then(|name| self.users.get(name));
        Ok(known.forbidden || user.is_some_and(|user| user.forbidden))
    }

    fn check_signature(
        &self,
        signature: &Signature<'_>,
        request: &ApiRequest,
        now: Timestamp,
    ) -> Result<bool, Refusal> {
        let known = self.keys.get(signature.access_key).ok_or_else(|| {
            // The vendor's own words, access key and all.
            Refusal::Unauthorized(format!("ak {} not exist", signature.access_key))
        })?;
        let AccessKey { access_key: _, secret_key, project_id, security_token } = &known.key;
        let says = |name: &str, wanted: Option<&str>| {
            let sent: Vec<_> = request.headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
            if sent == wanted.map(str::as_bytes).into_iter().collect::<Vec<_>>() {
                Ok(())
            } else {
                Err(Refusal::Unauthorized(format!("{name} does not belong to the access key")))
            }
        };
        says("x-project-id", Some(project_id))?;
        says("x-security-token", security_token.as_deref())?;
        let must_sign: &[_] =
            if security_token.is_some() { &["x-project-id", "x-security-token"] } else { &["x-project-id"] };
        signature
            .verify(request, secret_key, now, must_sign)
            .map_err(|flaw| Refusal::Unauthorized(flaw.to_string()))?;
        Ok(known.forbidden)
    }
}

/// What a request shows to be let in.
enum Claim<'a> {
    Token(&'a str),
    Signature(Signature<'a>),
}

impl<'a> Claim<'a> {
    /// Reads the one claim of a request. One that shows two is refused: it gives a secret away for nothing.
    fn read(headers: &'a HeaderMap) -> Result<Self, &'static str> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => value.to_str().map(Some).map_err(|_| "malformed"),
                (Some(_), Some(_)) => Err("more than one claim"),
            }
        };
        match (one("x-auth-token")?, one(header::AUTHORIZATION.as_str())?) {
            (Some(token), None) => Ok(Self::Token(token)),
            (None, Some(text)) => Signature::parse(text).map(Self::Signature).map_err(|_| "malformed Authorization"),
            (None, None) => Err("x-auth-token not found"),
            (Some(_), Some(_)) => Err("more than one claim"),
        }
    }
}
