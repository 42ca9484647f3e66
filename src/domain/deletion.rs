//! The plan for an object that is going: what has to happen at the remote before its finalizer may be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::desired::Changes;
use super::identify::{Case, View};
use super::ids::WebhookId;
use super::marker::SeenMarker;
use super::memory::{Creation, Memory};
use super::observed::{SeenValue, Webhook};
use super::plan::{Timing, Write, patience};
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

/// Plans the end. It looks only at markers and status: a spec that has become invalid never blocks a deletion.
#[must_use]
pub fn plan_deletion(
    case: &Case,
    policy: Option<DeletionPolicy>,
    view: &View<'_>,
    memory: &Memory,
    done: &Done,
    timing: Timing,
) -> DeletionPlan {
    // Recorded, but with the marker of somebody else: never touched, and named at the end.
    let mut left: BTreeMap<WebhookId, &Webhook> = BTreeMap::new();
    let mut ours: BTreeMap<WebhookId, &Webhook> =
        view.marked(&case.marker).map(|webhook| (webhook.id, webhook)).collect();
    if let Some(id) = case.owned_id()
        && !ours.contains_key(&id)
        && !done.deleted.contains(&id)
    {
        match (view.webhooks.iter().find(|webhook| webhook.id == id), view.looked_up) {
            (Some(webhook), _) | (None, Some((_, Some(webhook)))) if webhook.id == id => {
                let ours = if matches!(webhook.marker, SeenMarker::Shown(_)) { &mut left } else { &mut ours };
                ours.insert(id, webhook);
            }
            (None, Some((asked, None))) if asked == id => {}
            _ => return DeletionPlan::Ask(id),
        }
    }
    ours.retain(|id, _| !done.deleted.contains(id));
    if case.management == ManagementPolicy::Observe {
        return DeletionPlan::Release { orphans: ours.into_keys().chain(left.into_keys()).collect() };
    }
    let policy = effective_policy(policy, case.recorded.map(|(_, ownership)| ownership));
    match policy {
        DeletionPolicy::Delete => {
            if let Some(id) = ours.keys().next() {
                return DeletionPlan::Write(Write::Delete { id: *id });
            }
        }
        DeletionPolicy::Orphan => {
            let marked = |webhook: &&&Webhook| webhook.marker.is(&case.marker) && !done.unmarked.contains(&webhook.id);
            if let Some(webhook) = ours.values().find(marked)
                && let Some(changes) = without_marker(webhook)
            {
                return DeletionPlan::Write(Write::Unmark { id: webhook.id, changes });
            }
        }
    }
    if let Creation::Pending { since } = memory.creation
        && ours.is_empty()
    {
        let waited = view.begun.since(since);
        if waited < timing.settle {
            return DeletionPlan::Wait(patience(waited));
        }
    }
    DeletionPlan::Release { orphans: ours.into_keys().chain(left.into_keys()).collect() }
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
