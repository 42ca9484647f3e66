//! The call, as strict as the vendor's page.

use reqwest::Method;
use serde_json::json;
use simulator::codearts::{Behaviour, NewChannel, UnknownTask};

use super::rig::{ROBOT, TOKEN, read, rig, rig_that};

#[tokio::test]
async fn a_blank_channel_is_shown_as_in_the_pages_example() {
    let rig = rig().await;
    let made = rig.simulator.console_add_channel(&rig.task, NewChannel::blank("wecom")).unwrap();
    let row = json!({
        "id": made.id, "notificationMenu": "", "now": format!("{:.0}", made.created_at), "reviewResultFilter": "",
        "secret": "", "status": "off", "taskId": rig.task, "type": "wecom", "userIds": "", "webhookUrl": ""
    });
    assert_eq!(rig.ask().await, (200, json!({"data": [row], "total": 1})));
    assert!(made.id.len() == 32 && made.id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", made.id);
}

#[tokio::test]
async fn a_channel_is_shown_with_what_was_entered() {
    let rig = rig_that(Behaviour::default()).await;
    let row = rig.row().await;
    assert_eq!(row["webhookUrl"], json!(ROBOT));
    assert_eq!(row["status"], json!("on"));
    assert_eq!(row["notificationMenu"], json!("jobResult,issues,executor"));
    assert_eq!(row["userIds"], json!("u1,u2"));
    assert_eq!(row["secret"], json!("signing-key"));
    assert!(row.as_object().unwrap().values().all(serde_json::Value::is_string), "{row}");
}

#[tokio::test]
async fn the_creation_time_is_rfc_3339_in_whole_seconds() {
    let rig = rig_that(Behaviour::default()).await;
    let row = rig.row().await;
    let text = row["now"].as_str().unwrap();
    assert_eq!(text.len(), "2025-07-22T03:00:53Z".len(), "{text}");
    text.parse::<jiff::Timestamp>().unwrap();
}

#[tokio::test]
async fn a_task_without_channels_shows_none() {
    let rig = rig().await;
    assert_eq!(rig.ask().await, (200, json!({"data": [], "total": 0})));
}

#[tokio::test]
async fn rows_are_shown_in_the_order_of_their_making_also_those_of_one_type_and_of_types_unknown_to_the_page() {
    let rig = rig().await;
    for kind in ["lark", "wecom", "lark", "carrier-pigeon"] {
        rig.simulator.console_add_channel(&rig.task, NewChannel::new(kind, ROBOT)).unwrap();
    }
    let (_, body) = rig.ask().await;
    let kinds: Vec<_> = body["data"].as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["lark", "wecom", "lark", "carrier-pigeon"]);
    assert_eq!(body["total"], json!(4));
}

#[tokio::test]
async fn a_task_shows_only_its_own_channels() {
    let rig = rig_that(Behaviour::default()).await;
    let other = rig.simulator.new_task();
    rig.simulator.console_set_channel(&other, NewChannel::new("lark", ROBOT)).unwrap();
    assert_eq!(rig.row().await["type"], json!("wecom"));
}

#[tokio::test]
async fn an_unknown_task_is_400_or_404() {
    let mut rig = rig().await;
    rig.task = "nobody".to_owned();
    let (status, body) = rig.ask().await;
    assert_eq!((status, &body["error_code"]), (400, &json!("CC.00000000.400")), "{body}");
    rig.simulator.set_check_behaviour(Behaviour { unknown_task: UnknownTask::NotFound, ..Behaviour::default() });
    let (status, body) = rig.ask().await;
    assert_eq!((status, &body["error_code"]), (404, &json!("CC.00000000.404")), "{body}");
}

#[tokio::test]
async fn a_removed_task_is_unknown() {
    let rig = rig().await;
    assert!(rig.simulator.remove_task(&rig.task));
    assert!(!rig.simulator.remove_task(&rig.task));
    assert_eq!(rig.ask().await.0, 400);
}

#[tokio::test]
async fn a_parameter_that_the_page_does_not_have_is_refused() {
    let mut rig = rig().await;
    let url = format!("{}?limit=1", rig.url());
    let answer = rig.client.get(url).header("X-Auth-Token", TOKEN).send().await.unwrap();
    assert_eq!(read(answer).await.0, 400);
    rig.simulator.set_check_behaviour(Behaviour { unknown_task: UnknownTask::NotFound, ..Behaviour::default() });
    rig.task = "x".repeat(33);
    assert_eq!(rig.ask().await.0, 400, "an id has 1 to 32 characters");
}

#[tokio::test]
async fn there_is_nothing_else_to_call_and_nothing_to_write() {
    let rig = rig_that(Behaviour::default()).await;
    let own = rig.path();
    let before = rig.simulator.channels(&rig.task);
    for (method, path) in [
        (Method::POST, own.clone()),
        (Method::PUT, own.clone()),
        (Method::PATCH, own.clone()),
        (Method::DELETE, own.clone()),
        (Method::PUT, format!("/v4/tasks/{}/webhook", rig.task)),
        (Method::GET, format!("{own}/")),
        (Method::GET, "/v4/tasks//task-webhook-info".to_owned()),
        (Method::GET, "/v4/tasks".to_owned()),
        (Method::GET, "/v3/auth/tokens".to_owned()),
        (Method::GET, "/v3/projects".to_owned()),
    ] {
        let url = format!("{}{path}", rig.simulator.check_endpoint());
        let request = rig.client.request(method.clone(), url).header("X-Auth-Token", TOKEN).json(&json!({}));
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &body["error_code"]), (404, &json!("APIG.0101")), "{method} {path}");
        assert_eq!(rig.last_call().operation, "unknown");
    }
    assert_eq!(rig.simulator.channels(&rig.task), before);
    assert_eq!(rig.simulator.counts(None).effects, 0);
}

#[tokio::test]
async fn app_makers_paths_and_tokens_stay_its_own() {
    let rig = rig().await;
    let project = rig.simulator.new_project();
    rig.simulator.add_token("app-maker");
    let path = format!("/organizations/{}/projects/{}/settings/webhooks", project.organization, project.id);
    let list = async |token: &str| {
        let url = format!("{}{path}", rig.simulator.https_endpoint());
        rig.client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((list("app-maker").await, list(TOKEN).await), (200, 401));
    assert_eq!(rig.with_token("app-maker").await.0, 401);
}

#[tokio::test]
async fn calls_are_recorded_and_counted_by_task() {
    let rig = rig().await;
    rig.ask().await;
    let other = rig.simulator.new_task();
    rig.client.get(rig.url().replace(&rig.task, &other)).send().await.unwrap();
    let calls = rig.simulator.calls_for(&rig.task);
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((call.operation, call.method.as_str()), ("task_webhook_info", "GET"));
    assert_eq!((call.path.clone(), call.resource.as_ref(), call.token), (rig.path(), Some(&rig.task), Some(0)));
    assert_eq!((call.project.as_ref(), call.effect), (None, false));
    let (all, own) = (rig.simulator.counts(None), rig.simulator.counts(Some(&rig.task)));
    assert_eq!((all.operation("task_webhook_info"), own.operation("task_webhook_info")), (2, 1));
    assert_eq!(rig.simulator.counts(Some(&other)).status(simulator::Outcome::Status(401)), 1);
}
