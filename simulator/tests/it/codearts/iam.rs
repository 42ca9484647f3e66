//! The exchange of a password for a token.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::codearts::{Behaviour, IamUser};
use simulator::{Fault, FaultKind, Outcome};

use super::rig::{Rig, exchange, expired, read, rig};
use crate::bench::PATIENCE;

async fn rig_with_user() -> (Rig, IamUser) {
    let rig = rig().await;
    let user = rig.simulator.new_user();
    (rig, user)
}

fn error(code: u16, message: &str, title: &str) -> (u16, Value) {
    (code, json!({"error": {"code": code, "message": message, "title": title}}))
}

#[tokio::test]
async fn a_password_is_exchanged_for_a_token_that_check_takes_for_24_hours() {
    let (rig, user) = rig_with_user().await;
    let answer = rig.exchange(&user).await;
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let (status, body) = read(answer).await;
    assert_eq!(status, 201);
    let instant = |field: &str| body["token"][field].as_str().unwrap().parse::<Timestamp>().unwrap();
    let lifetime = instant("expires_at").duration_since(instant("issued_at"));
    assert_eq!(lifetime, SignedDuration::from_hours(24));
    assert_eq!(body["token"]["expires_at"].as_str().unwrap().len(), "2020-01-04T09:05:22.701000Z".len());
    assert_eq!(body["token"]["project"]["name"], json!(user.project));
    assert!(!body.to_string().contains(&token) && !body.to_string().contains(&user.password), "{body}");
    assert_eq!(rig.with_token(&token).await.0, 200);
}

#[tokio::test]
async fn a_wrong_user_password_or_project_is_refused() {
    let (rig, user) = rig_with_user().await;
    for wrong in [
        IamUser { password: "guessed".into(), ..user.clone() },
        IamUser { user: "nobody".into(), ..user.clone() },
        IamUser { domain: "nowhere".into(), ..user.clone() },
        IamUser { project: "elsewhere".into(), ..user.clone() },
    ] {
        let answer = rig.exchange(&wrong).await;
        assert!(answer.headers().get("x-subject-token").is_none());
        assert_eq!(read(answer).await, error(401, "The username or password is wrong.", "Unauthorized"));
    }
}

#[tokio::test]
async fn a_body_that_is_not_as_documented_is_refused() {
    let (rig, user) = rig_with_user().await;
    let refused = error(400, "The request body is invalid.", "Bad Request");
    for (pointer, value) in [
        ("/auth/identity/methods", json!(["token"])),
        ("/auth/identity/methods", json!([])),
        ("/auth/identity/password/user/name", json!(1)),
        ("/auth/identity/password/user", json!({"name": user.user, "password": user.password})),
        ("/auth/scope", json!({})),
        ("/auth/scope", json!({"project": {"name": user.project}, "domain": {"name": user.domain}})),
        ("/auth", json!({"identity": exchange(&user)["auth"]["identity"]})),
    ] {
        let mut body = exchange(&user);
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(read(rig.exchange_body(&body).await).await, refused, "{body}");
    }
    let url = format!("{}/v3/auth/tokens", rig.simulator.iam_endpoint());
    let untyped = rig.client.post(url).body(exchange(&user).to_string());
    assert_eq!(read(untyped.send().await.unwrap()).await, refused, "no content type");
}

#[tokio::test]
async fn exchanges_are_counted_by_user_and_recorded_without_the_password() {
    let (rig, user) = rig_with_user().await;
    let other = rig.simulator.new_user();
    rig.issued(&user).await;
    rig.exchange(&IamUser { password: "guessed".into(), ..user.clone() }).await;
    rig.issued(&other).await;
    let counts = rig.simulator.counts(Some(&user.user));
    assert_eq!((counts.operation("issue_token"), counts.max_in_flight), (2, 1));
    assert_eq!((counts.status(Outcome::Status(201)), counts.status(Outcome::Status(401))), (1, 1));
    assert_eq!(counts.effects, 1, "a token is an effect");
    assert_eq!(rig.simulator.counts(None).operation("issue_token"), 3);
    let calls = rig.simulator.calls_for(&user.user);
    let mut masked = exchange(&user);
    masked["auth"]["identity"]["password"]["user"]["password"] = json!("********");
    assert_eq!(calls[0].body, Some(masked));
    let text = format!("{:?}", rig.simulator.calls());
    assert!(!text.contains(&user.password) && !text.contains("guessed"), "{text}");
}

#[tokio::test]
async fn exchanges_at_once_are_seen() {
    let (rig, user) = rig_with_user().await;
    rig.simulator
        .add_fault(Fault::new(FaultKind::Latency { ms: 3_600_000, applied: false }).operations(["issue_token"]));
    let url = format!("{}/v3/auth/tokens", rig.simulator.iam_endpoint());
    let held: Vec<_> = (0..2).map(|_| tokio::spawn(rig.client.post(&url).json(&exchange(&user)).send())).collect();
    let name = user.user.clone();
    rig.simulator
        .wait_until("two at once", PATIENCE, move |state| state.counts(Some(&name)).max_in_flight == 2)
        .await
        .unwrap();
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_token_ends_with_its_lifetime() {
    let (rig, user) = rig_with_user().await;
    rig.simulator.set_check_behaviour(Behaviour { token_lifetime_seconds: 0, ..Behaviour::default() });
    let stillborn = rig.issued(&user).await;
    assert_eq!(rig.with_token(&stillborn).await, expired());

    rig.simulator.set_check_behaviour(Behaviour { token_lifetime_seconds: 3600, ..Behaviour::default() });
    let token = rig.issued(&user).await;
    assert_eq!(rig.with_token(&token).await.0, 200);
    let at = |clock_offset_seconds| Behaviour { clock_offset_seconds, ..Behaviour::default() };
    rig.simulator.set_check_behaviour(at(3500));
    assert_eq!(rig.with_token(&token).await.0, 200);
    rig.simulator.set_check_behaviour(at(3600));
    assert_eq!(rig.with_token(&token).await, expired());
}

#[tokio::test]
async fn a_new_token_leaves_the_old_one_alive() {
    let (rig, user) = rig_with_user().await;
    let (first, second) = (rig.issued(&user).await, rig.issued(&user).await);
    assert_ne!(first, second);
    assert_eq!((rig.with_token(&first).await.0, rig.with_token(&second).await.0), (200, 200));
}

#[tokio::test]
async fn a_users_tokens_die_with_the_password_and_nobody_elses_do() {
    let (rig, user) = rig_with_user().await;
    let other = rig.simulator.new_user();
    let (own, others) = (rig.issued(&user).await, rig.issued(&other).await);
    rig.simulator.set_user(user.clone());
    assert_eq!(rig.with_token(&own).await.0, 200, "the same password changes nothing");
    let changed = IamUser { password: "changed".into(), ..user.clone() };
    rig.simulator.set_user(changed.clone());
    assert_eq!(rig.with_token(&own).await, expired());
    assert_eq!(rig.with_token(&others).await.0, 200);
    assert_eq!(rig.exchange(&user).await.status(), 401);
    let token = rig.issued(&changed).await;
    assert_eq!(rig.with_token(&token).await.0, 200);
}

#[tokio::test]
async fn issued_tokens_can_be_revoked_before_their_time_and_configured_ones_stay() {
    let (rig, user) = rig_with_user().await;
    let token = rig.issued(&user).await;
    assert_eq!(rig.simulator.revoke_issued_tokens(), 1);
    assert_eq!(rig.with_token(&token).await, expired());
    assert_eq!(rig.ask().await.0, 200);
    let again = rig.issued(&user).await;
    assert_eq!(rig.with_token(&again).await.0, 200);
}

#[tokio::test]
async fn a_forbidden_user_gets_a_token_that_may_do_nothing() {
    let (rig, user) = rig_with_user().await;
    let token = rig.issued(&user).await;
    assert!(rig.simulator.forbid_user(&user.domain, &user.user, true));
    assert_eq!(rig.with_token(&token).await.0, 403);
    let another = rig.issued(&user).await;
    assert_eq!(rig.with_token(&another).await.0, 403);
    assert!(rig.simulator.forbid_user(&user.domain, &user.user, false));
    assert_eq!(rig.with_token(&token).await.0, 200);
    assert!(!rig.simulator.forbid_user(&user.domain, "nobody", true));
}

#[tokio::test]
async fn a_removed_user_is_gone_with_the_tokens() {
    let (rig, user) = rig_with_user().await;
    let token = rig.issued(&user).await;
    assert!(rig.simulator.remove_user(&user.domain, &user.user));
    assert!(!rig.simulator.remove_user(&user.domain, &user.user));
    assert_eq!(rig.with_token(&token).await, expired());
    assert_eq!(rig.exchange(&user).await.status(), 401);
}
