#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use reqwest::header::HeaderValue;

use super::*;
use crate::remote::endpoint::properties::{endpoints, is_below};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn described(expires: &str, issued: Option<&str>) -> Value {
    let mut token = json!({ "expires_at": expires });
    if let Some(issued) = issued {
        token["issued_at"] = json!(issued);
    }
    json!({ "token": token })
}

fn reply(token: Option<&str>, body: &[u8]) -> Reply {
    let headers = token.map(|token| (SUBJECT_TOKEN, token.parse().unwrap()));
    Reply { status: 201, headers: headers.into_iter().collect(), body: Ok(body.to_vec()) }
}

#[test]
fn a_lifetime_goes_by_iams_clock_and_not_by_this_machines() {
    let body = described("2026-11-26T00:00:00.000000Z", Some("2026-11-25T00:00:00.000000Z"));
    assert_eq!(lifetime(&body, at("2031-01-01T00:00:00Z")), Some(Duration::from_hours(24)));
}

#[test]
fn without_the_time_of_issue_this_machines_clock_has_to_do() {
    let now = at("2026-11-25T23:00:00Z");
    assert_eq!(lifetime(&described("2026-11-26T00:00:00Z", None), now), Some(Duration::from_hours(1)));
    assert_eq!(lifetime(&described("2026-11-25T00:00:00Z", None), now), None);
}

#[test]
fn a_token_without_a_readable_end_is_one_all_the_same() {
    for body in [&b""[..], b"null", b"{}", br#"{"token":{"expires_at":"soon"}}"#] {
        let begun = Instant::now();
        let issued = read(reply(Some("MIIabc"), body), begun).unwrap_or_else(|_| panic!("{body:?}"));
        assert_eq!(issued.ends_at, begun + UNKNOWN_LIFETIME);
        assert!(issued.renew_at < issued.ends_at);
    }
}

#[test]
fn an_answer_without_a_token_is_none() {
    for token in [None, Some(""), Some("a b")] {
        assert!(matches!(read(reply(token, b"{}"), Instant::now()), Err(Fault::Body(_))), "{token:?}");
    }
}

#[test]
fn neither_a_login_nor_its_tokens_print() {
    let login =
        Login { domain: "d".into(), user: "u".into(), password: SecretText::new("hunter2"), project: "p".into() };
    let tokens = Tokens::new("https://iam.example".parse().unwrap(), login.clone()).unwrap();
    for text in [format!("{login:?}"), format!("{tokens:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_description_of_a_token_is_read_without_panic(expires in "\\PC{0,40}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z",
                                                        issued in proptest::option::of("\\PC{0,40}")) {
        let body = described(&expires, issued.as_deref());
        prop_assert!(lifetime(&body, Timestamp::UNIX_EPOCH).is_none_or(|lifetime| !lifetime.is_zero()));
    }

    #[test]
    fn no_endpoint_leads_to_another_place_or_path_than_the_documented_one_below_it(iam in endpoints()) {
        is_below(&iam, &url(&iam).unwrap(), "/v3/auth/tokens")?;
    }

    #[test]
    fn any_answer_is_read_without_panic_and_is_a_token_only_with_one_in_its_header(
        header in prop::option::of(prop::collection::vec(prop_oneof![0x20..0x7fu8, 0x80..=0xffu8], 0..40)),
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[{}\\[\\]\":,a-z0-9]{0,60}".prop_map(String::into_bytes)],
        expires in "\\PC{0,30}",
        described_so in any::<bool>(),
    ) {
        let body = if described_so { described(&expires, None).to_string().into_bytes() } else { body };
        let headers = header.iter().map(|bytes| (SUBJECT_TOKEN, HeaderValue::from_bytes(bytes).unwrap())).collect();
        let read = read(Reply { status: 201, headers, body: Ok(body) }, Instant::now());
        let carries_one = header.is_some_and(|bytes| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic));
        prop_assert_eq!(read.is_ok(), carries_one);
        if let Ok(issued) = read {
            prop_assert!(issued.renew_at <= issued.ends_at);
        }
    }
}
