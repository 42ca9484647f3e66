//! What one process remembers of one object between passes. All of it can be lost: a restart costs waiting, never a
//! duplicate.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compare::{Difference, Field, field_fingerprint};
use super::desired::{Changes, Desired};
use super::ids::WebhookId;
use super::observed::{Fingerprint, SeenValue, Webhook};
use super::schedule::BACKOFF_LAST;
use super::time::Moment;
use crate::api::project_webhook::Applied;

/// What a write is based on: the spec's generation and the resourceVersion of each Secret. The same type as
/// `status.applied`, because that records the basis that was reached.
pub type Basis = Applied;

/// Corrections of one field, with the same basis, after which a difference is NotConverging.
pub const MAX_CORRECTIONS: u32 = 2;

/// Creations in place of a webhook that somebody else deleted, with the same basis, after which another one is
/// NotConverging.
pub const MAX_RECREATIONS: u32 = 2;

/// Accepted POSTs, none of which any LIST ever shows, after which creation stops.
pub const MAX_UNSEEN_CREATIONS: u32 = 2;

/// What is known of the last creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// None is under way.
    Settled,
    /// A POST may still take effect: it had no clear answer, was accepted but not seen, or may have been made by a
    /// process before this one.
    Pending {
        /// Since when no LIST shows it.
        since: Moment,
    },
}

/// How a POST ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 201: accepted, which is not yet seen.
    Accepted,
    /// Timeout, reset, 5xx: it may have taken effect, or still will.
    Unclear,
    /// It did not take effect.
    Refused,
}

/// What is known of the last POST, as long as a webhook that nobody claims may be what it made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It made none that is not known.
    No,
    /// It had no clear answer, or a process before this one made it.
    Perhaps,
    /// The remote accepted it, and has not shown what it made.
    Accepted,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Memory {
    basis: Basis,
    /// For [`Field::Webhook`]: how often it was created again.
    corrections: BTreeMap<Field, u32>,
    /// A webhook of ours that is seen next stands in for one that somebody else deleted.
    recreating: bool,
    stopped_at: BTreeMap<Field, u64>,
    equal_since: Option<Moment>,
    /// The state of the last creation.
    pub creation: Creation,
    /// A POST may have made a webhook that was not seen since. Refused ones, which this process knows of, made none.
    outstanding: bool,
    /// Accepted POSTs since a LIST last showed a webhook of ours.
    unseen_creations: u32,
    /// POSTs without a clear answer since one had one, and when the last of them ended.
    unclear_creations: u32,
    last_unclear: Moment,
    /// The basis of the last accepted write of all that the remote masks or does not show, and the webhook; that of a POST
    /// is not known.
    accepted: Option<(Basis, Option<WebhookId>)>,
    /// The last PATCH: when it ended and what the webhook was before.
    last_update: Option<(Moment, Fingerprint)>,
    /// A replacement was made for this basis, because a header could not be removed.
    pub replaced: bool,
    /// Since when another object's creation keeps this one from knowing whose a webhook is.
    contested_since: Option<Moment>,
}

impl Memory {
    /// The memory of a process that meets the object now. `open` is [`super::intent::Intent::is_open`], `corrections`
    /// what status tells of corrections by processes before this one.
    #[must_use]
    pub fn first_met(now: Moment, open: bool, mut corrections: BTreeMap<Field, u32>, basis: Basis) -> Self {
        // With no creation open, the count is of those that were seen, and were to stand in for one that was deleted.
        let unseen_creations = if open { corrections.remove(&Field::Webhook).unwrap_or(0) } else { 0 };
        // Creations that were given up were waited for then: nothing is under way.
        let pending = open && unseen_creations == 0;
        // For a header that status tells of, and with no creation open, the replacement was made if it was possible.
        let tried = !open && corrections.keys().any(|field| matches!(field, Field::Header(_)));
        let replaced = unseen_creations > 0 || tried;
        Self {
            basis,
            corrections,
            recreating: false,
            stopped_at: BTreeMap::new(),
            equal_since: None,
            creation: if pending { Creation::Pending { since: now } } else { Creation::Settled },
            outstanding: open,
            unseen_creations,
            unclear_creations: 0,
            last_unclear: now,
            accepted: None,
            last_update: None,
            replaced,
            contested_since: None,
        }
    }

    /// Forgets what was counted for another basis: a changed spec or Secret starts anew.
    pub fn rebase(&mut self, basis: &Basis) {
        if self.basis != *basis {
            self.basis = basis.clone();
            self.corrections.clear();
            self.stopped_at.clear();
            self.recreating = false;
            self.replaced = false;
            self.unseen_creations = 0;
            self.unclear_creations = 0;
        }
    }

    /// Notes how a POST ended.
    pub fn created(&mut self, now: Moment, answer: Answer, replacing: bool) {
        self.creation = if answer == Answer::Refused { Creation::Settled } else { Creation::Pending { since: now } };
        // One that was refused, or lost without a clear answer, may be tried again.
        self.replaced |= replacing && answer == Answer::Accepted;
        // What an earlier POST may still bring was made of other values, perhaps, and looks the same where they are hidden.
        let only_one = !self.outstanding;
        self.outstanding |= answer != Answer::Refused;
        self.recreating &= answer != Answer::Refused;
        self.unclear_creations = if answer == Answer::Unclear { self.unclear_creations + 1 } else { 0 };
        self.last_unclear = now;
        if answer == Answer::Accepted {
            self.unseen_creations += 1;
            self.accepted = only_one.then(|| (self.basis.clone(), None));
        }
    }

    /// Notes that a PATCH towards `desired` was accepted, and what the webhook was before.
    pub fn updated(&mut self, now: Moment, before: &Webhook, desired: &Desired, changes: &Changes, fields: &[Field]) {
        self.equal_since = None;
        for field in fields {
            *self.corrections.entry(field.clone()).or_insert(0) += 1;
        }
        self.last_update = Some((now, before.fingerprint()));
        if is_all_hidden_sent(before, desired, changes) {
            self.accepted = Some((self.basis.clone(), Some(before.id)));
        }
    }

    /// Notes that a creation is planned in place of a webhook that somebody else deleted.
    pub const fn recreates(&mut self) {
        self.recreating = true;
    }

    /// Whether the webhook was deleted after each of as many creations as there may be.
    #[must_use]
    pub fn is_recreating_in_vain(&self) -> bool {
        self.corrections.get(&Field::Webhook).is_some_and(|count| *count >= MAX_RECREATIONS)
    }

    /// Notes that a webhook of ours was seen: no creation is under way. `another` is whether status records another one.
    pub fn seen(&mut self, another: bool) {
        if another && self.recreating {
            *self.corrections.entry(Field::Webhook).or_insert(0) += 1;
            self.equal_since = None;
        }
        self.recreating = false;
        self.creation = Creation::Settled;
        self.unseen_creations = 0;
        self.unclear_creations = 0;
    }

    /// Whether a process that remembers nothing would decide the same, once status says that the object is Synced.
    #[must_use]
    pub fn is_forgettable(&self) -> bool {
        let nothing_counted = self.corrections.is_empty() && self.stopped_at.is_empty() && !self.replaced;
        let nothing_awaited = self.creation == Creation::Settled && self.last_update.is_none();
        nothing_counted && nothing_awaited && self.unseen_creations == 0 && self.contested_since.is_none()
    }

    /// Whether a webhook that nobody claims may be what a POST of ours made. `open` is
    /// [`super::intent::Intent::is_open`]: once status names the webhook, that creation has ended.
    pub const fn posted(&mut self, open: bool) -> Posted {
        self.outstanding = self.outstanding && open;
        match (self.outstanding, self.unseen_creations) {
            (false, _) => Posted::No,
            (true, 0) => Posted::Perhaps,
            (true, _) => Posted::Accepted,
        }
    }

    /// How long a creation is waited for by now; `None` if none is under way or it can't come any more.
    #[must_use]
    pub fn pending(&self, now: Moment, settle: Duration) -> Option<Duration> {
        let Creation::Pending { since } = self.creation else { return None };
        Some(now.since(since)).filter(|waited| *waited < settle)
    }

    /// Whether the remote gave no clear answer to more than one POST in a row.
    #[must_use]
    pub const fn is_unanswered(&self) -> bool {
        self.unclear_creations > 1
    }

    /// How long another POST has to wait; `None` if it may be made now. A remote that answers none of them is asked less
    /// and less often: each wait is twice the one before, from the settle time up to [`BACKOFF_LAST`].
    #[must_use]
    pub fn creation_backoff(&self, now: Moment, settle: Duration) -> Option<Duration> {
        let doublings = self.unclear_creations.checked_sub(1)?.min(16);
        let delay = settle.saturating_mul(1 << doublings).min(BACKOFF_LAST.max(settle));
        delay.checked_sub(now.since(self.last_unclear)).filter(|left| !left.is_zero())
    }

    /// Whether creating was tried often enough without any LIST ever showing the webhook.
    #[must_use]
    pub const fn is_creating_in_vain(&self) -> bool {
        self.unseen_creations >= MAX_UNSEEN_CREATIONS
    }

    /// How long another object's creation is waited for by now.
    pub fn contested(&mut self, now: Moment) -> Duration {
        now.since(*self.contested_since.get_or_insert(now))
    }

    /// Notes that nobody else's creation is in the way.
    pub const fn uncontested(&mut self) {
        self.contested_since = None;
    }

    /// Whether the remote accepted these very values for this webhook: what it hides then counts as equal. A POST did
    /// not say which webhook it made, so it counts for one that we `created` only.
    #[must_use]
    pub fn has_accepted(&self, basis: &Basis, id: WebhookId, created: bool) -> bool {
        let for_it = |of: &Option<WebhookId>| of.map_or(created, |of| of == id);
        self.accepted.as_ref().is_some_and(|(accepted, of)| accepted == basis && for_it(of))
    }

    /// How long the LIST has not shown the last PATCH, if it still shows what was before and may well lag.
    #[must_use]
    pub fn not_yet_shown(&self, now: Moment, seen: &Webhook, settle: Duration) -> Option<Duration> {
        let (ended, before) = self.last_update?;
        Some(now.since(ended)).filter(|waited| before == seen.fingerprint() && *waited < settle)
    }

    /// Whether this field was corrected often enough. A remote value that is not the one at which it was given up
    /// means that the other side changed: then it starts anew.
    pub fn is_exhausted(&mut self, difference: &Difference, seen: &Webhook) -> bool {
        let field = &difference.field;
        if self.corrections.get(field).copied().unwrap_or(0) < MAX_CORRECTIONS {
            return false;
        }
        let value = field_fingerprint(field, seen);
        if *self.stopped_at.entry(field.clone()).or_insert(value) == value {
            return true;
        }
        self.corrections.remove(field);
        self.stopped_at.remove(field);
        false
    }

    /// Notes that the remote was seen to equal the spec; after a whole interval of that, corrections are forgotten.
    pub fn seen_equal(&mut self, now: Moment, interval: Duration) {
        let since = *self.equal_since.get_or_insert(now);
        self.last_update = None;
        self.stopped_at.clear();
        if now.since(since) >= interval {
            self.corrections.clear();
        }
    }

    /// Notes that the remote was seen to differ, or to hold nothing: an interval of being equal starts anew.
    pub const fn seen_different(&mut self) {
        self.equal_since = None;
    }

    /// Fields that keep coming back: corrected, different again, corrected again.
    #[must_use]
    pub fn recurring(&self) -> Vec<(Field, u32)> {
        let recurs = |(field, count): (&Field, &u32)| (*count >= MAX_CORRECTIONS).then(|| (field.clone(), *count));
        let mut recurring: Vec<_> = self.corrections.iter().filter_map(recurs).collect();
        // A process after this one would create again; it must not, once these were waited for.
        let given_up = self.is_creating_in_vain() || (self.replaced && self.unseen_creations > 0);
        if given_up && self.creation == Creation::Settled {
            recurring.retain(|(field, _)| *field != Field::Webhook);
            recurring.push((Field::Webhook, self.unseen_creations));
        }
        recurring
    }
}

/// Whether a PATCH sent everything that is desired and that the remote did not show of the webhook. What is behind the mask
/// of a header that should not be there does not matter.
fn is_all_hidden_sent(before: &Webhook, desired: &Desired, changes: &Changes) -> bool {
    let Changes { name, url, headers, active, events } = changes;
    let masked = desired.headers.keys().any(|name| before.headers.get(name) == Some(&SeenValue::Masked));
    (before.name.is_some() || name.is_some())
        && (before.url.is_some() || url.is_some())
        && (before.active.is_some() || active.is_some())
        && (before.events.is_some() || events.is_some())
        && (!masked || headers.is_some())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
