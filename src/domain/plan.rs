//! The plan: what one look at the remote asks for, as a value. Its one text serves logs, Events and `hookwright plan`.

use std::fmt;
use std::time::Duration;

use super::compare::{Difference, Field, Masked, changes, differences};
use super::desired::{Changes, Desired};
use super::identify::{Case, Foreign, Identity, Rivals, View, identify};
use super::ids::WebhookId;
use super::marker::{MARKER_HEADER, SeenMarker};
use super::memory::{Creation, MAX_UNSEEN_CREATIONS, Memory};
use super::observed::Webhook;
use crate::api::condition::Reason;
use crate::api::project_webhook::{AdoptionPolicy, ManagementPolicy, Ownership};

/// One write to the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// POST a webhook. `replaces` is the one that will be superseded, because a header could not be removed from it.
    Create {
        /// Display name, for the text.
        name: String,
        /// Receiver's host, for the text.
        host: String,
        /// The webhook that this one replaces.
        replaces: Option<WebhookId>,
    },
    /// PATCH the fields that differ.
    Update {
        /// Which webhook.
        id: WebhookId,
        /// What to send.
        changes: Changes,
        /// Why: the fields that differ.
        fields: Vec<Field>,
    },
    /// DELETE a webhook that we created too often, or that was replaced.
    RemoveDuplicate {
        /// Which webhook.
        id: WebhookId,
        /// The one that stays.
        keep: WebhookId,
    },
    /// DELETE the object's webhook.
    Delete {
        /// Which webhook.
        id: WebhookId,
    },
    /// PATCH the headers without our marker: the webhook is left to others.
    Unmark {
        /// Which webhook.
        id: WebhookId,
        /// What to send.
        changes: Changes,
    },
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, host, replaces: None } => write!(f, "create webhook {name:?} for {host}"),
            Self::Create { name, host, replaces: Some(old) } => {
                write!(f, "create webhook {name:?} for {host} in place of {old}, which keeps a removed header")
            }
            Self::Update { id, changes: _, fields } => write!(f, "update webhook {id}: {}", field_list(fields)),
            Self::RemoveDuplicate { id, keep } => write!(f, "delete duplicate webhook {id}, keep {keep}"),
            Self::Delete { id } => write!(f, "delete webhook {id}"),
            Self::Unmark { id, changes: _ } => write!(f, "remove header {MARKER_HEADER} from webhook {id}"),
        }
    }
}

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
    match identify(case, desired, view, rivals) {
        Identity::Ask(id) => Plan::Ask(id),
        Identity::Mine { webhook, ownership, surplus } => {
            memory.creation = Creation::Settled;
            memory.unseen_creations = 0;
            keep(case, desired, view, memory, timing, webhook, ownership, &surplus)
        }
        Identity::PinnedGone(id) => rest(Reason::WebhookNotFound, pinned_gone(id)),
        Identity::Elsewhere(id) => rest(Reason::WebhookNotFound, elsewhere(id)),
        Identity::Foreign(id, whose) => rest(Reason::Conflict, conflict(id, &whose)),
        Identity::OtherCreating(other) => waiting(
            format!("ProjectWebhook {other} is creating a webhook with the same name; waiting to see which is whose"),
            Duration::from_secs(2),
        ),
        Identity::Lookalikes(found) => absent(case, desired, view, memory, timing, &found),
        Identity::Nothing => absent(case, desired, view, memory, timing, &[]),
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are the one situation; a struct would be used once")]
fn keep<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    memory: &mut Memory,
    timing: Timing,
    webhook: &'a Webhook,
    ownership: Ownership,
    surplus: &[WebhookId],
) -> Plan<'a> {
    let here = Some((webhook, ownership));
    if case.management == ManagementPolicy::Observe {
        let differences = differences(desired, webhook, Masked::Accepted);
        let message = if differences.is_empty() {
            "found; equals the spec".into()
        } else {
            listed("found; differs in ", &differences)
        };
        return Plan::Rest(Rest { reason: Reason::Observed, message, webhook: here, differences, again: None });
    }
    if let Some(id) = surplus.first() {
        return Plan::Write(Write::RemoveDuplicate { id: *id, keep: webhook.id });
    }
    let accepted = memory.accepted.as_ref() == Some(&case.basis) || case.applied.as_ref() == Some(&case.basis);
    let masked = if accepted { Masked::Accepted } else { Masked::Unknown };
    let differences = differences(desired, webhook, masked);
    if differences.is_empty() {
        memory.seen_equal(view.begun, timing.interval);
        let message = "the remote equals the spec".into();
        return Plan::Rest(Rest { reason: Reason::Synced, message, webhook: here, differences, again: None });
    }
    let newer = case.applied.as_ref() != Some(&case.basis);
    if case.management == ManagementPolicy::ReportDrift && !newer && !case.correction_requested {
        let message = listed("the remote differs in ", &differences)
            + "; managementPolicy is ReportDrift: change it back there, change the spec, or set annotation \
               hookwright.dev/correct-drift-requested-at";
        return Plan::Rest(Rest { reason: Reason::Drifted, message, webhook: here, differences, again: None });
    }
    if let Some((ended, before)) = memory.last_update
        && before == webhook.fingerprint()
        && view.begun.since(ended) < timing.settle
    {
        let message = "the remote accepted the change and does not show it yet".into();
        let again = Some(patience(view.begun.since(ended)));
        return Plan::Rest(Rest { reason: Reason::Progressing, message, webhook: here, differences, again });
    }
    correct(case, desired, memory, webhook, ownership, differences)
}

/// Corrects what was not corrected too often; replaces where only surplus headers are left that do not go away.
fn correct<'a>(
    case: &Case,
    desired: &Desired,
    memory: &mut Memory,
    webhook: &'a Webhook,
    ownership: Ownership,
    differences: Vec<Difference>,
) -> Plan<'a> {
    let (stuck, open): (Vec<_>, Vec<_>) = differences.iter().partition(|d| memory.is_exhausted(d, webhook));
    if open.is_empty() {
        let replaceable = ownership == Ownership::Created && case.pinned.is_none() && !memory.replaced;
        if replaceable && stuck.iter().all(|difference| difference.is_surplus_header()) {
            return Plan::Write(create(desired, Some(webhook.id)));
        }
        let message = listed("these fields come back different after each correction: ", &differences)
            + "; stopped until the spec or the remote changes: find who or what sets them there, or declare what the remote keeps";
        let webhook = Some((webhook, ownership));
        return Plan::Rest(Rest { reason: Reason::NotConverging, message, webhook, differences, again: None });
    }
    let fields: Vec<_> = open.into_iter().map(|difference| difference.field.clone()).collect();
    let ours = webhook.marker.is(&case.marker) || (case.marking || webhook.marker == SeenMarker::Masked);
    let marker = (ownership == Ownership::Created && ours).then_some(&case.marker);
    let changes = changes(desired, &fields, marker);
    Plan::Write(Write::Update { id: webhook.id, changes, fields })
}

/// Nothing of ours is there.
fn absent<'a>(
    case: &Case,
    desired: &Desired,
    view: &View<'a>,
    memory: &mut Memory,
    timing: Timing,
    lookalikes: &[&'a Webhook],
) -> Plan<'a> {
    if case.management == ManagementPolicy::Observe {
        return rest(
            Reason::Drifted,
            "no webhook with this name and URL is there; managementPolicy is Observe, so none is created".into(),
        );
    }
    if let Creation::Pending { since } = memory.creation {
        let waited = view.begun.since(since);
        if waited < timing.settle {
            return waiting(
                "a creation has no clear result yet; looking for it before trying again".into(),
                patience(waited),
            );
        }
        memory.creation = Creation::Settled;
    }
    if !lookalikes.is_empty() {
        return adopt(case, desired, memory, lookalikes);
    }
    if memory.unseen_creations >= MAX_UNSEEN_CREATIONS {
        let message = "the remote accepted the creation twice and never lists the webhook; stopped until the spec changes: \
                       check there whether the project shows its webhooks to this token";
        return rest(Reason::NotConverging, message.into());
    }
    let newer = case.applied.as_ref() != Some(&case.basis);
    if case.management == ManagementPolicy::ReportDrift && !newer && !case.correction_requested {
        let message = "the webhook was deleted at the remote; managementPolicy is ReportDrift: change the spec, or set \
                       annotation hookwright.dev/correct-drift-requested-at, to have it created again";
        return rest(Reason::Drifted, message.into());
    }
    Plan::Write(create(desired, None))
}

fn adopt<'a>(case: &Case, desired: &Desired, memory: &mut Memory, lookalikes: &[&'a Webhook]) -> Plan<'a> {
    if let ([webhook], AdoptionPolicy::Adopt) = (lookalikes, case.adoption)
        && webhook.marker == SeenMarker::Absent
    {
        let found = differences(desired, webhook, Masked::Unknown);
        if found.is_empty() {
            let message = "the remote equals the spec".into();
            let here = Some((*webhook, Ownership::Adopted));
            return Plan::Rest(Rest {
                reason: Reason::Synced,
                message,
                webhook: here,
                differences: found,
                again: None,
            });
        }
        return correct(case, desired, memory, webhook, Ownership::Adopted, found);
    }
    let ids: Vec<_> = lookalikes.iter().take(10).map(|webhook| webhook.id.to_string()).collect();
    let (what, or_adopt) = match lookalikes.len() {
        1 => ("a webhook".to_owned(), "spec.adoptionPolicy: Adopt to take it over, "),
        count => (format!("{count} webhooks"), ""),
    };
    let message = format!(
        "the remote already holds {what} with this name and URL that nobody claims: {}; set {or_adopt}spec.webhookId to hand \
         over exactly one, or spec.adoptionPolicy: CreateAnother to create one beside",
        ids.join(", "),
    );
    rest(Reason::AdoptionRequired, message)
}

fn create(desired: &Desired, replaces: Option<WebhookId>) -> Write {
    Write::Create { name: desired.name.clone(), host: desired.url.host(), replaces }
}

fn rest<'a>(reason: Reason, message: String) -> Plan<'a> {
    Plan::Rest(Rest { reason, message, webhook: None, differences: vec![], again: None })
}

fn waiting<'a>(message: String, again: Duration) -> Plan<'a> {
    Plan::Rest(Rest { reason: Reason::Progressing, message, webhook: None, differences: vec![], again: Some(again) })
}

/// How long to wait before the next look: as long as was waited so far, within bounds.
pub(super) fn patience(waited: Duration) -> Duration {
    waited.clamp(Duration::from_millis(200), Duration::from_secs(5))
}

fn pinned_gone(id: WebhookId) -> String {
    format!("spec.webhookId {id} is not at the remote; correct it, or remove it to have a webhook created")
}

fn elsewhere(id: WebhookId) -> String {
    format!(
        "webhook {id} is not there through the connection that spec.connectionRef names now, and nothing is created in its \
         place; point it back, or create another ProjectWebhook and delete this one"
    )
}

/// Says whose a webhook is and what to do.
#[must_use]
pub fn conflict(id: WebhookId, whose: &Foreign) -> String {
    match whose {
        Foreign::MarkedBy(key) => format!(
            "webhook {id} belongs to ProjectWebhook {key}; delete that one with deletionPolicy: Orphan, or remove this one"
        ),
        Foreign::ClaimedBy(key) => {
            format!(
                "webhook {id} is claimed by ProjectWebhook {key}; remove one of the two, or point one to another webhook"
            )
        }
        Foreign::MarkedElsewhere => format!(
            "webhook {id} carries the marker of an owner that is not in this cluster; if this cluster was restored or renamed, \
             set --cluster-id to the old one's; to take it over, set spec.webhookId: {id} and spec.adoptionPolicy: Adopt; \
             to create one beside it, set spec.adoptionPolicy: CreateAnother"
        ),
    }
}

fn listed(before: &str, differences: &[Difference]) -> String {
    let fields: Vec<_> = differences.iter().map(|difference| difference.field.clone()).collect();
    format!("{before}{}", field_list(&fields))
}

fn field_list(fields: &[Field]) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = fields.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if fields.len() > SHOWN { format!(" and {} more", fields.len() - SHOWN) } else { String::new() };
    names.join(", ") + &more
}
