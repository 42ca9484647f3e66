#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use proptest::sample::subsequence;
use reqwest::redirect;
use simulator::{Options, Simulator};

use super::*;

const VECTOR_DATE: &str = "20060102T150405Z";

fn url(target: &str) -> Url {
    format!("https://codearts.example{target}").parse().unwrap()
}

/// The signature of a vector: key `SecretKey`, and nothing signed but the date.
fn vector(method: &Method, target: &str, body: &str) -> String {
    let request = Unsigned { method, url: &url(target), body: body.as_bytes() };
    signature(request, &BTreeMap::from([(DATE, VECTOR_DATE)]), VECTOR_DATE, &SecretText::new("SecretKey"))
}

fn key(security_token: Option<&str>) -> AccessKey {
    let secret = SecretText::new;
    AccessKey::new("project", secret("AccessKey"), secret("SecretKey"), security_token.map(secret)).unwrap()
}

fn vector_time() -> Timestamp {
    "2006-01-02T15:04:05Z".parse().unwrap()
}

#[test]
fn the_vendors_vectors_hold() {
    let get = "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624";
    assert_eq!(vector(&Method::GET, "/path?limit=1", ""), get);
    let post = "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59";
    assert_eq!(vector(&Method::POST, "/path?key=value", "{\"Name\":\"test\",\"Id\":1}\n"), post);
}

/// Computed by another implementation of the algorithm, in Python, that holds to the vendor's two vectors.
#[test]
fn corner_cases_of_the_encoding_hold() {
    for (target, expected) in [
        ("", "7b5b91c1f94db867f50a477058363de250326582bc1e2a0eea23f36abe506d5a"),
        ("/", "7b5b91c1f94db867f50a477058363de250326582bc1e2a0eea23f36abe506d5a"),
        ("/a", "29764607c339a60b5234457a3dd4807980546cdc05ca0aeb46e1e12c12e0e62b"),
        ("/a/", "29764607c339a60b5234457a3dd4807980546cdc05ca0aeb46e1e12c12e0e62b"),
        ("/a?", "29764607c339a60b5234457a3dd4807980546cdc05ca0aeb46e1e12c12e0e62b"),
        ("//a//b", "ab51b3249b6fd960d210fee608323399082ea790eb0abd184e428c9fc73fa2f8"),
        ("/a:b@c!$&'()*+,;=", "95720ffdb7a16a5793052d4b49f9a727238a98717d3811429db8b1bb4a1d200b"),
        ("/A-z_0.9~", "7bbf3a44fded6cc476b30d0baab6809faf4a37960f9f5c92518a6e7764e8b6a1"),
        ("/%E4%BD%A0%20%2F%41", "e75d0883d778896f7eeece81ed15ac5901d94a91c896fc9eb0333b3bc2503ec7"),
        ("/%e4%bd%a0", "9730397e29bb0337ed8b264d8a98e0c418b63e3f71b1c133db15d027d9932664"),
        ("/你", "9730397e29bb0337ed8b264d8a98e0c418b63e3f71b1c133db15d027d9932664"),
        ("/a/.../b", "b18bc18f40afa469e37d5304b13be6143ec257749a16b62611af7de1a1266104"),
        ("/a?b=2&a=1&a=0", "386ec0283516b19ed51f65c4ce569ccd620fa8f7d769975b74edddf9385a15fe"),
        ("/a?b&a=&=c", "f8cdcbc7ff8fd4304acd529fd1cacca75047dfd4d216931ad789aa535c68e035"),
        ("/a?a=1+2&b=1%2B2", "b84aac116250fbc7acfcd50c946706803d4e6fbd94e223c128fdbcd32fa24a61"),
        ("/a?a=b=c", "c085ce12aa5413891dc4e29664e2baa8952d13e60187c8c8168effa77ffd2199"),
        ("/a?a=%7e%2f&A=1", "06319ff9edbb87f56c44547356bda742620f9af219c166677b3b7d92e337c91b"),
        ("/a?z=1&%C3%A4=%C3%B6", "fd476acd11aa4bda6a6a4b9f9f333b1764a36de60ce88da9a1d307d17de9b668"),
    ] {
        assert_eq!(vector(&Method::GET, target, ""), expected, "{target}");
    }
}

#[test]
fn what_is_sent_is_the_date_the_project_and_the_signature_of_both() {
    let url = url("/v4/tasks/ac26d65ef4ef45c2986611xxxxxxffa/task-webhook-info");
    let headers = key(None).sign(Unsigned { method: &Method::GET, url: &url, body: b"" }, vector_time());
    let expected = [
        ("x-sdk-date", VECTOR_DATE),
        ("x-project-id", "project"),
        (
            "authorization",
            "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-project-id;x-sdk-date, \
             Signature=45bc233588e3439b353aa07eaea2f2b70a61849c1a44836572da855bacb1be62",
        ),
    ];
    assert_eq!(
        headers,
        expected.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).into_iter().collect()
    );
}

#[test]
fn a_temporary_keys_security_token_is_sent_and_signed() {
    let url = url("/v4/tasks/ac26d65ef4ef45c2986611xxxxxxffa/task-webhook-info");
    let headers = key(Some("token")).sign(Unsigned { method: &Method::GET, url: &url, body: b"" }, vector_time());
    assert_eq!(headers[SECURITY_TOKEN], "token");
    assert_eq!(
        headers[AUTHORIZATION],
        "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-project-id;x-sdk-date;x-security-token, \
         Signature=8eca90b5596e568fae19ebcb646e02a009bd0beabba545fdfda3715997c1004c"
    );
    assert_eq!(headers.len(), 4);
}

#[test]
fn parts_that_no_header_can_carry_are_refused_and_not_shown() {
    let build = |project: &str, access: &str, secret: &str, token: Option<&str>| {
        AccessKey::new(project, SecretText::new(access), SecretText::new(secret), token.map(SecretText::new))
            .unwrap_err()
    };
    for bad in ["", "x y", "a\nX-Injected: 1", "a\r\n", "kéy", "a\0", "\t"] {
        for (error, expected) in [
            (build(bad, "a", "s", None), KeyError::ProjectId),
            (build("p", bad, "s", None), KeyError::AccessKey),
            (build("p", "a", bad, None), KeyError::SecretKey),
            (build("p", "a", "s", Some(bad)), KeyError::SecurityToken),
        ] {
            assert_eq!(error, expected, "{bad:?}");
            assert!(bad.trim().is_empty() || !error.to_string().contains(bad));
        }
    }
    assert_eq!(build("p", "a, SignedHeaders=", "s", None), KeyError::AccessKey);
    assert_eq!(build("p", "a,b", "s", None), KeyError::AccessKey);
}

#[test]
fn a_key_does_not_print() {
    let text = format!("{:?}", key(Some("token")));
    assert_eq!(text, "(access key)");
}

/// Asks the simulator for a task, and tells the status.
async fn asked(simulator: &Simulator, key: &simulator::codearts::AccessKey, at: Timestamp) -> u16 {
    let simulator::codearts::AccessKey { access_key, secret_key, project_id, security_token } = key.clone();
    let secret = SecretText::new;
    let key = AccessKey::new(&project_id, secret(access_key), secret(secret_key), security_token.map(secret)).unwrap();
    let url: Url = format!("{}/v4/tasks/own/task-webhook-info", simulator.http_url()).parse().unwrap();
    let headers = key.sign(Unsigned { method: &Method::GET, url: &url, body: b"" }, at);
    crate::remote::transport::install_tls_provider();
    let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    client.get(url).headers(headers).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_simulator_recomputes_the_same_signature() {
    let codearts = simulator::codearts::Setup { tasks: vec!["own".into()], ..Default::default() };
    let simulator = Simulator::start(Options { codearts, ..Options::default() }).await.unwrap();
    for temporary in [false, true] {
        let key = simulator.new_access_key(temporary);
        assert_eq!(asked(&simulator, &key, Timestamp::now()).await, 200);
        let wrong = simulator::codearts::AccessKey { secret_key: "wrong".into(), ..key.clone() };
        assert_eq!(asked(&simulator, &wrong, Timestamp::now()).await, 401);
        assert_eq!(asked(&simulator, &key, Timestamp::now() - jiff::SignedDuration::from_mins(16)).await, 401);
    }
}

/// Text for a path segment or a part of a query, in every spelling that a URL can have.
fn part() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..6)
}

/// Percent-encodes every byte that has to be, and as many more as the spelling says.
fn spelt(bytes: &[u8], spelling: u64, lower: bool) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() && spelling >> (at % 64) & 1 == 0 {
            text.push(char::from(*byte));
        } else if lower {
            text.push_str(&format!("%{byte:02x}"));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_spelling_of_a_url_and_the_order_of_its_query_do_not_matter(
        segments in prop::collection::vec(prop::collection::vec(b'0'..=255, 1..6), 1..4),
        (pairs, shuffled) in prop::collection::vec((part(), part()), 0..5)
            .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle())),
        spellings in any::<(u64, u64)>(),
    ) {
        let target = |pairs: &[(Vec<u8>, Vec<u8>)], spelling, lower| {
            let path: String = segments.iter().map(|segment| format!("/{}", spelt(segment, spelling, lower))).collect();
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", spelt(name, spelling, lower), spelt(value, spelling, lower)))
                .collect();
            format!("{path}?{}", pairs.join("&"))
        };
        let one = vector(&Method::GET, &target(&pairs, spellings.0, false), "");
        prop_assert_eq!(one, vector(&Method::GET, &target(&shuffled, spellings.1, true), ""));
    }

    #[test]
    fn the_canonical_form_holds_nothing_that_would_have_to_be_encoded(
        path in "(/[^/?#\\\\]{0,8}){1,4}",
        query in "[^#]{0,20}",
    ) {
        let url = url(&format!("{path}?{query}"));
        let fits = |text: &str, more: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte) || more.contains(&byte))
        };
        prop_assert!(fits(&canonical_path(url.path()), b"/"), "{}", canonical_path(url.path()));
        prop_assert!(fits(&canonical_query(url.query().unwrap_or_default()), b"=&"), "{}", url);
    }

    #[test]
    fn a_change_of_any_part_changes_the_signature(
        task in "[A-Za-z0-9_-]{1,32}",
        limit in 0_u32..1000,
        body in ".{0,10}",
        seconds in 0_i64..4_000_000_000,
        changes in subsequence((0..8).collect::<Vec<_>>(), 1..8),
    ) {
        let changed = |part| changes.contains(&part);
        let mark = |part, text: &str| if changed(part) { format!("{text}x") } else { text.to_owned() };
        let signed = |changing: bool| {
            let mark = |part, text: &str| if changing { mark(part, text) } else { text.to_owned() };
            let method = if changing && changed(0) { Method::PUT } else { Method::GET };
            let url = url(&format!("/v4/{}?limit={}", mark(1, &task), mark(2, &limit.to_string())));
            let body = mark(3, &body);
            let at = Timestamp::from_second(seconds + i64::from(changing && changed(4))).unwrap();
            let secret = |part, text: &str| SecretText::new(mark(part, text));
            let (access, token) = (SecretText::new("AccessKey"), Some(secret(7, "token")));
            let key = AccessKey::new(&mark(5, "project"), access, secret(6, "SecretKey"), token).unwrap();
            key.sign(Unsigned { method: &method, url: &url, body: body.as_bytes() }, at)[AUTHORIZATION].clone()
        };
        prop_assert_eq!(signed(false), signed(false));
        prop_assert_ne!(signed(false), signed(true));
    }

    #[test]
    fn every_header_is_sensitive_and_none_holds_the_secret_key(
        project in "[!-~]{1,40}",
        access in "[!-+\\--~]{1,40}",
        // Longer than a block of SHA-256, too.
        secret in "[!-~]{8,100}",
        token in prop::option::of("[!-~]{1,100}"),
    ) {
        let values = format!("{project}{access}{}", token.clone().unwrap_or_default());
        prop_assume!(!values.contains(&secret));
        let text = SecretText::new;
        let key = AccessKey::new(&project, text(access), text(secret.clone()), token.clone().map(text)).unwrap();
        let url = url("/a");
        let headers = key.sign(Unsigned { method: &Method::GET, url: &url, body: b"" }, vector_time());
        prop_assert_eq!(headers.len(), 3 + usize::from(token.is_some()));
        for value in headers.values() {
            prop_assert!(value.is_sensitive());
            prop_assert!(!value.to_str().unwrap().contains(&secret));
        }
    }
}
