//! Which remote webhook is this object's? Marker first, then what status records, then what the spec hands over, and
//! where the remote hides markers, the one that can't be anything else. Never a guess.

use std::collections::BTreeSet;

use super::case::{Case, Found, View};
use super::claim::{Foreign, Rivals, Strength, foreign};
use super::compare::{Masked, differences, may_be_same, same_events, same_name_and_url};
use super::desired::Desired;
use super::ids::{ObjectKey, WebhookId};
use super::intent::Creating;
use super::marker::SeenMarker;
use super::memory::Posted;
use super::observed::Webhook;
use crate::api::project_webhook::{AdoptionPolicy, ManagementPolicy, Ownership};

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
    /// One of these may be what a POST of ours made, but it can't be known which, or whether it is.
    Unclear(Vec<&'a Webhook>),
    /// None of ours.
    Nothing,
    /// The one that was pinned does not exist.
    PinnedGone(WebhookId),
    /// The recorded one is not there through another connection than the one it was last seen through.
    Elsewhere(WebhookId),
    /// It is somebody else's.
    Foreign(WebhookId, Foreign),
    /// These look the same, but another object is just creating one that does: it is not known yet which is whose.
    OtherCreating(ObjectKey, Vec<&'a Webhook>),
}

/// Answers whose the webhooks are.
#[must_use]
pub fn identify<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    rivals: &dyn Rivals,
    posted: Posted,
) -> Identity<'a> {
    if let Some(id) = case.pinned {
        return pinned(case, view, rivals, id);
    }
    let mine: Vec<_> = view.marked(&case.marker).collect();
    if !mine.is_empty() {
        return marked(case, desired, view, rivals, &mine);
    }
    if let Some((id, ownership)) = case.owned() {
        match view.find(id) {
            Found::There(webhook) => {
                if let Some(new) = unmarked(case, desired, view, rivals, posted) {
                    return new;
                }
                return match foreign(case, webhook, rivals, Strength::Recorded) {
                    Some(whose) => Identity::Foreign(id, whose),
                    None => {
                        let surplus = superseded(case, view, rivals, id).into_iter().collect();
                        Identity::Mine { webhook, ownership, surplus }
                    }
                };
            }
            Found::Unknown => return Identity::Ask(id),
            Found::Gone if case.has_moved() => return Identity::Elsewhere(id),
            Found::Gone => {}
        }
    }
    let new = unmarked(case, desired, view, rivals, posted);
    new.unwrap_or_else(|| lookalikes(case, desired, view, rivals))
}

fn pinned<'a>(case: &Case, view: &View<'a>, rivals: &dyn Rivals, id: WebhookId) -> Identity<'a> {
    let webhook = match view.find(id) {
        Found::There(webhook) => webhook,
        Found::Unknown => return Identity::Ask(id),
        Found::Gone => return Identity::PinnedGone(id),
    };
    let recorded = case.owned().filter(|(owned, _)| *owned == id).map(|(_, ownership)| ownership);
    // Observe claims nothing, so nothing can be in conflict. What was ours before stays ours.
    if case.management == ManagementPolicy::Observe {
        return Identity::Mine { webhook, ownership: recorded.unwrap_or(Ownership::Observed), surplus: vec![] };
    }
    let strength = if recorded.is_some() { Strength::Recorded } else { Strength::Pinned };
    if let Some(whose) = foreign(case, webhook, rivals, strength) {
        return Identity::Foreign(id, whose);
    }
    let created = webhook.marker.is(&case.marker) || recorded == Some(Ownership::Created);
    let ownership = if created { Ownership::Created } else { Ownership::Adopted };
    // What we created for this object before it was pointed to another webhook would be a second one.
    let mut surplus: BTreeSet<_> = view.marked(&case.marker).map(|webhook| webhook.id).collect();
    let before = case.owned().filter(|(_, ownership)| *ownership == Ownership::Created);
    surplus.extend(before.filter(|(old, _)| is_unclaimed(view, rivals, *old)).map(|(old, _)| old));
    surplus.remove(&id);
    Identity::Mine { webhook, ownership, surplus: surplus.into_iter().collect() }
}

/// Some carry our marker.
fn marked<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    rivals: &dyn Rivals,
    mine: &[&'a Webhook],
) -> Identity<'a> {
    let ids: BTreeSet<_> = mine.iter().map(|webhook| webhook.id).collect();
    if let Some((id, Ownership::Adopted)) = case.owned()
        && !ids.contains(&id)
    {
        // A person handed that one over; what we created for this object, in a call that landed late, is one too many.
        match view.find(id) {
            Found::Unknown => return Identity::Ask(id),
            Found::There(webhook) if foreign(case, webhook, rivals, Strength::Recorded).is_none() => {
                let surplus = ids.into_iter().collect();
                return Identity::Mine { webhook, ownership: Ownership::Adopted, surplus };
            }
            Found::There(_) | Found::Gone => {}
        }
    }
    match best(case, desired, mine) {
        Some(keep) => created(case, view, rivals, keep, ids),
        None => Identity::Nothing,
    }
}

/// We created this one, and the others of `ours`. The recorded one may be a third that the LIST does not show.
fn created<'a>(
    case: &Case,
    view: &View<'a>,
    rivals: &dyn Rivals,
    keep: &'a Webhook,
    ours: BTreeSet<WebhookId>,
) -> Identity<'a> {
    let known_gone = |id| case.intent.creating.as_ref().is_some_and(|c| c.after == Some(id) && !c.replaces);
    if let Some((id, Ownership::Created)) = case.owned()
        && id != keep.id
        && !known_gone(id)
        && matches!(view.find(id), Found::Unknown)
    {
        return Identity::Ask(id);
    }
    let mut surplus = ours;
    surplus.extend(superseded(case, view, rivals, keep.id));
    surplus.remove(&keep.id);
    Identity::Mine { webhook: keep, ownership: Ownership::Created, surplus: surplus.into_iter().collect() }
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

/// The webhook that a replacement superseded, where its marker is hidden: ours by the intent alone. That outlasts the
/// moment at which status names the new one, because a crash may come before the old one is deleted.
pub(super) fn superseded(case: &Case, view: &View<'_>, rivals: &dyn Rivals, kept: WebhookId) -> Option<WebhookId> {
    let creating = case.intent.creating.as_ref().filter(|creating| creating.replaces)?;
    let old = creating.after.filter(|old| *old != kept && case.owned() != Some((*old, Ownership::Adopted)))?;
    is_unclaimed(view, rivals, old).then_some(old)
}

/// Whether it is there, and nobody else has anything to do with it.
fn is_unclaimed(view: &View<'_>, rivals: &dyn Rivals, id: WebhookId) -> bool {
    let unmarked = matches!(view.find(id), Found::There(webhook) if !matches!(webhook.marker, SeenMarker::Shown(_)));
    unmarked && rivals.claimants(id).is_empty()
}

/// Where markers are hidden: the single webhook with our name, URL and events that nobody claims and that was not there
/// before our POST. If there are more, or the spec has changed since, or somebody else with the same name is creating too,
/// or the remote shows too little to tell, then one of them may be ours, so nothing is created beside them, and it can't
/// be known which, so none is taken.
///
/// Where the remote shows headers, it may still drop the marker alone: as long as no webhook shows any. Then ours is what
/// equals the spec in everything, if the POST was accepted; after a crash nobody knows that any more, and a person decides.
fn unmarked<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    rivals: &dyn Rivals,
    posted: Posted,
) -> Option<Identity<'a>> {
    let creating = case.intent.creating.as_ref().filter(|_| posted != Posted::No)?;
    let unchanged = creating.generation == case.basis.generation;
    let is_just_so = |webhook: &Webhook| differences(desired, webhook, Masked::Accepted).is_empty();
    let may_drop = |webhook: &Webhook| view.may_drop_our_marker(webhook) && (!unchanged || is_just_so(webhook));
    let perhaps = |webhook: &&Webhook| {
        may_be_same(desired, webhook)
            && (view.may_hide_our_marker(webhook, case.marking) || may_drop(webhook))
            && !creating.candidates.contains(&webhook.id)
            && case.owned_id() != Some(webhook.id)
            && rivals.claimants(webhook.id).is_empty()
    };
    if case.management == ManagementPolicy::Observe {
        return None;
    }
    let found: Vec<_> = view.listed().filter(perhaps).collect();
    let as_posted = |webhook: &Webhook| {
        unchanged
            && same_name_and_url(desired, webhook)
            && same_events(desired, webhook)
            && (view.may_hide_our_marker(webhook, case.marking) || (posted == Posted::Accepted && is_just_so(webhook)))
    };
    match (found.as_slice(), rivals.creating(&desired.name)) {
        ([], _) => None,
        (_, Some(other)) => Some(Identity::OtherCreating(other, found)),
        ([webhook], None) if as_posted(webhook) => Some(created(case, view, rivals, webhook, BTreeSet::new())),
        (_, None) => Some(Identity::Unclear(found)),
    }
}

/// Most webhooks that an intent lists: 27 KB of the 256 KiB that Kubernetes allows all annotations of an object together.
pub const MAX_CANDIDATES: usize = 1000;

/// Whether more webhooks look like this object's than an intent can list. Nothing is created beside so many: what a lost
/// POST made could not be told from them.
#[must_use]
pub fn are_too_many(desired: &Desired, view: &View<'_>) -> bool {
    view.listed().filter(|webhook| may_be_same(desired, webhook)).count() > MAX_CANDIDATES
}

/// The intent to create, before a POST: what is recorded now, and the webhooks that look like this object's already. What
/// is to be replaced has to be recorded before.
#[must_use]
pub fn intent_to_create(case: &Case, desired: &Desired, view: &View<'_>, replaces: bool) -> Creating {
    let same = view.listed().filter(|webhook| may_be_same(desired, webhook));
    Creating {
        after: case.owned_id(),
        replaces,
        generation: case.basis.generation,
        candidates: same.map(|webhook| webhook.id).collect(),
    }
}

/// The intent before the first PATCH of a webhook that is adopted, if it has to change: a creation that never was seen
/// to end must not take this one for what it made, once it looks just so.
#[must_use]
pub fn intent_to_adopt(case: &Case, desired: &Desired, view: &View<'_>, id: WebhookId) -> Option<Creating> {
    let creating = case.intent.creating.as_ref()?;
    let unknown = case.intent.is_open(case.owned_id()) && !creating.candidates.contains(&id);
    unknown.then(|| {
        let mut now = intent_to_create(case, desired, view, false);
        now.candidates.insert(id);
        now
    })
}

fn lookalikes<'a>(case: &Case, desired: &Desired, view: &View<'a>, rivals: &dyn Rivals) -> Identity<'a> {
    let same = || view.listed().filter(|webhook| may_be_same(desired, webhook));
    let exactly = || view.listed().filter(|webhook| same_name_and_url(desired, webhook));
    if case.management == ManagementPolicy::Observe {
        return best(case, desired, &exactly().collect::<Vec<_>>()).map_or(Identity::Nothing, |webhook| {
            Identity::Mine { webhook, ownership: Ownership::Observed, surplus: vec![] }
        });
    }
    if case.adoption == AdoptionPolicy::CreateAnother {
        return Identity::Nothing;
    }
    // A marker that no live object has: another cluster's webhook, or ours from before a restore with another cluster
    // id. Creating beside it would double every delivery in silence.
    let elsewhere = same().find(|w| matches!(&w.marker, SeenMarker::Shown(m) if rivals.owner_of(m).is_none()));
    if let Some(webhook) = elsewhere {
        return Identity::Foreign(webhook.id, Foreign::MarkedElsewhere);
    }
    let unclaimed =
        |webhook: &&Webhook| !matches!(webhook.marker, SeenMarker::Shown(_)) && rivals.claimants(webhook.id).is_empty();
    let found: Vec<_> = same().filter(unclaimed).collect();
    // Two that want to adopt the same one: the second is told, however long after the first it looks.
    if found.is_empty() && case.adoption == AdoptionPolicy::Adopt {
        let unmarked = exactly().filter(|webhook| !matches!(webhook.marker, SeenMarker::Shown(_)));
        let mut adopted =
            unmarked.filter_map(|webhook| Some((webhook.id, rivals.claimants(webhook.id).into_iter().next()?)));
        if let Some((id, holder)) = adopted.next() {
            return Identity::Foreign(id, Foreign::ClaimedBy(holder.key));
        }
    }
    let hides_marker =
        |webhook: &&Webhook| view.may_hide_our_marker(webhook, case.marking) || view.may_drop_our_marker(webhook);
    let hides_markers = found.iter().any(hides_marker);
    match rivals.creating(&desired.name) {
        _ if found.is_empty() => Identity::Nothing,
        Some(other) if hides_markers => Identity::OtherCreating(other, found),
        _ => Identity::Lookalikes(found),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
