//! Two objects, one webhook: whose is it? Marker, then recorded status, then age.

use super::case::{Age, Case};
use super::ids::{ObjectKey, WebhookId};
use super::marker::{Marker, SeenMarker};
use super::observed::Webhook;
use crate::api::project_webhook::{AdoptionPolicy, Ownership};

/// How strongly another object claims a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
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
    /// Another object with this display name of which a creation was begun and no end is known
    /// ([`Intent::is_open`](super::intent::Intent::is_open)).
    fn creating(&self, name: &str) -> Option<ObjectKey>;
    /// An older object that would adopt a webhook of this display name, and that no pass has decided on yet.
    fn older_wish(&self, name: &str) -> Option<ObjectKey>;
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

/// Whose the webhook is, if not ours: marker, then recorded status, then age.
pub(super) fn foreign(case: &Case, webhook: &Webhook, rivals: &dyn Rivals, mine: Strength) -> Option<Foreign> {
    if let SeenMarker::Shown(marker) = &webhook.marker {
        if *marker == case.marker {
            return None;
        }
        if let Some(owner) = rivals.owner_of(marker) {
            return Some(Foreign::MarkedBy(owner));
        }
        // Handed over by pin and Adopt, now or before. Another object may hold it in the same way: claims decide.
        let handed_over = case.pinned == Some(webhook.id) && case.adoption == AdoptionPolicy::Adopt;
        if !handed_over && case.owned() != Some((webhook.id, Ownership::Adopted)) {
            return Some(Foreign::MarkedElsewhere);
        }
    }
    let better = |other: &Claimant| (other.strength, &case.age) > (mine, &other.age);
    rivals.claimants(webhook.id).into_iter().find(better).map(|other| Foreign::ClaimedBy(other.key))
}
