//! A webhook of App Maker as a ProjectWebhook.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Imported, Names, Refused};
use crate::api::project_webhook::{AdoptionPolicy, ConnectionRef, ManagementPolicy, ProjectWebhookSpec};
use crate::api::source::{Header, KeyRef, PrefixedSecretSource, SecretSource};
use crate::domain::claim::Rivals;
use crate::domain::compare::{Masked, differences};
use crate::domain::desired::{Desired, header, header_set, receiver};
use crate::domain::ids::{ObjectKey, ProjectPath};
use crate::domain::marker::SeenMarker;
use crate::domain::observed::{HeaderName, SeenValue, Webhook};
use crate::domain::secret::SecretText;

/// The Secret's key that holds the URL.
const URL_KEY: &str = "url";
/// Bounds of the schema.
const MAX_NAME: usize = 253;
const MAX_HEADERS: usize = 64;
const MAX_HEADER_NAME: usize = 128;
const MAX_EVENTS: usize = 100;
const MAX_EVENT: usize = 128;

/// Who has a webhook already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries the marker of this object.
    Marked(ObjectKey),
    /// It carries a marker that no object of this cluster has.
    Elsewhere,
    /// It carries a marker that the remote masks.
    Masked,
    /// This object's spec or status names it.
    Claimed(ObjectKey),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marked(object) => write!(f, "it belongs to ProjectWebhook {object}"),
            Self::Claimed(object) => write!(f, "ProjectWebhook {object} claims it"),
            Self::Elsewhere => f.write_str(
                "it carries the ownership marker of an owner that is not in this cluster; if that owner is gone for good, declare \
                 it by hand with spec.webhookId and spec.adoptionPolicy: Adopt",
            ),
            Self::Masked => f.write_str("it carries an ownership marker, and the remote masks whose"),
        }
    }
}

/// Who has this webhook already, if somebody does.
#[must_use]
pub fn owner(webhook: &Webhook, rivals: &dyn Rivals) -> Option<Owner> {
    match &webhook.marker {
        SeenMarker::Shown(marker) => Some(rivals.owner_of(marker).map_or(Owner::Elsewhere, Owner::Marked)),
        SeenMarker::Masked => Some(Owner::Masked),
        SeenMarker::Absent => rivals.claimants(webhook.id).into_iter().next().map(|other| Owner::Claimed(other.key)),
    }
}

/// The ProjectWebhook that takes over a webhook as it is.
///
/// # Errors
/// There is none that would change nothing.
pub fn project_webhook(
    webhook: &Webhook,
    connection: &ConnectionRef,
    path: &ProjectPath,
    names: &mut Names,
) -> Result<Imported<ProjectWebhookSpec>, Refused> {
    let desired = desired(webhook)?;
    let differing = differences(&desired, webhook, Masked::Unknown);
    if !differing.is_empty() {
        return Err(Refused::Differs(differing.into_iter().map(|difference| difference.field).collect()));
    }
    let Desired { name: called, url, headers, active, events } = desired;
    let (name, secret_name) = names.take(&called, "webhook", &webhook.id);
    let mut secret = BTreeMap::from([(URL_KEY.to_owned(), SecretText::new(url.expose()))]);
    let from = |key: String| KeyRef { name: secret_name.clone(), key };
    let mut declared = vec![];
    for (header, value) in headers {
        let key = free_key(&header, &secret);
        secret.insert(key.clone(), value);
        let value_from = Some(PrefixedSecretSource { prefix: None, secret_key_ref: from(key) });
        declared.push(Header { name: header.as_str().to_owned(), value: None, value_from });
    }
    let spec = ProjectWebhookSpec {
        connection_ref: connection.clone(),
        organization_id: path.organization.to_string(),
        project_id: path.project.to_string(),
        name: Some(called).filter(|called| *called != name),
        url: None,
        url_from: Some(Box::new(SecretSource { secret_key_ref: from(URL_KEY.to_owned()) })),
        headers: declared,
        active,
        events,
        management_policy: ManagementPolicy::default(),
        adoption_policy: AdoptionPolicy::default(),
        // What is adopted is orphaned, unless a person says otherwise.
        deletion_policy: None,
        // The handover: exactly this one, and never another or a new one in its place.
        webhook_id: Some(webhook.id.to_string()),
        resync_interval: None,
        suspend: false,
    };
    Ok(Imported { name, spec, secret_name, secret })
}

/// What the operator would want of it, checked as it checks.
fn desired(webhook: &Webhook) -> Result<Desired, Refused> {
    let Webhook { id, name, url, headers, marker: _, active, events, created_at: _, updated_at: _ } = webhook;
    let not_shown = |field| Refused::NotShown(field, *id);
    let name = name.clone().ok_or_else(|| not_shown("name"))?;
    let length = name.chars().count();
    if length == 0 {
        return Err(Refused::Name("empty"));
    } else if length > MAX_NAME {
        return Err(Refused::Name("longer"));
    } else if name.trim() != name {
        return Err(Refused::Name("one with blanks at its ends"));
    }
    let url = url.as_ref().ok_or_else(|| not_shown("URL"))?;
    if headers.len() > MAX_HEADERS {
        return Err(Refused::TooManyHeaders(headers.len()));
    }
    let mut checked = vec![];
    for (name, value) in headers {
        if name.as_str().len() > MAX_HEADER_NAME {
            return Err(Refused::LongHeaderName(name.as_str().len()));
        }
        let SeenValue::Plain(value) = value else { return Err(Refused::Masked(name.clone(), *id)) };
        checked.push(header(name.as_str(), value.expose().to_owned())?);
    }
    Ok(Desired {
        name,
        url: receiver(url.expose(), "it")?,
        headers: header_set(checked)?,
        active: active.ok_or_else(|| not_shown("active"))?,
        events: declared_events(events.as_deref().ok_or_else(|| not_shown("events"))?)?,
    })
}

/// The events, each once.
fn declared_events(events: &[String]) -> Result<Vec<String>, Refused> {
    let mut seen = BTreeSet::new();
    let declared: Vec<String> = events.iter().filter(|event| seen.insert(*event)).cloned().collect();
    if declared.is_empty() {
        return Err(Refused::NoEvents);
    }
    if declared.len() > MAX_EVENTS {
        return Err(Refused::Events("it has more than 100 events"));
    }
    if declared.iter().any(|event| event.is_empty() || event.chars().count() > MAX_EVENT) {
        return Err(Refused::Events("an event's name is empty or has more than 128 characters"));
    }
    if declared.iter().any(|event| event.chars().any(|c| c.is_whitespace() || c.is_control())) {
        return Err(Refused::Events("an event's name holds a blank or a control character"));
    }
    Ok(declared)
}

/// A key for a header's value: `header.` and its name, as far as a key can hold that.
fn free_key(header: &HeaderName, taken: &BTreeMap<String, SecretText>) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' };
    let key = format!("header.{}", header.as_str().chars().map(allowed).collect::<String>());
    let mut free = key.clone();
    let mut number = 1;
    while taken.contains_key(&free) {
        number += 1;
        free = format!("{key}-{number}");
    }
    free
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
