//! SDK-HMAC-SHA256, recomputed from what came over the wire (`facts.md`).

use std::str;

use hmac::{Hmac, Mac};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::remote::ApiRequest;

/// How far the caller's clock may be from the service's.
const SKEW: SignedDuration = SignedDuration::from_mins(15);
const ALGORITHM: &str = "SDK-HMAC-SHA256";
const DATE: &str = "x-sdk-date";

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("the Authorization header is malformed")]
    Malformed,
    #[error("header {0} is signed and was not sent, or more than once")]
    NoSuchHeader(String),
    #[error("header {0} is not signed")]
    Unsigned(&'static str),
    #[error("X-Sdk-Date is malformed")]
    Date,
    #[error("X-Sdk-Date is more than 15 minutes away")]
    Skew,
    #[error("path or query is malformed")]
    Target,
    /// With what should have been signed, as the vendor's gateway repeats it: the values of signed headers included.
    #[error("verify aksk signature fail, canonicalRequest:{0}")]
    Wrong(String),
}

/// An `Authorization` header: `SDK-HMAC-SHA256 Access={AK}, SignedHeaders={..}, Signature={..}`.
#[derive(Debug)]
pub(super) struct Signature<'a> {
    pub(super) access_key: &'a str,
    signed_headers: Vec<&'a str>,
    value: &'a str,
}

impl<'a> Signature<'a> {
    /// Reads the header; it has exactly this form, and the names are sorted and in lower case.
    pub(super) fn parse(authorization: &'a str) -> Result<Self, Flaw> {
        let parts = authorization
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(" Access="))
            .and_then(|rest| rest.split_once(", SignedHeaders="))
            .and_then(|(access_key, rest)| {
                rest.split_once(", Signature=").map(|(names, value)| (access_key, names, value))
            });
        let (access_key, names, value) = parts.ok_or(Flaw::Malformed)?;
        let signed_headers: Vec<_> = names.split(';').collect();
        let is_name = |name: &str| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !signed_headers.iter().all(|name| is_name(name)) || !signed_headers.is_sorted_by(|a, b| a < b) {
            return Err(Flaw::Malformed);
        }
        Ok(Self { access_key, signed_headers, value })
    }

    /// Whether the caller who has this secret key signed this request, now. Headers in `must_sign` are part of it.
    pub(super) fn verify(
        &self,
        request: &ApiRequest,
        secret_key: &str,
        now: Timestamp,
        must_sign: &[&'static str],
    ) -> Result<(), Flaw> {
        let missing = [DATE].iter().chain(must_sign).find(|name| !self.signed_headers.contains(*name));
        if let Some(name) = missing {
            return Err(Flaw::Unsigned(name));
        }
        let date = header(request, DATE)?;
        if now.duration_since(instant(date)?).abs() > SKEW {
            return Err(Flaw::Skew);
        }
        let canonical = self.canonical_request(request)?;
        let hash = hex(&Sha256::digest(&canonical));
        let signature = hmac(secret_key, &format!("{ALGORITHM}\n{date}\n{hash}"));
        // Not in constant time: nobody attacks a simulator.
        if signature == self.value { Ok(()) } else { Err(Flaw::Wrong(canonical.replace('\n', "|"))) }
    }

    fn canonical_request(&self, request: &ApiRequest) -> Result<String, Flaw> {
        let mut headers = String::new();
        for name in &self.signed_headers {
            headers.push_str(&format!("{name}:{}\n", header(request, name)?.trim()));
        }
        Ok(format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            canonical_path(&request.path)?,
            canonical_query(request.query.as_deref().unwrap_or_default())?,
            self.signed_headers.join(";"),
            hex(&Sha256::digest(&request.body)),
        ))
    }
}

/// The value of a header that was sent exactly once.
fn header<'a>(request: &'a ApiRequest, name: &str) -> Result<&'a str, Flaw> {
    let mut values = request.headers.get_all(name).iter();
    match (values.next().and_then(|value| str::from_utf8(value.as_bytes()).ok()), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Flaw::NoSuchHeader(name.to_owned())),
    }
}

/// `YYYYMMDDTHHMMSSZ`, in UTC.
fn instant(date: &str) -> Result<Timestamp, Flaw> {
    let read = || {
        if date.len() != "20060102T150405Z".len() {
            return None;
        }
        let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    };
    read().ok_or(Flaw::Date)
}

/// Each segment percent-encoded anew, and a `/` at the end.
fn canonical_path(path: &str) -> Result<String, Flaw> {
    let segments: Result<Vec<_>, _> = path.split('/').map(|segment| Ok(encode(&decode(segment)?))).collect();
    let mut path = segments?.join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    Ok(path)
}

/// Names and values percent-encoded anew, and then sorted. A name without `=` has the empty value.
fn canonical_query(query: &str) -> Result<String, Flaw> {
    let pairs: Result<Vec<_>, Flaw> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // In a query, `+` is a blank.
            let text = |part: &str| Ok(encode(&decode(&part.replace('+', " "))?));
            Ok((text(name)?, text(value)?))
        })
        .collect();
    let mut pairs = pairs?;
    pairs.sort();
    Ok(pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
}

fn decode(text: &str) -> Result<Vec<u8>, Flaw> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, after) = tail.split_first_chunk().ok_or(Flaw::Target)?;
            bytes.push(byte_of(*digits).ok_or(Flaw::Target)?);
            rest = after;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Ok(bytes)
}

fn byte_of([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Every byte but the unreserved ones as `%XX`.
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn hmac(key: &str, text: &str) -> String {
    // Written out, not `expect`ed: HMAC takes a key of any length, and an empty text equals no signature.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mac| hex(&mac.chain_update(text).finalize().into_bytes()))
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;
    use hyper::Method;
    use hyper::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    const GET: &str = "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624";
    const POST: &str = "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59";

    fn request(method: Method, target: &str, body: &'static str) -> ApiRequest {
        let (path, query) = target.split_once('?').unwrap();
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static(DATE), HeaderValue::from_static("20060102T150405Z"))]);
        let (path, query) = (path.to_owned(), Some(query.to_owned()));
        ApiRequest { method, path, query, headers, body: Bytes::from_static(body.as_bytes()), json: None }
    }

    fn get() -> ApiRequest {
        request(Method::GET, "/path?limit=1", "")
    }

    fn authorization(value: &str) -> String {
        format!("SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-sdk-date, Signature={value}")
    }

    fn verify_at(request: &ApiRequest, authorization: &str, now: &str) -> Result<(), Flaw> {
        Signature::parse(authorization)?.verify(request, "SecretKey", now.parse().unwrap(), &[])
    }

    fn verify(request: &ApiRequest, value: &str) -> Result<(), Flaw> {
        verify_at(request, &authorization(value), "2006-01-02T15:04:05Z")
    }

    #[test]
    fn the_vendors_vectors_hold() {
        assert_eq!(verify(&get(), GET), Ok(()));
        let post = request(Method::POST, "/path?key=value", "{\"Name\":\"test\",\"Id\":1}\n");
        assert_eq!(verify(&post, POST), Ok(()));
    }

    #[test]
    fn a_change_of_anything_that_is_signed_is_noticed() {
        let is_wrong = |request: &ApiRequest| matches!(verify(request, GET), Err(Flaw::Wrong(_)));
        assert!(is_wrong(&request(Method::POST, "/path?limit=1", "")));
        assert!(is_wrong(&request(Method::GET, "/paths?limit=1", "")));
        assert!(is_wrong(&request(Method::GET, "/path?limit=2", "")));
        assert!(is_wrong(&request(Method::GET, "/path?limit=1", " ")));
        let mut later = get();
        later.headers.insert(DATE, HeaderValue::from_static("20060102T150406Z"));
        assert!(is_wrong(&later));
    }

    #[test]
    fn another_secret_key_is_noticed_and_what_should_have_been_signed_is_told() {
        let signature = authorization(GET);
        let now = "2006-01-02T15:04:05Z".parse().unwrap();
        let flaw = Signature::parse(&signature).unwrap().verify(&get(), "AnotherKey", now, &[]).unwrap_err();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let canonical = format!("GET|/path/|limit=1|x-sdk-date:20060102T150405Z||x-sdk-date|{empty}");
        assert_eq!(flaw.to_string(), format!("verify aksk signature fail, canonicalRequest:{canonical}"));
    }

    #[test]
    fn a_clock_may_be_15_minutes_off_and_no_more() {
        let at = |now| verify_at(&get(), &authorization(GET), now);
        assert_eq!(at("2006-01-02T15:19:05Z"), Ok(()));
        assert_eq!(at("2006-01-02T14:49:05Z"), Ok(()));
        assert_eq!(at("2006-01-02T15:19:06Z"), Err(Flaw::Skew));
        assert_eq!(at("2006-01-02T14:49:04Z"), Err(Flaw::Skew));
    }

    #[test]
    fn a_date_of_another_form_is_refused() {
        for date in ["2006-01-02T15:04:05Z", "20060102T150405", "20061302T150405Z", "20060102T150405z", ""] {
            let mut request = get();
            request.headers.insert(DATE, HeaderValue::from_static(date));
            assert_eq!(verify(&request, GET), Err(Flaw::Date), "{date}");
        }
    }

    #[test]
    fn a_header_that_must_be_signed_and_is_not_is_refused() {
        let now = "2006-01-02T15:04:05Z".parse().unwrap();
        let signature = authorization(GET);
        let parsed = Signature::parse(&signature).unwrap();
        assert_eq!(parsed.verify(&get(), "SecretKey", now, &["x-project-id"]), Err(Flaw::Unsigned("x-project-id")));
        let undated = "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=host, Signature=00";
        assert_eq!(verify_at(&get(), undated, "2006-01-02T15:04:05Z"), Err(Flaw::Unsigned(DATE)));
    }

    #[test]
    fn a_signed_header_that_is_missing_or_there_twice_is_refused() {
        let signature = "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-project-id;x-sdk-date, Signature=00";
        let at = "2006-01-02T15:04:05Z";
        let refused = Err(Flaw::NoSuchHeader("x-project-id".to_owned()));
        assert_eq!(verify_at(&get(), signature, at), refused);
        let mut twice = get();
        for value in ["a", "b"] {
            twice.headers.append("x-project-id", HeaderValue::from_static(value));
        }
        assert_eq!(verify_at(&twice, signature, at), refused);
    }

    #[test]
    fn an_authorization_of_another_form_is_refused() {
        for (from, to) in [
            ("SDK-HMAC-SHA256", "SDK-HMAC-SHA512"),
            ("Access", "Credential"),
            (", Signed", ",Signed"),
            ("x-sdk-date", "X-Sdk-Date"),
            ("x-sdk-date", "x-sdk-date;host"),
            ("x-sdk-date", "x-sdk-date;x-sdk-date"),
            ("x-sdk-date", ""),
            (", Signature=", ""),
        ] {
            let changed = authorization(GET).replace(from, to);
            assert_eq!(Signature::parse(&changed).unwrap_err(), Flaw::Malformed, "{changed}");
        }
    }

    #[test]
    fn canonical_paths_are_encoded_by_segment_and_end_in_a_slash() {
        for (path, canonical) in [
            ("/", "/"),
            ("/a", "/a/"),
            ("/a/", "/a/"),
            ("/a-b_c.d~e", "/a-b_c.d~e/"),
            ("/a%2Fb", "/a%2Fb/"),
            ("/a%2fb%41", "/a%2FbA/"),
            ("/a+b:c@d", "/a%2Bb%3Ac%40d/"),
            ("/%E4%BD%A0", "/%E4%BD%A0/"),
        ] {
            assert_eq!(canonical_path(path).as_deref(), Ok(canonical));
        }
        assert_eq!(canonical_path("/a%2"), Err(Flaw::Target));
        assert_eq!(canonical_path("/a%zz"), Err(Flaw::Target));
        assert_eq!(canonical_path("/a%+1"), Err(Flaw::Target));
    }

    #[test]
    fn canonical_queries_are_encoded_and_then_sorted() {
        for (query, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1", "a=1&a=2"),
            ("a", "a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=1+2&a=1%2B2", "a=1%202&a=1%2B2"),
            ("a=%7e", "a=~"),
            // By the encoded names: `%` comes before every letter.
            ("z=1&%C3%A4=2", "%C3%A4=2&z=1"),
        ] {
            assert_eq!(canonical_query(query).as_deref(), Ok(canonical));
        }
    }
}
