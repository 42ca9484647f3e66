#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::secret::SecretText;

fn read(body: Value) -> Result<Vec<Channel>, BodyFault> {
    channels(body.to_string().as_bytes())
}

fn row(changes: Value) -> Channel {
    // The page's own example.
    let mut row = json!({
        "id": "1", "notificationMenu": "", "now": "2025-07-22T03:00:53Z", "reviewResultFilter": "", "secret": "",
        "status": "off", "taskId": "ac26d65ef4ef45c2986611XXXXXXffa", "type": "wecom", "userIds": "", "webhookUrl": "",
    });
    row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    read(json!({ "data": [row], "total": 1 })).unwrap().remove(0)
}

#[test]
fn the_pages_example_is_a_channel_that_is_off_and_empty() {
    let channel = row(json!({}));
    assert_eq!((channel.kind.as_str(), channel.switch), ("wecom", Switch::Off));
    assert_eq!(channel.secret, SeenSecret::Empty);
    assert!(channel.notify.is_empty() && channel.user_ids.is_empty() && channel.url.expose().is_empty());
}

#[test]
fn commas_semicolons_and_blanks_separate_and_empty_items_are_none() {
    for text in ["jobResult,issues", "jobResult;issues", " jobResult  issues ", ";jobResult, ;issues,"] {
        let channel = row(json!({ "notificationMenu": text, "userIds": text }));
        assert_eq!(channel.notify, names("issues jobResult"), "{text:?}");
        assert_eq!(channel.user_ids.len(), 2, "{text:?}");
    }
    assert_eq!(row(json!({ "notificationMenu": ["jobResult", "issues"] })).notify, names("jobResult,issues"));
}

#[test]
fn a_switch_is_read_in_any_case_and_nothing_else_is_guessed() {
    for (text, switch) in
        [("on", Switch::On), (" ON ", Switch::On), ("Off", Switch::Off), ("1", Switch::Unknown), ("", Switch::Unknown)]
    {
        assert_eq!(row(json!({ "status": text })).switch, switch, "{text:?}");
    }
}

#[test]
fn a_secret_is_shown_masked_empty_or_hidden() {
    assert_eq!(row(json!({ "secret": "s" })).secret, SeenSecret::Shown(SecretText::new("s")));
    assert_eq!(row(json!({ "secret": "****" })).secret, SeenSecret::Masked);
    assert_eq!(row(json!({ "secret": null })).secret, SeenSecret::Hidden);
}

#[test]
fn unknown_fields_types_and_totals_do_not_matter() {
    let rows = read(json!({ "data": [{ "type": "Carrier-Pigeon", "colour": {} }], "total": -7, "more": [] })).unwrap();
    assert_eq!(rows[0].kind, "carrier-pigeon");
    assert_eq!(read(json!({ "data": null })).unwrap().len(), 0);
}

#[test]
fn what_is_no_answer_is_not_read_as_a_task_without_channels() {
    let error = json!({ "error_code": "CC.1", "error_msg": "no" });
    for body in [error, json!([]), json!({}), json!({ "data": {} }), json!({ "data": [1] }), json!("data")] {
        assert!(matches!(read(body.clone()), Err(BodyFault::WrongShape(_))), "{body}");
    }
    assert_eq!(channels(b"<html>").unwrap_err(), BodyFault::NotJson);
}

fn any_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(Value::Bool),
        "(on|off|ON|wecom|lark|[,; *]){0,6}|\\PC{0,12}".prop_map(Value::String),
    ];
    let key = "data|total|type|status|secret|webhookUrl|notificationMenu|userIds|reviewResultFilter";
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(key, inner, 0..8).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_is_read_without_panic_and_within_bounds(body in any_body(), bytes: Vec<u8>) {
        for body in [body.to_string().into_bytes(), json!({ "data": [body] }).to_string().into_bytes(), bytes] {
            if let Ok(channels) = channels(&body) {
                prop_assert!(channels.len() <= MAX_ROWS);
                let separates = |c: char| c.is_whitespace() || ",;".contains(c);
                let items = channels.iter().flat_map(|channel| channel.notify.iter().chain(&channel.user_ids));
                prop_assert!(items.into_iter().all(|item| !item.is_empty() && !item.contains(separates)));
            }
        }
    }
}
