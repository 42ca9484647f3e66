//! A remote in each of its variants: what the pages leave open, it can play either way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hookwright::domain::desired::{Changes, Desired};
use hookwright::domain::ids::WebhookId;
use hookwright::domain::marker::{MARKER_HEADER, Marker};
use hookwright::domain::observed::{HeaderName, Webhook};
use hookwright::domain::secret::{ReceiverUrl, SecretText};

/// What the remote shows of header values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    Shown,
    Masked,
    Dropped,
}

/// What it does with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    Kept,
    Lowered,
    Reversed,
}

/// A field that comes back null, or not at all, which is the same to who reads it. Header values have [`Values::Dropped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshown {
    Name,
    Url,
    Active,
    Events,
}

#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// PATCH merges `headers`: none can be removed.
    pub merges: bool,
    pub values: Values,
    pub events: Events,
    /// How much older than now the LIST is.
    pub lag: Duration,
    /// How many the LIST shows; GET by id shows all.
    pub cap: Option<usize>,
    /// Names come back in upper case: they never converge.
    pub shouts: bool,
    /// What it does not document, it answers in nulls: no createdAt.
    pub timeless: bool,
    pub unshown: Option<Unshown>,
    /// It throws away headers that it does not know the purpose of: ours.
    pub drops_marker: bool,
    /// Header names come back in lower case.
    pub lowers_names: bool,
    /// URLs come back as the WHATWG writes them.
    pub normalises: bool,
}

impl Variant {
    /// Whether what an object has created can't be known by its marker.
    pub fn hides_markers(&self, marking: bool) -> bool {
        self.values != Values::Shown || self.drops_marker || !marking
    }
}

/// Who made a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Object(usize),
    Person,
}

/// A webhook as it really is.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: WebhookId,
    pub by: By,
    pub name: String,
    pub url: String,
    pub headers: BTreeMap<HeaderName, String>,
    pub active: bool,
    pub events: Vec<String>,
    pub created: u64,
    pub updated: u64,
    /// Header values were changed behind the operator's back, which nobody can see where they are masked.
    pub tampered: bool,
    /// The same of the field that is not shown.
    pub tampered_unshown: bool,
}

impl Stored {
    pub fn marker(&self) -> Option<Marker> {
        self.headers.get(&HeaderName::new(MARKER_HEADER)).map(|text| Marker::shown(text))
    }
}

/// How the next call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No clear answer, and no effect.
    Lost,
    /// No clear answer, but it took effect.
    Unclear,
    /// No clear answer, and it takes effect later.
    Late(Duration),
    /// 400.
    Refused,
}

/// What the caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Done,
    NotFound,
    Unclear,
    Refused,
}

/// What takes effect after its caller gave up.
enum Landing {
    Made(Stored),
    Patched(WebhookId, Changes),
    Deleted(WebhookId),
}

pub struct Remote {
    pub variant: Variant,
    pub now: Duration,
    pub webhooks: Vec<Stored>,
    history: Vec<(Duration, Vec<Stored>)>,
    late: Vec<(Duration, Landing)>,
    pub faults: Vec<Fault>,
    next: u64,
    /// Calls that write.
    pub writes: usize,
    /// POSTs that took effect.
    pub made: usize,
    /// When something last changed that the operator had no part in, or had given up.
    pub meddled: Duration,
    /// What a LIST has shown, and when last.
    pub listed_at: BTreeMap<WebhookId, Duration>,
    /// What the last POST made, or will.
    pub last_made: Option<WebhookId>,
}

impl Remote {
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            now: Duration::from_secs(1000),
            webhooks: vec![],
            history: vec![(Duration::ZERO, vec![])],
            late: vec![],
            faults: vec![],
            next: 1,
            writes: 0,
            made: 0,
            meddled: Duration::ZERO,
            listed_at: BTreeMap::new(),
            last_made: None,
        }
    }

    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        self.late.sort_by_key(|(at, _)| *at);
        while self.late.first().is_some_and(|(at, _)| *at <= until) {
            let (at, landing) = self.late.remove(0);
            self.now = at.max(self.now);
            match landing {
                Landing::Made(webhook) => self.webhooks.push(webhook),
                Landing::Patched(id, changes) => {
                    self.change(id, &changes);
                    let changed = self.webhooks.iter_mut().find(|webhook| webhook.id == id);
                    changed.into_iter().for_each(|webhook| {
                        webhook.tampered = true;
                        webhook.tampered_unshown = true;
                    });
                }
                Landing::Deleted(id) => self.webhooks.retain(|webhook| webhook.id != id),
            }
            self.meddled = self.now;
            self.changed();
        }
        self.now = until;
    }

    pub fn is_anything_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Takes note of a change, so that a LIST can lag behind it.
    pub fn changed(&mut self) {
        self.history.push((self.now, self.webhooks.clone()));
    }

    pub fn get(&self, id: WebhookId) -> Option<&Stored> {
        self.webhooks.iter().find(|webhook| webhook.id == id)
    }

    pub fn shown(&self, id: WebhookId) -> Option<Webhook> {
        self.get(id).map(|webhook| self.show(webhook))
    }

    /// What the LIST is made of.
    pub fn listed(&self) -> &[Stored] {
        let at = self.now - self.variant.lag;
        let (_, then) = self.history.iter().rev().find(|(since, _)| *since <= at).unwrap();
        &then[..then.len().min(self.variant.cap.unwrap_or(usize::MAX))]
    }

    pub fn list(&mut self) -> Vec<Webhook> {
        self.advance(Duration::from_millis(20));
        let listed: BTreeSet<_> = self.listed().iter().map(|webhook| webhook.id).collect();
        self.listed_at.extend(listed.into_iter().map(|id| (id, self.now)));
        self.listed().iter().map(|webhook| self.show(webhook)).collect()
    }

    fn show(&self, stored: &Stored) -> Webhook {
        let Stored {
            id,
            by: _,
            name,
            url,
            headers,
            active,
            events,
            created,
            updated,
            tampered: _,
            tampered_unshown: _,
        } = stored;
        let Variant { drops_marker, lowers_names, normalises, unshown, .. } = self.variant;
        let show = |value: &String| match self.variant.values {
            Values::Shown => Some(value.clone()),
            Values::Masked => Some("****".to_owned()),
            Values::Dropped => None,
        };
        let spelt = |name: &str| if lowers_names { name.to_lowercase() } else { name.to_owned() };
        let kept = headers.iter().filter(|(name, _)| !drops_marker || **name != HeaderName::new(MARKER_HEADER));
        let headers = kept.filter_map(|(name, value)| Some((spelt(name.as_str()), show(value)?))).collect();
        let (headers, marker) = Webhook::split_marker(headers);
        let events = match self.variant.events {
            Events::Kept => events.clone(),
            Events::Lowered => events.iter().map(|event| event.to_lowercase()).collect(),
            Events::Reversed => events.iter().rev().cloned().collect(),
        };
        let time = |at: u64| (!self.variant.timeless).then(|| format!("2026-01-01T00:00:00.{at:09}Z"));
        let url = ReceiverUrl::new(url.clone());
        let url = if normalises { ReceiverUrl::new(url.url().unwrap().as_str()) } else { url };
        let shown = |field| unshown != Some(field);
        Webhook {
            id: *id,
            name: shown(Unshown::Name).then(|| self.name(name)),
            url: shown(Unshown::Url).then_some(url),
            headers,
            marker,
            active: shown(Unshown::Active).then_some(*active),
            events: shown(Unshown::Events).then_some(events),
            created_at: time(*created),
            updated_at: time(*updated),
        }
    }

    /// What it makes of a name.
    pub fn name(&self, name: &str) -> String {
        if self.variant.shouts { name.to_uppercase() } else { name.to_owned() }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn make(&mut self, by: By, desired: &Desired, marker: Option<&Marker>) -> Stored {
        let n = self.tick();
        let headers = desired.header_map(marker);
        Stored {
            id: format!("{n:024x}").parse().unwrap(),
            by,
            name: desired.name.clone(),
            url: desired.url.expose().to_owned(),
            headers: headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
            active: desired.active,
            events: desired.events.clone(),
            created: n,
            updated: n,
            tampered: false,
            tampered_unshown: false,
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        self.advance(Duration::from_millis(20));
        self.writes += 1;
        self.faults.pop()
    }

    pub fn post(&mut self, by: usize, desired: &Desired, marker: Option<&Marker>) -> Told {
        let fault = self.fault();
        let made = self.make(By::Object(by), desired, marker);
        self.last_made = None;
        let id = made.id;
        match fault {
            Some(Fault::Refused) => return Told::Refused,
            Some(Fault::Lost) => return Told::Unclear,
            Some(Fault::Late(after)) => {
                self.last_made = Some(id);
                self.late.push((self.now + after, Landing::Made(made)));
                return Told::Unclear;
            }
            Some(Fault::Unclear) | None => self.webhooks.push(made),
        }
        self.made += 1;
        self.last_made = Some(id);
        self.changed();
        if fault.is_some() { Told::Unclear } else { Told::Done }
    }

    pub fn patch(&mut self, id: WebhookId, changes: &Changes) -> Told {
        let fault = self.fault();
        match fault {
            Some(Fault::Refused) => return Told::Refused,
            Some(Fault::Lost) => return Told::Unclear,
            Some(Fault::Late(after)) => {
                self.late.push((self.now + after, Landing::Patched(id, changes.clone())));
                return Told::Unclear;
            }
            Some(Fault::Unclear) | None => {}
        }
        if !self.change(id, changes) {
            return Told::NotFound;
        }
        self.changed();
        if fault.is_some() { Told::Unclear } else { Told::Done }
    }

    /// What a PATCH does; `false` if there is no such webhook.
    fn change(&mut self, id: WebhookId, changes: &Changes) -> bool {
        let (merges, unshown, at) = (self.variant.merges, self.variant.unshown, self.tick());
        let Some(webhook) = self.webhooks.iter_mut().find(|webhook| webhook.id == id) else { return false };
        let Changes { name, url, headers, active, events } = changes;
        name.iter().for_each(|name| webhook.name.clone_from(name));
        url.iter().for_each(|url| webhook.url = url.expose().to_owned());
        active.iter().for_each(|active| webhook.active = *active);
        events.iter().for_each(|events| webhook.events.clone_from(events));
        let sent = match unshown {
            Some(Unshown::Name) => name.is_some(),
            Some(Unshown::Url) => url.is_some(),
            Some(Unshown::Active) => active.is_some(),
            Some(Unshown::Events) => events.is_some(),
            None => false,
        };
        webhook.tampered_unshown &= !sent;
        if let Some(headers) = headers {
            if !merges {
                webhook.headers.clear();
            }
            let text = |value: &SecretText| value.expose().to_owned();
            webhook.headers.extend(headers.iter().map(|(name, value)| (name.clone(), text(value))));
            webhook.tampered = false;
        }
        webhook.updated = at;
        true
    }

    pub fn delete(&mut self, id: WebhookId) -> Told {
        let fault = self.fault();
        match fault {
            Some(Fault::Refused) => return Told::Refused,
            Some(Fault::Lost) => return Told::Unclear,
            Some(Fault::Late(after)) => {
                self.late.push((self.now + after, Landing::Deleted(id)));
                return Told::Unclear;
            }
            Some(Fault::Unclear) | None => {}
        }
        self.webhooks.retain(|webhook| webhook.id != id);
        self.changed();
        if fault.is_some() { Told::Unclear } else { Told::Done }
    }
}
