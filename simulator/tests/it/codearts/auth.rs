//! Tokens.

use serde_json::{Value, json};
use simulator::codearts::{Behaviour, ErrorShape};

use super::rig::{TOKEN, expired, read, rig};

#[tokio::test]
async fn a_request_without_credentials_is_refused() {
    let rig = rig().await;
    assert_eq!(read(rig.request().send().await.unwrap()).await, expired());
    assert_eq!(rig.last_call().token, None);
}

#[tokio::test]
async fn an_unknown_token_is_refused_also_where_the_task_is_unknown() {
    let mut rig = rig().await;
    assert_eq!(rig.with_token("stranger").await, expired());
    rig.task = "nobody".to_owned();
    assert_eq!(rig.with_token("stranger").await, expired());
}

#[tokio::test]
async fn a_token_is_taken_from_its_own_header_only_and_only_once() {
    let rig = rig().await;
    assert_eq!(read(rig.request().bearer_auth(TOKEN).send().await.unwrap()).await, expired());
    let twice = rig.request().header("X-Auth-Token", TOKEN).header("X-Auth-Token", TOKEN);
    assert_eq!(read(twice.send().await.unwrap()).await, expired());
    let both = rig.request().header("X-Auth-Token", TOKEN).bearer_auth("another secret");
    assert_eq!(read(both.send().await.unwrap()).await, expired());
}

#[tokio::test]
async fn a_removed_token_is_refused_and_may_come_back() {
    let rig = rig().await;
    assert!(rig.simulator.remove_check_token(TOKEN));
    assert!(!rig.simulator.remove_check_token(TOKEN));
    assert_eq!(rig.ask().await, expired());
    assert_eq!(rig.simulator.add_check_token(TOKEN), 1, "a position is given once");
    assert_eq!(rig.ask().await.0, 200);
    assert_eq!(rig.last_call().token, Some(1));
}

#[tokio::test]
async fn a_forbidden_token_is_403_and_may_be_allowed_again() {
    let rig = rig().await;
    assert_eq!(rig.simulator.forbid_check_token(TOKEN), 0);
    let (status, body) = rig.ask().await;
    assert_eq!((status, &body["error_code"]), (403, &json!("CC.00000000.403")));
    assert!(body["error_msg"].as_str().unwrap().contains("codeartscheck:task:get"), "{body}");
    rig.simulator.set_check_behaviour(Behaviour { error_shape: ErrorShape::CamelCase, ..Behaviour::default() });
    assert_eq!(rig.ask().await.1["errorCode"], json!("CC.00000000.403"));
    rig.simulator.add_check_token(TOKEN);
    assert_eq!(rig.ask().await.0, 200);
}

#[tokio::test]
async fn tokens_are_never_recorded() {
    let rig = rig().await;
    let user = rig.simulator.new_user();
    let issued = rig.issued(&user).await;
    rig.ask().await;
    rig.with_token(&issued).await;
    let calls = rig.simulator.calls();
    assert_eq!(calls.iter().map(|call| call.token).collect::<Vec<_>>(), [None, Some(0), Some(1)]);
    let text = format!("{calls:?}{}", serde_json::to_string(&calls).unwrap());
    assert!(!text.contains(TOKEN) && !text.contains(&issued), "{text}");
    let seen: Vec<Value> = calls.iter().map(|call| json!(call)).collect();
    assert_eq!(seen[1]["resource"], json!(rig.task));
}
