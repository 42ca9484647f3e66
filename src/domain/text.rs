//! The messages of conditions: stable, without request ids, times or counters, and with the way out where a person is
//! needed.

use super::case::Case;
use super::claim::Foreign;
use super::compare::Difference;
use super::identify::MAX_CANDIDATES;
use super::ids::{ObjectKey, WebhookId};
use super::observed::Webhook;
use super::write::field_list;
use crate::api::project_webhook::AdoptionPolicy;

pub(super) const SYNCED: &str = "the remote equals the spec";
pub(super) const NOT_YET_SHOWN: &str = "the remote accepted the change and does not show it yet";
pub(super) const PENDING: &str = "a creation has no clear result yet; looking for it before trying again";
pub(super) const UNANSWERED: &str =
    "the remote answers no creation clearly, and shows no webhook that one made; trying again, less and less often";
pub(super) const NOT_FOUND: &str =
    "no webhook with this name and URL is there; managementPolicy is Observe, so none is created";
pub(super) const NEVER_LISTED: &str = "the remote accepted the creation twice and never lists the webhook; stopped until \
                                       the spec changes: check there whether the project shows its webhooks to this token";
pub(super) const KEEPS_BEING_DELETED: &str = "the webhook is deleted at the remote after each creation; stopped until the spec changes, or annotation \
     hookwright.dev/correct-drift-requested-at asks for another one: find who or what deletes it there";
pub(super) const DELETED: &str = "the webhook was deleted at the remote; managementPolicy is ReportDrift: change the spec, or \
                                  set annotation hookwright.dev/correct-drift-requested-at, to have it created again";

pub(super) fn observed(differences: &[Difference]) -> String {
    if differences.is_empty() { "found; equals the spec".into() } else { listed("found; differs in ", differences) }
}

pub(super) fn drifted(differences: &[Difference]) -> String {
    listed("the remote differs in ", differences)
        + "; managementPolicy is ReportDrift: change it back there, change the spec, or set annotation \
           hookwright.dev/correct-drift-requested-at"
}

pub(super) fn not_converging(differences: &[Difference]) -> String {
    listed("these fields come back different after each correction: ", differences)
        + "; stopped until the spec or the remote changes: find who or what sets them there, or declare what the remote \
           keeps"
}

pub(super) fn pinned_gone(id: WebhookId) -> String {
    format!("spec.webhookId {id} is not at the remote; correct it, or remove it to have a webhook created")
}

pub(super) fn elsewhere(id: WebhookId) -> String {
    format!(
        "webhook {id} is not there through the connection that spec.connectionRef names now, and nothing is created in its \
         place; point it back, or create another ProjectWebhook and delete this one"
    )
}

pub(super) fn other_creating(other: &ObjectKey) -> String {
    format!("ProjectWebhook {other} is creating a webhook with the same name; waiting to see which is whose")
}

pub(super) fn older_wish(other: &ObjectKey) -> String {
    format!("ProjectWebhook {other} is older and may adopt the webhook with this name; waiting to see whether it does")
}

/// Which there are and what to set. `contested` is an object that may have made one of them.
pub(super) fn adoption_required(case: &Case, lookalikes: &[&Webhook], contested: Option<&ObjectKey>) -> String {
    // Where it is set already and did not help, to advise it would help nobody.
    let adopt = lookalikes.len() == 1
        && contested.is_none()
        && case.adoption != AdoptionPolicy::Adopt
        && !are_half_shown(lookalikes);
    let or_adopt = if adopt { "spec.adoptionPolicy: Adopt to take it over, " } else { "" };
    let whose = contested.map_or_else(String::new, |other| {
        format!(" and that may be ProjectWebhook {other}'s, which is still being created")
    });
    let or_another = if case.adoption == AdoptionPolicy::CreateAnother {
        ""
    } else {
        ", or spec.adoptionPolicy: CreateAnother to create one beside"
    };
    format!(
        "the remote already holds {}{whose}: {}; set {or_adopt}spec.webhookId to hand over exactly one{or_another}",
        count(lookalikes),
        ids(lookalikes),
    )
}

/// One of them may be ours, so that no policy can say what to do.
pub(super) fn unclear(lookalikes: &[&Webhook]) -> String {
    format!(
        "the remote holds {}, and one of them may come from a creation without a clear result: {}; set spec.webhookId to \
         hand over exactly one, and delete the others there",
        count(lookalikes),
        ids(lookalikes),
    )
}

pub(super) fn too_many_alike() -> String {
    format!(
        "the remote already holds more than {MAX_CANDIDATES} webhooks with this name and URL, and nothing is created beside so \
         many; change spec.name, or delete there those that nobody needs"
    )
}

fn count(lookalikes: &[&Webhook]) -> String {
    let what = match lookalikes.len() {
        1 => "a webhook".to_owned(),
        count => format!("{count} webhooks"),
    };
    let as_shown = if are_half_shown(lookalikes) { ", as far as the remote shows them," } else { "" };
    format!("{what} with this name and URL{as_shown} that nobody claims")
}

/// Whether it can't be known for all of them that they have this name and URL.
fn are_half_shown(lookalikes: &[&Webhook]) -> bool {
    lookalikes.iter().any(|webhook| webhook.name.is_none() || webhook.url.is_none())
}

fn ids(lookalikes: &[&Webhook]) -> String {
    lookalikes.iter().take(10).map(|webhook| webhook.id.to_string()).collect::<Vec<_>>().join(", ")
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
