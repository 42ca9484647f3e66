//! The three ways in which a request shows who asks.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::iam::Tokens;
use super::signer::{AccessKey, Unsigned};
use crate::domain::secret::SecretText;
use crate::remote::http::SetupError;

const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A token as it is sent, in `X-Auth-Token`. Prints as what it is.
#[derive(Clone, Debug)]
pub struct AuthToken {
    header: HeaderValue,
    text: SecretText,
}

impl AuthToken {
    /// Takes a token over.
    ///
    /// # Errors
    /// It is empty, or not visible ASCII.
    pub fn new(text: SecretText) -> Result<Self, SetupError> {
        let bytes = text.expose().as_bytes();
        if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(SetupError::BadToken);
        }
        let mut header = HeaderValue::from_bytes(bytes).map_err(|_| SetupError::BadToken)?;
        header.set_sensitive(true);
        Ok(Self { header, text })
    }

    /// The token itself, for keeping it out of messages.
    #[must_use]
    pub const fn text(&self) -> &SecretText {
        &self.text
    }

    pub(super) fn headers(&self) -> HeaderMap {
        HeaderMap::from_iter([(AUTH_TOKEN, self.header.clone())])
    }
}

/// How the requests of one connection are authenticated. Cheap to clone; clones share what IAM issued.
#[derive(Clone, Debug)]
pub enum Auth {
    /// With a token that a person got.
    Token(AuthToken),
    /// With tokens that IAM issues for a password.
    Password(Arc<Tokens>),
    /// By signing each request.
    AccessKey(AccessKey),
}

/// How one request is authenticated.
pub(super) enum Proof<'a> {
    Token(&'a AuthToken),
    AccessKey(&'a AccessKey),
}

impl Proof<'_> {
    /// The headers of a GET without a body that is sent now.
    pub(super) fn headers(&self, url: &Url) -> HeaderMap {
        match self {
            Self::Token(token) => token.headers(),
            Self::AccessKey(key) => key.sign(Unsigned { method: &Method::GET, url, body: b"" }, jiff::Timestamp::now()),
        }
    }
}
