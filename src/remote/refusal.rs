//! Reads an answer whose status is not 2xx: which fault it is, how long to wait, and what the remote says.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::error::{Fault, MAX_MESSAGE, RemoteCode, Said};
use crate::domain::secret::SecretText;

/// Longest time that a remote can make us wait.
pub const MAX_RETRY_AFTER: Duration = Duration::from_mins(10);
/// Shortest time that a remote which asks us to wait is given.
pub const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// The fault that a status means (RFC 9110 §15). The body adds what the remote says, and can't change the fault.
pub(super) fn fault(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Fault {
    let said = || {
        let Said { code, message } = said(body);
        // IAM's code is the status once more, which is said already.
        Said { code: code.filter(|code| code.as_str() != status.to_string()), message }
    };
    match status {
        300..=399 => Fault::Redirected { status },
        401 => Fault::Unauthorized(said()),
        403 => Fault::Forbidden(said()),
        404 => Fault::NotFound(said()),
        // The remote, or something before it, gave up waiting: what it had read by then is not known.
        408 => Fault::Timeout,
        429 => Fault::RateLimited { retry_after },
        400..=499 => Fault::Rejected { status, said: said() },
        _ => Fault::Server { status, retry_after },
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), between [`MIN_RETRY_AFTER`] and [`MAX_RETRY_AFTER`].
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a long time too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        // A date in the past has no unsigned duration; it means now.
        Duration::try_from(http_date(text)?.duration_since(now)).unwrap_or_default()
    };
    Some(delay.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER))
}

/// All three forms of an HTTP date must be understood (RFC 9110 §5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    if let Ok(timestamp) = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text) {
        return Some(timestamp);
    }
    let obsolete = |format| DateTime::strptime(format, text).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    Some(obsolete("%A, %d-%b-%y %H:%M:%S GMT").or_else(|| obsolete("%a %b %e %H:%M:%S %Y"))?.timestamp())
}

/// Code and message, under every name that the documented remotes use, at the top or within `error`.
fn said(body: &[u8]) -> Said {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Said::default() };
    let places = [Some(&body), body.get("error")];
    let fields = |names: &'static [&'static str]| {
        places.into_iter().flatten().flat_map(move |place| names.iter().filter_map(|name| place.get(name)))
    };
    Said {
        code: fields(&["name", "error_code", "errorCode", "code"]).find_map(code),
        message: fields(&["message", "error_msg", "errorMsg"]).find_map(Value::as_str).map(bounded),
    }
}

fn code(value: &Value) -> Option<RemoteCode> {
    match value {
        Value::String(text) => RemoteCode::parse(text),
        Value::Number(number) => RemoteCode::parse(&number.to_string()),
        _ => None,
    }
}

fn bounded(text: &str) -> SecretText {
    let text = &text[..text.floor_char_boundary(MAX_MESSAGE)];
    SecretText::new(text.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::mem::discriminant;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn wait(header: &str) -> Option<Duration> {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, header.parse().unwrap())]), now)
    }

    fn of(body: &str) -> (Option<String>, Option<String>) {
        let said = said(body.as_bytes());
        (said.code.map(|code| code.as_str().into()), said.message.map(|text| text.expose().into()))
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_in_all_three_forms_of_a_date() {
        let expected = Some(Duration::from_secs(37));
        assert_eq!(wait("37"), expected);
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), expected);
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT"), expected);
        assert_eq!(wait("Sun Nov  6 08:49:37 1994"), expected);
    }

    #[test]
    fn retry_after_is_bounded_on_both_sides_and_nonsense_is_none() {
        for long in ["601", "99999999999999999999999", "Sun, 06 Nov 2094 08:49:37 GMT"] {
            assert_eq!(wait(long), Some(MAX_RETRY_AFTER), "{long}");
        }
        for short in ["0", "Sun, 06 Nov 1994 08:00:00 GMT"] {
            assert_eq!(wait(short), Some(MIN_RETRY_AFTER), "{short}");
        }
        for nonsense in ["", "soon", "-5", "1.5", "+3"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn code_and_message_are_found_under_every_documented_name_and_nested() {
        let found = (Some("E.1".into()), Some("no".into()));
        assert_eq!(of(r#"{"name":"E.1","message":"no"}"#), found);
        assert_eq!(of(r#"{"error_code":"E.1","error_msg":"no"}"#), found);
        assert_eq!(of(r#"{"errorCode":"E.1","errorMsg":"no"}"#), found);
        assert_eq!(of(r#"{"error":{"code":"E.1","message":"no"}}"#), found);
        assert_eq!(of(r#"{"name":"a name with blanks","code":4001}"#), (Some("4001".into()), None));
    }

    #[test]
    fn what_is_no_code_is_not_taken_and_other_bodies_say_nothing() {
        assert_eq!(of(r#"{"code":"https://a/b?c"}"#), (None, None));
        assert_eq!(of(&format!(r#"{{"code":"{}"}}"#, "a".repeat(65))), (None, None));
        for body in ["", "null", "[]", "<html>", "\"name\"", r#"{"error":"text"}"#, r#"{"message":{}}"#] {
            assert_eq!(of(body), (None, None), "{body}");
        }
    }

    #[test]
    fn a_code_that_only_repeats_the_status_is_none() {
        let body = br#"{"error":{"code":401,"message":"no"}}"#;
        let code = |status| match fault(status, None, body) {
            Fault::Unauthorized(said) | Fault::Forbidden(said) => said.code,
            other => panic!("{other:?}"),
        };
        assert_eq!((code(401), code(403)), (None, RemoteCode::parse("401")));
    }

    #[test]
    fn a_message_is_cut_between_characters_and_holds_no_control_characters() {
        let (_, message) = of(&format!(r#"{{"message":"a\u001b\n{}"}}"#, "ä".repeat(200)));
        let message = message.unwrap();
        assert!(message.starts_with("a  ä") && message.len() == 255, "{message}");
    }

    #[test]
    fn statuses_that_must_be_told_apart_are() {
        assert_eq!(fault(302, None, b""), Fault::Redirected { status: 302 });
        assert_eq!(fault(401, None, b""), Fault::Unauthorized(Said::default()));
        assert_eq!(fault(403, None, b""), Fault::Forbidden(Said::default()));
        assert_eq!(fault(404, None, b""), Fault::NotFound(Said::default()));
        assert_eq!(fault(408, None, b""), Fault::Timeout);
        for status in [400, 409, 422, 451] {
            assert_eq!(fault(status, None, b""), Fault::Rejected { status, said: Said::default() });
        }
        let retry_after = Some(MIN_RETRY_AFTER);
        assert_eq!(fault(429, retry_after, b""), Fault::RateLimited { retry_after });
        for status in [500, 503, 599, 101, 999] {
            assert_eq!(fault(status, retry_after, b""), Fault::Server { status, retry_after });
        }
    }

    /// A body of an error: what the parser looks for, where it looks for it, and anything else.
    fn any_error() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(|number| json!(number)),
            "\\PC{0,8}|[A-Za-z0-9._-]{0,70}|(?s).{0,300}".prop_map(Value::String),
        ];
        let key = "name|error_code|errorCode|code|message|error_msg|errorMsg|error|[a-z]{0,4}";
        leaf.prop_recursive(3, 24, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(key, inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    fn is_bounded(said: &Said) -> bool {
        let is_code = |text: &str| {
            (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let is_message = |text: &str| text.len() <= MAX_MESSAGE && !text.contains(char::is_control);
        said.code.as_ref().is_none_or(|code| is_code(code.as_str()))
            && said.message.as_ref().is_none_or(|message| is_message(message.expose()))
    }

    proptest! {
        #[test]
        fn any_body_of_an_error_is_read_without_panic_within_bounds_and_changes_no_fault(
            json in any_error(),
            bytes: Vec<u8>,
            status in 100_u16..=999,
        ) {
            for body in [json.to_string().into_bytes(), bytes] {
                prop_assert!(is_bounded(&said(&body)));
                let (with, without) = (fault(status, None, &body), fault(status, None, b""));
                prop_assert_eq!(discriminant(&with), discriminant(&without));
            }
        }

        #[test]
        fn any_retry_after_is_none_or_within_its_bounds(bytes: Vec<u8>, text in "[ -~]{0,40}|[0-9]{1,30}") {
            for value in [bytes, text.into_bytes()] {
                let Ok(value) = reqwest::header::HeaderValue::from_bytes(&value) else { continue };
                let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
                let delay = retry_after(&headers, Timestamp::UNIX_EPOCH);
                prop_assert!(delay.is_none_or(|delay| (MIN_RETRY_AFTER..=MAX_RETRY_AFTER).contains(&delay)));
            }
        }

        /// From 1970 to 2068: after that, two digits of a year mean another century.
        #[test]
        fn every_moment_is_read_back_from_all_three_forms_of_a_date(second in 0_i64..3_124_224_000) {
            let moment = Timestamp::from_second(second).unwrap();
            for format in ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
                let text = moment.strftime(format).to_string();
                prop_assert_eq!(http_date(&text), Some(moment), "{}", text);
            }
        }
    }
}
