//! IO: the project's shared LIST, and a GET for a webhook that it should show and does not.

use std::time::Duration;

use super::{Observed, ProjectWebhookKind, Resolved, Texts};
use crate::api::condition::Reason;
use crate::controller::connections::Live;
use crate::controller::gathering::Company;
use crate::controller::kind::Pass;
use crate::controller::refuse::{Halt, reason_of, remote};
use crate::controller::snapshot::{Asker, FRESH, NoList};
use crate::controller::verdict;
use crate::domain::ids::WebhookId;
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::secret::{SecretText, hidden_parts};
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
    let looked_up = match ask {
        None => None,
        Some(id) => {
            let answer = resolved.app_maker.get(path, id, Priority::Urgent).await;
            Some((id, answer.map_err(|error| call_failed(pass, resolved, &error, Reason::WebhookNotFound))?))
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

/// How new the LIST has to be. An object that is at rest takes what the project's timer brings; one that may write
/// needs a fresh one; one that has no webhook yet, one that began after it was as it is; and one that has written, one that
/// shows the write.
async fn wanted(pass: &mut Pass<'_, ProjectWebhookKind>, resolved: &Resolved) -> (Moment, Priority) {
    if is_asked(pass) {
        resolved.project.retry_now().await;
    }
    let Resolved { live, project, basis, timing, .. } = resolved;
    let context = pass.context;
    let now = context.clock.now();
    // Half of the rate is for looking; the other half stays for writes.
    let rate = f64::from(live.declared.spec.rate_limit.requests_per_second) / 2.0;
    let least = || Duration::from_secs_f64(context.snapshots.count(&live.key) as f64 / rate);
    let due = project.due(&pass.key, timing.interval, now, least, &context.metrics);
    let correct_drift = super::requests(pass.object).correct_drift;
    let at_rest = pass.status.applied.as_ref() == Some(basis)
        && !is_asked(pass)
        && pass.status.last_handled_correct_drift_at == correct_drift;
    let base = match due {
        Some(due) => due,
        // What is known already would be no answer to who asks, nor tell whether credentials work again.
        // The same moment as long as it waits, or the LIST that others have meanwhile would never be new enough.
        None if is_asked(pass) => *pass.memory.asked.get_or_insert(now),
        None if live.credentials.are_rejected() => now,
        None if at_rest => Moment::default(),
        // A webhook that is found by its id is as good as its LIST is fresh. Whoever has none yet would miss what a person
        // made just before asking for this.
        None if pass.status.webhook_id.is_some() => now.before(FRESH),
        None => now.before(FRESH).max(context.index.since(&pass.key)),
    };
    let priority = if at_rest && !pass.wrote { Priority::Periodic } else { Priority::Urgent };
    (base.max(pass.memory.look_after), priority)
}

pub(super) fn no_list(pass: &Pass<'_, ProjectWebhookKind>, resolved: &Resolved, none: NoList) -> Halt {
    let failed = match none {
        NoList::Gathering(wait) => return Halt::Gathering(wait),
        NoList::Failed(failed) => failed,
    };
    // It may quote any webhook of the project, and the secrets of the others are not known here.
    match failed_with(pass, &resolved.live, &failed.error, Reason::ProjectNotFound, None) {
        // All users of the LIST come back together, when it is worth it.
        Halt::Refused(refusal) if failed.error.retry() != RetryClass::Person => {
            Refusal { retry: Retry::After(failed.again), ..refusal }.into()
        }
        other => other,
    }
}

/// What a failed call means, for the object and for its connection.
pub(super) fn call_failed(
    pass: &Pass<'_, ProjectWebhookKind>,
    resolved: &Resolved,
    error: &RemoteError,
    on_404: Reason,
) -> Halt {
    failed_with(pass, &resolved.live, error, on_404, secrets(resolved).as_deref())
}

fn failed_with(
    pass: &Pass<'_, ProjectWebhookKind>,
    live: &Live,
    error: &RemoteError,
    on_404: Reason,
    secrets: Option<&[SecretText]>,
) -> Halt {
    let reason = reason_of(error, on_404);
    verdict::unauthorized(pass.context, live, error).unwrap_or_else(|| remote(error, reason, advice(reason), secrets))
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

/// Everything that a message of the remote must not repeat: token, header values, and of the URL all but its host.
/// `None` where that is not known.
fn secrets(resolved: &Resolved) -> Option<Vec<SecretText>> {
    let Texts { url, headers, .. } = resolved.texts.as_ref()?;
    let mut secrets: Vec<_> = headers.iter().map(|(_, value)| SecretText::new(value)).collect();
    secrets.extend(resolved.live.secrets());
    secrets.extend(hidden_parts(url));
    Some(secrets)
}
