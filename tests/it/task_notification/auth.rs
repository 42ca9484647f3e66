//! The three ways to authenticate, each verified by the remote.

use serde_json::{Value, json};
use simulator::Outcome;
use simulator::codearts::{AccessKey, Behaviour, IamUser, Unauthorized};

use super::stage::{Stage, TOKEN, from};

/// Points Connection `codearts` at IAM, with the password in Secret `iam`.
async fn by_password(stage: &Stage, user: &IamUser) {
    stage.secret("iam", &[("password", &user.password)]).await;
    let password = json!({
        "iamEndpoint": stage.sim.iam_endpoint(), "domain": user.domain, "user": user.user, "project": user.project,
        "passwordFrom": from("iam", "password"),
    });
    stage.connect(json!({ "tokenFrom": null, "password": password }), json!({})).await;
}

/// Signs with an access key, which is in Secret `key`.
async fn by_key(stage: &Stage, key: &AccessKey) {
    put_key(stage, key).await;
    let mut auth = json!({
        "projectId": key.project_id, "accessKeyFrom": from("key", "access"), "secretKeyFrom": from("key", "secret"),
    });
    if key.security_token.is_some() {
        auth["securityTokenFrom"] = from("key", "token");
    }
    stage.connect(json!({ "tokenFrom": null, "accessKey": auth }), json!({})).await;
}

async fn put_key(stage: &Stage, key: &AccessKey) {
    let token = key.security_token.clone().unwrap_or_default();
    stage.secret("key", &[("access", &key.access_key), ("secret", &key.secret_key), ("token", &token)]).await;
}

/// Applies so many TaskNotifications, each of a task of its own that fits.
async fn many(stage: &Stage, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|i| format!("checks-{i}")).collect();
    for name in &names {
        let task = stage.sim.new_task();
        let channel: Value = json!([{ "type": "lark", "enabled": false }]);
        stage.notify(name, json!({ "taskId": task, "channels": channel })).await;
    }
    names
}

#[tokio::test]
async fn a_token_is_used_as_it_is_and_a_new_one_from_the_next_call_on() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    stage.sim.remove_check_token(TOKEN);
    let status = stage.told("checks", "CredentialsRejected").await;
    let expected = "the remote does not accept the credentials of the connection (401: CC.00000003); put a valid IAM token \
                    into its Secret: one lives for 24 hours";
    assert_eq!(super::stage::says(&status), expected);
    assert_eq!(stage.connection_is("CredentialsRejected").await, expected, "both say the same");
    let position = stage.sim.add_check_token("another-token");
    stage.secret("codearts", &[("token", "another-token\n")]).await;
    stage.connection_is("Configured").await;
    stage.told("checks", "Synced").await;
    assert_eq!(stage.sim.calls_for(&stage.task).last().unwrap().token, Some(position));
}

#[tokio::test]
async fn one_exchange_serves_all_and_never_two_are_under_way() {
    let stage = Stage::start().await;
    let user = stage.sim.new_user();
    by_password(&stage, &user).await;
    stage.connection_is("Configured").await;
    for name in many(&stage, 20).await {
        stage.told(&name, "Synced").await;
    }
    let counts = stage.sim.counts(Some(&user.user));
    assert_eq!((counts.operation("issue_token"), counts.max_in_flight), (1, 1));
}

#[tokio::test]
async fn a_token_that_is_refused_before_its_end_is_replaced_at_once() {
    let stage = Stage::start().await;
    let user = stage.sim.new_user();
    by_password(&stage, &user).await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    stage.sim.revoke_issued_tokens();
    let status = stage.look("checks").await;
    assert_eq!(status.conditions[0].reason, "Synced", "nobody is told of it");
    assert_eq!(stage.asked(), ["GET 200", "GET 401", "GET 200"]);
    assert_eq!(stage.sim.counts(Some(&user.user)).operation("issue_token"), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    let user = stage.sim.new_user();
    stage.behave(Behaviour { token_lifetime_seconds: 10, ..Behaviour::default() });
    by_password(&stage, &user).await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    let renewed = |state: &simulator::State| state.counts(Some(&user.user)).operation("issue_token") >= 3;
    stage.wait_remote("the third token is issued", renewed).await;
    let asked = stage.asked();
    assert!(asked.iter().all(|call| call == "GET 200"), "no call met a token that had ended: {asked:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_hammered_with_and_the_right_one_is_taken_up() {
    let stage = Stage::start().await;
    let user = stage.sim.new_user();
    by_password(&stage, &IamUser { password: "wrong".into(), ..user.clone() }).await;
    stage.connection_is("Configured").await;
    let names = many(&stage, 30).await;
    for name in &names {
        stage.told_that(name, "CredentialsRejected", "put the right password into its Secret").await;
    }
    let counts = stage.sim.counts(Some(&user.user));
    // One, and one for each delay that has passed since, of 1 s, 2 s, 4 s …
    assert!(counts.operation("issue_token") <= 6, "{} exchanges for 30 objects", counts.operation("issue_token"));
    assert_eq!(counts.max_in_flight, 1);
    assert_eq!(counts.status(Outcome::Status(401)), counts.operation("issue_token"));
    stage.secret("iam", &[("password", &user.password)]).await;
    for name in &names {
        stage.told(name, "Synced").await;
    }
}

#[tokio::test]
async fn a_changed_password_is_taken_up_although_the_old_tokens_end_with_it() {
    let stage = Stage::start().await;
    let user = stage.sim.new_user();
    by_password(&stage, &user).await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    stage.sim.set_user(IamUser { password: "the-new-password".into(), ..user.clone() });
    stage.secret("iam", &[("password", "the-new-password")]).await;
    // The look may come before the Secret's change is seen, and then the old password is tried once more.
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
    assert_eq!(stage.sim.counts(Some(&user.user)).status(Outcome::Status(201)), 2);
}

#[tokio::test]
async fn requests_are_signed_with_permanent_and_temporary_keys_and_a_rotated_one_is_taken_up() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    for temporary in [false, true] {
        let key = stage.sim.new_access_key(temporary);
        by_key(&stage, &key).await;
        stage.notify("checks", json!({})).await;
        stage.told("checks", "Synced").await;
        let (first, second) = (stage.sim.set_access_key(key.clone()), stage.sim.new_access_key(temporary));
        stage.look("checks").await;
        assert_eq!(stage.sim.calls_for(&stage.task).last().unwrap().token, Some(first));
        let second = AccessKey { project_id: key.project_id.clone(), ..second };
        let position = stage.sim.set_access_key(second.clone());
        stage.sim.remove_access_key(&key.access_key);
        put_key(&stage, &second).await;
        // The look may come before the Secret's change is seen.
        stage.look("checks").await;
        stage.told("checks", "Synced").await;
        let last = stage.sim.calls_for(&stage.task).pop().unwrap();
        assert_eq!((last.token, last.outcome), (Some(position), Outcome::Status(200)));
        stage.connection_is("Configured").await;
        stage.remove("checks").await;
    }
}

#[tokio::test]
async fn a_clock_that_is_off_by_more_than_a_quarter_of_an_hour_is_told_as_what_it_may_be() {
    let stage = Stage::start().await;
    let key = stage.sim.new_access_key(true);
    stage.console(|channel| channel);
    for unauthorized in [Unauthorized::Service, Unauthorized::Gateway] {
        stage.behave(Behaviour { clock_offset_seconds: 16 * 60, unauthorized, ..Behaviour::default() });
        by_key(&stage, &key).await;
        stage.notify("checks", json!({})).await;
        let code = if unauthorized == Unauthorized::Service { "CC.00000003" } else { "APIG.0301" };
        let status = stage.told_that("checks", "CredentialsRejected", "correct this cluster's clock").await;
        assert!(super::stage::says(&status).contains(&format!("(401: {code})")), "{}", super::stage::says(&status));
        stage.behave(Behaviour { clock_offset_seconds: -14 * 60, ..Behaviour::default() });
        stage.told("checks", "Synced").await;
        stage.connection_is("Configured").await;
        stage.remove("checks").await;
    }
}

#[tokio::test]
async fn an_iam_that_is_away_is_told_as_that_and_not_as_the_tasks_fault() {
    let stage = Stage::start().await;
    let user = stage.sim.new_user();
    let status = simulator::FaultKind::Status { code: 503, body: None, retry_after: None, applied: false };
    stage.sim.add_fault(simulator::Fault::new(status).id("away").operations(["issue_token"]));
    by_password(&stage, &user).await;
    stage.notify("checks", json!({})).await;
    let text = "POST of an IAM token failed: the remote answers 503";
    stage.told_that("checks", "RemoteUnavailable", text).await;
    stage.sim.remove_fault("away");
    let status = simulator::FaultKind::Status { code: 400, body: None, retry_after: None, applied: false };
    stage.sim.add_fault(simulator::Fault::new(status).id("bad").operations(["issue_token"]));
    stage.told_that("checks", "RemoteRejected", "correct iamEndpoint, domain, user and project").await;
    stage.sim.remove_fault("bad");
    stage.console(|channel| channel);
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
}
