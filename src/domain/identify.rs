//! Which remote webhook is this object's? Marker first, then what status records, then what the spec hands over, and
//! where the remote hides markers, the one that can't be anything else. Never a guess.

use std::collections::BTreeSet;

use super::compare::{Masked, differences, same_events, same_name_and_url};
use super::desired::Desired;
use super::ids::{ObjectKey, WebhookId};
use super::intent::Intent;
use super::marker::{Marker, SeenMarker};
use super::memory::Basis;
use super::observed::Webhook;
use super::time::Moment;
use crate::api::project_webhook::{AdoptionPolicy, ManagementPolicy, Ownership};

/// Age decides last between two objects: the older wins, then the smaller UID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// metadata.creationTimestamp, in seconds of the Unix epoch.
    pub created: i64,
    /// metadata.uid.
    pub uid: String,
}

/// What the cluster says about one ProjectWebhook: everything a decision needs but the remote's side.
#[derive(Clone, Debug)]
pub struct Case {
    /// The object.
    pub key: ObjectKey,
    /// Its age.
    pub age: Age,
    /// Its marker.
    pub marker: Marker,
    /// `--ownership-marker`: whether what it creates is marked.
    pub marking: bool,
    /// `spec.managementPolicy`.
    pub management: ManagementPolicy,
    /// `spec.adoptionPolicy`.
    pub adoption: AdoptionPolicy,
    /// `spec.webhookId`.
    pub pinned: Option<WebhookId>,
    /// `status.webhookId` with `status.ownership`.
    pub recorded: Option<(WebhookId, Ownership)>,
    /// Finalizer and annotation.
    pub intent: Intent,
    /// What is to be applied.
    pub basis: Basis,
    /// `status.applied`.
    pub applied: Option<Basis>,
    /// `hookwright.dev/correct-drift-requested-at` holds a request that was not yet handled.
    pub correction_requested: bool,
}

impl Case {
    /// The recorded webhook, if this object owns it.
    #[must_use]
    pub fn owned(&self) -> Option<(WebhookId, Ownership)> {
        self.recorded.filter(|(_, ownership)| *ownership != Ownership::Observed)
    }

    /// Whether `spec.connectionRef` is another one than when the remote last equalled the spec.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        let before = self.applied.as_ref().and_then(|applied| applied.connection.as_ref());
        before.is_some_and(|before| Some(before) != self.basis.connection.as_ref())
    }

    /// The recorded id, if owned.
    #[must_use]
    pub fn owned_id(&self) -> Option<WebhookId> {
        self.owned().map(|(id, _)| id)
    }
}

/// What the remote says.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The LIST.
    pub webhooks: &'a [Webhook],
    /// When the LIST began: it shows at least everything that ended before.
    pub begun: Moment,
    /// The GET by id of a webhook that is recorded or pinned but not in the LIST.
    pub looked_up: Option<(WebhookId, Option<&'a Webhook>)>,
}

impl<'a> View<'a> {
    fn find(&self, id: WebhookId) -> Found<'a> {
        if let Some(webhook) = self.webhooks.iter().find(|webhook| webhook.id == id) {
            return Found::There(webhook);
        }
        match self.looked_up {
            Some((asked, answer)) if asked == id => answer.map_or(Found::Gone, Found::There),
            _ => Found::Unknown,
        }
    }

    /// All webhooks that carry this marker.
    pub fn marked(&self, marker: &Marker) -> impl Iterator<Item = &'a Webhook> {
        let asked = self.looked_up.and_then(|(_, answer)| answer);
        self.webhooks.iter().chain(asked).filter(move |webhook| webhook.marker.is(marker))
    }
}

enum Found<'a> {
    There(&'a Webhook),
    Gone,
    Unknown,
}

/// How strongly another object claims a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// It would like to: adoption by name.
    Wish,
    /// Its spec names the id.
    Pinned,
    /// Its status names the id.
    Recorded,
}

/// Another live object that claims a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The object.
    pub key: ObjectKey,
    /// Its age.
    pub age: Age,
    /// Its claim.
    pub strength: Strength,
}

/// The other live objects of this cluster that use the same endpoint and project.
pub trait Rivals {
    /// Who else claims this webhook.
    fn claimants(&self, id: WebhookId) -> Vec<Claimant>;
    /// The live object with this marker.
    fn owner_of(&self, marker: &Marker) -> Option<ObjectKey>;
    /// Another object with this display name that is being created and does not know its webhook yet.
    fn creating(&self, name: &str) -> Option<ObjectKey>;
}

/// Why the webhook is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// It carries the marker of a live object of this cluster.
    MarkedBy(ObjectKey),
    /// It carries a marker that no live object of this cluster has.
    MarkedElsewhere,
    /// Another live object has the better claim.
    ClaimedBy(ObjectKey),
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Identity<'a> {
    /// This one. `surplus` are others that we created for the same object.
    Mine {
        /// The one to keep.
        webhook: &'a Webhook,
        /// How we came by it.
        ownership: Ownership,
        /// Ours too; to be deleted.
        surplus: Vec<WebhookId>,
    },
    /// The LIST does not show it: ask for this id before anything else.
    Ask(WebhookId),
    /// None of ours, but these look the same and nobody claims them.
    Lookalikes(Vec<&'a Webhook>),
    /// None of ours.
    Nothing,
    /// The one that was pinned does not exist.
    PinnedGone(WebhookId),
    /// The recorded one is not there through another connection than the one it was last seen through.
    Elsewhere(WebhookId),
    /// It is somebody else's.
    Foreign(WebhookId, Foreign),
    /// Another object is just creating one that looks the same: wait until it is known which is whose.
    OtherCreating(ObjectKey),
}

/// Answers whose the webhooks are.
#[must_use]
pub fn identify<'a>(case: &Case, desired: &Desired, view: &View<'a>, rivals: &dyn Rivals) -> Identity<'a> {
    if let Some(id) = case.pinned {
        return pinned(case, view, rivals, id);
    }
    let mine: Vec<_> = unique(view.marked(&case.marker));
    if let Some(keep) = best(case, desired, &mine) {
        let mut surplus: Vec<_> = mine.iter().map(|w| w.id).filter(|id| *id != keep.id).collect();
        surplus.extend(superseded(case, view, keep.id));
        surplus.sort_unstable();
        surplus.dedup();
        return Identity::Mine { webhook: keep, ownership: Ownership::Created, surplus };
    }
    let open = case.intent.is_open(case.owned_id());
    if let Some((id, ownership)) = case.owned() {
        match view.find(id) {
            Found::There(webhook) => {
                if open && let Some(new) = fallback(case, desired, view, rivals) {
                    let surplus = superseded(case, view, new.id).into_iter().collect();
                    return Identity::Mine { webhook: new, ownership: Ownership::Created, surplus };
                }
                return match foreign(case, webhook, rivals, Strength::Recorded) {
                    None => Identity::Mine { webhook, ownership, surplus: vec![] },
                    Some(whose) => Identity::Foreign(id, whose),
                };
            }
            Found::Unknown => return Identity::Ask(id),
            Found::Gone if case.has_moved() => return Identity::Elsewhere(id),
            Found::Gone => {}
        }
    }
    if open && let Some(webhook) = fallback(case, desired, view, rivals) {
        return Identity::Mine { webhook, ownership: Ownership::Created, surplus: vec![] };
    }
    lookalikes(case, desired, view, rivals)
}

fn pinned<'a>(case: &Case, view: &View<'a>, rivals: &dyn Rivals, id: WebhookId) -> Identity<'a> {
    let webhook = match view.find(id) {
        Found::There(webhook) => webhook,
        Found::Unknown => return Identity::Ask(id),
        Found::Gone => return Identity::PinnedGone(id),
    };
    // Observe claims nothing, so nothing can be in conflict.
    if case.management == ManagementPolicy::Observe {
        return Identity::Mine { webhook, ownership: Ownership::Observed, surplus: vec![] };
    }
    let strength = if case.owned_id() == Some(id) { Strength::Recorded } else { Strength::Pinned };
    if let Some(whose) = foreign(case, webhook, rivals, strength) {
        let handed_over = case.adoption == AdoptionPolicy::Adopt && whose == Foreign::MarkedElsewhere;
        if !handed_over {
            return Identity::Foreign(id, whose);
        }
    }
    let created = webhook.marker.is(&case.marker) || case.owned() == Some((id, Ownership::Created));
    let ownership = if created { Ownership::Created } else { Ownership::Adopted };
    // What we created for this object before it was pointed to another webhook would be a second one.
    let surplus = unique(view.marked(&case.marker)).iter().map(|w| w.id).filter(|other| *other != id).collect();
    Identity::Mine { webhook, ownership, surplus }
}

/// Of several with our marker: the one that equals the spec, then the one in status, then the oldest.
fn best<'a>(case: &Case, desired: &Desired, mine: &[&'a Webhook]) -> Option<&'a Webhook> {
    let rank = |webhook: &&Webhook| {
        let differs = !differences(desired, webhook, Masked::Accepted).is_empty();
        let unrecorded = case.owned_id() != Some(webhook.id);
        (differs, unrecorded, webhook.created_at.clone(), webhook.id)
    };
    mine.iter().copied().min_by_key(rank)
}

/// The recorded webhook that a replacement supersedes, where its marker is hidden: ours by status alone.
fn superseded(case: &Case, view: &View<'_>, kept: WebhookId) -> Option<WebhookId> {
    let (old, ownership) = case.owned()?;
    let ours = ownership == Ownership::Created && old != kept;
    let replaced = case.intent.creating.as_ref().is_some_and(|creating| creating.after == Some(old));
    let unclaimed = matches!(view.find(old), Found::There(webhook) if !matches!(webhook.marker, SeenMarker::Shown(_)));
    (ours && replaced && unclaimed).then_some(old)
}

/// Where markers are hidden: the single webhook with our name, URL and events that nobody claims and that was not there
/// before our POST.
fn fallback<'a>(case: &Case, desired: &Desired, view: &View<'a>, rivals: &dyn Rivals) -> Option<&'a Webhook> {
    let before: &BTreeSet<_> = &case.intent.creating.as_ref()?.candidates;
    let ours = |webhook: &&Webhook| {
        same_name_and_url(desired, webhook)
            && same_events(desired, webhook)
            && !matches!(webhook.marker, SeenMarker::Shown(_))
            && !before.contains(&webhook.id)
            && case.owned_id() != Some(webhook.id)
            && rivals.claimants(webhook.id).is_empty()
    };
    let mut found = view.webhooks.iter().filter(ours);
    let first = found.next()?;
    // Somebody else with the same name is creating too: which of the two it is can't be known yet.
    (found.next().is_none() && rivals.creating(&desired.name).is_none()).then_some(first)
}

/// The webhooks that look like this object's: what [`Creating::candidates`](super::intent::Creating) records.
#[must_use]
pub fn candidates(desired: &Desired, view: &View<'_>) -> BTreeSet<WebhookId> {
    view.webhooks.iter().filter(|webhook| same_name_and_url(desired, webhook)).map(|webhook| webhook.id).collect()
}

fn lookalikes<'a>(case: &Case, desired: &Desired, view: &View<'a>, rivals: &dyn Rivals) -> Identity<'a> {
    let same = || view.webhooks.iter().filter(|webhook| same_name_and_url(desired, webhook));
    if case.management == ManagementPolicy::Observe {
        return best(case, desired, &same().collect::<Vec<_>>()).map_or(Identity::Nothing, |webhook| Identity::Mine {
            webhook,
            ownership: Ownership::Observed,
            surplus: vec![],
        });
    }
    if case.adoption != AdoptionPolicy::CreateAnother {
        // A marker that no live object has: another cluster's webhook, or ours from before a restore with another
        // cluster id. Creating beside it would double every delivery in silence.
        let elsewhere = same().find(|w| matches!(&w.marker, SeenMarker::Shown(m) if rivals.owner_of(m).is_none()));
        if let Some(webhook) = elsewhere {
            return Identity::Foreign(webhook.id, Foreign::MarkedElsewhere);
        }
    }
    let unclaimed = |webhook: &&Webhook| {
        !matches!(webhook.marker, SeenMarker::Shown(_))
            && rivals.claimants(webhook.id).iter().all(|c| c.strength < Strength::Pinned)
    };
    let found: Vec<_> = same().filter(unclaimed).collect();
    if found.is_empty() || case.adoption == AdoptionPolicy::CreateAnother {
        return Identity::Nothing;
    }
    match rivals.creating(&desired.name) {
        Some(other) => Identity::OtherCreating(other),
        None => Identity::Lookalikes(found),
    }
}

/// Whose the webhook is, if not ours: marker, then recorded status, then age.
fn foreign(case: &Case, webhook: &Webhook, rivals: &dyn Rivals, mine: Strength) -> Option<Foreign> {
    if let SeenMarker::Shown(marker) = &webhook.marker {
        if *marker == case.marker {
            return None;
        }
        return Some(rivals.owner_of(marker).map_or(Foreign::MarkedElsewhere, Foreign::MarkedBy)).filter(|whose| {
            // Taken over before, by pin and Adopt: still ours while no live object has that marker.
            !(*whose == Foreign::MarkedElsewhere && case.owned() == Some((webhook.id, Ownership::Adopted)))
        });
    }
    let better = |other: &Claimant| (other.strength, &case.age) > (mine, &other.age);
    rivals.claimants(webhook.id).into_iter().find(better).map(|other| Foreign::ClaimedBy(other.key))
}

fn unique<'a>(webhooks: impl Iterator<Item = &'a Webhook>) -> Vec<&'a Webhook> {
    let mut seen = BTreeSet::new();
    webhooks.filter(|webhook| seen.insert(webhook.id)).collect()
}
