//! The App Maker API's JSON, read leniently where the page (seed project-webhook-api) leaves something open, and
//! strictly where a wrong guess would cost a webhook.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::BodyFault;
use crate::domain::desired::Changes;
use crate::domain::ids::WebhookId;
use crate::domain::observed::{HeaderName, Webhook};
use crate::domain::secret::{ReceiverUrl, SecretText};

use super::app_maker::NewWebhook;

/// Reads the answer to a LIST: a bare array, and nothing else. What is read as empty would be created again.
pub(super) fn list(body: &[u8]) -> Result<Vec<Webhook>, BodyFault> {
    let Value::Array(items) = parse(body)? else { return Err(BodyFault::WrongShape("the list is not a bare array")) };
    let mut seen = HashSet::new();
    let mut webhooks = Vec::with_capacity(items.len());
    for item in items {
        let webhook = webhook(item)?;
        // The same webhook twice would look like a duplicate of itself, and one of the two would be deleted.
        if seen.insert(webhook.id) {
            webhooks.push(webhook);
        }
    }
    Ok(webhooks)
}

/// Reads the answer to a GET by id.
pub(super) fn one(body: &[u8], id: WebhookId) -> Result<Webhook, BodyFault> {
    let webhook = webhook(parse(body)?)?;
    if webhook.id == id { Ok(webhook) } else { Err(BodyFault::WrongShape("it is another webhook than asked for")) }
}

fn parse(body: &[u8]) -> Result<Value, BodyFault> {
    serde_json::from_slice(body).map_err(|_| BodyFault::NotJson)
}

/// A field that is null or absent is one that the remote does not show, and nothing is made up in its place: the page says
/// of no field but `_id` that it always comes, and an absent `active` read as true would have each `active: false`
/// corrected for ever. `headers` alone is read as empty then: that is what a webhook without any may show.
fn webhook(item: Value) -> Result<Webhook, BodyFault> {
    let Value::Object(mut fields) = item else { return Err(BodyFault::WrongShape("a webhook is not an object")) };
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_null());
    let no_id = BodyFault::WrongShape("a webhook has no _id of 24 hexadecimal digits");
    let id = take("_id").as_ref().and_then(Value::as_str).and_then(|id| id.parse().ok()).ok_or(no_id)?;
    let (headers, marker) = Webhook::split_marker(take("headers").map(headers).transpose()?.unwrap_or_default());
    Ok(Webhook {
        id,
        name: take("name").map(|value| text(value, "name is not text")).transpose()?,
        url: take("url").map(|value| text(value, "url is not text")).transpose()?.map(ReceiverUrl::new),
        headers,
        marker,
        active: take("active").map(switch).transpose()?,
        events: take("events").map(events).transpose()?,
        created_at: take("createdAt").map(|value| text(value, "createdAt is not text")).transpose()?,
        updated_at: take("updatedAt").map(|value| text(value, "updatedAt is not text")).transpose()?,
    })
}

fn text(value: Value, otherwise: &'static str) -> Result<String, BodyFault> {
    if let Value::String(text) = value { Ok(text) } else { Err(BodyFault::WrongShape(otherwise)) }
}

fn switch(value: Value) -> Result<bool, BodyFault> {
    value.as_bool().ok_or(BodyFault::WrongShape("active is not true or false"))
}

fn events(value: Value) -> Result<Vec<String>, BodyFault> {
    let Value::Array(items) = value else { return Err(BodyFault::WrongShape("events is not an array")) };
    items.into_iter().map(|item| text(item, "an event is not text")).collect()
}

fn headers(value: Value) -> Result<BTreeMap<String, String>, BodyFault> {
    let Value::Object(fields) = value else { return Err(BodyFault::WrongShape("headers is not an object")) };
    let mut headers = BTreeMap::new();
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => return Err(BodyFault::WrongShape("a header's value is not text")),
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The body of a POST: required are name, url and events; `headers` only where there are any.
pub(super) fn create(webhook: &NewWebhook) -> Value {
    let NewWebhook { name, url, headers, active, events } = webhook;
    let mut body = json!({"name": name, "url": url.expose(), "active": active, "events": events});
    if !headers.is_empty() {
        body["headers"] = header_object(headers);
    }
    body
}

/// The body of a PATCH: only what changes. An empty header map is sent as one: it means none.
pub(super) fn update(changes: &Changes) -> Value {
    let Changes { name, url, headers, active, events } = changes;
    let mut body = Map::new();
    let mut put = |field: &str, value: Option<Value>| value.map(|value| body.insert(field.to_owned(), value));
    put("name", name.as_ref().map(|name| json!(name)));
    put("url", url.as_ref().map(|url| json!(url.expose())));
    put("headers", headers.as_ref().map(header_object));
    put("active", active.map(Value::Bool));
    put("events", events.as_ref().map(|events| json!(events)));
    Value::Object(body)
}

fn header_object(headers: &BTreeMap<HeaderName, SecretText>) -> Value {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), json!(value.expose()))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests;
