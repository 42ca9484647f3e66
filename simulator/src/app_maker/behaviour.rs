//! What the vendor's page leaves open, as switches.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the service behaves where `seeds/project-webhook-api.txt` is silent. The default is the page's plainest reading.
///
/// Switches of what is *kept* act on API writes from then on; switches of what is *shown* act at once. Edits at the
/// console are kept exactly as given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Shown: the body of 201. The page documents a Project.
    pub create_response: CreateResponse,
    /// Shown: the body of the 200 that answers PATCH. The page documents none.
    pub update_response: UpdateResponse,
    /// Kept: what PATCH does with headers that it does not name.
    pub patch_headers: PatchHeaders,
    /// Shown: whether secrets come back.
    pub masking: Masking,
    /// Kept and shown: headers that are thrown away, by name without regard to case; a final `*` stands for any end.
    pub drop_headers: Vec<String>,
    /// Shown: what a webhook without headers has.
    pub empty_headers: EmptyHeaders,
    /// Shown: fields that are left out.
    pub omit_fields: Vec<Field>,
    /// Shown: fields that are null. One that is left out too is left out.
    pub null_fields: Vec<Field>,
    /// Shown: fields that are added.
    pub extra_fields: Map<String, Value>,
    /// Shown: the order of events.
    pub event_order: EventOrder,
    /// Kept: events in lower case.
    pub lowercase_events: bool,
    /// Kept: header names in lower case.
    pub lowercase_header_names: bool,
    /// Kept: URLs as the WHATWG writes them: host in lower case, no default port, `/` for an empty path.
    pub normalize_url: bool,
    /// Kept: names without white space around them.
    pub trim_name: bool,
    /// Kept: names cut after this many characters.
    pub truncate_name: Option<usize>,
    /// Shown: LIST holds only this many webhooks, the oldest.
    pub list_cap: Option<usize>,
    /// Shown: LIST tells how things were this long ago, but not further back than when this was set.
    pub list_stale_ms: Option<u64>,
}

/// The body of the answer to a creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreateResponse {
    /// A Project, as documented; its `_id` is the project's.
    #[default]
    Project,
    /// The webhook.
    Webhook,
}

/// The body of the answer to a PATCH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateResponse {
    /// The webhook.
    #[default]
    Webhook,
    /// A Project, as creation is documented.
    Project,
    /// None.
    Empty,
}

/// What PATCH does with `headers`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchHeaders {
    /// The new headers take the place of the old ones.
    #[default]
    Replace,
    /// The new headers are added to the old ones; none can be removed.
    Merge,
}

/// Whether secrets come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masking {
    /// They do.
    #[default]
    None,
    /// Every header value is shown as `********`.
    HeaderValues,
}

/// What a webhook without headers shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyHeaders {
    /// `{}`.
    #[default]
    Object,
    /// `null`.
    Null,
    /// No such field.
    Absent,
}

/// The order in which events are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventOrder {
    /// As they were sent.
    #[default]
    AsSent,
    /// The other way round.
    Reversed,
    /// By the alphabet.
    Sorted,
}

/// A field of a webhook that an answer may lack. Not `_id`: what has none is no webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// `name`
    Name,
    /// `url`
    Url,
    /// `events`
    Events,
    /// `active`
    Active,
    /// `headers`
    Headers,
    /// `createdAt`
    CreatedAt,
    /// `updatedAt`
    UpdatedAt,
}

impl Behaviour {
    /// How old LIST is, if it is.
    pub(crate) fn list_stale(&self) -> Option<Duration> {
        self.list_stale_ms.map(Duration::from_millis)
    }

    pub(crate) fn drops_header(&self, name: &str) -> bool {
        self.drop_headers.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)),
            None => name.eq_ignore_ascii_case(pattern),
        })
    }

    pub(crate) fn kept_name(&self, name: String) -> String {
        let name = if self.trim_name { name.trim().to_owned() } else { name };
        match self.truncate_name {
            Some(most) => name.chars().take(most).collect(),
            None => name,
        }
    }

    pub(crate) fn kept_url(&self, url: String) -> String {
        if !self.normalize_url {
            return url;
        }
        // The page asks for a string, not for a URL: what does not parse is kept as it is.
        url::Url::parse(&url).map_or(url, String::from)
    }

    pub(crate) fn kept_events(&self, events: Vec<String>) -> Vec<String> {
        if !self.lowercase_events {
            return events;
        }
        events.iter().map(|event| event.to_lowercase()).collect()
    }

    pub(crate) fn kept_headers(&self, headers: BTreeMap<String, String>) -> BTreeMap<String, String> {
        headers
            .into_iter()
            .filter(|(name, _)| !self.drops_header(name))
            .map(|(name, value)| (if self.lowercase_header_names { name.to_ascii_lowercase() } else { name }, value))
            .collect()
    }
}
