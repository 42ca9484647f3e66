//! IO: the project's shared LIST, and a GET for a webhook that it should show and does not.

use std::sync::Arc;

use super::need::Need;
use super::secrets::secrets;
use super::{Observed, ProjectWebhookKind, Resolved};
use crate::api::condition::Reason;
use crate::controller::connections::Live;
use crate::controller::gathering::Company;
use crate::controller::kind::Pass;
use crate::controller::refuse::{Halt, Withheld, reason_of, remote};
use crate::controller::snapshot::{Asker, NoList, Snapshot};
use crate::controller::verdict;
use crate::domain::ids::WebhookId;
use crate::domain::observed::Webhook;
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::schedule::least_interval;
use crate::domain::time::Moment;
use crate::remote::error::{RemoteError, RetryClass};
use crate::remote::pace::Priority;

pub(super) async fn observe(
    pass: &mut Pass<'_, ProjectWebhookKind>,
    resolved: &Resolved,
    ask: Option<WebhookId>,
) -> Result<Observed, Halt> {
    verdict::admit(pass.context, &resolved.live)?;
    let (begun_after, priority) = match ask {
        None => wanted(pass, resolved).await,
        // The LIST is the one that raised the question.
        Some(_) => (pass.memory.look_after, Priority::Urgent),
    };
    let Resolved { live, path, project, .. } = resolved;
    let clock = &pass.context.clock;
    let tell = |other| pass.context.triggers.project_webhook(other);
    let asker = Asker { object: &pass.key, priority, company: company(pass, ask), tell: &tell };
    let listed = project.list(resolved.remote(), path, begun_after, asker, clock).await;
    let snapshot = listed.map_err(|none| no_list(pass, resolved, none))?;
    pass.memory.asked = None;
    verdict::accepted(pass.context, live);
    with_looked_up(pass, resolved, snapshot, ask).await
}

/// The LIST, and beside it the webhook that was asked for by its id. What the remote says to such a GET is not repeated: it
/// may quote the webhook, and the LIST does not show what that holds.
pub(super) async fn with_looked_up(
    pass: &Pass<'_, ProjectWebhookKind>,
    resolved: &Resolved,
    snapshot: Arc<Snapshot>,
    ask: Option<WebhookId>,
) -> Result<Observed, Halt> {
    let Resolved { live, app_maker, path, .. } = resolved;
    let looked_up: Option<(WebhookId, Option<Webhook>)> = match ask {
        None => None,
        Some(id) => {
            let answer = app_maker.get(path, id, Priority::Urgent).await;
            Some((
                id,
                answer
                    .map_err(|error| failed_with(pass, live, &error, Reason::WebhookNotFound, Withheld::Everything))?,
            ))
        }
    };
    Ok(Observed { snapshot, looked_up })
}

/// Whom the LIST may wait for: objects that are applied together need one before the first creation, and one after the
/// last. What changes a webhook that is known does not wait, but the look after it does.
fn company(pass: &Pass<'_, ProjectWebhookKind>, ask: Option<WebhookId>) -> Option<(Company, bool)> {
    let newcomer = pass.status.webhook_id.is_none() && !pass.wrote;
    let company = pass.context.index.company(&pass.key).filter(|_| ask.is_none() && (newcomer || pass.wrote))?;
    Some((company, newcomer))
}

/// Whether a person asks for a look, and this pass has not looked yet.
fn is_asked(pass: &Pass<'_, ProjectWebhookKind>) -> bool {
    !pass.wrote && pass.status.last_handled_reconcile_at != super::requests(pass.object).reconcile
}

/// How new the LIST has to be, and who it is for: see [`Need`]. One that has written needs one that shows the write.
async fn wanted(pass: &mut Pass<'_, ProjectWebhookKind>, resolved: &Resolved) -> (Moment, Priority) {
    if is_asked(pass) {
        resolved.project.retry_now().await;
    }
    let now = pass.context.clock.now();
    let due = wind(pass, resolved, now);
    let Resolved { live, basis, .. } = resolved;
    let correct_drift = super::requests(pass.object).correct_drift;
    let at_rest = pass.status.applied.as_ref() == Some(basis)
        && !is_asked(pass)
        && pass.status.last_handled_correct_drift_at == correct_drift;
    let need = if is_asked(pass) {
        // The same moment as long as it waits, or the LIST that others have meanwhile would never be new enough.
        Need::Since(*pass.memory.asked.get_or_insert(now))
    } else if live.credentials.are_rejected() {
        // What is known already would not tell whether credentials work again.
        Need::Since(now)
    } else if at_rest {
        Need::AtRest
    } else if pass.status.webhook_id.is_some() {
        Need::Known
    } else {
        Need::Newcomer { since: pass.context.index.since(&pass.key) }
    };
    let priority = if at_rest && !pass.wrote { Priority::Periodic } else { Priority::Urgent };
    (need.begun_after(due, now).max(pass.memory.look_after), priority)
}

/// Winds the project's timer up if it is due: the moment since when it was.
pub(super) fn wind(pass: &Pass<'_, ProjectWebhookKind>, resolved: &Resolved, now: Moment) -> Option<Moment> {
    let Resolved { live, project, timing, .. } = resolved;
    let least =
        || least_interval(pass.context.snapshots.count(&live.key), live.declared.spec.rate_limit.requests_per_second);
    project.due(&pass.key, timing.interval, now, least, &pass.context.metrics)
}

pub(super) fn no_list(pass: &Pass<'_, ProjectWebhookKind>, resolved: &Resolved, none: NoList) -> Halt {
    let failed = match none {
        NoList::Gathering(wait) => return Halt::Gathering(wait),
        NoList::Failed(failed) => failed,
    };
    // It may quote any webhook of the project, and the secrets of the others are not known here.
    match failed_with(pass, &resolved.live, &failed.error, Reason::ProjectNotFound, Withheld::Everything) {
        // All users of the LIST come back together, when it is worth it.
        Halt::Refused(refusal) if failed.error.retry() != RetryClass::Person => {
            Refusal { retry: Retry::After(failed.again), ..refusal }.into()
        }
        other => other,
    }
}

/// What a failed write means, for the object and for its connection. `observed` is what was seen before it.
pub(super) fn write_failed(
    pass: &Pass<'_, ProjectWebhookKind>,
    resolved: &Resolved,
    observed: &Observed,
    error: &RemoteError,
    on_404: Reason,
) -> Halt {
    let secrets = secrets(resolved, observed);
    let withheld = secrets.as_deref().map_or(Withheld::Everything, Withheld::These);
    failed_with(pass, &resolved.live, error, on_404, withheld)
}

fn failed_with(
    pass: &Pass<'_, ProjectWebhookKind>,
    live: &Live,
    error: &RemoteError,
    on_404: Reason,
    withheld: Withheld<'_>,
) -> Halt {
    let reason = reason_of(error, on_404);
    verdict::unauthorized(pass.context, live, error).unwrap_or_else(|| remote(error, reason, advice(reason), withheld))
}

const fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Forbidden => "; give the token's user the permission to manage the project's webhooks",
        Reason::ProjectNotFound => {
            "; correct spec.organizationId and spec.projectId, or give the token access to the project"
        }
        Reason::RemoteRejected => "; correct the spec",
        _ => "",
    }
}
