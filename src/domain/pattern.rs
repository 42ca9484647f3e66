//! `--allowed-endpoint` and `--allowed-receiver`: which hosts may be called, and which may be called by the remote.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use super::refusal::Refusal;
use super::secret::ReceiverUrl;
use crate::api::condition::Reason;

/// `[scheme://]host[:port]`; https if no scheme is written. `*` stands for one label of the host, or for any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPattern {
    text: String,
    scheme: String,
    labels: Vec<Label>,
    port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    Any,
    Exactly(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Any,
    Exactly(u16),
}

/// The text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no pattern: write [scheme://]host[:port], for example https://hooks.example.com, *.example.com or http://127.0.0.1:*"
)]
pub struct InvalidPattern(String);

/// The hosts that the operator may call without being told so: App Maker's two, and the CodeArts services.
pub const DEFAULT_ENDPOINTS: &[&str] = &[
    "abp-api.akinon.net",
    "abptest-api.akinon.net",
    "codearts-check.*.myhuaweicloud.com",
    "devcloud.*.myhuaweicloud.com",
    "codecheck-ext.*.myhuaweicloud.com",
    "iam.myhuaweicloud.com",
    "iam.*.myhuaweicloud.com",
];

impl FromStr for UrlPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = || InvalidPattern(text.chars().take(256).collect());
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err(invalid()),
        };
        if rest.chars().any(|c| "/?#@".contains(c) || c.is_whitespace() || c.is_control()) {
            return Err(invalid());
        }
        // The colon of a port comes after the bracket of an IPv6 address.
        let host_end = rest.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match rest[host_end..].find(':') {
            None => (rest, Port::Exactly(default_port)),
            Some(colon) => {
                let (host, port) = rest.split_at(host_end + colon);
                let port = match &port[1..] {
                    "*" => Port::Any,
                    number => Port::Exactly(number.parse().map_err(|_| invalid())?),
                };
                (host, port)
            }
        };
        let labels = host_labels(host).ok_or_else(invalid)?;
        Ok(Self { text: text.to_owned(), scheme, labels, port })
    }
}

/// The labels of a pattern's host, normalised as the URL parser does. A `*` is a whole label.
fn host_labels(host: &str) -> Option<Vec<Label>> {
    if !host.contains('*') {
        return match Host::parse(host).ok()? {
            Host::Domain(domain) => domain_labels(&domain),
            // An address is one label: no part of it can be a wildcard.
            address => Some(vec![Label::Exactly(address.to_string())]),
        };
    }
    host.split('.')
        .map(|label| match label {
            "*" => Some(Label::Any),
            _ if label.contains('*') => None,
            _ => match Host::parse(label).ok()? {
                Host::Domain(label) if !label.contains('.') => Some(Label::Exactly(label)),
                // `1` alone parses as an address; within a pattern it is a label.
                Host::Ipv4(_) if label.bytes().all(|b| b.is_ascii_digit()) => Some(Label::Exactly(label.to_owned())),
                _ => None,
            },
        })
        .collect()
}

fn domain_labels(domain: &str) -> Option<Vec<Label>> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let labels: Vec<_> = domain.split('.').map(|label| Label::Exactly(label.to_owned())).collect();
    (!labels.contains(&Label::Exactly(String::new()))).then_some(labels)
}

impl UrlPattern {
    /// Whether a URL is within the pattern. User, query and fragment of `url` are the caller's business.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Domain(domain)) => domain_labels(domain),
            Some(address) => Some(vec![Label::Exactly(address.to_string())]),
            None => None,
        };
        let Some(host) = host else { return false };
        let port = match self.port {
            Port::Any => true,
            Port::Exactly(port) => url.port_or_known_default() == Some(port),
        };
        // A wildcard label is a name's: it must not stand for a whole address.
        let name = matches!(url.host(), Some(Host::Domain(_)));
        let label = |(pattern, label): (&Label, &Label)| pattern == label || (*pattern == Label::Any && name);
        self.scheme == url.scheme()
            && port
            && self.labels.len() == host.len()
            && self.labels.iter().zip(&host).all(label)
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where an endpoint is, however it is written: claims count per place. With slashes at its end, or dots at its host's, it is
/// the same one; what is called is what was written, because a name with a dot is looked up in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPlace(Url);

impl EndpointPlace {
    /// The place of an endpoint.
    #[must_use]
    pub fn of(endpoint: &Url) -> Self {
        let mut url = endpoint.clone();
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
        // It was a host with a dot, so it is one without; what is none has no claims.
        let _ = url.set_host(Some(&host));
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Self(url)
    }
}

/// Whether an endpoint may be called: it has no user, query or fragment and is within one of the patterns.
#[must_use]
pub fn endpoint_allowed(patterns: &[UrlPattern], endpoint: &Url) -> bool {
    let bare = endpoint.username().is_empty()
        && endpoint.password().is_none()
        && endpoint.query().is_none()
        && endpoint.fragment().is_none();
    bare && patterns.iter().any(|pattern| pattern.matches(endpoint))
}

/// Whether a receiver may be named: no patterns means all.
///
/// # Errors
/// It may not.
pub fn check_receiver(patterns: &[UrlPattern], receiver: &ReceiverUrl) -> Result<(), Refusal> {
    let matches = |url: Url| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&url));
    if receiver.url().is_some_and(matches) {
        return Ok(());
    }
    let message = format!(
        "receiver {} matches none of the operator's --allowed-receiver patterns; use another receiver, or have the \
         operator's administrator allow it",
        receiver.host()
    );
    Err(Refusal::person(Reason::ReceiverNotAllowed, message))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn allowed(pattern: &str, url: &str) -> bool {
        pattern.parse::<UrlPattern>().unwrap().matches(&url.parse().unwrap())
    }

    #[test]
    fn however_an_endpoint_is_written_its_place_is_the_same() {
        let place = |text: &str| EndpointPlace::of(&Url::parse(text).unwrap());
        for text in [
            "https://a.example/api/v1//",
            "https://A.example./api/v1",
            "https://a.example../api/v1",
            "https://a.example:443/x/../api/v1/",
        ] {
            assert_eq!(place(text), place("https://a.example/api/v1"), "{text}");
        }
        assert_eq!(place("https://a.example.///"), place("https://a.example"));
        assert_eq!(place("https://10.0.0.1./a"), place("https://10.0.0.1/a"));
        assert_eq!(place("https://[::1]/a/"), place("https://[::1]/a"));
        for other in ["https://a.example/api//v1", "http://a.example/api/v1", "https://a.example:444/api/v1"] {
            assert_ne!(place(other), place("https://a.example/api/v1"), "{other}");
        }
    }

    #[test]
    fn a_pattern_without_scheme_is_https_on_its_default_port() {
        assert!(allowed("abp-api.akinon.net", "https://ABP-API.akinon.net:443/api/v1"));
        assert!(!allowed("abp-api.akinon.net", "http://abp-api.akinon.net/"));
        assert!(!allowed("abp-api.akinon.net", "https://abp-api.akinon.net:8443/"));
    }

    #[test]
    fn a_star_is_exactly_one_label_or_any_port() {
        assert!(allowed("iam.*.myhuaweicloud.com", "https://iam.ap-southeast-3.myhuaweicloud.com/"));
        for other in
            ["https://iam.a.b.myhuaweicloud.com/", "https://iam.myhuaweicloud.com/", "https://x.a.myhuaweicloud.com/"]
        {
            assert!(!allowed("iam.*.myhuaweicloud.com", other), "{other}");
        }
        assert!(allowed("http://127.0.0.1:*", "http://127.0.0.1:1234/x"));
        assert!(!allowed("http://127.0.0.1:*", "http://127.0.0.2:1234/x"));
        assert!(allowed("http://[::1]:*", "http://[::1]:1234/x"));
    }

    #[test]
    fn the_host_is_compared_as_the_url_parser_reads_it() {
        assert!(allowed("http://127.0.0.1", "http://2130706433/"));
        assert!(!allowed("*", "https://2130706433/"), "a wildcard is a name's label, not an address");
        assert!(!allowed("example.com", "https://example.com.evil.net/"));
        assert!(!allowed("example.com", "https://example.com@evil.net/"));
        assert!(allowed("example.com", "https://example.com./"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "ftp://a", "a/b", "user@a", "a?b", "a#b", "a*.b", "a:x", "a:99999", "a b", "https://"] {
            assert!(bad.parse::<UrlPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_endpoint_with_user_query_or_fragment_is_not_allowed() {
        let patterns = ["a.example".parse().unwrap()];
        assert!(endpoint_allowed(&patterns, &"https://a.example/api".parse().unwrap()));
        for bad in ["https://u@a.example/", "https://a.example/?x", "https://a.example/#x"] {
            assert!(!endpoint_allowed(&patterns, &bad.parse().unwrap()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_around_an_allowed_host_no_other_host_is_reached(
            scheme in "https?|ftp|HTTPS",
            before in "[a-z.@:/?#%\\\\ -]{0,8}",
            after in "[a-z.@:/?#%\\\\ -]{0,8}",
        ) {
            let Ok(url) = Url::parse(&format!("{scheme}://{before}api.example.com{after}")) else { return Ok(()) };
            if endpoint_allowed(&["api.example.com".parse().unwrap()], &url) {
                // A dot at the end is the same host: it only says that no search domain is to be tried.
                let host = url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host));
                prop_assert_eq!((url.scheme(), host, url.port()), ("https", Some("api.example.com"), None));
                prop_assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
            }
        }
    }
}
