//! What the service shows of what it keeps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, EmptyHeaders, EventOrder, Field, Masking};
use super::store::{Project, Webhook, date_time};

/// What a masked value looks like.
const MASK: &str = "********";

/// A webhook in an answer: `_id, name, url, headers, active, events[], createdAt, updatedAt` (`facts.md`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(rename = "_id")]
    id: &'a str,
    name: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Headers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    events: Cow<'a, [String]>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_date_time")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_date_time")]
    updated_at: Option<Timestamp>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Headers<'a> {
    Null,
    Map(BTreeMap<&'a str, &'a str>),
}

/// The JSON text of a webhook.
pub(super) fn webhook(webhook: &Webhook, behaviour: &Behaviour) -> String {
    let Webhook { id, name, url, headers, active, events, created_at, updated_at } = webhook;
    let shown = |field: Field| !behaviour.omit_fields.contains(&field);
    let item = Item {
        id,
        name,
        url,
        headers: shown(Field::Headers).then(|| shown_headers(headers, behaviour)).flatten(),
        active: shown(Field::Active).then_some(*active),
        events: shown_events(events, behaviour.event_order),
        created_at: shown(Field::CreatedAt).then_some(*created_at),
        updated_at: shown(Field::UpdatedAt).then_some(*updated_at),
        extra: &behaviour.extra_fields,
    };
    // The keys of every map here are strings, which is all that writing JSON to memory can fail on.
    serde_json::to_string(&item).unwrap_or_default()
}

/// The JSON text of a project: the body that the page documents for 201. The optional fields stay away.
pub(super) fn project(project: &Project) -> String {
    let (id, at) = (&project.id, format!("{:.3}", project.created_at));
    let tail = id.id.get(18..).unwrap_or_default();
    json!({
        "_id": id.id,
        "name": format!("Project {tail}"),
        "slug": format!("project-{tail}"),
        "organization": id.organization,
        // The page's default; the possible values are lost from it.
        "status": "draft",
        "createdAt": at,
        "updatedAt": at,
    })
    .to_string()
}

fn shown_headers<'a>(headers: &'a BTreeMap<String, String>, behaviour: &Behaviour) -> Option<Headers<'a>> {
    let map: BTreeMap<_, _> = headers
        .iter()
        .filter(|(name, _)| !behaviour.drops_header(name))
        .map(|(name, value)| match behaviour.masking {
            Masking::None => (name.as_str(), value.as_str()),
            Masking::HeaderValues => (name.as_str(), MASK),
        })
        .collect();
    match behaviour.empty_headers {
        EmptyHeaders::Null if map.is_empty() => Some(Headers::Null),
        EmptyHeaders::Absent if map.is_empty() => None,
        EmptyHeaders::Object | EmptyHeaders::Null | EmptyHeaders::Absent => Some(Headers::Map(map)),
    }
}

fn shown_events(events: &[String], order: EventOrder) -> Cow<'_, [String]> {
    let mut events = Cow::Borrowed(events);
    match order {
        EventOrder::AsSent => {}
        EventOrder::Reversed => events.to_mut().reverse(),
        EventOrder::Sorted => events.to_mut().sort(),
    }
    events
}

fn optional_date_time<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => date_time(at, serializer),
        None => serializer.serialize_none(),
    }
}
