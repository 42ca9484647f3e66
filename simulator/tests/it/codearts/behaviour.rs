//! What the vendor's page leaves open.

use serde_json::{Value, json};
use simulator::codearts::{Behaviour, Case, ErrorShape, NewChannel, SecretShown, Total, Unauthorized};

use super::rig::{ROBOT, Rig, rig, rig_that};

#[tokio::test]
async fn lists_can_be_separated_by_anything() {
    let rig = rig_that(Behaviour::default()).await;
    for (menu, user, shown, users) in [
        (",", ",", "jobResult,issues,executor", "u1,u2"),
        (";", " ", "jobResult;issues;executor", "u1 u2"),
        (" ", ";", "jobResult issues executor", "u1;u2"),
        (" , ", "; ", "jobResult , issues , executor", "u1; u2"),
    ] {
        let (menu_separator, user_separator) = (menu.to_owned(), user.to_owned());
        rig.simulator.set_check_behaviour(Behaviour { menu_separator, user_separator, ..Behaviour::default() });
        let row = rig.row().await;
        assert_eq!((&row["notificationMenu"], &row["userIds"]), (&json!(shown), &json!(users)));
    }
}

#[tokio::test]
async fn a_status_can_be_written_in_any_case() {
    let rig = rig_that(Behaviour::default()).await;
    let id = rig.simulator.channels(&rig.task)[0].id.clone();
    for (status_case, on, off) in
        [(Case::Lower, "on", "off"), (Case::Upper, "ON", "OFF"), (Case::Capitalized, "On", "Off")]
    {
        rig.simulator.set_check_behaviour(Behaviour { status_case, ..Behaviour::default() });
        for (enabled, shown) in [(true, on), (false, off)] {
            rig.simulator.console_switch_channel(&rig.task, &id, enabled).unwrap();
            assert_eq!(rig.row().await["status"], json!(shown));
        }
    }
}

#[tokio::test]
async fn a_secret_can_be_shown_masked_emptied_or_left_out() {
    let rig = rig_that(Behaviour::default()).await;
    for (secret, shown) in [
        (SecretShown::Plain, Some("signing-key")),
        (SecretShown::Masked, Some("******")),
        (SecretShown::Empty, Some("")),
        (SecretShown::Absent, None),
    ] {
        rig.simulator.set_check_behaviour(Behaviour { secret, ..Behaviour::default() });
        assert_eq!(rig.row().await.get("secret").and_then(Value::as_str), shown);
    }
    assert_eq!(rig.simulator.channels(&rig.task)[0].secret, "signing-key", "what is kept does not change");
}

#[tokio::test]
async fn a_secret_that_was_never_set_is_not_masked() {
    let rig = rig().await;
    rig.simulator.console_set_channel(&rig.task, NewChannel::new("lark", ROBOT)).unwrap();
    rig.simulator.set_check_behaviour(Behaviour { secret: SecretShown::Masked, ..Behaviour::default() });
    assert_eq!(rig.row().await["secret"], json!(""));
}

#[tokio::test]
async fn fields_can_be_left_out_added_and_replaced() {
    let rig = rig_that(Behaviour::default()).await;
    let extra = json!({"newField": {"a": [1]}, "userIds": null});
    let behaviour = Behaviour {
        omit_fields: vec!["now".to_owned(), "notificationMenu".to_owned()],
        extra_fields: extra.as_object().unwrap().clone(),
        ..Behaviour::default()
    };
    rig.simulator.set_check_behaviour(behaviour);
    let row = rig.row().await;
    let mut names: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let shown = ["id", "newField", "reviewResultFilter", "secret", "status", "taskId", "type", "userIds", "webhookUrl"];
    assert_eq!(names, shown);
    assert_eq!((&row["newField"], &row["userIds"]), (&extra["newField"], &Value::Null));
}

#[tokio::test]
async fn total_can_disagree_or_be_left_out() {
    let rig = rig_that(Behaviour::default()).await;
    for (total, shown) in [(Total::Counted, json!(1)), (Total::Says(17), json!(17)), (Total::Absent, Value::Null)] {
        rig.simulator.set_check_behaviour(Behaviour { total, ..Behaviour::default() });
        let (_, body) = rig.ask().await;
        assert_eq!((&body["total"], body["data"].as_array().unwrap().len()), (&shown, 1), "{body}");
        assert_eq!(body.get("total").is_some(), !shown.is_null());
    }
}

async fn refused(rig: &Rig, behaviour: Behaviour) -> Value {
    rig.simulator.set_check_behaviour(behaviour);
    let (status, body) = rig.with_token("stranger").await;
    assert_eq!(status, 401);
    body
}

#[tokio::test]
async fn errors_come_in_every_shape_that_has_been_seen() {
    let rig = rig().await;
    for (error_shape, code, message) in [
        (ErrorShape::SnakeCase, "error_code", "error_msg"),
        (ErrorShape::CamelCase, "errorCode", "errorMsg"),
        (ErrorShape::Plain, "code", "message"),
    ] {
        let error = json!({code: "CC.00000003", message: "Authentication information expired."});
        assert_eq!(refused(&rig, Behaviour { error_shape, ..Behaviour::default() }).await, error);
        let nested = refused(&rig, Behaviour { error_shape, error_nested: true, ..Behaviour::default() }).await;
        assert_eq!(nested, json!({ "error": error }));
    }
}

#[tokio::test]
async fn the_gateway_can_refuse_credentials_and_names_the_request_in_the_body() {
    let rig = rig().await;
    let gateway = Behaviour { unauthorized: Unauthorized::Gateway, ..Behaviour::default() };
    let body = refused(&rig, gateway.clone()).await;
    assert_eq!(body["error_code"], json!("APIG.0301"));
    assert_eq!(body["error_msg"], json!("Incorrect IAM authentication information: decrypt token fail"));
    assert!(body["request_id"].is_string(), "{body}");
    let shaped = Behaviour { error_shape: ErrorShape::Plain, error_nested: true, ..gateway };
    assert_eq!(refused(&rig, shaped).await["error"]["code"], json!("APIG.0301"));
}
