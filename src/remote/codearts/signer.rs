//! SDK-HMAC-SHA256: requests signed with an access key, so that its secret half never travels.
//!
//! Pure: the parts of a request, a key and a time go in, and the headers to send come out. The request is written down
//! in one canonical form, and the remote writes down what it received in the same form; so neither URL nor body may be
//! changed after signing. Source: the vendor's "AK/SK Signing and Authentication Algorithm", held to its vectors.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::secret::SecretText;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
const PROJECT_ID: &str = "x-project-id";
const DATE: &str = "x-sdk-date";
const SECURITY_TOKEN: &str = "x-security-token";
/// What the canonical form leaves as it is, beside letters and digits.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why an access key can't be used. Never holds the value that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The project's id can't be sent.
    #[error("projectId is empty, or holds a blank, a line break or another character that no id has")]
    ProjectId,
    /// The access key's public half can't be sent.
    #[error(
        "the access key is empty, or holds a blank, a comma, a line break or another character that no access key has"
    )]
    AccessKey,
    /// The access key's secret half is none.
    #[error("the secret key is empty, or holds a blank, a line break or another character that no secret key has")]
    SecretKey,
    /// The security token can't be sent.
    #[error("the security token is empty, or holds a blank, a line break or another character that no token has")]
    SecurityToken,
}

/// An access key, permanent or, with a security token, temporary. Cheap enough to clone; prints as what it is.
#[derive(Clone)]
pub struct AccessKey {
    project_id: String,
    access_key: SecretText,
    secret_key: SecretText,
    security_token: Option<SecretText>,
}

/// A request, as far as a signature covers it.
#[derive(Clone, Copy)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URL; path and query are covered.
    pub url: &'a Url,
    /// The body; empty if there is none.
    pub body: &'a [u8],
}

impl AccessKey {
    /// Puts a key together from what a Connection and its Secrets say.
    ///
    /// # Errors
    /// A part is empty or not visible ASCII, and so can't have been given out by the vendor.
    pub fn new(
        project_id: &str,
        access_key: SecretText,
        secret_key: SecretText,
        security_token: Option<SecretText>,
    ) -> Result<Self, KeyError> {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible(project_id) {
            return Err(KeyError::ProjectId);
        }
        // A comma ends the access key within the Authorization header.
        if !visible(access_key.expose()) || access_key.expose().contains(',') {
            return Err(KeyError::AccessKey);
        }
        if !visible(secret_key.expose()) {
            return Err(KeyError::SecretKey);
        }
        if security_token.as_ref().is_some_and(|token| !visible(token.expose())) {
            return Err(KeyError::SecurityToken);
        }
        Ok(Self { project_id: project_id.to_owned(), access_key, secret_key, security_token })
    }

    /// The headers that authenticate this request, sent at this time. The remote takes them for 15 minutes before and
    /// after by its own clock.
    #[must_use]
    pub fn sign(&self, request: Unsigned<'_>, at: Timestamp) -> HeaderMap {
        let date = at.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut signed = BTreeMap::from([(PROJECT_ID, self.project_id.as_str()), (DATE, &date)]);
        if let Some(token) = &self.security_token {
            signed.insert(SECURITY_TOKEN, token.expose());
        }
        let authorization = format!(
            "{ALGORITHM} Access={}, SignedHeaders={}, Signature={}",
            self.access_key.expose(),
            names(&signed),
            signature(request, &signed, &date, &self.secret_key),
        );
        let sent = signed.iter().map(|(name, value)| (HeaderName::from_static(name), *value));
        sent.chain([(AUTHORIZATION, authorization.as_str())])
            // Every value is visible ASCII and blanks, which makes it a header's: `new` has seen to it.
            .filter_map(|(name, value)| HeaderValue::from_str(value).ok().map(|value| (name, value)))
            .map(|(name, mut value)| {
                value.set_sensitive(true);
                (name, value)
            })
            .collect()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(access key)")
    }
}

/// The signature of a request with these headers, whose names are in lower case.
fn signature(request: Unsigned<'_>, signed: &BTreeMap<&str, &str>, date: &str, secret_key: &SecretText) -> String {
    let canonical = hex(&Sha256::digest(canonical_request(request, signed)));
    let text = format!("{ALGORITHM}\n{date}\n{canonical}");
    hex(&hmac(secret_key.expose().as_bytes(), text.as_bytes()))
}

fn canonical_request(request: Unsigned<'_>, signed: &BTreeMap<&str, &str>) -> String {
    let Unsigned { method, url, body } = request;
    let headers: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let path = canonical_path(url.path());
    let query = canonical_query(url.query().unwrap_or_default());
    format!("{method}\n{path}\n{query}\n{headers}\n{}\n{}", names(signed), hex(&Sha256::digest(body)))
}

fn names(signed: &BTreeMap<&str, &str>) -> String {
    signed.keys().copied().collect::<Vec<_>>().join(";")
}

/// Each segment encoded anew, with a slash at the end that the request itself does not have.
fn canonical_path(path: &str) -> String {
    let path = path.split('/').map(encoded_anew).collect::<Vec<_>>().join("/");
    if path.ends_with('/') { path } else { path + "/" }
}

/// Names and values encoded anew, then sorted. A name without a value has the empty one.
fn canonical_query(query: &str) -> String {
    // In a query `+` is a blank.
    let encoded = |part: &str| encoded_anew(&part.replace('+', "%20"));
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// A URL leaves more characters alone than the canonical form does, and may write `%2f` for `%2F`.
fn encoded_anew(part: &str) -> String {
    percent_encode(&percent_decode_str(part).collect::<Vec<_>>(), ENCODED).to_string()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // Only ciphers limit a key's length; HMAC hashes one that is too long (RFC 2104 §2), so there is no error to see.
    Hmac::<Sha256>::new_from_slice(key)
        .map_or_else(|_| Vec::new(), |mac| mac.chain_update(text).finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
