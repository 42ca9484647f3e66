//! Differences between what should be and what is, field by field.
//!
//! Both sides are destructured without `..`: a field that somebody adds and forgets here does not compile.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::desired::{Changes, Desired};
use super::marker::Marker;
use super::observed::{HeaderName, SeenValue, Webhook};
use super::secret::ReceiverUrl;

/// A field of a webhook that can differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Display name.
    Name,
    /// Receiver.
    Url,
    /// Switch.
    Active,
    /// Events, as a set.
    Events,
    /// One header.
    Header(HeaderName),
    /// The webhook itself: it is created and never seen, or deleted by somebody else each time.
    Webhook,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Url => f.write_str("url"),
            Self::Active => f.write_str("active"),
            Self::Events => f.write_str("events"),
            Self::Header(name) => write!(f, "headers[{}]", bounded(name.as_str())),
            Self::Webhook => f.write_str("webhook"),
        }
    }
}

impl Field {
    /// Reads what `Display` wrote, as it stands in `status.corrections`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "name" => Some(Self::Name),
            "url" => Some(Self::Url),
            "active" => Some(Self::Active),
            "events" => Some(Self::Events),
            "webhook" => Some(Self::Webhook),
            _ => {
                let name = text.strip_prefix("headers[")?.strip_suffix(']')?;
                Some(Self::Header(HeaderName::new(name)))
            }
        }
    }
}

/// One difference, in words that may be shown: URL and header values are named, not quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub field: Field,
    /// What the spec says.
    pub desired: String,
    /// What the remote says.
    pub actual: String,
}

impl Difference {
    /// Whether the remote holds a header that the spec does not.
    #[must_use]
    pub fn is_surplus_header(&self) -> bool {
        matches!(self.field, Field::Header(_)) && self.desired == ABSENT
    }
}

/// What a masked header value counts for, and a field that the remote does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masked {
    /// The remote accepted a write of just these values: they count as equal.
    Accepted,
    /// Nobody knows: they count as different.
    Unknown,
}

const ABSENT: &str = "(absent)";
const PRESENT: &str = "(present)";
const DIFFERS: &str = "(differs)";
const MASKED: &str = "(masked)";
const NOT_SHOWN: &str = "(not shown)";

/// Everything in which the remote differs from the spec. Events and header names compare without regard to case, events
/// as sets, URLs after normalising. What the remote masks or does not show counts as `masked` says.
#[must_use]
pub fn differences(desired: &Desired, seen: &Webhook, masked: Masked) -> Vec<Difference> {
    let Desired { name, url, headers, active, events } = desired;
    let Webhook {
        id: _,
        name: seen_name,
        url: seen_url,
        headers: seen_headers,
        // Ownership is no part of what the user declares: a missing marker is no drift.
        marker: _,
        active: seen_active,
        events: seen_events,
        created_at: _,
        updated_at: _,
    } = seen;
    let mut found = Vec::new();
    let mut add = |field, desired: String, actual: String| found.push(Difference { field, desired, actual });
    let differs = |equal: Option<bool>| !equal.unwrap_or(masked == Masked::Accepted);
    let or_hidden = |text: Option<String>| text.unwrap_or_else(|| NOT_SHOWN.into());
    if differs(seen_name.as_ref().map(|seen| seen == name)) {
        add(Field::Name, bounded(name), or_hidden(seen_name.as_deref().map(bounded)));
    }
    if differs(seen_url.as_ref().map(|seen| seen == url)) {
        let desired = if seen_url.is_some() { DIFFERS } else { PRESENT };
        add(Field::Url, desired.into(), or_hidden(seen_url.as_ref().map(|_| DIFFERS.into())));
    }
    if differs(seen_active.map(|seen| seen == *active)) {
        add(Field::Active, active.to_string(), or_hidden(seen_active.map(|seen| seen.to_string())));
    }
    if differs(seen_events.as_ref().map(|seen| event_set(seen) == event_set(events))) {
        add(Field::Events, event_list(events), or_hidden(seen_events.as_deref().map(event_list)));
    }
    for (header, value) in headers {
        let field = Field::Header(header.clone());
        match seen_headers.get(header) {
            None => add(field, PRESENT.into(), ABSENT.into()),
            Some(SeenValue::Plain(seen)) if seen == value => {}
            Some(SeenValue::Plain(_)) => add(field, DIFFERS.into(), DIFFERS.into()),
            Some(SeenValue::Masked) if masked == Masked::Accepted => {}
            Some(SeenValue::Masked) => add(field, PRESENT.into(), MASKED.into()),
        }
    }
    for header in seen_headers.keys().filter(|header| !headers.contains_key(header)) {
        add(Field::Header(header.clone()), ABSENT.into(), PRESENT.into());
    }
    found
}

/// What to send so that these fields become equal; `headers` is always the whole map, because it is not documented
/// whether the remote replaces or merges it.
#[must_use]
pub fn changes<'a>(desired: &Desired, fields: impl IntoIterator<Item = &'a Field>, marker: Option<&Marker>) -> Changes {
    let mut changes = Changes::default();
    for field in fields {
        match field {
            Field::Name => changes.name = Some(desired.name.clone()),
            Field::Url => changes.url = Some(desired.url.clone()),
            Field::Active => changes.active = Some(desired.active),
            Field::Events => changes.events = Some(desired.events.clone()),
            Field::Header(_) => changes.headers = Some(desired.header_map(marker)),
            // Nothing that a PATCH could change.
            Field::Webhook => {}
        }
    }
    changes
}

/// What tells two remote values of one field apart. In memory only.
#[must_use]
pub fn field_fingerprint(field: &Field, seen: &Webhook) -> u64 {
    let mut hasher = DefaultHasher::new();
    match field {
        Field::Name => seen.name.hash(&mut hasher),
        Field::Url => seen.url.as_ref().map(ReceiverUrl::expose).hash(&mut hasher),
        Field::Active => seen.active.hash(&mut hasher),
        Field::Events => seen.events.as_deref().map(event_set).hash(&mut hasher),
        Field::Header(name) => seen.headers.get(name).hash(&mut hasher),
        Field::Webhook => seen.id.hash(&mut hasher),
    }
    hasher.finish()
}

/// Whether two webhooks are the same to a person: name and receiver, both of them shown.
#[must_use]
pub fn same_name_and_url(desired: &Desired, seen: &Webhook) -> bool {
    seen.name.is_some() && seen.url.is_some() && may_be_same(desired, seen)
}

/// Whether two webhooks may be the same to a person: nothing that the remote shows of name and receiver says otherwise.
/// Enough to create nothing beside it, too little to take it.
#[must_use]
pub fn may_be_same(desired: &Desired, seen: &Webhook) -> bool {
    seen.name.as_ref().is_none_or(|name| *name == desired.name)
        && seen.url.as_ref().is_none_or(|url| *url == desired.url)
}

/// Whether the events are the same set, and shown.
#[must_use]
pub fn same_events(desired: &Desired, seen: &Webhook) -> bool {
    seen.events.as_ref().is_some_and(|seen| event_set(seen) == event_set(&desired.events))
}

fn event_set(events: &[String]) -> BTreeSet<String> {
    events.iter().map(|event| event.to_ascii_lowercase()).collect()
}

/// `[a,b]`, sorted, so that the same set is always the same text.
fn event_list(events: &[String]) -> String {
    let sorted: BTreeSet<&str> = events.iter().map(String::as_str).collect();
    bounded(&format!("[{}]", sorted.into_iter().collect::<Vec<_>>().join(",")))
}

/// Text of the remote, bounded for status and messages: in bytes, because it is bytes that an object has few of.
#[must_use]
pub fn bounded(text: &str) -> String {
    const MAX: usize = 256;
    let kept = &text[..text.floor_char_boundary(MAX)];
    let clean: String = kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if kept.len() < text.len() { clean + "…" } else { clean }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
