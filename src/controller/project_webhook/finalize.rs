//! IO: the pass over a ProjectWebhook that is being deleted. Spec and receiver are not looked at; endpoint and tenancy
//! are, because a deletion calls the remote too.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ObjectReference};
use kube::runtime::events::EventType;
use kube::{Api, Resource, ResourceExt};

use super::apply::{delete, record_webhook, unmark};
use super::observe::{no_list, wind, with_looked_up};
use super::resolve::{Versions, app_maker, project_path, texts};
use super::{Observed, ProjectWebhookKind, Resolved, case, decisions, intent};
use crate::api::FINALIZER;
use crate::api::condition::{Class, Reason};
use crate::api::project_webhook::{DeletionPolicy, ManagementPolicy, Ownership};
use crate::controller::connect::admits;
use crate::controller::connections::Live;
use crate::controller::index::ConnectionKey;
use crate::controller::kind::{Kind, Pass};
use crate::controller::publish;
use crate::controller::reference::connection;
use crate::controller::refuse::Halt;
use crate::controller::snapshot::{Asker, NoList, Snapshot};
use crate::controller::verdict;
use crate::domain::deletion::{DeletionPlan, effective_policy, plan_deletion};
use crate::domain::ids::{ProjectPath, WebhookId};
use crate::domain::memory::Basis;
use crate::domain::pattern::EndpointPlace;
use crate::domain::plan::Timing;
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::status::{Finding, Outcome};
use crate::domain::time::Moment;
use crate::domain::write::Write;
use crate::ops::metrics::OrphanCause;
use crate::remote::error::Fault;
use crate::remote::pace::Priority;

type PwhPass<'a> = Pass<'a, ProjectWebhookKind>;

/// Looks and writes of one deletion.
const MAX_STEPS: usize = 32;

/// How often the remote may fail before an object that is to be orphaned goes without a look: what there is beside the
/// recorded webhook, from a replacement or an unfinished creation, is then neither removed nor named, and the marker
/// stays. Not for ever, because to orphan is the way out where the remote never answers again.
const SEARCHES: u32 = 5;

pub(super) async fn finalize(pass: &mut PwhPass<'_>) -> Result<Outcome, Halt> {
    if !pass.object.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        // Nothing of ours was ever at the remote, or it is settled: nobody needs to be called.
        pass.released = true;
        return Ok(progressing("nothing is left to do".into()));
    }
    match clean_up(pass).await {
        Err(Halt::Refused(refusal)) => blocked(pass, refusal).await,
        other => other,
    }
}

/// What has to happen at the remote, step by step.
async fn clean_up(pass: &mut PwhPass<'_>) -> Result<Outcome, Halt> {
    let path = project_path(pass)?;
    let live = usable_connection(pass, &path).await?;
    let resolved = resolved(pass, live, path).await?;
    // What is deleted goes by what the remote shows now, not by what it showed a moment ago.
    let since = pass.context.clock.now();
    let mut ask = None;
    for _ in 0..MAX_STEPS {
        let observed = look(pass, &resolved, since, ask).await?;
        let case = case(pass, resolved.basis.clone());
        decisions(&mut pass.memory, &case, observed.snapshot.begun, pass.object);
        let Some(memory) = &pass.memory.decisions else { break };
        let policy = pass.object.spec.deletion_policy;
        let done = &pass.memory.done;
        let rivals =
            pass.context.index.rivals(&pass.key, EndpointPlace::of(&resolved.live.endpoint), resolved.path.project);
        match plan_deletion(&case, policy, &observed.view(&done.deleted), &rivals, memory, done, resolved.timing) {
            DeletionPlan::Ask(id) => ask = Some(id),
            DeletionPlan::Write(write) => {
                tracing::info!(object = %pass.key, "{write}");
                write_once(pass, &resolved, &observed, write).await?;
            }
            DeletionPlan::Wait(again) => {
                pass.again = Some(again);
                return Ok(progressing(
                    "being deleted; a creation has no clear result yet, waiting to see what there is to delete".into(),
                ));
            }
            DeletionPlan::Release { orphans } => {
                let notes = orphaned(pass, orphans, "it is left at the remote");
                release(pass, &notes).await?;
                return Ok(progressing("nothing is left to do".into()));
            }
        }
    }
    Err(Halt::Retry("the remote keeps changing while webhooks are deleted there".into()))
}

async fn write_once(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    observed: &Observed,
    write: Write,
) -> Result<(), Halt> {
    let _writing = resolved.project.writing();
    let text = write.to_string();
    match write {
        Write::Delete { id } => delete(pass, resolved, observed, id).await?,
        Write::Unmark { id, changes } => {
            // Without its marker it is known by status alone, and has to be named in the end.
            record_webhook(pass, observed, id, Ownership::Created, "being deleted; the webhook is left").await?;
            unmark(pass, resolved, observed, id, &changes).await?;
        }
        // `plan_deletion` makes no others; nothing is written for them.
        Write::Create { .. } | Write::Update { .. } | Write::RemoveDuplicate { .. } => return Ok(()),
    }
    publish::event(pass, EventType::Normal, "RemoteChanged", text).await;
    Ok(())
}

/// The connection as it is, or as it was last used: when everything is deleted together, its Secret often goes first.
async fn usable_connection(pass: &PwhPass<'_>, path: &ProjectPath) -> Result<Arc<Live>, Halt> {
    let reference = &pass.object.spec.connection_ref;
    let refusal = match connection(pass.context, reference, &pass.key.namespace, Some(path)).await {
        Err(Halt::Refused(refusal)) => refusal,
        other => return other,
    };
    let gone = matches!(refusal.reason, Reason::ConnectionNotFound | Reason::ConnectionNotReady);
    let key = ConnectionKey::of(reference, &pass.key.namespace);
    match pass.context.connections.last_seen(&key) {
        Some(live) if gone => {
            admits(pass.context, &key, &live.declared.tenancy, &pass.key.namespace, Some(path)).await?;
            Ok(live)
        }
        _ => Err(refusal.into()),
    }
}

/// What the shared steps need. URL and headers are not looked at, only kept out of messages.
async fn resolved(pass: &PwhPass<'_>, live: Arc<Live>, path: ProjectPath) -> Result<Resolved, Halt> {
    let settle = pass.context.settings.settle_for(live.timeout);
    Ok(Resolved {
        app_maker: app_maker(&live)?,
        project: pass.context.snapshots.project(&live.key, path),
        path,
        texts: texts(pass, &mut Versions::new()).await.ok(),
        basis: Basis { generation: pass.object.metadata.generation.unwrap_or_default(), ..Basis::default() },
        timing: Timing { settle, interval: ProjectWebhookKind::resync_interval(pass) },
        live,
    })
}

/// A fresh LIST. A project that is gone has no webhooks: then the recorded one is asked for by its id.
async fn look(
    pass: &mut PwhPass<'_>,
    resolved: &Resolved,
    since: Moment,
    ask: Option<WebhookId>,
) -> Result<Observed, Halt> {
    verdict::admit(pass.context, &resolved.live)?;
    let Resolved { live, path, project, .. } = resolved;
    let clock = &pass.context.clock;
    // This look is one of the project's too: a timer that stays overdue would take it for new enough long after.
    wind(pass, resolved, clock.now());
    let begun_after = since.max(pass.memory.look_after);
    let tell = |other| pass.context.triggers.project_webhook(other);
    let asker = Asker { object: &pass.key, priority: Priority::Urgent, company: None, tell: &tell };
    let snapshot = match project.list(resolved.remote(), path, begun_after, asker, clock).await {
        Ok(snapshot) => snapshot,
        Err(NoList::Failed(failed)) if matches!(failed.error.fault, Fault::NotFound(_)) => {
            Arc::new(Snapshot { webhooks: vec![], begun: clock.now() })
        }
        Err(none) => return Err(no_list(pass, resolved, none)),
    };
    verdict::accepted(pass.context, live);
    with_looked_up(pass, resolved, snapshot, ask).await
}

/// The clean-up can't go on. Where the object is to be orphaned anyway, or its namespace is going, it ends here; else
/// the object says why, and what the ways out are.
async fn blocked(pass: &mut PwhPass<'_>, refusal: Refusal) -> Result<Outcome, Halt> {
    let recorded = pass.status.webhook_id.as_deref().and_then(|id| id.parse::<WebhookId>().ok());
    let orphan = is_to_stay(pass);
    if orphan && is_remotes(refusal.reason) && pass.memory.searches < SEARCHES {
        pass.memory.searches += 1;
        let message = format!("being deleted; {}", refusal.message);
        return Err(Refusal { message, retry: Retry::Backoff, ..refusal }.into());
    }
    if orphan {
        return leave(pass, recorded, "it is left at the remote, with its marker, because", &refusal).await;
    }
    if refusal.reason.class() == Class::Mending && !is_missing(refusal.reason) {
        let message = format!("being deleted; {}", refusal.message);
        return Err(Refusal { message, ..refusal }.into());
    }
    if is_going(pass).await? {
        return leave(pass, recorded, "its namespace is going, and", &refusal).await;
    }
    let message = format!(
        "the remote webhook can't be deleted: {}. Mend that, or set spec.deletionPolicy: Orphan to leave the webhook at the \
         remote",
        refusal.message
    );
    let retry = if refusal.retry == Retry::OnChange { Retry::After(Duration::from_secs(60)) } else { refusal.retry };
    Err(Refusal { reason: Reason::DeletionBlocked, message, retry }.into())
}

/// Whether the webhook is to stay at the remote, because somebody said so or because it was there before the object.
fn is_to_stay(pass: &PwhPass<'_>) -> bool {
    effective_policy(pass.object.spec.deletion_policy, pass.status.ownership) == DeletionPolicy::Orphan
        || pass.object.spec.management_policy == ManagementPolicy::Observe
}

/// Whether something that only a person can bring back is missing.
fn is_missing(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ConnectionNotFound | Reason::ConnectionNotReady | Reason::SecretNotFound | Reason::ConfigMapNotFound
    )
}

/// Whether it is the remote that said no, or nothing: the next answer may be another one.
fn is_remotes(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RemoteUnavailable
            | Reason::RateLimited
            | Reason::CredentialsRejected
            | Reason::Forbidden
            | Reason::RemoteRejected
    )
}

async fn is_going(pass: &PwhPass<'_>) -> Result<bool, Halt> {
    let found = Api::<Namespace>::all(pass.context.client.clone()).get_metadata_opt(&pass.key.namespace).await?;
    Ok(found.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some()))
}

/// Lets the object go although nobody can look: what is recorded stays at the remote, and what an open creation has made
/// has no id to be named by.
async fn leave(
    pass: &mut PwhPass<'_>,
    recorded: Option<WebhookId>,
    why: &str,
    refusal: &Refusal,
) -> Result<Outcome, Halt> {
    let message = &refusal.message;
    let mut notes = vec![];
    if intent(pass).is_open(recorded) {
        let key = &pass.key;
        notes.push(format!("a webhook that ProjectWebhook {key} may have created last is orphaned, because {message}"));
    }
    notes.extend(orphaned(pass, recorded, &format!("{why} {message}")));
    release(pass, &notes).await?;
    Ok(progressing("nothing is left to do".into()))
}

/// What a Warning says of webhooks that stay at the remote.
fn orphaned(pass: &PwhPass<'_>, ids: impl IntoIterator<Item = WebhookId>, why: &str) -> Vec<String> {
    let note = |id| format!("webhook {id} of ProjectWebhook {} is orphaned: {why}", pass.key);
    ids.into_iter().map(note).collect()
}

/// Removes the finalizer. What stays at the remote is told before nobody could any more: on the object, or in the
/// operator's namespace where the object's takes no Events. All this can fail, and is tried again: it is logged once, and
/// counted when it is so.
async fn release(pass: &mut PwhPass<'_>, notes: &[String]) -> Result<(), Halt> {
    if !notes.is_empty() {
        let on = place_of_warnings(pass).await?;
        for note in notes {
            if pass.memory.warned.insert(note.clone()) {
                tracing::warn!(object = %pass.key, "{note}");
            }
            publish::warning_on(pass.context, &on, "Orphaned", note).await?;
        }
    }
    publish::release(pass).await?;
    let cause = if is_to_stay(pass) { OrphanCause::Wanted } else { OrphanCause::Left };
    notes.iter().for_each(|_| pass.context.metrics.orphaned(ProjectWebhookKind::KIND, cause));
    Ok(())
}

async fn place_of_warnings(pass: &PwhPass<'_>) -> Result<ObjectReference, Halt> {
    if !is_going(pass).await? {
        return Ok(pass.object.object_ref(&()));
    }
    let namespace = &pass.context.settings.namespace;
    Ok(ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Namespace".into()),
        name: Some(namespace.clone()),
        namespace: Some(namespace.clone()),
        ..ObjectReference::default()
    })
}

fn progressing(message: String) -> Outcome {
    Outcome {
        reason: Reason::Progressing,
        message,
        finding: Finding::Unknown,
        basis: None,
        recurring: None,
        wrote: false,
    }
}
