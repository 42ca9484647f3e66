//! A webhook as the remote shows it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use litemap::LiteMap;

use super::ids::WebhookId;
use super::marker::{MARKER_HEADER, Marker, SeenMarker};
use super::secret::{ReceiverUrl, SecretText};

/// An HTTP header's name; equal without regard to case (RFC 9110 §5.1), shown as written.
#[derive(Clone, Debug)]
pub struct HeaderName(Box<str>);

impl HeaderName {
    /// Takes any text over: what the remote holds need not be a token.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for HeaderName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for HeaderName {}
impl PartialOrd for HeaderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for HeaderName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lower = |name: &Self| name.0.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
        lower(self).cmp(&lower(other))
    }
}
impl Hash for HeaderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}
impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A header's value as the remote shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SeenValue {
    /// The value.
    Plain(SecretText),
    /// Only asterisks: the remote does not show it. Specs refuse such values, so that this is never ambiguous.
    Masked,
}

impl SeenValue {
    /// Reads a value: only asterisks, at least one, means masked.
    #[must_use]
    pub fn read(text: String) -> Self {
        if is_mask(&text) { Self::Masked } else { Self::Plain(SecretText::new(text)) }
    }
}

/// Whether a text can't be told from a masked value.
#[must_use]
pub fn is_mask(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b == b'*')
}

/// Headers as the remote shows them.
pub type SeenHeaders = LiteMap<HeaderName, SeenValue>;

/// A webhook as the remote shows it. A field that is `None` is not shown: what it holds is not known, as with a masked
/// value, so the last accepted write counts ([`super::compare::Masked`]).
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Display name.
    pub name: Option<String>,
    /// Receiver.
    pub url: Option<ReceiverUrl>,
    /// Headers, without the marker.
    pub headers: SeenHeaders,
    /// Who created it.
    pub marker: SeenMarker,
    /// Whether it delivers.
    pub active: Option<bool>,
    /// Events, as the remote orders them.
    pub events: Option<Vec<String>>,
    /// As the remote says it, RFC 3339.
    pub created_at: Option<String>,
    /// As the remote says it, RFC 3339.
    pub updated_at: Option<String>,
}

impl Webhook {
    /// Separates the marker from the headers that are the user's.
    #[must_use]
    pub fn split_marker(headers: BTreeMap<String, String>) -> (SeenHeaders, SeenMarker) {
        let mut marker = SeenMarker::Absent;
        let mut users = SeenHeaders::with_capacity(headers.len());
        for (name, value) in headers {
            if !name.eq_ignore_ascii_case(MARKER_HEADER) {
                users.insert(HeaderName::new(name), SeenValue::read(value));
            } else if is_mask(&value) {
                marker = SeenMarker::Masked;
            } else {
                marker = SeenMarker::Shown(Marker::shown(&value));
            }
        }
        (users, marker)
    }

    /// What tells two states of the same webhook apart. In memory only.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let Self { id, name, url, headers, marker, active, events, created_at, updated_at } = self;
        let mut hasher = DefaultHasher::new();
        (id, name, url.as_ref().map(ReceiverUrl::expose), headers, marker, active, events, created_at, updated_at)
            .hash(&mut hasher);
        Fingerprint(hasher.finish())
    }
}

/// See [`Webhook::fingerprint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_not_one_of_the_users_headers_in_whatever_case() {
        let headers = BTreeMap::from([("x-hookwright-owner".into(), "abc".into()), ("X-Team".into(), "shop".into())]);
        let (users, marker) = Webhook::split_marker(headers);
        assert_eq!(users.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["X-Team"]);
        assert_eq!(marker, SeenMarker::Shown(Marker::shown("abc")));
    }

    #[test]
    fn only_asterisks_are_a_mask_and_an_empty_value_is_not() {
        assert_eq!(SeenValue::read("****".into()), SeenValue::Masked);
        assert_eq!(SeenValue::read(String::new()), SeenValue::Plain(SecretText::new("")));
        assert_ne!(SeenValue::read("**a*".into()), SeenValue::Masked);
    }
}
