//! Endpoints, and the places below them.

use url::Url;

use super::http::SetupError;

/// Whether an endpoint is a place and a path, to which the paths of an API can be added.
pub(super) fn check_base(base: &Url) -> Result<(), SetupError> {
    let plain = base.username().is_empty() && base.password().is_none();
    let nothing_more = base.query().is_none() && base.fragment().is_none();
    let usable = matches!(base.scheme(), "http" | "https") && plain && nothing_more;
    if usable { Ok(()) } else { Err(SetupError::BadEndpoint) }
}

/// A place below an endpoint. Segments are pushed one by one, so that none can be more than one; that none is `..` is for
/// the types of ids to see to. `None` where the endpoint is no place with a path.
pub(super) fn below<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Option<Url> {
    let mut url = base.clone();
    let mut path = url.path_segments_mut().ok()?;
    // However many slashes the endpoint ends in: an empty segment in the middle would be another path.
    for _ in base.path().rsplit('/').take_while(|segment| segment.is_empty()) {
        path.pop_if_empty();
    }
    path.extend(segments);
    drop(path);
    Some(url)
}

/// For the property tests of all clients.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod properties {
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    use super::*;

    /// A name, an address, or an IPv6 address in any of its spellings.
    fn host() -> impl Strategy<Value = String> {
        let address = any::<std::net::Ipv6Addr>().prop_map(|address| format!("[{address}]"));
        let short = prop::sample::select(vec!["[::1]".to_owned(), "[::ffff:127.0.0.1]".into(), "[fe80::]".into()]);
        let four = any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string());
        prop_oneof!["[a-z]{1,10}\\.example\\.?", four, address, short]
    }

    /// Whatever can be an endpoint, with dots, escapes and slashes wherever somebody may write them.
    pub fn endpoints() -> impl Strategy<Value = Url> {
        let scheme = prop::sample::select(vec!["http", "https"]);
        let path = "(/([a-z0-9._~%@:;&=+$,!*'()-]{0,6}|\\.\\.|%2e%2e|%2f|\\\\)){0,4}";
        (scheme, host(), prop::option::of(any::<u16>()), path).prop_map(|(scheme, host, port, path)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            Url::parse(&format!("{scheme}://{host}{port}{path}")).unwrap()
        })
    }

    /// It is the endpoint's own place, and its path is the endpoint's with this below it and nothing else.
    pub fn is_below(base: &Url, url: &Url, path: &str) -> Result<(), TestCaseError> {
        prop_assert_eq!(url.origin(), base.origin());
        prop_assert_eq!((url.host(), url.port()), (base.host(), base.port()));
        prop_assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
        prop_assert_eq!(url.path(), format!("{}{path}", base.path().trim_end_matches('/')));
        // What is parsed again, as the client does, is the same place.
        prop_assert_eq!(&Url::parse(url.as_str()).unwrap(), url);
        Ok(())
    }
}
