//! The webhook as the spec and its Secrets want it.

use std::collections::BTreeMap;

use super::marker::{MARKER_HEADER, Marker, RESERVED_PREFIX};
use super::observed::{HeaderName, is_mask};
use super::secret::{ReceiverUrl, SecretText};

/// Longest header value, in bytes, with its prefix.
pub const MAX_HEADER_VALUE: usize = 2048;
/// Longest receiver URL, in bytes.
pub const MAX_URL: usize = 2048;

/// A webhook as it should be. It holds the user's headers only; the marker is added where it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Display name.
    pub name: String,
    /// Receiver.
    pub url: ReceiverUrl,
    /// Headers.
    pub headers: BTreeMap<HeaderName, SecretText>,
    /// Whether the remote delivers.
    pub active: bool,
    /// Events, in the spec's order; a set.
    pub events: Vec<String>,
}

impl Desired {
    /// The whole header map as it is sent: the user's and, where the webhook is marked, the marker.
    #[must_use]
    pub fn header_map(&self, marker: Option<&Marker>) -> BTreeMap<HeaderName, SecretText> {
        let mut headers = self.headers.clone();
        if let Some(marker) = marker {
            headers.insert(HeaderName::new(MARKER_HEADER), SecretText::new(marker.as_str()));
        }
        headers
    }

    /// Everything about this webhook that must never be shown: header values, and the URL's path and query.
    #[must_use]
    pub fn secrets(&self) -> Vec<SecretText> {
        let mut secrets: Vec<_> = self.headers.values().cloned().collect();
        if let Some(url) = self.url.url() {
            secrets.push(SecretText::new(url.path()));
            secrets.extend(url.query().map(SecretText::new));
            secrets.extend(url.password().map(SecretText::new));
        }
        secrets
    }
}

/// What a PATCH sends: only the fields that differ, `headers` as the whole map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New display name.
    pub name: Option<String>,
    /// New receiver.
    pub url: Option<ReceiverUrl>,
    /// The whole header map, the marker included where the webhook is marked.
    pub headers: Option<BTreeMap<HeaderName, SecretText>>,
    /// New switch.
    pub active: Option<bool>,
    /// New events.
    pub events: Option<Vec<String>>,
}

/// An enum of what can't be used, with the names of its variants: a test asks for a manifest that shows each message.
macro_rules! invalid_values {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $variant:ident($($of:ty),*),)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
        pub enum $name { $($(#[$meta])* $variant($($of),*),)* }

        impl $name {
            /// The name of each.
            pub const VARIANTS: &[&str] = &[$(stringify!($variant),)*];
        }
    };
}
pub(super) use invalid_values;

invalid_values! {
    /// Why a value of the spec, or of a Secret that it names, can't be used. Never holds the value.
    InvalidValue {
        /// A header's value holds a control character.
        #[error("the value of header {0} holds a line break or another control character; remove it")]
        ControlCharacter(HeaderName),
        /// A header's value can't be told from a masked one.
        #[error("the value of header {0} is only *, which can't be told from a masked value; use another value")]
        OnlyAsterisks(HeaderName),
        /// A header's value is too long.
        #[error("the value of header {0} has {1} bytes; at most 2048 are possible")]
        TooLong(HeaderName, usize),
        /// A header's name is no RFC 9110 token.
        #[error("header name {0:?} is no RFC 9110 token; use letters, digits and !#$%&'*+-.^_`|~")]
        NotAToken(String),
        /// A header's name is the operator's own.
        #[error("header {0} is reserved for the operator; use a name that does not begin with X-Hookwright-")]
        Reserved(HeaderName),
        /// Two headers differ in case only.
        #[error("header {0} is there twice (names are compared without regard to case); keep one")]
        Twice(HeaderName),
        /// The receiver is no usable URL.
        #[error(
            "the receiver's URL is not an http or https URL with a host, like https://hooks.example.com/builds; correct {0}"
        )]
        NotAReceiver(String),
        /// The receiver's URL is too long.
        #[error("the receiver's URL has {0} bytes; at most 2048 are possible")]
        UrlTooLong(usize),
    }
}

/// A value as Secrets are commonly written: with one newline at its end that nobody meant.
#[must_use]
pub fn strip_newline(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}

/// Checks a header and its value (RFC 9110 §5.1 and §5.5, and the bounds of the API).
///
/// # Errors
/// The first thing that makes it unusable.
pub fn header(name: &str, value: String) -> Result<(HeaderName, SecretText), InvalidValue> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(InvalidValue::NotAToken(name.chars().take(128).collect()));
    }
    let name = HeaderName::new(name);
    if name.as_str().to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
        return Err(InvalidValue::Reserved(name));
    }
    if value.len() > MAX_HEADER_VALUE {
        return Err(InvalidValue::TooLong(name, value.len()));
    }
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(InvalidValue::ControlCharacter(name));
    }
    if is_mask(&value) {
        return Err(InvalidValue::OnlyAsterisks(name));
    }
    Ok((name, SecretText::new(value)))
}

/// Puts headers together.
///
/// # Errors
/// Two names that differ in case only.
pub fn header_set(
    headers: impl IntoIterator<Item = (HeaderName, SecretText)>,
) -> Result<BTreeMap<HeaderName, SecretText>, InvalidValue> {
    let mut set = BTreeMap::new();
    for (name, value) in headers {
        if set.insert(name.clone(), value).is_some() {
            return Err(InvalidValue::Twice(name));
        }
    }
    Ok(set)
}

/// Checks a receiver's URL. `field` names where it came from, for the message.
///
/// # Errors
/// It is not an http or https URL with a host, or too long.
pub fn receiver(text: &str, field: &str) -> Result<ReceiverUrl, InvalidValue> {
    if text.len() > MAX_URL {
        return Err(InvalidValue::UrlTooLong(text.len()));
    }
    let receiver = ReceiverUrl::new(text);
    let usable =
        |url: url::Url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|h| !h.is_empty());
    // The parser drops tabs and line breaks inside a URL; the remote would store them.
    if text.chars().any(|c| c.is_control() || c == ' ') || !receiver.url().is_some_and(usable) {
        return Err(InvalidValue::NotAReceiver(field.to_owned()));
    }
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_header_value_with_a_line_break_inside_is_refused_and_not_shown() {
        let error = header("X-Key", "abc\ndef".into()).unwrap_err();
        assert_eq!(error, InvalidValue::ControlCharacter(HeaderName::new("X-Key")));
        assert!(!error.to_string().contains("abc"));
    }

    #[test]
    fn one_trailing_newline_is_stripped_and_only_one() {
        assert_eq!(strip_newline("abc\n"), "abc");
        assert_eq!(strip_newline("abc\r\n"), "abc");
        assert_eq!(strip_newline("abc\n\n"), "abc\n");
    }

    #[test]
    fn reserved_names_masks_and_long_values_are_refused() {
        assert!(matches!(header("x-HOOKWRIGHT-owner", "a".into()), Err(InvalidValue::Reserved(_))));
        assert!(matches!(header("X-A", "***".into()), Err(InvalidValue::OnlyAsterisks(_))));
        assert!(matches!(header("X-A", "a".repeat(2049)), Err(InvalidValue::TooLong(_, 2049))));
        assert!(matches!(header("X A", "a".into()), Err(InvalidValue::NotAToken(_))));
        assert!(header("X-A", "a".repeat(2048)).is_ok());
    }

    #[test]
    fn names_that_differ_in_case_only_are_one_header() {
        let twice = [header("X-A", "1".into()).unwrap(), header("x-a", "2".into()).unwrap()];
        assert!(matches!(header_set(twice), Err(InvalidValue::Twice(_))));
    }

    #[test]
    fn a_receiver_is_an_http_url_with_a_host() {
        assert!(receiver("https://hooks.example.com/a?b=c", "spec.url").is_ok());
        for bad in ["hooks.example.com", "ftp://a/b", "https://", "https://a/b\nc", "javascript:alert(1)"] {
            assert_eq!(receiver(bad, "spec.url"), Err(InvalidValue::NotAReceiver("spec.url".into())), "{bad}");
        }
    }
}
