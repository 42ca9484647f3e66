//! No secret of a TaskNotification or its connection leaves.

use hookwright::api::task_notification::TaskNotification;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use simulator::codearts::{AccessKey, Behaviour, IamUser, NewChannel, SecretShown, Unauthorized};
use simulator::{Fault, FaultKind};

use super::stage::{Stage, from};

const URL: &str = "https://Ua4Jm6pEz9Hf:Wl2Ty8kOg5Qx@robots.example.com/Cr7Zn3vIw6Bj/send?key=Gs9Ph4dMu1Ky";
const PARTS: [&str; 4] = ["Ua4Jm6pEz9Hf", "Wl2Ty8kOg5Qx", "Cr7Zn3vIw6Bj", "Gs9Ph4dMu1Ky"];
const SIGN: &str = "Pz6Wg1fTq8Mv";
const PASSWORD: &str = "Dk3Xs7bNu2Rc";
const ACCESS: &str = "Xi4Bk9gTh7Pu";
const SECRET: &str = "Mq8Lw3jYv5Za";
const SECURITY: &str = "Ne5Vt2xRl8Wq";
const TOKEN: &str = "Vx8Kq2mZt4Lw";

/// Everything that others than the secrets' owner can see, now.
async fn places(stage: &Stage) -> Vec<(&'static str, String)> {
    let all = ListParams::default();
    let statuses = |objects: Vec<Option<Value>>| json!(objects).to_string();
    let notifications = Api::<TaskNotification>::namespaced(stage.client.clone(), &stage.namespace);
    let notifications = notifications.list(&all).await.unwrap().items;
    let connections = stage.connections().list(&all).await.unwrap().items;
    let events = Api::<Event>::namespaced(stage.client.clone(), &stage.namespace);
    let operator = stage.operator();
    vec![
        ("the statuses", statuses(notifications.iter().map(|object| Some(json!(object.status))).collect())),
        ("the connections", statuses(connections.iter().map(|object| Some(json!(object.status))).collect())),
        ("the Events", json!(events.list(&all).await.unwrap().items).to_string()),
        ("the log", operator.log()),
        ("/metrics", operator.get("/metrics").await.1),
    ]
}

async fn assert_nothing_left(stage: &Stage, issued: &[String]) {
    let places = places(stage).await;
    for (place, text) in [
        ("the statuses", "robots.example.com"),
        ("the connections", "Ready"),
        ("the Events", "TaskNotification"),
        ("the log", "remote call"),
        ("/metrics", "codearts-check"),
    ] {
        let seen = places.iter().any(|(name, content)| *name == place && content.contains(text));
        assert!(seen, "{text} is not in {place}: then nothing proves that a canary would be seen");
    }
    let canaries =
        PARTS.iter().chain(&[SIGN, PASSWORD, ACCESS, SECRET, SECURITY, TOKEN]).map(|part| (*part).to_owned());
    // Six characters in a row of any of them.
    let windows =
        canaries.flat_map(|part| (0..=part.len() - 6).map(|at| part[at..at + 6].to_owned()).collect::<Vec<_>>());
    let issued = issued.iter().map(|token| token[..16].to_owned());
    for text in windows.chain(issued) {
        for (place, content) in &places {
            assert!(!content.to_ascii_lowercase().contains(&text.to_ascii_lowercase()), "{text} is in {place}");
        }
    }
}

/// An error that repeats all of it.
fn echo(code: u16, more: &str) -> FaultKind {
    let all = [URL, SIGN, PASSWORD, ACCESS, SECRET, SECURITY, TOKEN, more].join(" ");
    let body = json!({ "error_code": SIGN, "errorCode": TOKEN, "error_msg": all, "error": { "code": ACCESS, "message": all } });
    FaultKind::Status { code, body: Some(body), retry_after: None, applied: false }
}

/// Every error that repeats it, and each of its parts alone.
async fn errors(stage: &Stage, parts: &[&str]) {
    for code in [400, 403, 404, 422, 429, 500, 401] {
        stage.sim.add_fault(Fault::new(echo(code, "")).id("echo").operations(["task_webhook_info"]));
        stage.look("checks").await;
        stage.sim.remove_fault("echo");
    }
    quoting(stage, parts).await;
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
}

async fn start() -> Stage {
    let stage = Stage::with(|setup| setup.env("RUST_LOG", "trace")).await;
    stage.secret("robots", &[("url", URL), ("sign", SIGN)]).await;
    stage.console(|channel| NewChannel { url: URL.into(), ..channel }.secret(SIGN));
    stage
}

#[tokio::test]
async fn nothing_leaves_with_a_token_nor_through_drift() {
    let stage = start().await;
    stage.sim.add_check_token(TOKEN);
    stage.secret("codearts", &[("token", TOKEN)]).await;
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    errors(&stage, &[&PARTS[..], &[SIGN, TOKEN]].concat()).await;
    // Somebody has pasted the secrets where they do not belong.
    stage.console(|channel| {
        NewChannel { url: format!("{URL}x"), review_result_filter: SIGN.into(), ..channel }
            .secret(format!("{SIGN}x"))
            .user_ids(["Gs9Ph4dMu1Ky", SIGN])
            .notify([TOKEN])
    });
    let channel = json!({
        "type": "wecom", "urlFrom": from("robots", "url"), "secretFrom": from("robots", "sign"),
        "notify": ["jobResult"], "userIds": [], "reviewResultFilter": "",
    });
    stage.notify("checks", json!({ "channels": [channel] })).await;
    assert_eq!(stage.told("checks", "ManualChangeRequired").await.drift.len(), 5);
    assert_nothing_left(&stage, &[]).await;
}

#[tokio::test]
async fn nothing_leaves_with_a_password_and_what_is_issued_for_it() {
    let stage = start().await;
    let user = IamUser { password: PASSWORD.into(), ..stage.sim.new_user() };
    stage.sim.set_user(user.clone());
    stage.secret("iam", &[("password", PASSWORD)]).await;
    let password = json!({
        "iamEndpoint": stage.sim.iam_endpoint(), "domain": user.domain, "user": user.user, "project": user.project,
        "passwordFrom": from("iam", "password"),
    });
    stage.connect(json!({ "tokenFrom": null, "password": password }), json!({})).await;
    stage.connection_is("Configured").await;
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    errors(&stage, &[SIGN, PASSWORD]).await;
    stage.sim.add_fault(Fault::new(echo(401, "")).id("iam").operations(["issue_token"]));
    stage.sim.revoke_issued_tokens();
    stage.look("checks").await;
    stage.told("checks", "CredentialsRejected").await;
    stage.sim.remove_fault("iam");
    stage.told("checks", "Synced").await;
    assert_nothing_left(&stage, &["MII".repeat(6)]).await;
    // The log at trace level has the requests of the libraries below, if anything has: the token begins like this.
    let log = stage.operator().log();
    assert!(!log.contains("MII"), "an issued token is in the log");
}

#[tokio::test]
async fn nothing_leaves_with_an_access_key_although_the_gateway_repeats_it() {
    let stage = start().await;
    let key = AccessKey {
        access_key: ACCESS.into(),
        secret_key: SECRET.into(),
        project_id: "the-project".into(),
        security_token: Some(SECURITY.into()),
    };
    stage.sim.set_access_key(key);
    stage.secret("key", &[("access", ACCESS), ("secret", SECRET), ("token", SECURITY)]).await;
    let auth = json!({
        "projectId": "the-project", "accessKeyFrom": from("key", "access"), "secretKeyFrom": from("key", "secret"),
        "securityTokenFrom": from("key", "token"),
    });
    stage.connect(json!({ "tokenFrom": null, "accessKey": auth }), json!({})).await;
    stage.connection_is("Configured").await;
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    errors(&stage, &[SIGN, ACCESS, SECRET, SECURITY]).await;
    // Signed wrongly, and not known at all: the vendor's gateway repeats what it was sent.
    let gateway = Behaviour { unauthorized: Unauthorized::Gateway, ..Behaviour::default() };
    stage.behave(Behaviour { clock_offset_seconds: 3600, ..gateway.clone() });
    stage.look("checks").await;
    stage.told("checks", "CredentialsRejected").await;
    stage.behave(gateway);
    stage.told("checks", "Synced").await;
    stage.sim.remove_access_key(ACCESS);
    stage.look("checks").await;
    stage.told("checks", "CredentialsRejected").await;
    assert_nothing_left(&stage, &[]).await;
}

const NEW_URL: &str = "https://robots.example.com/Fy5Rc1kXw9Ts/send?key=Ob7Lz4nQe2Vd";
const NEW_SIGN: &str = "Hj3Uk6pWa8Ym";

#[tokio::test]
async fn nothing_leaves_that_was_rotated_out_and_is_still_at_the_remote() {
    let mut stage = start().await;
    stage.sim.add_check_token(TOKEN);
    stage.secret("codearts", &[("token", TOKEN)]).await;
    stage
        .notify(
            "checks",
            json!({ "channels": [{
        "type": "wecom", "urlFrom": from("robots", "url"), "secretFrom": from("robots", "sign"),
        "reviewResultFilter": "", "userIds": [],
    }] }),
        )
        .await;
    stage.told("checks", "Synced").await;
    stage.secret("robots", &[("url", NEW_URL), ("sign", NEW_SIGN)]).await;
    stage.told("checks", "ManualChangeRequired").await;
    let old = [&PARTS[..], &[SIGN]].concat();
    for secret in [SecretShown::Plain, SecretShown::Masked, SecretShown::Absent] {
        stage.behave(Behaviour { secret, ..Behaviour::default() });
        quoting(&stage, &old).await;
        // What was rotated out is pasted where it does not belong, and shown nowhere else any more.
        stage.console(|channel| {
            let kept = NewChannel { url: NEW_URL.into(), review_result_filter: SIGN.into(), ..channel };
            kept.secret(NEW_SIGN).user_ids([PARTS[3]]).notify([PARTS[2]])
        });
        let drift = stage.look("checks").await.drift;
        assert!(drift.iter().any(|drift| drift.field.ends_with("Filter")), "{drift:?}");
        stage.console(|channel| NewChannel { url: URL.into(), ..channel }.secret(SIGN));
    }
    assert_nothing_left(&stage, &[]).await;
    // The next process has never seen what was there before, and the first that it hears is an error that quotes it.
    let body = json!({ "error_code": SIGN, "error_msg": format!("{URL} {SIGN} is not allowed") });
    let kind = FaultKind::Status { code: 422, body: Some(body), retry_after: None, applied: false };
    stage.sim.add_fault(Fault::new(kind).id("first").operations(["task_webhook_info"]));
    stage.world.restart_operator().await;
    stage.look("checks").await;
    stage.told("checks", "RemoteRejected").await;
    assert_nothing_left(&stage, &[]).await;
    stage.sim.remove_fault("first");
    quoting(&stage, &old).await;
    assert_nothing_left(&stage, &[]).await;
}

/// Errors that quote each of these, as code and in the message.
async fn quoting(stage: &Stage, parts: &[&str]) {
    for part in parts {
        let body = json!({ "error_code": part, "error_msg": format!("{part} is not allowed") });
        let kind = FaultKind::Status { code: 422, body: Some(body), retry_after: None, applied: false };
        stage.sim.add_fault(Fault::new(kind).id("echo").operations(["task_webhook_info"]));
        stage.look("checks").await;
        // Credentials that were rejected before are tried again after a while.
        stage.told("checks", "RemoteRejected").await;
        stage.sim.remove_fault("echo");
    }
}
