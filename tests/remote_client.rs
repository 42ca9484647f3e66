//! The App Maker client against the simulator: what goes over the wire, and what comes back of everything that can go
//! wrong there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "remote_client/rig.rs"]
mod rig;
#[path = "remote_client/secrecy.rs"]
mod secrecy;
#[path = "remote_client/stopping.rs"]
mod stopping;

use std::sync::Arc;
use std::time::Duration;

use hookwright::domain::desired::Changes;
use hookwright::domain::ids::WebhookId;
use hookwright::domain::marker::SeenMarker;
use hookwright::domain::observed::SeenValue;
use hookwright::remote::error::{BodyFault, Fault, NotSent, RemoteError, RetryClass};
use hookwright::remote::gate;
use hookwright::remote::pace::{Feedback, Pace, Priority};
use rig::{LONG, Rig, Setup, changes, marker, new_webhook, patience};
use serde_json::json;
use simulator::app_maker::Masking;
use simulator::{Behaviour, Fault as Strike, FaultKind, RetryAfter, Shape};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn unknown_id() -> WebhookId {
    "ffffffffffffffffffffffff".parse().unwrap()
}

/// What a LIST comes to under this fault.
async fn list_under(kind: FaultKind) -> RemoteError {
    let rig = Rig::start().await;
    let client = Setup { timeout: patience(&kind), ..rig.setup() }.build();
    rig.simulator.add_fault(Strike::new(kind));
    client.list(&rig.project, Priority::Urgent).await.unwrap_err()
}

fn status(code: u16, retry_after: Option<RetryAfter>) -> FaultKind {
    FaultKind::Status { code, body: None, retry_after, applied: false }
}

#[tokio::test]
async fn the_five_calls_are_made_as_documented_and_nothing_more() {
    let rig = Rig::start().await;
    let client = rig.client();
    assert!(client.list(&rig.project, Priority::Periodic).await.unwrap().is_empty());
    client.create(&rig.project, &new_webhook()).await.unwrap();
    let listed = client.list(&rig.project, Priority::Urgent).await.unwrap();
    let id = listed[0].id;
    let got = client.get(&rig.project, id, Priority::Urgent).await.unwrap().unwrap();
    assert_eq!(got.fingerprint(), listed[0].fingerprint());
    assert!(got.marker.is(&marker()));
    assert_eq!(got.url, Some(new_webhook().url));
    client.update(&rig.project, id, &Changes { active: Some(false), ..Changes::default() }).await.unwrap();
    client.delete(&rig.project, id).await.unwrap();
    assert_eq!(rig.calls(), ["list 200", "create 201", "list 200", "get 200", "update 200", "delete 204"]);

    let calls = rig.simulator.calls();
    assert!(calls.iter().all(|call| call.token == Some(0) && call.is_for(&rig.id)));
    let created = json!({
        "name": "Build alerts", "url": "https://hooks.example.com/canary-path?key=canary-query", "active": true,
        "events": ["deployment.build.created"],
        "headers": {"X-Key": "canary-header", "X-Hookwright-Owner": marker().as_str()},
    });
    assert_eq!(calls[1].body, Some(created));
    assert_eq!(calls[4].body, Some(json!({"active": false})));
    assert!([0, 2, 3, 5].iter().all(|&n| calls[n].body.is_none()));
}

#[tokio::test]
async fn a_request_says_who_asks_and_what_it_takes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rig = Rig::start().await;
    let client = Setup { base: format!("http://{}", listener.local_addr().unwrap()), ..rig.setup() }.build();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await.unwrap();
        String::from_utf8(head).unwrap()
    };
    let (head, list) = futures::join!(server, client.list(&rig.project, Priority::Urgent));
    assert!(list.unwrap().is_empty());
    let mut lines: Vec<_> = head.trim_end().lines().skip(1).filter(|line| !line.starts_with("host:")).collect();
    lines.sort_unstable();
    let agent = concat!("user-agent: hookwright/", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines, ["accept: application/json", "authorization: Bearer canary-token", agent]);
}

#[tokio::test]
async fn only_where_404_is_an_answer_is_it_one() {
    let rig = Rig::start().await;
    let (client, id) = (rig.client(), unknown_id());
    assert!(client.get(&rig.project, id, Priority::Urgent).await.unwrap().is_none());
    client.delete(&rig.project, id).await.unwrap();
    let update = client.update(&rig.project, id, &changes()).await.unwrap_err();
    rig.simulator.remove_project(&rig.id);
    let list = client.list(&rig.project, Priority::Urgent).await.unwrap_err();
    let create = client.create(&rig.project, &new_webhook()).await.unwrap_err();
    for error in [update, list, create] {
        assert!(matches!(error.fault, Fault::NotFound(_)), "{error}");
        assert_eq!((error.retry(), error.ambiguous()), (RetryClass::Person, false));
    }
}

#[tokio::test]
async fn masked_values_are_read_as_masked_and_the_marker_too() {
    let rig = Rig::start().await;
    rig.simulator.set_behaviour(Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() });
    rig.created().await;
    let webhook = rig.client().list(&rig.project, Priority::Urgent).await.unwrap().remove(0);
    assert_eq!(webhook.marker, SeenMarker::Masked);
    assert!(webhook.headers.values().all(|value| *value == SeenValue::Masked));
}

#[tokio::test]
async fn a_201_is_acceptance_whatever_becomes_of_its_body() {
    for kind in [
        FaultKind::TruncatedBody,
        FaultKind::NotJson,
        FaultKind::WrongShape { shape: Shape::Null },
        FaultKind::EndlessBody,
        FaultKind::SlowBody { ms_per_byte: 1000 },
    ] {
        let rig = Rig::start().await;
        rig.simulator.add_fault(Strike::new(kind.clone()));
        let client = Setup { timeout: patience(&kind), ..rig.setup() }.build();
        assert_eq!(client.create(&rig.project, &new_webhook()).await, Ok(()), "{kind:?}");
        assert_eq!(rig.simulator.webhooks(&rig.id).len(), 1);
    }
}

#[tokio::test]
async fn a_list_with_an_unusable_body_is_an_error_that_says_what_is_wrong_with_it() {
    let not_an_array = BodyFault::WrongShape("the list is not a bare array");
    let not_an_object = BodyFault::WrongShape("a webhook is not an object");
    for (kind, fault) in [
        (FaultKind::TruncatedBody, Fault::Body(BodyFault::Truncated)),
        (FaultKind::NotJson, Fault::Body(BodyFault::NotJson)),
        (FaultKind::WrongShape { shape: Shape::Data }, Fault::Body(not_an_array)),
        (FaultKind::WrongShape { shape: Shape::Object }, Fault::Body(not_an_array)),
        (FaultKind::WrongShape { shape: Shape::Null }, Fault::Body(not_an_array)),
        (FaultKind::WrongShape { shape: Shape::Strings }, Fault::Body(not_an_object)),
        (FaultKind::EndlessBody, Fault::Body(BodyFault::TooLarge)),
        (FaultKind::SlowBody { ms_per_byte: 60_000 }, Fault::Timeout),
    ] {
        let error = list_under(kind.clone()).await;
        assert_eq!(error.fault, fault, "{kind:?}");
        assert_eq!((error.retry(), error.ambiguous()), (RetryClass::Soon, true), "{kind:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_ambiguous_whether_or_not_the_write_was_carried_out() {
    for (applied, count) in [(true, 1), (false, 0)] {
        for (kind, fault) in [
            (FaultKind::Reset { applied }, Fault::Network),
            (FaultKind::Timeout { applied, hold_ms: None }, Fault::Timeout),
            (
                FaultKind::Status { code: 504, body: None, retry_after: None, applied },
                Fault::Server { status: 504, retry_after: None },
            ),
        ] {
            let rig = Rig::start().await;
            rig.simulator.add_fault(Strike::new(kind.clone()));
            let client = Setup { timeout: patience(&kind), ..rig.setup() }.build();
            let error = client.create(&rig.project, &new_webhook()).await.unwrap_err();
            assert_eq!(error.fault, fault, "{kind:?}");
            assert_eq!((error.retry(), error.ambiguous()), (RetryClass::Soon, true));
            assert_eq!(rig.simulator.webhooks(&rig.id).len(), count);
            assert_eq!(rig.simulator.counts(None).operation("create"), 1, "a POST is never repeated by itself");
        }
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_carry_the_remotes_code() {
    let rig = Rig::start().await;
    rig.simulator.forbid_token("forbidden");
    let refused = async |token| {
        let client = Setup { token, ..rig.setup() }.build();
        client.list(&rig.project, Priority::Urgent).await.unwrap_err()
    };
    let unauthorized = refused("unknown").await;
    assert!(unauthorized.is_auth());
    assert_eq!(unauthorized.code().unwrap().as_str(), "UnauthorizedError");
    let forbidden = refused("forbidden").await;
    assert!(matches!(forbidden.fault, Fault::Forbidden(_)) && !forbidden.is_auth());
    assert_eq!(forbidden.code().unwrap().as_str(), "ForbiddenError");

    let nameless = hookwright::remote::app_maker::NewWebhook { name: String::new(), ..new_webhook() };
    let rejected = rig.client().create(&rig.project, &nameless).await.unwrap_err();
    assert!(matches!(rejected.fault, Fault::Rejected { status: 400, .. }), "{rejected:?}");
    assert!(rejected.code().is_some() && rejected.message().is_some(), "{rejected:?}");
    for error in [unauthorized, forbidden, rejected] {
        assert_eq!((error.retry(), error.ambiguous()), (RetryClass::Person, false), "{error}");
    }
}

#[tokio::test]
async fn retry_after_is_honoured_in_both_forms_and_bounded() {
    let seconds = |n| Some(RetryAfter::Seconds(n));
    let after = |n| RetryClass::After(Duration::from_secs(n));
    assert_eq!(list_under(status(429, seconds(7))).await.retry(), after(7));
    assert_eq!(list_under(status(503, seconds(7))).await.retry(), after(7));
    assert_eq!(list_under(status(429, seconds(86_400))).await.retry(), after(600));
    assert_eq!(list_under(status(429, Some(RetryAfter::DateInSeconds(86_400)))).await.retry(), after(600));
    assert_eq!(list_under(status(429, Some(RetryAfter::DateInSeconds(-5)))).await.retry(), after(1));
    assert_eq!(list_under(status(429, Some(RetryAfter::Verbatim("soon".into())))).await.retry(), RetryClass::Soon);
    let limited = list_under(status(429, None)).await;
    assert_eq!((limited.fault.clone(), limited.ambiguous()), (Fault::RateLimited { retry_after: None }, false));
}

#[tokio::test]
async fn a_429_holds_back_the_other_users_of_the_connection() {
    let rig = Rig::start().await;
    rig.simulator.add_fault(Strike::new(status(429, Some(RetryAfter::Seconds(300)))).once());
    let setup = rig.setup();
    let pace = setup.pace.clone();
    let (handle, cut) = gate::cut();
    let client = Setup { cut, ..setup }.build();
    client.list(&rig.project, Priority::Urgent).await.unwrap_err();
    assert!(pace.blocked_for().is_some());
    let (waiting, ()) = futures::join!(client.delete(&rig.project, unknown_id()), async { handle.cut() });
    assert_eq!(waiting.unwrap_err().fault, Fault::Draining);
    assert_eq!(rig.calls(), ["list 429"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let (rig, elsewhere) = (Rig::start().await, Rig::start().await);
    for code in [301, 302, 303, 307, 308] {
        let location = format!("{}/organizations", elsewhere.simulator.http_endpoint());
        rig.simulator.add_fault(Strike::new(FaultKind::Redirect { location, code }).id("redirect"));
        let error = rig.client().create(&rig.project, &new_webhook()).await.unwrap_err();
        assert_eq!(error.fault, Fault::Redirected { status: code });
        assert!(error.ambiguous());
    }
    assert!(elsewhere.simulator.calls().is_empty());
}

#[tokio::test]
async fn tls_works_with_the_ca_and_tells_what_is_wrong_without() {
    let (rig, other) = (Rig::start().await, Rig::start().await);
    let endpoint = rig.simulator.https_endpoint();
    let try_with = async |base: String, ca: Option<&str>| {
        let client = Setup { base, ca_pem: ca.map(|pem| pem.as_bytes().to_vec()), ..rig.setup() }.build();
        client.list(&rig.project, Priority::Urgent).await
    };
    let ca = rig.simulator.ca_pem();
    assert!(try_with(endpoint.clone(), Some(ca)).await.unwrap().is_empty());
    let both = format!("{}\n{ca}", other.simulator.ca_pem());
    assert!(try_with(endpoint.clone(), Some(&both)).await.unwrap().is_empty());
    rig.simulator.clear_calls();

    // Leads to loopback too, and is not in the certificate.
    let another_name = endpoint.replace("127.0.0.1", "0.0.0.0");
    let no_tls = rig.simulator.http_endpoint().replace("http:", "https:");
    for (result, expected) in [
        (try_with(endpoint.clone(), None).await, NotSent::UntrustedIssuer),
        (try_with(endpoint, Some(other.simulator.ca_pem())).await, NotSent::UntrustedIssuer),
        (try_with(another_name, Some(ca)).await, NotSent::BadCertificate),
        (try_with(no_tls, Some(ca)).await, NotSent::Tls),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.fault, Fault::NotSent(expected));
        assert_eq!((error.retry(), error.ambiguous()), (RetryClass::Soon, false));
        assert_eq!(expected == NotSent::UntrustedIssuer, error.to_string().contains("set spec.caFrom"), "{error}");
    }
    assert!(rig.simulator.calls().is_empty());
}

#[tokio::test]
async fn a_connection_that_can_not_be_made_is_known_to_have_sent_nothing() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let rig = Rig::start().await;
    for (base, expected) in
        [(format!("http://{address}"), NotSent::Connect), ("http://hookwright.invalid".into(), NotSent::Dns)]
    {
        let client = Setup { base, ..rig.setup() }.build();
        let error = client.create(&rig.project, &new_webhook()).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotSent(expected));
        assert!(!error.ambiguous());
    }
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let rig = Rig::start().await;
    let metrics = rig.setup().metrics;
    let client = |timeout| Setup { timeout, metrics: Arc::clone(&metrics), ..rig.setup() }.build();
    for kind in [
        FaultKind::NotJson,
        FaultKind::Timeout { applied: false, hold_ms: None },
        FaultKind::Reset { applied: false },
        status(500, None),
        status(403, None),
    ] {
        rig.simulator.add_fault(Strike::new(kind.clone()).id("it"));
        client(patience(&kind)).list(&rig.project, Priority::Urgent).await.unwrap_err();
    }
    let client = client(LONG);
    rig.simulator.remove_fault("it");
    client.list(&rig.project, Priority::Urgent).await.unwrap();
    client.get(&rig.project, unknown_id(), Priority::Urgent).await.unwrap();
    let text = metrics.encode();
    for class in ["2xx", "body", "timeout", "network", "5xx", "4xx"] {
        let line =
            format!(r#"hookwright_remote_calls_total{{provider="app-maker",method="list",status_class="{class}"}} 1"#);
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(text.contains(r#"method="get",status_class="4xx"} 1"#), "{text}");
}

#[tokio::test]
async fn a_connections_users_share_one_bound_of_calls_under_way() {
    let rig = Rig::start().await;
    rig.simulator.add_fault(Strike::new(FaultKind::Latency { ms: 20, applied: false }));
    let limit = hookwright::api::connection::RateLimit { requests_per_second: 10_000, burst: 10_000, max_in_flight: 3 };
    let client = Setup { pace: Pace::new(limit), ..rig.setup() }.build();
    let lists = (0..12).map(|_| client.list(&rig.project, Priority::Periodic));
    assert!(futures::future::join_all(lists).await.iter().all(Result::is_ok));
    let counts = rig.simulator.counts(None);
    assert_eq!((counts.total, counts.max_in_flight), (12, 3));
}

#[tokio::test]
async fn an_errors_text_is_the_same_each_time() {
    for kind in [status(503, Some(RetryAfter::Seconds(3))), status(429, None), FaultKind::Reset { applied: true }] {
        let (first, second) = (list_under(kind.clone()).await, list_under(kind).await);
        assert_eq!(first.to_string(), second.to_string());
    }
    let error = list_under(status(503, None)).await;
    assert_eq!(error.to_string(), "GET of the project's webhooks failed: the remote answers 503");
    assert_eq!(Feedback::of(Some(&error)), Feedback::Overloaded(None));
}
