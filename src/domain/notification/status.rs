//! Status of a TaskNotification, built only from how a pass ended. An unchanged state is an unchanged status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::compare::{Comparison, Difference, Shown};
use crate::api::condition::Reason;
use crate::api::task_notification::{ChannelStatus, TaskNotificationStatus};
use crate::domain::refusal::Refusal;
use crate::domain::status::conditions;

/// Most fields that a message names; `status.drift` has them all.
const NAMED: usize = 5;
/// Most entries of a list in the status, which the schema bounds.
const MAX_ENTRIES: usize = 64;

/// How a pass ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Reason of the conditions.
    pub reason: Reason,
    /// Stable text.
    pub message: String,
    /// What the remote shows; `None` if the pass did not get that far.
    pub found: Option<Comparison>,
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        let Refusal { reason, message, retry: _ } = refusal;
        Self { reason, message, found: None }
    }
}

/// What a comparison means.
#[must_use]
pub fn outcome(found: Comparison) -> Outcome {
    let Comparison { differences, channels: _, hidden_secrets } = &found;
    let (reason, mut message) = if differences.is_empty() {
        (Reason::Synced, "the task's notifications equal the spec".to_owned())
    } else {
        let fields: Vec<_> = differences.iter().take(NAMED).map(|difference| difference.field.as_str()).collect();
        let more =
            if differences.len() > NAMED { format!(" and {} more", differences.len() - NAMED) } else { String::new() };
        let message = format!(
            "the remote differs in {}{more}, and has no API to change it: change it at the console of CodeArts Check as \
             status.drift says, or correct the spec",
            fields.join(", ")
        );
        (Reason::ManualChangeRequired, message)
    };
    if differences.iter().any(|difference| difference.field.ends_with(".secret")) {
        message += "; where the service hides a secret that is set, leave secretFrom out";
    }
    if !hidden_secrets.is_empty() {
        message +=
            &format!("; the remote does not show the secret of {}, which was not compared", hidden_secrets.join(", "));
    }
    Outcome { reason, message, found: Some(found) }
}

/// The status after a pass. `requested` is the annotation that asked for it.
#[must_use]
pub fn next_status(
    before: &TaskNotificationStatus,
    outcome: &Outcome,
    generation: i64,
    requested: Option<&String>,
    now: &Time,
) -> TaskNotificationStatus {
    let mut after = before.clone();
    after.observed_generation = generation;
    after.conditions = conditions(&before.conditions, outcome.reason, &outcome.message, generation, now);
    if let Some(Comparison { differences, channels, hidden_secrets: _ }) = &outcome.found {
        after.drift = differences.iter().take(MAX_ENTRIES).map(drift).collect();
        after.channels = channels.iter().take(MAX_ENTRIES).map(channel).collect();
    }
    after.last_handled_reconcile_at = requested.cloned().or(after.last_handled_reconcile_at);
    after
}

fn drift(difference: &Difference) -> crate::api::project_webhook::Drift {
    let Difference { field, desired, actual } = difference.clone();
    crate::api::project_webhook::Drift { field, desired, actual }
}

fn channel(shown: &Shown) -> ChannelStatus {
    let Shown { kind, in_sync, enabled, url_host, notify } = shown.clone();
    ChannelStatus { type_: kind, in_sync, enabled, url_host, notify }
}

#[cfg(test)]
mod tests;
