//! The plan: what one look at the remote asks for, as a value.

use std::time::Duration;

use super::case::{Case, View};
use super::claim::Rivals;
use super::compare::{Difference, Masked, changes, differences, same_name_and_url};
use super::desired::Desired;
use super::identify::{Identity, are_too_many, identify};
use super::ids::WebhookId;
use super::marker::SeenMarker;
use super::memory::{Creation, Memory};
use super::observed::Webhook;
use super::text;
use super::write::Write;
use crate::api::condition::Reason;
use crate::api::project_webhook::{AdoptionPolicy, ManagementPolicy, Ownership};

/// Where the pass comes to rest.
#[derive(Clone, Debug)]
pub struct Rest<'a> {
    /// Reason of the conditions.
    pub reason: Reason,
    /// Stable text.
    pub message: String,
    /// The webhook, where one is known.
    pub webhook: Option<(&'a Webhook, Ownership)>,
    /// In what it differs.
    pub differences: Vec<Difference>,
    /// When to look again, if sooner than the resync.
    pub again: Option<Duration>,
}

/// What one look asks for.
#[derive(Clone, Debug)]
pub enum Plan<'a> {
    /// Ask for this id, then plan again.
    Ask(WebhookId),
    /// Write, then look again.
    Write(Write),
    /// Nothing to write.
    Rest(Rest<'a>),
}

/// Durations that the decisions need.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a POST without a clear answer may still take effect: `--settle-time`.
    pub settle: Duration,
    /// The object's resync interval.
    pub interval: Duration,
}

/// One look, and what it is compared with.
struct Scene<'s, 'a> {
    case: &'s Case,
    desired: &'s Desired,
    view: &'s View<'a>,
    rivals: &'s dyn Rivals,
    timing: Timing,
}

/// Plans for an object that is to exist.
pub fn plan<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    rivals: &dyn Rivals,
    memory: &mut Memory,
    timing: Timing,
) -> Plan<'a> {
    memory.rebase(&case.basis);
    let scene = Scene { case, desired, view, rivals, timing };
    let posted = memory.posted(case.intent.is_open(case.owned_id()));
    let identity = identify(case, desired, view, rivals, posted);
    if !matches!(identity, Identity::OtherCreating(..) | Identity::Ask(_)) {
        memory.uncontested();
    }
    match identity {
        Identity::Ask(id) => Plan::Ask(id),
        Identity::Mine { webhook, ownership, surplus } => {
            // What only the spec points to is lost again once it points elsewhere: until status records it, what the POST
            // made is still looked for.
            let known = case.pinned.is_none() || case.owned_id() == Some(webhook.id);
            if known && !case.intent.is_replaced(webhook.id) {
                memory.seen(case.owned_id().is_some_and(|owned| owned != webhook.id));
            }
            // Observe never deletes.
            match surplus.first().filter(|_| case.management != ManagementPolicy::Observe) {
                Some(id) => {
                    let record = case.pinned.is_none().then_some(ownership);
                    Plan::Write(Write::RemoveDuplicate { id: *id, keep: webhook.id, record })
                }
                None => keep(&scene, memory, webhook, ownership),
            }
        }
        Identity::PinnedGone(id) => absent_at_rest(Reason::WebhookNotFound, text::pinned_gone(id)),
        Identity::Elsewhere(id) => absent_at_rest(Reason::WebhookNotFound, text::elsewhere(id)),
        Identity::Foreign(id, whose) => absent_at_rest(Reason::Conflict, text::conflict(id, &whose)),
        Identity::OtherCreating(other, found) => {
            let waited = memory.contested(view.begun);
            if waited < timing.settle {
                return waiting(text::other_creating(&other), waited);
            }
            // It may be stuck for ever: then a person has to say whose they are.
            absent_at_rest(Reason::AdoptionRequired, text::adoption_required(case, &found, Some(&other)))
        }
        Identity::Unclear(found) => match memory.pending(view.begun, timing.settle) {
            Some(waited) => waiting(text::PENDING.into(), waited),
            None => absent_at_rest(Reason::AdoptionRequired, text::unclear(&found)),
        },
        Identity::Lookalikes(found) => absent(&scene, memory, &found),
        Identity::Nothing => absent(&scene, memory, &[]),
    }
}

/// This is the one: does it equal the spec?
fn keep<'a>(scene: &Scene<'_, 'a>, memory: &mut Memory, webhook: &'a Webhook, ownership: Ownership) -> Plan<'a> {
    let Scene { case, desired, view, timing, .. } = scene;
    let rest = |reason, message: String, differences, again| {
        Plan::Rest(Rest { reason, message, webhook: Some((webhook, ownership)), differences, again })
    };
    if case.management == ManagementPolicy::Observe {
        let differences = differences(desired, webhook, Masked::Accepted);
        return rest(Reason::Observed, text::observed(&differences), differences, None);
    }
    let differences = differences(desired, webhook, masked(case, memory, webhook.id, ownership));
    if differences.is_empty() {
        memory.seen_equal(view.begun, timing.interval);
        return rest(Reason::Synced, text::SYNCED.into(), differences, None);
    }
    memory.seen_different();
    if case.management == ManagementPolicy::ReportDrift && !case.may_correct() {
        return rest(Reason::Drifted, text::drifted(&differences), differences, None);
    }
    if let Some(waited) = memory.not_yet_shown(view.begun, webhook, timing.settle) {
        return rest(Reason::Progressing, text::NOT_YET_SHOWN.into(), differences, Some(patience(waited)));
    }
    correct(scene, memory, webhook, ownership, differences)
}

/// Whether what the remote masks is what we wrote: to this webhook, or to the one that the POST made.
fn masked(case: &Case, memory: &Memory, id: WebhookId, ownership: Ownership) -> Masked {
    let created = ownership == Ownership::Created;
    let applied = case.applied.as_ref() == Some(&case.basis) && case.owned_id() == Some(id);
    if applied || memory.has_accepted(&case.basis, id, created) { Masked::Accepted } else { Masked::Unknown }
}

/// Corrects what was not corrected too often; replaces where only surplus headers are left that do not go away.
fn correct<'a>(
    scene: &Scene<'_, 'a>,
    memory: &mut Memory,
    webhook: &'a Webhook,
    ownership: Ownership,
    differences: Vec<Difference>,
) -> Plan<'a> {
    let Scene { case, desired, view, .. } = scene;
    let (stuck, open): (Vec<_>, Vec<_>) = differences.iter().partition(|d| memory.is_exhausted(d, webhook));
    if open.is_empty() {
        let replaceable = ownership == Ownership::Created && case.pinned.is_none();
        let removal = replaceable && stuck.iter().all(|difference| difference.is_surplus_header());
        let rest = |reason, message: String, again| {
            Plan::Rest(Rest {
                reason,
                message,
                webhook: Some((webhook, ownership)),
                differences: differences.clone(),
                again,
            })
        };
        if removal && let Some(again) = pending(scene, memory).or_else(|| held_back(scene, memory)) {
            let (reason, message) = unfinished(memory);
            return rest(reason, message.into(), Some(again));
        }
        if removal && !memory.replaced && !are_too_many(desired, view) {
            return Plan::Write(Write::Create {
                name: desired.name.clone(),
                host: desired.url.host(),
                replaces: Some(webhook.id),
            });
        }
        memory.creation = Creation::Settled;
        return rest(Reason::NotConverging, text::not_converging(&differences), None);
    }
    let fields: Vec<_> = open.into_iter().map(|difference| difference.field.clone()).collect();
    let ours = webhook.marker.is(&case.marker) || case.marking || webhook.marker == SeenMarker::Masked;
    let marker = (ownership == Ownership::Created && ours).then_some(&case.marker);
    let changes = changes(desired, &fields, marker);
    let adopts = ownership == Ownership::Adopted && case.owned_id() != Some(webhook.id);
    Plan::Write(Write::Update { id: webhook.id, changes, fields, adopts })
}

/// Nothing of ours is there.
fn absent<'a>(scene: &Scene<'_, 'a>, memory: &mut Memory, lookalikes: &[&'a Webhook]) -> Plan<'a> {
    let Scene { case, desired, view, rivals, .. } = scene;
    memory.seen_different();
    if case.management == ManagementPolicy::Observe {
        return absent_at_rest(Reason::Drifted, text::NOT_FOUND.into());
    }
    if let Some(again) = pending(scene, memory) {
        return wait_for_creation(memory, again);
    }
    memory.creation = Creation::Settled;
    if let ([webhook], AdoptionPolicy::Adopt) = (lookalikes, case.adoption)
        && webhook.marker == SeenMarker::Absent
        && same_name_and_url(desired, webhook)
    {
        // Age decides between two that want it, so the younger lets the older decide first.
        if let Some(other) = rivals.older_wish(&desired.name) {
            return waiting(text::older_wish(&other), Duration::ZERO);
        }
        return keep(scene, memory, webhook, Ownership::Adopted);
    }
    if !lookalikes.is_empty() {
        return absent_at_rest(Reason::AdoptionRequired, text::adoption_required(case, lookalikes, None));
    }
    if memory.is_creating_in_vain() {
        return absent_at_rest(Reason::NotConverging, text::NEVER_LISTED.into());
    }
    if case.management == ManagementPolicy::ReportDrift && !case.may_correct() {
        return absent_at_rest(Reason::Drifted, text::DELETED.into());
    }
    if are_too_many(desired, view) {
        return absent_at_rest(Reason::AdoptionRequired, text::too_many_alike());
    }
    if case.owned().is_some() {
        // A person who asks for it has it created once more.
        if memory.is_recreating_in_vain() && !case.correction_requested {
            return absent_at_rest(Reason::NotConverging, text::KEEPS_BEING_DELETED.into());
        }
        memory.recreates();
    }
    if let Some(again) = held_back(scene, memory) {
        return wait_for_creation(memory, again);
    }
    Plan::Write(Write::Create { name: desired.name.clone(), host: desired.url.host(), replaces: None })
}

/// When to look again for a POST that may still take effect.
fn pending(scene: &Scene<'_, '_>, memory: &Memory) -> Option<Duration> {
    memory.pending(scene.view.begun, scene.timing.settle).map(patience)
}

/// When another POST may be made, where the remote gave no clear answer to the last ones.
fn held_back(scene: &Scene<'_, '_>, memory: &Memory) -> Option<Duration> {
    memory.creation_backoff(scene.view.begun, scene.timing.settle)
}

/// How a creation without a result is told.
fn unfinished(memory: &Memory) -> (Reason, &'static str) {
    match memory.is_unanswered() {
        true => (Reason::RemoteUnavailable, text::UNANSWERED),
        false => (Reason::Progressing, text::PENDING),
    }
}

fn wait_for_creation<'a>(memory: &Memory, again: Duration) -> Plan<'a> {
    let (reason, message) = unfinished(memory);
    Plan::Rest(Rest { again: Some(again), ..at_rest(reason, message.into()) })
}

fn at_rest<'a>(reason: Reason, message: String) -> Rest<'a> {
    Rest { reason, message, webhook: None, differences: vec![], again: None }
}

fn absent_at_rest<'a>(reason: Reason, message: String) -> Plan<'a> {
    Plan::Rest(at_rest(reason, message))
}

fn waiting<'a>(message: String, waited: Duration) -> Plan<'a> {
    Plan::Rest(Rest { again: Some(patience(waited)), ..at_rest(Reason::Progressing, message) })
}

/// How long to wait before the next look: as long as was waited so far, within bounds.
pub(super) fn patience(waited: Duration) -> Duration {
    waited.clamp(Duration::from_millis(200), Duration::from_secs(5))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
