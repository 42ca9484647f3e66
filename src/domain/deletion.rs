//! The plan for an object that is going: what has to happen at the remote before its finalizer may be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::case::{Case, Found, View};
use super::claim::{Rivals, Strength, foreign};
use super::desired::Changes;
use super::identify::superseded;
use super::ids::WebhookId;
use super::marker::SeenMarker;
use super::memory::Memory;
use super::observed::{SeenValue, Webhook};
use super::plan::{Timing, patience};
use super::write::Write;
use crate::api::project_webhook::{DeletionPolicy, ManagementPolicy, Ownership};

/// What one look asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionPlan {
    /// Ask for this id, then plan again.
    Ask(WebhookId),
    /// Write, then plan again.
    Write(Write),
    /// A creation may still take effect: look again after this time.
    Wait(Duration),
    /// Remove the finalizer. These webhooks stay at the remote, and a Warning has to name them.
    Release {
        /// What is left behind.
        orphans: Vec<WebhookId>,
    },
}

/// What this pass has done so far, so that a LIST that lags does not repeat it.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Deleted, or found to be gone.
    pub deleted: BTreeSet<WebhookId>,
    /// Tried to remove the marker; where the remote merges headers it stays.
    pub unmarked: BTreeSet<WebhookId>,
}

/// The policy in force. Without one in the spec: delete what was created, leave what was adopted.
#[must_use]
pub fn effective_policy(policy: Option<DeletionPolicy>, recorded: Option<Ownership>) -> DeletionPolicy {
    policy.unwrap_or(match recorded {
        Some(Ownership::Adopted | Ownership::Observed) => DeletionPolicy::Orphan,
        Some(Ownership::Created) | None => DeletionPolicy::Delete,
    })
}

/// Plans the end. It looks only at markers, status and claims: a spec that has become invalid never blocks a deletion.
#[must_use]
pub fn plan_deletion(
    case: &Case,
    policy: Option<DeletionPolicy>,
    view: &View<'_>,
    rivals: &dyn Rivals,
    memory: &Memory,
    done: &Done,
    timing: Timing,
) -> DeletionPlan {
    let mut ours: BTreeMap<_, _> =
        view.marked(&case.marker).map(|webhook| (webhook.id, (webhook, Ownership::Created))).collect();
    // Recorded, but with the marker of somebody else: never touched, and named at the end.
    let mut left = BTreeSet::new();
    if let Some((id, ownership)) = case.owned()
        && !ours.contains_key(&id)
        && !done.deleted.contains(&id)
    {
        match view.find(id) {
            Found::Unknown => return DeletionPlan::Ask(id),
            Found::Gone => {}
            Found::There(webhook) if matches!(webhook.marker, SeenMarker::Shown(_)) => {
                left.insert(id);
            }
            // Another live object has the better claim: it is neither deleted nor orphaned.
            Found::There(webhook) if foreign(case, webhook, rivals, Strength::Recorded).is_some() => {}
            Found::There(webhook) => {
                ours.insert(id, (webhook, ownership));
            }
        }
    }
    // A replacement may have been cut short before the old one was deleted, and its marker may be hidden.
    if let Some(kept) = case.owned_id()
        && let Some(old) = superseded(case, view, rivals, kept)
        && let Found::There(webhook) = view.find(old)
    {
        ours.insert(old, (webhook, Ownership::Created));
    }
    ours.retain(|id, _| !done.deleted.contains(id));
    if case.management != ManagementPolicy::Observe
        && let Some(write) = next_write(case, policy, &ours, done)
    {
        return DeletionPlan::Write(write);
    }
    if let Some(waited) = memory.pending(view.begun, timing.settle)
        && !has_landed(case, ours.keys().chain(&done.deleted))
    {
        return DeletionPlan::Wait(patience(waited));
    }
    left.extend(ours.into_keys());
    // Without its marker it is not seen as ours any more, but it is we who leave it.
    left.extend(&done.unmarked);
    left.extend(perhaps_ours(case, view, rivals));
    DeletionPlan::Release { orphans: left.into_iter().collect() }
}

/// What we created goes and what was handed over stays, unless the spec says otherwise. Of several that we created for
/// one object, one may stay.
fn next_write(
    case: &Case,
    policy: Option<DeletionPolicy>,
    all: &BTreeMap<WebhookId, (&Webhook, Ownership)>,
    done: &Done,
) -> Option<Write> {
    let goes = |ownership| effective_policy(policy, Some(ownership)) == DeletionPolicy::Delete;
    if let Some((id, _)) = all.iter().find(|(_, (_, ownership))| goes(*ownership)) {
        return Some(Write::Delete { id: *id });
    }
    let ours = || all.values().filter(|(webhook, _)| !done.unmarked.contains(&webhook.id));
    let created = || ours().filter(|(_, ownership)| *ownership == Ownership::Created).map(|(webhook, _)| *webhook);
    let known = |id: &WebhookId| case.owned_id() == Some(*id) || done.unmarked.contains(id);
    let stays = all.keys().copied().find(known).or_else(|| oldest(created()));
    if let Some(surplus) = created().find(|webhook| Some(webhook.id) != stays) {
        return Some(Write::Delete { id: surplus.id });
    }
    let mut marked = ours().map(|(webhook, _)| *webhook).filter(|webhook| webhook.marker.is(&case.marker));
    marked.find_map(|webhook| Some(Write::Unmark { id: webhook.id, changes: without_marker(webhook)? }))
}

fn oldest<'a>(webhooks: impl Iterator<Item = &'a Webhook>) -> Option<WebhookId> {
    webhooks.min_by_key(|webhook| (webhook.created_at.clone(), webhook.id)).map(|webhook| webhook.id)
}

/// Whether one of these is what the last POST made: it was not there before.
fn has_landed<'i>(case: &Case, mut ids: impl Iterator<Item = &'i WebhookId>) -> bool {
    case.intent.creating.as_ref().is_some_and(|creating| {
        ids.any(|id| creating.after != Some(*id) && case.owned_id() != Some(*id) && !creating.candidates.contains(id))
    })
}

/// Where markers are hidden and a creation never came to be recorded: what it may have made. Never deleted on suspicion,
/// but named, so that no orphan is left in silence.
fn perhaps_ours(case: &Case, view: &View<'_>, rivals: &dyn Rivals) -> Vec<WebhookId> {
    let Some(creating) = case.intent.creating.as_ref().filter(|_| case.intent.is_open(case.owned_id())) else {
        return vec![];
    };
    let suspect = |webhook: &&Webhook| {
        webhook.name.as_ref().is_none_or(|name| *name == case.name)
            && (view.may_hide_our_marker(webhook, case.marking) || view.may_drop_our_marker(webhook))
            && !creating.candidates.contains(&webhook.id)
            && case.owned_id() != Some(webhook.id)
            && rivals.claimants(webhook.id).is_empty()
    };
    view.listed().filter(suspect).map(|webhook| webhook.id).collect()
}

/// The header map without the marker; impossible where the remote hides the other values, because sending them back
/// masked would destroy them.
fn without_marker(webhook: &Webhook) -> Option<Changes> {
    let mut headers = BTreeMap::new();
    for (name, value) in &webhook.headers {
        match value {
            SeenValue::Plain(value) => headers.insert(name.clone(), value.clone()),
            SeenValue::Masked => return None,
        };
    }
    Some(Changes { headers: Some(headers), ..Changes::default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
