//! What one process remembers of one object between passes. All of it can be lost: a restart costs waiting, never a
//! duplicate.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compare::{Difference, Field, field_fingerprint};
use super::observed::{Fingerprint, Webhook};
use super::time::Moment;
use crate::api::project_webhook::Applied;

/// What a write is based on: the spec's generation and the resourceVersion of each Secret. The same type as
/// `status.applied`, because that records the basis that was reached.
pub type Basis = Applied;

/// Corrections of one field, with the same basis, after which a difference is NotConverging.
pub const MAX_CORRECTIONS: u32 = 2;

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

/// See the module.
#[derive(Clone, Debug)]
pub struct Memory {
    basis: Option<Basis>,
    corrections: BTreeMap<Field, u32>,
    stopped_at: BTreeMap<Field, u64>,
    equal_since: Option<Moment>,
    /// The state of the last creation.
    pub creation: Creation,
    /// Accepted POSTs since a LIST last showed a webhook of ours.
    pub unseen_creations: u32,
    /// The basis of the last accepted write of the whole header map.
    pub accepted: Option<Basis>,
    /// The last PATCH: when it ended and what the webhook was before.
    pub last_update: Option<(Moment, Fingerprint)>,
    /// A replacement was made for this basis, because a header could not be removed.
    pub replaced: bool,
}

impl Memory {
    /// The memory of a process that meets the object now. `open` is [`super::intent::Intent::is_open`], `corrections`
    /// what status tells of corrections by processes before this one.
    #[must_use]
    pub fn first_met(now: Moment, open: bool, corrections: BTreeMap<Field, u32>, basis: Basis) -> Self {
        Self {
            basis: Some(basis),
            corrections,
            stopped_at: BTreeMap::new(),
            equal_since: None,
            creation: if open { Creation::Pending { since: now } } else { Creation::Settled },
            unseen_creations: 0,
            accepted: None,
            last_update: None,
            replaced: false,
        }
    }

    /// Forgets what was counted for another basis: a changed spec or Secret starts anew.
    pub fn rebase(&mut self, basis: &Basis) {
        if self.basis.as_ref() != Some(basis) {
            self.basis = Some(basis.clone());
            self.corrections.clear();
            self.stopped_at.clear();
            self.replaced = false;
            self.unseen_creations = 0;
        }
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

    /// Counts a PATCH of these fields.
    pub fn corrected<'a>(&mut self, fields: impl IntoIterator<Item = &'a Field>) {
        self.equal_since = None;
        for field in fields {
            *self.corrections.entry(field.clone()).or_insert(0) += 1;
        }
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

    /// Fields that keep coming back: corrected, different again, corrected again.
    #[must_use]
    pub fn recurring(&self) -> Vec<(Field, u32)> {
        let recurs = |(field, count): (&Field, &u32)| (*count >= MAX_CORRECTIONS).then(|| (field.clone(), *count));
        self.corrections.iter().filter_map(recurs).collect()
    }
}
