//! What the service shows of what it keeps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
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
    #[serde(skip_serializing_if = "Shown::is_absent")]
    name: Shown<&'a str>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    url: Shown<&'a str>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    headers: Shown<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    active: Shown<bool>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    events: Shown<Cow<'a, [String]>>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    created_at: Shown<DateTime>,
    #[serde(skip_serializing_if = "Shown::is_absent")]
    updated_at: Shown<DateTime>,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

/// A field of an answer. What is absent is left out by the struct that holds it.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<T> {
    Absent,
    Null,
    Value(T),
}

impl<T> Shown<T> {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct DateTime(#[serde(serialize_with = "date_time")] Timestamp);

/// The JSON text of a webhook.
pub(super) fn webhook(webhook: &Webhook, behaviour: &Behaviour) -> String {
    let Webhook { id, name, url, headers, active, events, created_at, updated_at } = webhook;
    let item = Item {
        id,
        name: shown(behaviour, Field::Name, name.as_str()),
        url: shown(behaviour, Field::Url, url.as_str()),
        headers: shown_headers(headers, behaviour),
        active: shown(behaviour, Field::Active, *active),
        events: shown(behaviour, Field::Events, shown_events(events, behaviour.event_order)),
        created_at: shown(behaviour, Field::CreatedAt, DateTime(*created_at)),
        updated_at: shown(behaviour, Field::UpdatedAt, DateTime(*updated_at)),
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

fn shown<T>(behaviour: &Behaviour, field: Field, value: T) -> Shown<T> {
    let Behaviour { omit_fields, null_fields, .. } = behaviour;
    match (omit_fields.contains(&field), null_fields.contains(&field)) {
        (true, _) => Shown::Absent,
        (false, true) => Shown::Null,
        (false, false) => Shown::Value(value),
    }
}

fn shown_headers<'a>(
    headers: &'a BTreeMap<String, String>,
    behaviour: &Behaviour,
) -> Shown<BTreeMap<&'a str, &'a str>> {
    let map: BTreeMap<_, _> = headers
        .iter()
        .filter(|(name, _)| !behaviour.drops_header(name))
        .map(|(name, value)| match behaviour.masking {
            Masking::None => (name.as_str(), value.as_str()),
            Masking::HeaderValues => (name.as_str(), MASK),
        })
        .collect();
    match behaviour.empty_headers {
        EmptyHeaders::Null if map.is_empty() && !behaviour.omit_fields.contains(&Field::Headers) => Shown::Null,
        EmptyHeaders::Absent if map.is_empty() => Shown::Absent,
        EmptyHeaders::Object | EmptyHeaders::Null | EmptyHeaders::Absent => shown(behaviour, Field::Headers, map),
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
