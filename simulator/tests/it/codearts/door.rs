//! The admin door's part.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use simulator::codearts::{AccessKey, Behaviour, IamUser};

use super::rig::{ROBOT, Rig, Signer, TOKEN, rig};

async fn door(rig: &Rig, method: Method, path: &str, body: Option<Value>) -> Response {
    let request = rig.client.request(method, format!("{}/codearts{path}", rig.simulator.admin_url()));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.unwrap()
}

async fn act(rig: &Rig, method: Method, path: &str, body: Value, status: u16) -> Value {
    let answer = door(rig, method, path, (!body.is_null()).then_some(body)).await;
    let (got, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!(got, status, "{path}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

async fn look(rig: &Rig, path: &str) -> Value {
    act(rig, Method::GET, path, Value::Null, 200).await
}

#[tokio::test]
async fn tasks_can_be_added_listed_and_removed() {
    let rig = rig().await;
    let channels = json!([{"type": "wecom", "url": ROBOT}, {"type": "wecom", "enabled": false}]);
    let own = json!({"task": "own", "channels": channels});
    assert_eq!(act(&rig, Method::POST, "/tasks", own, 201).await, json!({"task": "own"}));
    let made = act(&rig, Method::POST, "/tasks", json!({}), 201).await;
    let mut all = vec![rig.task.clone(), "own".to_owned(), made["task"].as_str().unwrap().to_owned()];
    all.sort();
    assert_eq!(look(&rig, "/tasks").await, json!(all));
    assert_eq!(look(&rig, "/tasks/own/channels").await.as_array().unwrap().len(), 2);
    act(&rig, Method::DELETE, "/tasks/own", Value::Null, 204).await;
    act(&rig, Method::DELETE, "/tasks/own", Value::Null, 404).await;
    act(&rig, Method::POST, "/tasks", json!({"task": "a/b"}), 400).await;
}

#[tokio::test]
async fn channels_can_be_set_added_edited_switched_and_removed() {
    let rig = rig().await;
    let path = format!("/tasks/{}/channels", rig.task);
    let new = json!({"type": "lark", "enabled": true, "url": ROBOT, "notify": ["jobResult"],
        "review_result_filter": "f", "user_ids": ["u1"], "secret": "key"});
    let made = act(&rig, Method::PUT, &path, new, 200).await;
    assert_eq!(look(&rig, &path).await, json!([made]), "in full truth");
    let item = format!("{path}/{}", made["id"].as_str().unwrap());
    let edited = act(&rig, Method::PATCH, &item, json!({"enabled": false, "secret": "other"}), 200).await;
    assert_eq!(
        (&edited["enabled"], &edited["secret"], &edited["url"]),
        (&json!(false), &json!("other"), &json!(ROBOT))
    );
    assert_eq!(rig.row().await["status"], json!("off"));
    act(&rig, Method::POST, &path, json!({"type": "lark"}), 201).await;
    assert_eq!(look(&rig, &path).await.as_array().unwrap().len(), 2);
    act(&rig, Method::DELETE, &item, Value::Null, 204).await;
    act(&rig, Method::DELETE, &item, Value::Null, 404).await;
    act(&rig, Method::PATCH, &item, json!({}), 404).await;
    act(&rig, Method::GET, "/tasks/nobody/channels", Value::Null, 404).await;
    act(&rig, Method::PUT, "/tasks/nobody/channels", json!({"type": "lark"}), 404).await;
}

#[tokio::test]
async fn behaviour_can_be_set_read_and_reset() {
    let rig = rig().await;
    let everything = json!({
        "menu_separator": ";", "user_separator": " ", "status_case": "upper", "secret": "masked",
        "omit_fields": ["now"], "extra_fields": {"a": 1}, "total": {"says": 3}, "unknown_task": "not_found",
        "error_shape": "plain", "error_nested": true, "unauthorized": "gateway", "token_lifetime_seconds": 5,
        "clock_offset_seconds": -5
    });
    act(&rig, Method::PUT, "/behaviour", everything.clone(), 204).await;
    assert_eq!(look(&rig, "/behaviour").await, everything);
    act(&rig, Method::PUT, "/behaviour", json!({"total": "absent"}), 204).await;
    assert_eq!(look(&rig, "/behaviour").await["menu_separator"], json!(","), "what is not named is the default");
    act(&rig, Method::DELETE, "/behaviour", Value::Null, 204).await;
    assert_eq!(rig.simulator.check_behaviour(), Behaviour::default());
    act(&rig, Method::PUT, "/behaviour", json!({"totl": "absent"}), 422).await;
}

#[tokio::test]
async fn tokens_can_be_added_forbidden_and_removed() {
    let rig = rig().await;
    let known = act(&rig, Method::PUT, "/tokens", json!({"forbid": [TOKEN], "add": ["other"]}), 200).await;
    assert_eq!(known, json!({"add": [1], "forbid": [0]}));
    assert_eq!((rig.ask().await.0, rig.with_token("other").await.0), (403, 200));
    act(&rig, Method::PUT, "/tokens", json!({"remove": ["other"]}), 200).await;
    assert_eq!(rig.with_token("other").await.0, 401);
}

#[tokio::test]
async fn users_can_be_set_forbidden_and_removed_and_their_tokens_revoked() {
    let rig = rig().await;
    let user = IamUser { domain: "d".into(), user: "u".into(), password: "p".into(), project: "r".into() };
    let name = json!({"domain": "d", "user": "u"});
    act(&rig, Method::PUT, "/users", json!({"set": [user]}), 204).await;
    let token = rig.issued(&user).await;
    act(&rig, Method::PUT, "/users", json!({"forbid": [name]}), 204).await;
    assert_eq!(rig.with_token(&token).await.0, 403);
    act(&rig, Method::PUT, "/users", json!({"allow": [name]}), 204).await;
    assert_eq!(rig.with_token(&token).await.0, 200);
    assert_eq!(act(&rig, Method::POST, "/tokens/revoke-issued", Value::Null, 200).await, json!({"revoked": 1}));
    assert_eq!(rig.with_token(&token).await.0, 401);
    act(&rig, Method::PUT, "/users", json!({"remove": [name]}), 204).await;
    assert_eq!(rig.exchange(&user).await.status(), 401);
}

#[tokio::test]
async fn access_keys_can_be_set_forbidden_and_removed() {
    let rig = rig().await;
    let key =
        AccessKey { access_key: "AK".into(), secret_key: "SK".into(), project_id: "p".into(), security_token: None };
    let set = json!({"set": [{"access_key": "AK", "secret_key": "SK", "project_id": "p"}]});
    assert_eq!(act(&rig, Method::PUT, "/access-keys", set, 200).await, json!({"set": [1]}));
    assert_eq!(Signer::new(&key).send(&rig).await.0, 200);
    act(&rig, Method::PUT, "/access-keys", json!({"forbid": ["AK"]}), 200).await;
    assert_eq!(Signer::new(&key).send(&rig).await.0, 403);
    act(&rig, Method::PUT, "/access-keys", json!({"remove": ["AK"]}), 200).await;
    assert_eq!(Signer::new(&key).send(&rig).await.0, 401);
}

#[tokio::test]
async fn calls_and_counts_can_be_read_by_task() {
    let rig = rig().await;
    rig.ask().await;
    let url = format!("{}/counts?project={}", rig.simulator.admin_url(), rig.task);
    let counts: Value = rig.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(counts["by_operation"], json!({"task_webhook_info": 1}));
}
