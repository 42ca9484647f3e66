//! Check's JSON, read leniently where the page (seed check-task-webhook-info) leaves something open: nothing is ever
//! written to this service, so a wrong guess costs a sentence in a status, and not a webhook.

use serde_json::{Map, Value};

use crate::domain::notification::{Channel, SeenSecret, Switch, names};
use crate::domain::secret::ReceiverUrl;
use crate::remote::error::BodyFault;

/// Most rows that are read; the page knows three types.
const MAX_ROWS: usize = 64;

/// Reads the answer: an object with the rows in `data`. `total` is not looked at: it may disagree, and the rows are what
/// counts. Unknown fields are not looked at either.
pub(super) fn channels(body: &[u8]) -> Result<Vec<Channel>, BodyFault> {
    let body: Value = serde_json::from_slice(body).map_err(|_| BodyFault::NotJson)?;
    let Value::Object(mut fields) = body else { return Err(BodyFault::WrongShape("it is not an object")) };
    match fields.remove("data") {
        // What is no answer must not be read as a task without channels: that would be told as drift.
        None => Err(BodyFault::WrongShape("it has no data")),
        Some(Value::Null) => Ok(vec![]),
        Some(Value::Array(rows)) if rows.len() > MAX_ROWS => Err(BodyFault::WrongShape("data has more than 64 rows")),
        Some(Value::Array(rows)) => rows.into_iter().map(channel).collect(),
        Some(_) => Err(BodyFault::WrongShape("data is not an array")),
    }
}

fn channel(row: Value) -> Result<Channel, BodyFault> {
    let Value::Object(mut row) = row else { return Err(BodyFault::WrongShape("a row of data is not an object")) };
    let mut take = |name: &str| text(&mut row, name);
    let secret = match take("secret") {
        None => SeenSecret::Hidden,
        Some(text) => SeenSecret::read(text),
    };
    let mut take = |name: &str| take(name).unwrap_or_default();
    Ok(Channel {
        kind: take("type").trim().to_ascii_lowercase(),
        switch: Switch::read(&take("status")),
        url: ReceiverUrl::new(take("webhookUrl").trim()),
        notify: names(&take("notificationMenu")),
        review_result_filter: take("reviewResultFilter").trim().to_owned(),
        user_ids: names(&take("userIds")),
        secret,
    })
}

/// A field as text; a list is read like one with separators. What is absent, null or no text is none.
fn text(row: &mut Map<String, Value>, name: &str) -> Option<String> {
    match row.remove(name)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
