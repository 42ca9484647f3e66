//! The notifications of a Check task as a TaskNotification.

use std::collections::{BTreeMap, BTreeSet};

use super::{Imported, Names, Refused};
use crate::api::project_webhook::ConnectionRef;
use crate::api::source::{KeyRef, SecretSource};
use crate::api::task_notification::{self, ChannelType, TaskNotificationSpec};
use crate::domain::desired::receiver;
use crate::domain::ids::TaskId;
use crate::domain::notification::{Channel, DesiredChannel, SeenSecret, Switch, compare, secret};
use crate::domain::secret::SecretText;

const TYPES: [ChannelType; 3] = [ChannelType::Wecom, ChannelType::Dingtalk, ChannelType::Lark];
/// Bounds of the schema.
const MAX_NOTIFY: usize = 32;
const MAX_USERS: usize = 100;
const MAX_ITEM: usize = 64;
const MAX_FILTER: usize = 256;

/// The TaskNotification that equals what a task notifies of; `None` if it has no channel that could be declared.
///
/// # Errors
/// There is none that would equal it.
pub fn task_notification(
    task: &TaskId,
    seen: &[Channel],
    connection: &ConnectionRef,
    names: &mut Names,
) -> Result<Option<Imported<TaskNotificationSpec>>, Refused> {
    let known = |row: &Channel| TYPES.iter().any(|kind| kind.as_str() == row.kind);
    if seen.iter().any(|row| row.switch != Switch::Off && !known(row)) {
        return Err(Refused::UnknownType);
    }
    let mut desired = vec![];
    for kind in TYPES {
        if let Some(row) = the_one(kind, seen)? {
            desired.push(channel(kind, row)?);
        }
    }
    if desired.is_empty() {
        return Ok(None);
    }
    if let Some(difference) = compare(&desired, seen, &[]).differences.into_iter().next() {
        return Err(Refused::ChannelsDiffer(difference.field));
    }
    let (name, secret_name) = names.take(&format!("task-{task}"), "task", task);
    let mut values = BTreeMap::new();
    let mut from = |kind: ChannelType, what: &str, value: SecretText| {
        let key = format!("{}.{what}", kind.as_str());
        values.insert(key.clone(), value);
        SecretSource { secret_key_ref: KeyRef { name: secret_name.clone(), key } }
    };
    let mut channels = vec![];
    for DesiredChannel { kind, enabled, url, secret, notify, review_result_filter, user_ids } in desired {
        channels.push(task_notification::Channel {
            type_: kind,
            enabled,
            url: None,
            url_from: url.map(|url| from(kind, "url", SecretText::new(url.expose()))),
            secret_from: secret.map(|secret| from(kind, "secret", secret)),
            notify: notify.map(|names| names.into_iter().collect()),
            review_result_filter,
            user_ids: user_ids.map(|names| names.into_iter().collect()),
        });
    }
    let connection_ref = connection.clone();
    let spec = TaskNotificationSpec {
        connection_ref,
        task_id: task.to_string(),
        channels,
        resync_interval: None,
        suspend: false,
    };
    Ok(Some(Imported { name, spec, secret_name, secret: values }))
}

/// The row of a type: the one that is on, else the first.
fn the_one(kind: ChannelType, seen: &[Channel]) -> Result<Option<&Channel>, Refused> {
    let rows: Vec<_> = seen.iter().filter(|row| row.kind == kind.as_str()).collect();
    if rows.iter().any(|row| row.switch == Switch::Unknown) {
        return Err(Refused::UnknownSwitch(kind.as_str()));
    }
    let on: Vec<_> = rows.iter().filter(|row| row.switch == Switch::On).collect();
    match on.as_slice() {
        [] => Ok(rows.first().copied()),
        [row] => Ok(Some(row)),
        _ => Err(Refused::SeveralOn(kind.as_str())),
    }
}

/// The channel as it is seen, checked as the operator checks. What the remote hides of a signing secret can't be compared,
/// so it is not declared.
fn channel(kind: ChannelType, row: &Channel) -> Result<DesiredChannel, Refused> {
    let Channel { kind: _, switch, url, notify, review_result_filter, user_ids, secret: seen_secret } = row;
    let enabled = *switch == Switch::On;
    let name = kind.as_str();
    let fits = |items: &BTreeSet<String>, most: usize| {
        items.len() <= most && items.iter().all(|item| item.chars().count() <= MAX_ITEM)
    };
    if !fits(notify, MAX_NOTIFY) {
        return Err(Refused::Bounds(name, "menu items"));
    }
    if !fits(user_ids, MAX_USERS) {
        return Err(Refused::Bounds(name, "user ids"));
    }
    if review_result_filter.chars().count() > MAX_FILTER {
        return Err(Refused::Bounds(name, "a filter"));
    }
    let url = match url.expose() {
        "" if !enabled => None,
        text => Some(receiver(text, "it")?),
    };
    let secret = match seen_secret {
        SeenSecret::Shown(text) => Some(shown_secret(name, text)?),
        SeenSecret::Masked | SeenSecret::Empty | SeenSecret::Hidden => None,
    };
    Ok(DesiredChannel {
        kind,
        enabled,
        url,
        secret,
        notify: Some(notify.clone()),
        review_result_filter: Some(review_result_filter.clone()),
        user_ids: Some(user_ids.clone()),
    })
}

/// A Secret's value loses a newline at its end, so that one which belongs to the secret can't be declared.
fn shown_secret(channel: &'static str, text: &SecretText) -> Result<SecretText, Refused> {
    if text.expose().chars().any(char::is_control) {
        return Err(Refused::Bounds(channel, "a signing secret with a line break or another control character"));
    }
    Ok(secret(text.expose(), "its signing secret")?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
