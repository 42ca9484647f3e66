#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::domain::marker::{Marker, SeenMarker};
use crate::domain::observed::SeenValue;

mod told;

const ID: &str = "64b0c0ffee00000000000003";

fn read(json: &Value) -> Result<Vec<Webhook>, BodyFault> {
    list(json.to_string().as_bytes())
}

fn only(json: Value) -> Webhook {
    let mut webhooks = read(&json!([json])).unwrap();
    assert_eq!(webhooks.len(), 1);
    webhooks.remove(0)
}

#[test]
fn a_webhook_is_read_with_its_marker_apart() {
    let webhook = only(json!({
        "_id": ID, "name": "n", "url": "https://a/b", "active": false, "events": ["e"],
        "headers": {"X-Team": "shop", "x-hookwright-owner": "abc", "X-Key": "***"},
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-02T00:00:00Z", "unknown": {"a": 1},
    }));
    assert_eq!(webhook.id.to_string(), ID);
    assert_eq!((webhook.name.as_deref(), webhook.active), (Some("n"), Some(false)));
    assert_eq!(webhook.url.as_ref().map(ReceiverUrl::expose), Some("https://a/b"));
    assert_eq!(webhook.events, Some(vec!["e".to_owned()]));
    assert_eq!(webhook.marker, SeenMarker::Shown(Marker::shown("abc")));
    assert_eq!(webhook.headers.len(), 2);
    assert_eq!(webhook.headers[&HeaderName::new("x-key")], SeenValue::Masked);
    assert_eq!(webhook.created_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(webhook.updated_at.as_deref(), Some("2026-01-02T00:00:00Z"));
}

#[test]
fn what_is_null_or_absent_is_not_made_up_and_no_headers_are_none() {
    let nulls = json!({"_id": ID, "name": null, "url": null, "events": null, "headers": null, "active": null,
        "createdAt": null, "updatedAt": null});
    for webhook in [only(json!({"_id": ID})), only(nulls)] {
        assert_eq!((webhook.name, webhook.url, webhook.active, webhook.events), (None, None, None, None));
        assert!(webhook.headers.is_empty());
        assert_eq!((webhook.created_at, webhook.marker), (None, SeenMarker::Absent));
    }
}

#[test]
fn header_values_that_are_numbers_or_booleans_are_taken_as_their_text_and_null_as_no_header() {
    let webhook = only(json!({"_id": ID, "headers": {"A": 7, "B": true, "C": null, "D": 1.5}}));
    let text = |name| match &webhook.headers[&HeaderName::new(name)] {
        SeenValue::Plain(text) => text.expose().to_owned(),
        SeenValue::Masked => panic!("masked"),
    };
    assert_eq!((text("A"), text("B"), text("D")), ("7".into(), "true".into(), "1.5".into()));
    assert_eq!(webhook.headers.len(), 3);
}

#[test]
fn a_list_is_a_bare_array_and_nothing_else_is_read_as_empty() {
    assert_eq!(read(&json!([])).unwrap().len(), 0);
    for other in [json!({"data": []}), json!(null), json!({}), json!("[]"), json!(0), json!(false)] {
        assert_eq!(read(&other).unwrap_err(), BodyFault::WrongShape("the list is not a bare array"), "{other}");
    }
    for other in ["", " ", "[", "[]]", "<html>", "[{}", "\u{feff}[]", "nul"] {
        assert_eq!(list(other.as_bytes()).unwrap_err(), BodyFault::NotJson, "{other}");
    }
}

#[test]
fn a_wrong_type_anywhere_refuses_the_whole_list() {
    let wrong = [
        json!(1),
        json!([]),
        json!({}),
        json!({"_id": null}),
        json!({"_id": 5}),
        json!({"_id": "64b0"}),
        json!({"id": ID}),
        json!({"_id": ID, "name": 1}),
        json!({"_id": ID, "url": {}}),
        json!({"_id": ID, "active": "true"}),
        json!({"_id": ID, "events": "e"}),
        json!({"_id": ID, "events": [1]}),
        json!({"_id": ID, "headers": []}),
        json!({"_id": ID, "headers": {"A": []}}),
        json!({"_id": ID, "headers": {"A": {}}}),
        json!({"_id": ID, "createdAt": 1}),
        json!({"_id": ID, "updatedAt": []}),
    ];
    for item in wrong {
        let result = read(&json!([{"_id": "64b0c0ffee00000000000009"}, item]));
        assert!(matches!(result, Err(BodyFault::WrongShape(_))), "{item}: {result:?}");
    }
}

#[test]
fn an_id_that_comes_twice_in_whatever_case_is_one_webhook() {
    let webhooks = read(&json!([{"_id": ID, "name": "first"}, {"_id": ID.to_uppercase(), "name": "second"}])).unwrap();
    assert_eq!(webhooks.iter().map(|webhook| webhook.name.as_deref()).collect::<Vec<_>>(), [Some("first")]);
}

#[test]
fn what_is_shown_and_empty_is_empty() {
    let webhook = only(json!({"_id": ID, "name": "", "url": "", "events": []}));
    assert_eq!((webhook.name.as_deref(), webhook.url.as_ref().map(ReceiverUrl::expose)), (Some(""), Some("")));
    assert_eq!(webhook.events, Some(vec![]));
}

#[test]
fn another_webhook_than_asked_for_is_refused() {
    let body = json!({"_id": ID}).to_string();
    assert!(one(body.as_bytes(), ID.parse().unwrap()).is_ok());
    let other = one(body.as_bytes(), "64b0c0ffee00000000000009".parse().unwrap());
    assert_eq!(other.unwrap_err(), BodyFault::WrongShape("it is another webhook than asked for"));
    assert!(matches!(one(b"[]", ID.parse().unwrap()), Err(BodyFault::WrongShape(_))));
}

fn headers() -> BTreeMap<HeaderName, SecretText> {
    BTreeMap::from([(HeaderName::new("X-Team"), SecretText::new("shop"))])
}

#[test]
fn a_new_webhook_sends_headers_only_where_it_has_some() {
    let url = ReceiverUrl::new("https://HOOKS.example.com:443/a");
    let mut webhook =
        NewWebhook { name: "n".into(), url, headers: headers(), active: false, events: vec!["e".into(), "f".into()] };
    // The URL goes out as it was written, not as it is compared.
    let without = json!({"name": "n", "url": "https://HOOKS.example.com:443/a", "active": false, "events": ["e", "f"]});
    let mut with = without.clone();
    with["headers"] = json!({"X-Team": "shop"});
    assert_eq!(create(&webhook), with);
    webhook.headers.clear();
    assert_eq!(create(&webhook), without);
}

#[test]
fn a_change_sends_only_what_changes_and_an_empty_header_map_as_one() {
    assert_eq!(update(&Changes::default()), json!({}));
    assert_eq!(update(&Changes { headers: Some(BTreeMap::new()), ..Changes::default() }), json!({"headers": {}}));
    assert_eq!(update(&Changes { events: Some(vec![]), ..Changes::default() }), json!({"events": []}));
    let all = Changes {
        name: Some("n".into()),
        url: Some(ReceiverUrl::new("https://a/")),
        headers: Some(headers()),
        active: Some(true),
        events: Some(vec!["e".into()]),
    };
    let expected =
        json!({"name": "n", "url": "https://a/", "headers": {"X-Team": "shop"}, "active": true, "events": ["e"]});
    assert_eq!(update(&all), expected);
}

/// Any JSON, with the field names that the parser looks for among the keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        "\\PC{0,8}|[0-9a-f]{24}|\\*{1,3}".prop_map(Value::String),
    ];
    let key = "_id|name|url|headers|active|events|createdAt|[a-zA-Z-]{0,8}";
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            prop::collection::btree_map(key, inner, 0..8).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_of_a_get_is_read_without_panic_and_is_only_ever_the_webhook_that_was_asked_for(
        json in any_json(),
        bytes: Vec<u8>,
        own: bool,
    ) {
        let id = ID.parse().unwrap();
        let mut json = json;
        if let (true, Value::Object(fields)) = (own, &mut json) {
            fields.insert("_id".into(), ID.into());
        }
        for body in [json.to_string().into_bytes(), bytes] {
            match one(&body, id) {
                Ok(webhook) => prop_assert_eq!(webhook.id, id),
                Err(fault) => prop_assert!(matches!(fault, BodyFault::WrongShape(_) | BodyFault::NotJson), "{:?}", fault),
            }
        }
    }

    #[test]
    fn a_marker_is_read_as_it_is_whatever_its_case_and_is_never_one_of_the_users_headers(
        upper in prop::collection::vec(any::<bool>(), 18),
        value in "\\PC{0,12}|\\*{1,12}|[0-9a-f]{32}",
        others in prop::collection::btree_map("X-[a-z]{1,6}", "\\PC{0,6}", 0..4),
    ) {
        let mut headers: Map<_, _> = others.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let cased = "x-hookwright-owner".chars().zip(upper);
        let name: String = cased.map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c }).collect();
        headers.insert(name, json!(value));
        let webhook = only(json!({"_id": ID, "headers": headers}));
        let masked = !value.is_empty() && value.chars().all(|c| c == '*');
        let expected = if masked { SeenMarker::Masked } else { SeenMarker::Shown(Marker::shown(&value)) };
        prop_assert_eq!(webhook.marker, expected);
        prop_assert_eq!(webhook.headers.len(), others.len());
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_only_an_array_is_a_list(bytes: Vec<u8>) {
        if list(&bytes).is_ok() {
            prop_assert!(bytes.trim_ascii().starts_with(b"["));
        }
    }

    #[test]
    fn any_json_is_read_without_panic_and_is_empty_only_if_it_is_the_empty_array(json in any_json()) {
        match read(&json) {
            Ok(webhooks) => {
                let items = json.as_array().map(Vec::len);
                prop_assert!(items.is_some_and(|items| webhooks.len() <= items));
                prop_assert_eq!(webhooks.is_empty(), items == Some(0));
            }
            Err(fault) => prop_assert!(matches!(fault, BodyFault::WrongShape(_)), "{:?}", fault),
        }
    }

    #[test]
    fn a_list_cut_anywhere_is_never_read_as_a_shorter_one(count in 1_usize..5, at in 0.0_f64..1.0) {
        let items: Vec<_> = (0..count).map(|n| json!({"_id": format!("64b0c0ffee0000000000{n:04}")})).collect();
        let whole = json!(items).to_string();
        prop_assert_eq!(list(whole.as_bytes()).unwrap().len(), count);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let cut = (whole.len() as f64 * at) as usize;
        prop_assert_eq!(list(&whole.as_bytes()[..cut]).unwrap_err(), BodyFault::NotJson);
    }
}
