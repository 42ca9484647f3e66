//! The objects as the cluster holds them, and as they see each other.

use hookwright::api::project_webhook::{
    AdoptionPolicy, DeletionPolicy, ManagementPolicy, Ownership, ProjectWebhookStatus,
};
use hookwright::domain::case::Age;
use hookwright::domain::claim::{Claimant, Rivals, Strength};
use hookwright::domain::deletion::Done;
use hookwright::domain::desired::{Desired, header, header_set, receiver};
use hookwright::domain::ids::{ObjectKey, WebhookId};
use hookwright::domain::intent::{Creating, Intent};
use hookwright::domain::marker::{ClusterId, Marker};
use hookwright::domain::memory::Memory;

#[derive(Clone, Debug)]
pub struct Spec {
    pub name: &'static str,
    pub url: &'static str,
    pub headers: Vec<(&'static str, &'static str)>,
    pub active: bool,
    pub events: Vec<&'static str>,
    pub management: ManagementPolicy,
    pub adoption: AdoptionPolicy,
    pub deletion: Option<DeletionPolicy>,
    pub pinned: Option<WebhookId>,
}

impl Spec {
    pub fn desired(&self) -> Desired {
        let headers = self.headers.iter().map(|(name, value)| header(name, (*value).to_owned()).unwrap());
        Desired {
            name: self.name.to_owned(),
            url: receiver(self.url, "spec.url").unwrap(),
            headers: header_set(headers).unwrap(),
            active: self.active,
            events: self.events.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What the process remembers of an object; a crash forgets it.
#[derive(Default)]
pub struct Remembered {
    pub decisions: Option<Memory>,
    pub done: Done,
}

pub struct Object {
    pub spec: Spec,
    pub generation: i64,
    pub held: bool,
    pub creating: Option<String>,
    pub status: ProjectWebhookStatus,
    pub correct: Option<String>,
    pub going: bool,
    pub gone: bool,
    /// Named in a Warning when it went.
    pub orphans: Vec<WebhookId>,
    pub memory: Remembered,
}

impl Object {
    pub fn new(spec: Spec) -> Self {
        Self {
            spec,
            generation: 1,
            held: false,
            creating: None,
            status: ProjectWebhookStatus::default(),
            correct: None,
            going: false,
            gone: false,
            orphans: vec![],
            memory: Remembered::default(),
        }
    }

    pub fn recorded(&self) -> Option<(WebhookId, Ownership)> {
        self.status.webhook_id.as_deref().and_then(|id| id.parse().ok()).zip(self.status.ownership)
    }

    pub fn owned(&self) -> Option<(WebhookId, Ownership)> {
        self.recorded().filter(|(_, ownership)| *ownership != Ownership::Observed)
    }

    pub fn intent(&self) -> Intent {
        Intent { held: self.held, creating: self.creating.as_deref().and_then(Creating::parse) }
    }

    pub fn reason(&self) -> &str {
        self.status.conditions.iter().find(|c| c.type_ == "Ready").map_or("", |c| &c.reason)
    }

    pub fn message(&self) -> &str {
        self.status.conditions.iter().find(|c| c.type_ == "Ready").map_or("", |c| &c.message)
    }
}

pub fn key(i: usize) -> ObjectKey {
    ObjectKey { namespace: "shop".into(), name: format!("o{i}").into() }
}

pub fn marker(i: usize) -> Marker {
    Marker::of(&ClusterId("here".into()), &key(i))
}

pub fn age(i: usize) -> Age {
    Age { created: 100 + i64::try_from(i).unwrap(), uid: format!("u{i}") }
}

/// The index, as it stands at this moment.
pub struct Others<'a> {
    pub objects: &'a [Object],
    pub me: usize,
}

impl Others<'_> {
    fn all(&self) -> impl Iterator<Item = (usize, &Object)> {
        self.objects.iter().enumerate().filter(|(i, object)| *i != self.me && !object.gone)
    }
}

impl Rivals for Others<'_> {
    fn claimants(&self, id: WebhookId) -> Vec<Claimant> {
        let claim = |(i, object): (usize, &Object)| {
            let pins = object.spec.pinned == Some(id) && object.spec.management != ManagementPolicy::Observe;
            let strength = match object.owned() {
                Some((owned, _)) if owned == id => Strength::Recorded,
                _ if pins => Strength::Pinned,
                _ => return None,
            };
            Some(Claimant { key: key(i), age: age(i), strength })
        };
        self.all().filter_map(claim).collect()
    }

    fn owner_of(&self, of: &Marker) -> Option<ObjectKey> {
        let live = self.objects.iter().enumerate().filter(|(_, object)| !object.gone);
        live.map(|(i, _)| i).find(|i| marker(*i) == *of).map(key)
    }

    fn creating(&self, name: &str) -> Option<ObjectKey> {
        let creating = |(_, object): &(usize, &Object)| {
            object.intent().is_open(object.owned().map(|(id, _)| id)) && object.spec.name == name
        };
        self.all().find(creating).map(|(i, _)| key(i))
    }

    fn older_wish(&self, name: &str) -> Option<ObjectKey> {
        let wishes = |(i, object): &(usize, &Object)| {
            let undecided = object.status.observed_generation != object.generation;
            let adopts = object.spec.adoption == AdoptionPolicy::Adopt
                && object.spec.management != ManagementPolicy::Observe
                && object.spec.pinned.is_none();
            *i < self.me && undecided && adopts && !object.going && object.owned().is_none() && object.spec.name == name
        };
        self.all().find(wishes).map(|(i, _)| key(i))
    }
}
