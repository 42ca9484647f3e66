//! An object, its webhook and its neighbours, for the tests of decisions.

use std::collections::BTreeSet;
use std::time::Duration;

use super::case::{Age, Case, View};
use super::claim::{Claimant, Rivals, Strength};
use super::desired::{Desired, header};
use super::ids::{ObjectKey, WebhookId};
use super::intent::{Creating, Intent};
use super::marker::{ClusterId, Marker, SeenMarker};
use super::memory::{Basis, Memory};
use super::observed::{HeaderName, SeenHeaders, SeenValue, Webhook};
use super::plan::{Plan, Rest, Timing, plan};
use super::secret::{ReceiverUrl, SecretText};
use super::time::Moment;
use super::write::Write;
use crate::api::project_webhook::{AdoptionPolicy, ManagementPolicy};

pub const SECOND: Duration = Duration::from_secs(1);
pub const TIMING: Timing = Timing { settle: Duration::from_secs(30), interval: Duration::from_secs(600) };
pub const NONE_GONE: &BTreeSet<WebhookId> = &BTreeSet::new();

pub fn id(n: u8) -> WebhookId {
    format!("{n:024x}").parse().unwrap()
}

pub fn at(second: u64) -> Moment {
    Moment::since_start(Duration::from_secs(second))
}

pub fn key(name: &str) -> ObjectKey {
    ObjectKey { namespace: "shop".into(), name: name.into() }
}

pub fn marker(name: &str) -> Marker {
    Marker::of(&ClusterId("here".into()), &key(name))
}

pub fn basis(generation: i64) -> Basis {
    Basis { generation, ..Basis::default() }
}

/// A new object, `shop/me`, that nothing was done for yet.
pub fn case() -> Case {
    Case {
        key: key("me"),
        age: Age { created: 100, uid: "m".into() },
        name: "Builds".into(),
        marker: marker("me"),
        marking: true,
        management: ManagementPolicy::Enforce,
        adoption: AdoptionPolicy::Refuse,
        pinned: None,
        recorded: None,
        intent: Intent::default(),
        basis: basis(1),
        applied: None,
        correction_requested: false,
    }
}

/// The intent that stands on the object after a POST, when these were there before.
pub fn announced(before: &[WebhookId]) -> Intent {
    let candidates = before.iter().copied().collect();
    Intent { held: true, creating: Some(Creating { after: None, replaces: false, generation: 1, candidates }) }
}

pub fn desired() -> Desired {
    let headers = [header("X-Team", "canary-shop".into()).unwrap()];
    Desired {
        name: "Builds".into(),
        url: ReceiverUrl::new("https://hooks.example.com/canary"),
        headers: headers.into_iter().collect(),
        active: true,
        events: vec!["build.created".into(), "build.failed".into()],
    }
}

/// A webhook that equals [`desired`], without marker.
pub fn bare(n: u8) -> Webhook {
    Webhook {
        id: id(n),
        name: Some("Builds".into()),
        url: Some(ReceiverUrl::new("https://hooks.example.com/canary")),
        headers: SeenHeaders::from_iter([(
            HeaderName::new("X-Team"),
            SeenValue::Plain(SecretText::new("canary-shop")),
        )]),
        marker: SeenMarker::Absent,
        active: Some(true),
        events: Some(vec!["build.created".into(), "build.failed".into()]),
        created_at: Some(format!("2026-01-01T00:00:{n:02}Z")),
        updated_at: None,
    }
}

/// The same with the marker of an object.
pub fn of(name: &str, n: u8) -> Webhook {
    Webhook { marker: SeenMarker::Shown(marker(name)), ..bare(n) }
}

/// The same with our marker.
pub fn ours(n: u8) -> Webhook {
    of("me", n)
}

/// The same where the remote masks all values.
pub fn veiled(n: u8) -> Webhook {
    let headers = SeenHeaders::from_iter([(HeaderName::new("X-Team"), SeenValue::Masked)]);
    Webhook { marker: SeenMarker::Masked, headers, ..bare(n) }
}

pub fn with_header(mut webhook: Webhook, name: &str) -> Webhook {
    webhook.headers.insert(HeaderName::new(name), SeenValue::Plain(SecretText::new("canary-x")));
    webhook
}

pub fn view(webhooks: &[Webhook], begun: Moment) -> View<'_> {
    View { webhooks, begun, looked_up: None, gone: NONE_GONE }
}

/// Other objects of the cluster.
#[derive(Default)]
pub struct Others {
    pub claims: Vec<(WebhookId, Strength, i64)>,
    pub live: Vec<&'static str>,
    pub creating: bool,
    pub older_wish: bool,
}

impl Rivals for Others {
    fn claimants(&self, id: WebhookId) -> Vec<Claimant> {
        let claim = |(_, strength, created): &(WebhookId, Strength, i64)| Claimant {
            key: key("other"),
            age: Age { created: *created, uid: "o".into() },
            strength: *strength,
        };
        self.claims.iter().filter(|(of, ..)| *of == id).map(claim).collect()
    }

    fn owner_of(&self, of: &Marker) -> Option<ObjectKey> {
        self.live.iter().find(|name| marker(name) == *of).map(|name| key(name))
    }

    fn creating(&self, _: &str) -> Option<ObjectKey> {
        self.creating.then(|| key("other"))
    }

    fn older_wish(&self, _: &str) -> Option<ObjectKey> {
        self.older_wish.then(|| key("other"))
    }
}

/// The memory of a process that meets the object at second 0.
pub fn memory(case: &Case) -> Memory {
    Memory::first_met(at(0), case.intent.is_open(case.owned_id()), [].into(), case.basis.clone())
}

/// One look, with nobody else about.
pub fn look<'a>(case: &Case, memory: &mut Memory, webhooks: &'a [Webhook], second: u64) -> Plan<'a> {
    plan(case, &desired(), &view(webhooks, at(second)), &Others::default(), memory, TIMING)
}

/// One look by a process that meets the object, at second 1.
pub fn first_look<'a>(case: &Case, webhooks: &'a [Webhook]) -> Plan<'a> {
    look(case, &mut memory(case), webhooks, 1)
}

pub fn write(plan: Plan<'_>) -> Write {
    match plan {
        Plan::Write(write) => write,
        other => panic!("no write, but {other:?}"),
    }
}

pub fn rest(plan: Plan<'_>) -> Rest<'_> {
    match plan {
        Plan::Rest(rest) => rest,
        other => panic!("no rest, but {other:?}"),
    }
}
