//! One ProjectWebhook as the cluster tells of it, and the remote as a look shows it: what decisions are made of.

use std::collections::BTreeSet;

use super::ids::{ObjectKey, WebhookId};
use super::intent::Intent;
use super::marker::{Marker, SeenMarker};
use super::memory::Basis;
use super::observed::{SeenValue, Webhook};
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
    /// The webhook's display name, as the spec says it.
    pub name: String,
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

    /// Whether only the Secrets are others than when the remote last equalled the spec.
    #[must_use]
    pub fn is_rotated(&self) -> bool {
        let same_spec = |applied: &&Basis| applied.generation == self.basis.generation;
        self.applied.as_ref().filter(same_spec).is_some_and(|applied| applied.secrets != self.basis.secrets)
    }

    /// Its id.
    #[must_use]
    pub fn owned_id(&self) -> Option<WebhookId> {
        self.owned().map(|(id, _)| id)
    }

    /// Whether something newer than `status.applied` is to be applied, or a correction was asked for: what
    /// `ReportDrift` needs in order to write.
    #[must_use]
    pub fn may_correct(&self) -> bool {
        self.applied.as_ref() != Some(&self.basis) || self.correction_requested
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
    /// Webhooks that we deleted, or that answered 404. Ids are never used again, so a LIST that still shows one lags.
    pub gone: &'a BTreeSet<WebhookId>,
}

impl<'a> View<'a> {
    /// The webhooks of the LIST, as far as it can be believed.
    pub fn listed(&self) -> impl Iterator<Item = &'a Webhook> + use<'a> {
        let gone = self.gone;
        self.webhooks.iter().filter(move |webhook| !gone.contains(&webhook.id))
    }

    pub(super) fn find(&self, id: WebhookId) -> Found<'a> {
        if let Some(webhook) = self.listed().find(|webhook| webhook.id == id) {
            return Found::There(webhook);
        }
        match self.looked_up {
            Some((asked, answer)) if asked == id => answer.map_or(Found::Gone, Found::There),
            _ => Found::Unknown,
        }
    }

    /// All webhooks that carry this marker, each once.
    pub fn marked(&self, marker: &Marker) -> impl Iterator<Item = &'a Webhook> {
        let asked = self.looked_up.and_then(|(_, answer)| answer);
        let mut seen = BTreeSet::new();
        self.listed().chain(asked).filter(move |webhook| webhook.marker.is(marker) && seen.insert(webhook.id))
    }

    /// Whether this webhook may be one that we created, although no marker says so: the remote masks the marker, drops
    /// it, or it was never set. Where the remote shows headers, a marker that was set would be shown.
    #[must_use]
    pub fn may_hide_our_marker(&self, webhook: &Webhook, marking: bool) -> bool {
        match webhook.marker {
            SeenMarker::Shown(_) => false,
            SeenMarker::Masked => true,
            SeenMarker::Absent => !(marking && self.shows_headers()),
        }
    }

    /// Whether the remote may drop our marker alone, and show the other headers: nothing says so, but no webhook shows
    /// any marker. Too little to take a webhook, enough not to take it for somebody else's.
    #[must_use]
    pub fn may_drop_our_marker(&self, webhook: &Webhook) -> bool {
        webhook.marker == SeenMarker::Absent && !self.shows_markers()
    }

    fn shows_markers(&self) -> bool {
        self.listed().any(|webhook| matches!(webhook.marker, SeenMarker::Shown(_)))
    }

    fn shows_headers(&self) -> bool {
        let shown = |value: &SeenValue| matches!(value, SeenValue::Plain(_));
        self.shows_markers() || self.listed().any(|webhook| webhook.headers.values().any(shown))
    }
}

pub(super) enum Found<'a> {
    There(&'a Webhook),
    Gone,
    Unknown,
}
