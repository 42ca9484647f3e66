//! What the service keeps: projects and their webhooks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::behaviour::{Behaviour, PatchHeaders};
use super::fields::Fields;
use super::view;

/// A project by its two ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectRef {
    /// The organization's id.
    pub organization: String,
    /// The project's own id.
    #[serde(rename = "project")]
    pub id: String,
}

/// A webhook as it is kept: the full truth, nothing masked or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The entity id.
    #[serde(rename = "_id")]
    pub id: String,
    /// The display name; not unique.
    pub name: String,
    /// The receiver; not unique.
    pub url: String,
    /// The headers sent with each delivery.
    pub headers: BTreeMap<String, String>,
    /// Whether it delivers.
    pub active: bool,
    /// What it delivers.
    pub events: Vec<String>,
    /// When it was created.
    #[serde(serialize_with = "date_time")]
    pub created_at: Timestamp,
    /// When it was last written.
    #[serde(serialize_with = "date_time")]
    pub updated_at: Timestamp,
}

/// The page's `date-time`: RFC 3339, with milliseconds.
pub(super) fn date_time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

impl Webhook {
    pub(super) fn new(
        id: String,
        name: String,
        url: String,
        headers: BTreeMap<String, String>,
        active: bool,
        events: Vec<String>,
    ) -> Self {
        let now = Timestamp::now();
        Self { id, name, url, headers, active, events, created_at: now, updated_at: now }
    }

    /// The webhook after a PATCH; `None` if the PATCH names no field.
    pub(super) fn patched(&self, fields: Fields, behaviour: &Behaviour) -> Option<Self> {
        let mut new = self.clone();
        let Fields { name, url, headers, active, events } = fields;
        let mut named = false;
        let mut set = |given: bool| named |= given;
        set(name.map(|name| new.name = behaviour.kept_name(name)).is_some());
        set(url.map(|url| new.url = behaviour.kept_url(url)).is_some());
        set(active.map(|active| new.active = active).is_some());
        set(events.map(|events| new.events = behaviour.kept_events(events)).is_some());
        set(headers
            .map(|headers| match behaviour.patch_headers {
                PatchHeaders::Replace => new.headers = behaviour.kept_headers(headers),
                PatchHeaders::Merge => new.headers.extend(behaviour.kept_headers(headers)),
            })
            .is_some());
        new.updated_at = Timestamp::now();
        named.then_some(new)
    }
}

/// A webhook and its text in LIST, which is made once and not for every LIST.
struct Slot {
    webhook: Arc<Webhook>,
    rendered: Option<(u64, Arc<str>)>,
}

/// How a webhook was before a write; what LIST needs to tell how things were.
struct Change {
    at: Instant,
    position: u64,
    before: Option<Arc<Webhook>>,
}

/// A project and its webhooks.
pub(super) struct Project {
    pub(super) id: ProjectRef,
    pub(super) created_at: Timestamp,
    pub(super) behaviour: Option<Arc<Behaviour>>,
    /// By position, which rises with each creation: the order of LIST.
    slots: BTreeMap<u64, Slot>,
    positions: HashMap<String, u64>,
    next: u64,
    /// The whole text of LIST, until a write or a new behaviour.
    listed: Option<(u64, Bytes)>,
    /// How long changes are remembered; `None` while nobody asks how things were.
    remembers: Option<Duration>,
    history: VecDeque<Change>,
}

impl Project {
    pub(super) fn new(id: ProjectRef) -> Self {
        Self {
            id,
            created_at: Timestamp::now(),
            behaviour: None,
            slots: BTreeMap::new(),
            positions: HashMap::new(),
            next: 0,
            listed: None,
            remembers: None,
            history: VecDeque::new(),
        }
    }

    /// Remembers changes for this long from now on, or no longer.
    pub(super) fn keep_history(&mut self, time: Option<Duration>) {
        self.remembers = time;
        if time.is_none() {
            self.history.clear();
        }
    }

    pub(super) fn webhooks(&self) -> impl ExactSizeIterator<Item = &Webhook> {
        self.slots.values().map(|slot| &*slot.webhook)
    }

    /// Ids are hexadecimal numbers: their case does not matter.
    pub(super) fn get(&self, id: &str) -> Option<&Webhook> {
        let position = self.positions.get(&id.to_ascii_lowercase())?;
        self.slots.get(position).map(|slot| &*slot.webhook)
    }

    pub(super) fn insert(&mut self, webhook: Webhook) {
        let position = self.next;
        self.next += 1;
        self.positions.insert(webhook.id.clone(), position);
        self.put(position, Some(webhook));
    }

    /// Writes over the webhook of the same id; one that is not there stays away.
    pub(super) fn replace(&mut self, webhook: Webhook) {
        if let Some(position) = self.positions.get(&webhook.id).copied() {
            self.put(position, Some(webhook));
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        match self.positions.remove(&id.to_ascii_lowercase()) {
            Some(position) => {
                self.put(position, None);
                true
            }
            None => false,
        }
    }

    fn put(&mut self, position: u64, webhook: Option<Webhook>) {
        self.listed = None;
        let before = match webhook {
            Some(webhook) => self.slots.insert(position, Slot { webhook: Arc::new(webhook), rendered: None }),
            None => self.slots.remove(&position),
        };
        if let Some(time) = self.remembers {
            let now = Instant::now();
            self.history.push_back(Change { at: now, position, before: before.map(|slot| slot.webhook) });
            while self.history.front().is_some_and(|oldest| now.duration_since(oldest.at) > time) {
                self.history.pop_front();
            }
        }
    }

    /// The body of LIST. `rendering` tells texts made under other behaviours apart.
    pub(super) fn list(&mut self, behaviour: &Behaviour, rendering: u64) -> Bytes {
        let most = behaviour.list_cap.unwrap_or(usize::MAX);
        if let Some(age) = behaviour.list_stale() {
            let then = self.as_of(age);
            let texts: Vec<_> = then.values().take(most).map(|webhook| view::webhook(webhook, behaviour)).collect();
            return array(texts.iter().map(String::as_str));
        }
        if let Some((_, text)) = self.listed.as_ref().filter(|(made, _)| *made == rendering) {
            return text.clone();
        }
        let texts: Vec<_> = self.slots.values_mut().take(most).map(|slot| slot.text(behaviour, rendering)).collect();
        let text = array(texts.iter().map(|text| &**text));
        self.listed = Some((rendering, text.clone()));
        text
    }

    /// How things were `age` ago: today's state with every later change undone, the newest first.
    fn as_of(&self, age: Duration) -> BTreeMap<u64, Arc<Webhook>> {
        let mut state: BTreeMap<_, _> =
            self.slots.iter().map(|(position, slot)| (*position, Arc::clone(&slot.webhook))).collect();
        let now = Instant::now();
        for change in self.history.iter().rev().take_while(|change| now.duration_since(change.at) < age) {
            match &change.before {
                Some(webhook) => state.insert(change.position, Arc::clone(webhook)),
                None => state.remove(&change.position),
            };
        }
        state
    }
}

impl Slot {
    fn text(&mut self, behaviour: &Behaviour, rendering: u64) -> Arc<str> {
        match &self.rendered {
            Some((made, text)) if *made == rendering => Arc::clone(text),
            _ => {
                let text: Arc<str> = view::webhook(&self.webhook, behaviour).into();
                self.rendered = Some((rendering, Arc::clone(&text)));
                text
            }
        }
    }
}

fn array<'a>(items: impl Iterator<Item = &'a str>) -> Bytes {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push(']');
    Bytes::from(text)
}
