//! Status, built only from how a pass ended. An unchanged state is an unchanged status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::compare::{Difference, Field, bounded};
use super::memory::Basis;
use super::observed::Webhook;
use super::refusal::Refusal;
use crate::api::condition::{Class, READY, RECONCILING, Reason, STALLED};
use crate::api::project_webhook::{Correction, Drift, Ownership, ProjectWebhookStatus, Remote};

/// Items of a list in status: what the schema allows. The remote may hold more, up to the 4 MiB of its answer, and a status
/// that is refused would leave the one before it, and its Ready=True.
const LISTED: usize = 100;

/// What a pass found out about the remote.
#[derive(Clone, Debug)]
pub enum Finding {
    /// Nothing: it did not get that far.
    Unknown,
    /// There is none that is this object's.
    Absent,
    /// This one, with what differs.
    Present {
        /// The webhook.
        webhook: Box<Webhook>,
        /// How we came by it.
        ownership: Ownership,
        /// In what it differs.
        differences: Vec<Difference>,
    },
}

/// How a pass ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Reason of the conditions.
    pub reason: Reason,
    /// Stable text.
    pub message: String,
    /// What was found.
    pub finding: Finding,
    /// What was to be applied, once that is known.
    pub basis: Option<Basis>,
    /// Fields that keep coming back; `None` leaves status as it was.
    pub recurring: Option<Vec<(Field, u32)>>,
    /// Whether the remote was written to.
    pub wrote: bool,
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        let Refusal { reason, message, retry: _ } = refusal;
        Self { reason, message, finding: Finding::Unknown, basis: None, recurring: None, wrote: false }
    }
}

/// Requests by annotation that stand on the object.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// `hookwright.dev/reconcile-requested-at`.
    pub reconcile: Option<String>,
    /// `hookwright.dev/correct-drift-requested-at`.
    pub correct_drift: Option<String>,
}

/// The status after a pass.
#[must_use]
pub fn next_status(
    before: &ProjectWebhookStatus,
    outcome: &Outcome,
    generation: i64,
    requests: &Requests,
    now: &Time,
) -> ProjectWebhookStatus {
    let mut after = before.clone();
    after.observed_generation = generation;
    after.conditions = conditions(&before.conditions, outcome.reason, &outcome.message, generation, now);
    match &outcome.finding {
        Finding::Unknown => {}
        Finding::Absent => {
            after.remote = None;
            after.drift = gone(outcome.reason);
            // What is owned stays recorded: it is asked for by its id. What was only looked at is no more.
            if after.ownership == Some(Ownership::Observed) {
                (after.webhook_id, after.ownership) = (None, None);
            }
        }
        Finding::Present { webhook, ownership, differences } => {
            after.webhook_id = Some(webhook.id.to_string());
            after.ownership = Some(*ownership);
            after.drift = differences.iter().take(LISTED).map(drift).collect();
            after.remote = Some(remote(webhook));
        }
    }
    if outcome.reason == Reason::Synced {
        after.applied.clone_from(&outcome.basis);
    }
    if let Some(recurring) = &outcome.recurring {
        after.corrections = corrections(recurring);
    }
    if outcome.wrote {
        after.last_applied_time = Some(now.clone());
    }
    after.last_handled_reconcile_at = requests.reconcile.clone().or(after.last_handled_reconcile_at);
    if matches!(outcome.reason, Reason::Synced | Reason::NotConverging) {
        after.last_handled_correct_drift_at = requests.correct_drift.clone().or(after.last_handled_correct_drift_at);
    }
    // The remote's own timestamps and order change without meaning: they are no reason to write.
    let only_remote = ProjectWebhookStatus { remote: before.remote.clone(), ..after.clone() } == *before;
    if only_remote { before.clone() } else { after }
}

/// The conditions of an object: `Ready` always, `Reconciling` and `Stalled` only while True (kstatus). The transition
/// time moves only with the status (Kubernetes API conventions).
#[must_use]
pub fn conditions(before: &[Condition], reason: Reason, message: &str, generation: i64, now: &Time) -> Vec<Condition> {
    let make = |type_: &str, status: &str| {
        let since =
            before.iter().find(|c| c.type_ == type_ && c.status == status).map(|c| c.last_transition_time.clone());
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.as_str().into(),
            // The API's own bound on a condition's message.
            message: message.chars().take(4096).collect(),
            observed_generation: Some(generation),
            last_transition_time: since.unwrap_or_else(|| now.clone()),
        }
    };
    match reason.class() {
        Class::Ready => vec![make(READY, "True")],
        Class::Mending => vec![make(READY, "False"), make(RECONCILING, "True")],
        Class::Stalled => vec![make(READY, "False"), make(STALLED, "True")],
    }
}

/// The reason that the conditions give now, for telling transitions.
#[must_use]
pub fn current_reason(conditions: &[Condition]) -> Option<Reason> {
    let ready = conditions.iter().find(|condition| condition.type_ == READY)?;
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == ready.reason)
}

/// The webhook itself comes first: that creations were given up is what the next process must not miss.
fn corrections(recurring: &[(Field, u32)]) -> Vec<Correction> {
    let (webhook, fields): (Vec<_>, Vec<_>) = recurring.iter().partition(|(field, _)| *field == Field::Webhook);
    let told = webhook.into_iter().chain(fields).take(LISTED);
    told.map(|(field, count)| Correction { field: field.to_string(), count: *count }).collect()
}

fn drift(difference: &Difference) -> Drift {
    let Difference { field, desired, actual } = difference;
    Drift { field: field.to_string(), desired: desired.clone(), actual: actual.clone() }
}

fn gone(reason: Reason) -> Vec<Drift> {
    let missing = Drift { field: "webhook".into(), desired: "(present)".into(), actual: "(absent)".into() };
    if reason == Reason::Drifted { vec![missing] } else { vec![] }
}

/// The webhook without anything secret.
fn remote(webhook: &Webhook) -> Remote {
    let Webhook { id: _, name, url, headers, marker: _, active, events, created_at, updated_at } = webhook;
    Remote {
        name: name.as_deref().map(bounded).unwrap_or_default(),
        url_host: url.as_ref().map(|url| bounded(&url.host())).unwrap_or_default(),
        active: *active,
        events: events.iter().flatten().take(LISTED).map(|event| bounded(event)).collect(),
        header_names: headers.keys().take(LISTED).map(|name| bounded(name.as_str())).collect(),
        created_at: created_at.as_deref().map(bounded),
        updated_at: updated_at.as_deref().map(bounded),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::fixture::{bare, basis, ours};
    use crate::domain::observed::HeaderName;
    use std::collections::BTreeSet;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn synced(webhook: &Webhook) -> Outcome {
        Outcome {
            reason: Reason::Synced,
            message: "the remote equals the spec".into(),
            finding: Finding::Present {
                webhook: Box::new(webhook.clone()),
                ownership: Ownership::Created,
                differences: vec![],
            },
            basis: Some(basis(1)),
            recurring: Some(vec![]),
            wrote: false,
        }
    }

    fn absent(reason: Reason) -> Outcome {
        Outcome { reason, finding: Finding::Absent, ..synced(&ours(1)) }
    }

    fn after(before: &ProjectWebhookStatus, outcome: &Outcome) -> ProjectWebhookStatus {
        next_status(before, outcome, 1, &Requests::default(), &at(9))
    }

    #[test]
    fn an_unchanged_state_is_an_unchanged_status() {
        let before = next_status(&ProjectWebhookStatus::default(), &synced(&ours(1)), 1, &Requests::default(), &at(1));
        assert_eq!(after(&before, &synced(&ours(1))), before);
    }

    #[test]
    fn what_the_remote_alone_changes_is_written_only_with_another_change() {
        let before = after(&ProjectWebhookStatus::default(), &synced(&ours(1)));
        let touched = Webhook { updated_at: Some("2026-02-02T00:00:00Z".into()), ..ours(1) };
        assert_eq!(after(&before, &synced(&touched)), before);
        let changed = after(&before, &Outcome { wrote: true, ..synced(&touched) });
        assert_eq!(changed.remote.unwrap().updated_at, touched.updated_at);
    }

    #[test]
    fn applied_moves_only_when_the_remote_was_seen_to_equal_the_spec() {
        let drifted = Outcome { reason: Reason::Drifted, ..synced(&ours(1)) };
        let before = after(&ProjectWebhookStatus::default(), &drifted);
        assert_eq!(before.applied, None);
        assert_eq!(after(&before, &synced(&ours(1))).applied, Some(basis(1)));
    }

    #[test]
    fn an_owned_webhook_stays_recorded_when_it_is_not_seen_and_an_observed_one_does_not() {
        let created = after(&ProjectWebhookStatus::default(), &synced(&ours(1)));
        let gone = after(&created, &absent(Reason::Drifted));
        assert_eq!((gone.webhook_id, gone.ownership, gone.remote), (created.webhook_id, created.ownership, None));
        assert_eq!(gone.drift[0].field, "webhook");
        let mut observed = synced(&bare(1));
        observed.finding =
            Finding::Present { webhook: Box::new(bare(1)), ownership: Ownership::Observed, differences: vec![] };
        let gone = after(&after(&ProjectWebhookStatus::default(), &observed), &absent(Reason::Drifted));
        assert_eq!((gone.webhook_id, gone.ownership), (None, None));
    }

    #[test]
    fn a_requested_correction_is_handled_when_it_is_done_or_given_up() {
        let requests = Requests { reconcile: Some("r".into()), correct_drift: Some("c".into()) };
        for (reason, handled) in
            [(Reason::Progressing, None), (Reason::Synced, Some("c")), (Reason::NotConverging, Some("c"))]
        {
            let outcome = Outcome { reason, ..synced(&ours(1)) };
            let status = next_status(&ProjectWebhookStatus::default(), &outcome, 1, &requests, &at(1));
            assert_eq!(status.last_handled_correct_drift_at.as_deref(), handled, "{reason}");
            assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("r"));
        }
    }

    #[test]
    fn a_refusal_leaves_what_is_known_of_the_remote() {
        let before = after(&ProjectWebhookStatus::default(), &synced(&ours(1)));
        let refused = after(&before, &Refusal::mending(Reason::RateLimited, "429").into());
        assert_eq!(
            (refused.webhook_id, refused.remote, refused.applied),
            (before.webhook_id, before.remote, before.applied)
        );
    }

    #[test]
    fn lists_are_cut_and_what_must_not_be_missed_comes_first() {
        let name = |n: usize| format!("X-{n:05}");
        let surplus = |n| Difference {
            field: Field::Header(HeaderName::new(name(n))),
            desired: "(absent)".into(),
            actual: "(present)".into(),
        };
        let finding = Finding::Present {
            webhook: Box::new(ours(1)),
            ownership: Ownership::Created,
            differences: (0..5000).map(surplus).collect(),
        };
        let mut recurring: Vec<_> = (0..5000).map(|n| (surplus(n).field, 2)).collect();
        recurring.push((Field::Webhook, 1));
        let outcome = Outcome { finding, recurring: Some(recurring), ..synced(&ours(1)) };
        let status = after(&ProjectWebhookStatus::default(), &outcome);
        assert_eq!((status.drift.len(), status.drift[0].field.as_str()), (100, "headers[X-00000]"));
        assert_eq!((status.corrections.len(), status.corrections[0].field.as_str()), (100, "webhook"));
    }

    #[test]
    fn what_the_remote_does_not_show_is_not_made_up() {
        let hidden = Webhook { name: None, url: None, active: None, events: None, ..ours(1) };
        let remote = after(&ProjectWebhookStatus::default(), &synced(&hidden)).remote.unwrap();
        let json = serde_json::to_value(&remote).unwrap();
        assert_eq!(json.get("active"), None);
        assert_eq!((json["name"].as_str(), json["urlHost"].as_str()), (Some(""), Some("")));
    }

    #[test]
    fn status_shows_no_url_and_no_header_value() {
        let status = serde_json::to_string(&after(&ProjectWebhookStatus::default(), &synced(&ours(1)))).unwrap();
        assert!(status.contains("hooks.example.com") && status.contains("X-Team"), "{status}");
        assert!(!status.contains("canary"), "{status}");
    }

    #[test]
    fn status_stays_within_its_bounds_whatever_the_remote_holds() {
        use crate::domain::compare::{Masked, differences};
        use crate::domain::fixture::{desired, with_header};
        let mut huge = ours(1);
        huge.name = Some("n".repeat(1000));
        huge.created_at = Some("2".repeat(1000));
        huge.url = Some(crate::domain::secret::ReceiverUrl::new(format!("https://{}/", "h.".repeat(500))));
        huge.events = Some((0..500).map(|n| format!("{n}{}", "e".repeat(1000))).collect());
        huge = (0..500).fold(huge, |webhook, n| with_header(webhook, &format!("X-{n}-{}", "x".repeat(1000))));
        let differences = differences(&desired(), &huge, Masked::Accepted);
        let recurring = differences.iter().map(|difference| (difference.field.clone(), 2)).collect();
        let mut outcome = Outcome { reason: Reason::NotConverging, recurring: Some(recurring), ..synced(&huge) };
        let webhook = Box::new(huge.clone());
        outcome.finding = Finding::Present { webhook, ownership: Ownership::Created, differences };
        let status = after(&ProjectWebhookStatus::default(), &outcome);
        let remote = status.remote.unwrap();
        for list in [&remote.events, &remote.header_names] {
            assert!(list.len() == 100 && list.iter().all(|text| text.chars().count() <= 257));
        }
        for text in [&remote.name, &remote.url_host, remote.created_at.as_ref().unwrap()] {
            assert_eq!(text.chars().count(), 257, "{text}");
        }
        assert_eq!((status.drift.len(), status.corrections.len()), (100, 100));
        assert!(status.corrections.iter().all(|correction| correction.field.chars().count() <= 300));
        for drift in &status.drift {
            assert!(drift.field.chars().count() <= 300);
            assert!([&drift.desired, &drift.actual].iter().all(|text| text.chars().count() <= 257));
        }
    }

    #[test]
    fn every_reason_is_exactly_one_state_of_kstatus() {
        for reason in Reason::ALL {
            let types: BTreeSet<_> =
                conditions(&[], *reason, "m", 1, &at(0)).into_iter().map(|c| (c.type_, c.status)).collect();
            let pair = |type_: &str, status: &str| (type_.to_owned(), status.to_owned());
            let expected = match reason.class() {
                Class::Ready => BTreeSet::from([pair("Ready", "True")]),
                Class::Mending => BTreeSet::from([pair("Ready", "False"), pair("Reconciling", "True")]),
                Class::Stalled => BTreeSet::from([pair("Ready", "False"), pair("Stalled", "True")]),
            };
            assert_eq!(types, expected, "{reason}");
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = conditions(&[], Reason::Drifted, "a", 1, &at(1));
        let second = conditions(&first, Reason::Conflict, "b", 2, &at(2));
        assert_eq!(second[0].last_transition_time, at(1));
        let third = conditions(&second, Reason::Synced, "c", 2, &at(3));
        assert_eq!(third[0].last_transition_time, at(3));
    }
}
