//! IO: one write to the remote, after the intent to make it is on the object.

use serde_json::json;

use super::observe::write_failed;
use super::{Observed, ProjectWebhookKind, Resolved, case, intent};
use crate::api::CREATING;
use crate::api::condition::Reason;
use crate::api::project_webhook::Ownership;
use crate::controller::clock::Clock;
use crate::controller::fail_point::FailPoint;
use crate::controller::kind::{Kind, Pass};
use crate::controller::publish;
use crate::controller::refuse::Halt;
use crate::domain::compare::Field;
use crate::domain::desired::{Changes, Desired};
use crate::domain::identify::{intent_to_adopt, intent_to_create};
use crate::domain::ids::WebhookId;
use crate::domain::marker::Marker;
use crate::domain::memory::Answer;
use crate::domain::observed::Webhook;
use crate::domain::status::{Finding, Outcome};
use crate::domain::write::Write;
use crate::remote::app_maker::NewWebhook;
use crate::remote::error::{Fault, RemoteError};

type PwhPass<'a> = Pass<'a, ProjectWebhookKind>;

pub(super) async fn apply(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    desired: &Desired,
    observed: &Observed,
    write: Write,
) -> Result<(), Halt> {
    let _writing = resolved.project.writing();
    match write {
        Write::Create { replaces, .. } => create(pass, resolved, desired, observed, replaces).await,
        Write::Update { id, changes, fields, adopts } => {
            if adopts {
                announce_adoption(pass, resolved, desired, observed, id).await?;
            }
            update(pass, resolved, (desired, observed), id, &changes, &fields).await
        }
        Write::RemoveDuplicate { id, keep, record } => {
            if let Some(ownership) = record {
                record_webhook(pass, observed, keep, ownership, "removing a second webhook of this object").await?;
            }
            delete(pass, resolved, observed, id).await?;
            pass.context.metrics.duplicate_removed(ProjectWebhookKind::KIND);
            Ok(())
        }
        Write::Delete { id } => delete(pass, resolved, observed, id).await,
        Write::Unmark { id, changes } => unmark(pass, resolved, observed, id, &changes).await,
    }
}

/// The POST. Its answer never says which webhook it made: the next LIST does.
async fn create(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    desired: &Desired,
    observed: &Observed,
    replaces: Option<WebhookId>,
) -> Result<(), Halt> {
    if let Some(old) = replaces {
        record_webhook(pass, observed, old, Ownership::Created, "replacing the webhook, which keeps a removed header")
            .await?;
    }
    announce(pass, resolved, desired, observed, replaces.is_some()).await?;
    let marker = Marker::of(&pass.context.settings.cluster, &pass.key);
    let webhook = NewWebhook::new(desired, pass.context.settings.marking.then_some(&marker));
    let answer = FailPoint::Create.after(resolved.app_maker.create(&resolved.path, &webhook)).await;
    let now = written(pass);
    let unclear = answer.as_ref().is_err_and(RemoteError::ambiguous);
    let ended = match &answer {
        Ok(()) => Answer::Accepted,
        Err(_) if unclear => Answer::Unclear,
        Err(_) => Answer::Refused,
    };
    if let Some(memory) = pass.memory.decisions.as_mut() {
        memory.created(now, ended, replaces.is_some());
    }
    match answer {
        // It may have taken effect: the look that follows tells, and until then nothing is written again.
        Err(error) if unclear && !error.is_own_stop() => {
            tracing::warn!(object = %pass.key, "a creation has no clear answer, looking for it: {error}");
            Ok(())
        }
        other => other.map_err(|error| write_failed(pass, resolved, observed, &error, Reason::ProjectNotFound)),
    }
}

/// The intent: finalizer and annotation, before the POST. After a crash they tell that something may be there, and
/// what was there before.
async fn announce(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    desired: &Desired,
    observed: &Observed,
    replaces: bool,
) -> Result<(), Halt> {
    let case = case(pass, resolved.basis.clone());
    let creating = intent_to_create(&case, desired, &observed.view(&pass.memory.done.deleted), replaces);
    if intent(pass).creating.as_ref() != Some(&creating) || !intent(pass).held {
        publish::hold(pass, json!({ CREATING: creating.to_annotation() })).await?;
        pass.memory.creating = Some(creating);
    }
    Ok(())
}

/// What is adopted is not what an earlier POST made, of which no end is known: that is on the object first.
async fn announce_adoption(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    desired: &Desired,
    observed: &Observed,
    id: WebhookId,
) -> Result<(), Halt> {
    let case = case(pass, resolved.basis.clone());
    if let Some(creating) = intent_to_adopt(&case, desired, &observed.view(&pass.memory.done.deleted), id) {
        publish::hold(pass, json!({ CREATING: creating.to_annotation() })).await?;
        pass.memory.creating = Some(creating);
    }
    Ok(())
}

async fn update(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    (desired, observed): (&Desired, &Observed),
    id: WebhookId,
    changes: &Changes,
    fields: &[Field],
) -> Result<(), Halt> {
    if !intent(pass).held {
        publish::hold(pass, json!({})).await?;
    }
    let before = find(observed, id);
    let answer = FailPoint::Update.after(resolved.app_maker.update(&resolved.path, id, changes)).await;
    let now = written(pass);
    if is_gone(&answer) {
        // Without this, a LIST that lags would have the same PATCH tried again and again.
        pass.memory.done.deleted.insert(id);
        return Ok(());
    }
    answer.map_err(|error| write_failed(pass, resolved, observed, &error, Reason::WebhookNotFound))?;
    let drifted = pass.status.applied.as_ref() == Some(&resolved.basis);
    if let (Some(memory), Some(before)) = (pass.memory.decisions.as_mut(), before) {
        memory.updated(now, before, desired, changes, fields);
    }
    if drifted {
        pass.context.metrics.corrected(ProjectWebhookKind::KIND);
    }
    Ok(())
}

/// DELETE; 404 is success.
pub(super) async fn delete(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    observed: &Observed,
    id: WebhookId,
) -> Result<(), Halt> {
    let answer = FailPoint::Delete.after(resolved.app_maker.delete(&resolved.path, id)).await;
    written(pass);
    answer.map_err(|error| write_failed(pass, resolved, observed, &error, Reason::WebhookNotFound))?;
    pass.memory.done.deleted.insert(id);
    Ok(())
}

/// Takes our marker off. Whatever the remote does with it, this is tried once.
pub(super) async fn unmark(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    observed: &Observed,
    id: WebhookId,
    changes: &Changes,
) -> Result<(), Halt> {
    pass.memory.done.unmarked.insert(id);
    let answer = FailPoint::Unmark.after(resolved.app_maker.update(&resolved.path, id, changes)).await;
    written(pass);
    if is_gone(&answer) {
        return Ok(());
    }
    answer.map_err(|error| write_failed(pass, resolved, observed, &error, Reason::WebhookNotFound))
}

/// Before one of two webhooks is deleted, status names the one that stays, and before one is replaced, that one: a crash
/// in between must not leave a status that points to nothing, nor a webhook that nobody knows of.
pub(super) async fn record_webhook(
    pass: &mut PwhPass<'_>,
    observed: &Observed,
    id: WebhookId,
    ownership: Ownership,
    message: &str,
) -> Result<(), Halt> {
    let Some(webhook) = find(observed, id) else { return Ok(()) };
    if pass.status.webhook_id.as_deref() == Some(id.to_string().as_str()) {
        return Ok(());
    }
    let outcome = Outcome {
        reason: Reason::Progressing,
        message: message.into(),
        finding: Finding::Present { webhook: Box::new(webhook.clone()), ownership, differences: vec![] },
        basis: None,
        recurring: None,
        wrote: pass.wrote,
    };
    ProjectWebhookKind::hold(pass, &outcome).await?;
    let mut status = ProjectWebhookKind::next_status(pass, &outcome, &Clock::time());
    // The pass is not over: who waits for the echo of his request would look too early.
    status.last_handled_reconcile_at.clone_from(&pass.status.last_handled_reconcile_at);
    publish::status(pass, status).await
}

/// A LIST that is to show this write has to begin after now.
fn written(pass: &mut PwhPass<'_>) -> crate::domain::time::Moment {
    pass.memory.look_after = pass.context.clock.now();
    pass.memory.look_after
}

fn find(observed: &Observed, id: WebhookId) -> Option<&Webhook> {
    let looked_up = observed.looked_up.as_ref().and_then(|(_, webhook)| webhook.as_ref());
    observed.snapshot.webhooks.iter().chain(looked_up).find(|webhook| webhook.id == id)
}

/// Somebody else deleted it in between: the next look decides what that means.
fn is_gone(answer: &Result<(), RemoteError>) -> bool {
    answer.as_ref().is_err_and(|error| matches!(error.fault, Fault::NotFound(_)))
}
