//! The steps of a pass over a ProjectWebhook.

mod apply;
mod finalize;
mod need;
mod observe;
mod resolve;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::connections::Live;
use super::context::Context;
use super::index::{ConnectionKey, User, age};
use super::kind::{Kind, Pass, Step};
use super::publish;
use super::refuse::Halt;
use super::snapshot::{Project, Remote, Snapshot};
use crate::api::condition::Reason;
use crate::api::project_webhook::{ManagementPolicy, Ownership, ProjectWebhook, ProjectWebhookStatus};
use crate::api::{CORRECT_DRIFT_REQUESTED_AT, CREATING, FINALIZER, RECONCILE_REQUESTED_AT};
use crate::domain::case::{Case, View};
use crate::domain::claim::Foreign;
use crate::domain::compare::Field;
use crate::domain::deletion::Done;
use crate::domain::desired::{Desired, header, header_set, receiver};
use crate::domain::ids::{ObjectKey, ProjectPath, WebhookId};
use crate::domain::intent::{Creating, Intent};
use crate::domain::marker::Marker;
use crate::domain::memory::{Basis, Memory};
use crate::domain::observed::Webhook;
use crate::domain::pattern::{EndpointPlace, check_receiver};
use crate::domain::plan::{Plan, Rest, Timing, plan};
use crate::domain::refusal::Refusal;
use crate::domain::schedule::parse_duration;
use crate::domain::status::{Finding, Outcome, Requests, next_status};
use crate::domain::text::conflict;
use crate::domain::time::Moment;
use crate::domain::write::Write;
use crate::ops::metrics::Kind as MetricsKind;
use crate::remote::app_maker::AppMaker;

/// References of a ProjectWebhook, resolved.
pub struct Resolved {
    live: Arc<Live>,
    app_maker: AppMaker,
    path: ProjectPath,
    project: Arc<Project>,
    /// `None` in a deletion whose Secrets are gone: it needs them only to know what must not be shown.
    texts: Option<Texts>,
    basis: Basis,
    timing: Timing,
}

impl Resolved {
    /// What a LIST is made through.
    fn remote(&self) -> Remote<'_> {
        Remote { live: &self.live, app_maker: &self.app_maker }
    }
}

/// URL and headers as spec and Secrets have them.
#[derive(Default)]
pub struct Texts {
    url: String,
    /// Where the URL is from, for messages.
    url_field: String,
    headers: Vec<(String, String)>,
}

/// What a pass saw of the remote.
pub struct Observed {
    snapshot: Arc<Snapshot>,
    looked_up: Option<(WebhookId, Option<Webhook>)>,
}

impl Observed {
    /// `gone` is [`Done::deleted`].
    fn view<'a>(&'a self, gone: &'a BTreeSet<WebhookId>) -> View<'a> {
        View {
            webhooks: &self.snapshot.webhooks,
            begun: self.snapshot.begun,
            looked_up: self.looked_up.as_ref().map(|(id, webhook)| (*id, webhook.as_ref())),
            gone,
        }
    }
}

/// What is remembered between passes.
#[derive(Default)]
pub struct Remembered {
    /// What decisions need; absent until the first decision, and again at rest.
    decisions: Option<Box<Memory>>,
    /// A LIST has to have begun by then to show our last write.
    look_after: Moment,
    /// Since when a person waits for a look that has not come yet.
    asked: Option<Moment>,
    /// The intent as this process last wrote it, until the cache shows it.
    creating: Option<Creating>,
    /// What was deleted and unmarked so far.
    done: Done,
    /// How often the remote failed since the deletion began.
    searches: u32,
    /// What the log was told of webhooks that stay at the remote.
    warned: BTreeSet<String>,
}

/// The kind.
pub struct ProjectWebhookKind;

impl Kind for ProjectWebhookKind {
    type Object = ProjectWebhook;
    type Status = ProjectWebhookStatus;
    type Resolved = Resolved;
    type Desired = Desired;
    type Observed = Observed;
    type Ask = WebhookId;
    type Write = Write;
    type Outcome = Outcome;
    type Memory = Remembered;

    const KIND: MetricsKind = MetricsKind::ProjectWebhook;

    fn status(object: &ProjectWebhook) -> Option<&ProjectWebhookStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &ProjectWebhookStatus) -> &[Condition] {
        &status.conditions
    }

    fn is_suspended(object: &ProjectWebhook) -> bool {
        object.spec.suspend
    }

    fn connection(object: &ProjectWebhook) -> ConnectionKey {
        ConnectionKey::of(&object.spec.connection_ref, &object.namespace().unwrap_or_default())
    }

    fn user(key: ObjectKey) -> User {
        User::ProjectWebhook(key)
    }

    async fn resolve(pass: &Pass<'_, Self>) -> Result<Resolved, Halt> {
        resolve::resolve(pass).await
    }

    fn desired(pass: &Pass<'_, Self>, resolved: &Resolved) -> Result<Desired, Refusal> {
        let spec = &pass.object.spec;
        let unresolved = Texts::default();
        let Texts { url, url_field, headers } = resolved.texts.as_ref().unwrap_or(&unresolved);
        let url = receiver(url, url_field)?;
        check_receiver(&pass.context.settings.receivers, &url)?;
        let headers = headers.iter().map(|(name, value)| header(name, value.clone()));
        Ok(Desired {
            name: display_name(pass),
            url,
            headers: header_set(headers.collect::<Result<Vec<_>, _>>()?)?,
            active: spec.active,
            events: spec.events.clone(),
        })
    }

    async fn observe(pass: &mut Pass<'_, Self>, resolved: &Resolved, ask: Option<WebhookId>) -> Result<Observed, Halt> {
        observe::observe(pass, resolved, ask).await
    }

    fn plan(
        pass: &mut Pass<'_, Self>,
        resolved: &Resolved,
        desired: &Desired,
        observed: &Observed,
    ) -> Step<WebhookId, Write, Outcome> {
        let case = case(pass, resolved.basis.clone());
        let rivals =
            pass.context.index.rivals(&pass.key, EndpointPlace::of(&resolved.live.endpoint), resolved.path.project);
        let gone = pass.memory.done.deleted.clone();
        // Of what is over nothing is kept, here as in the cache.
        pass.memory.creating.take_if(|creating| creating.is_over(case.owned_id()));
        let memory = decisions(&mut pass.memory, &case, observed.snapshot.begun, pass.object);
        let planned = plan(&case, desired, &observed.view(&gone), &rivals, memory, resolved.timing);
        let adopted = match &planned {
            Plan::Write(Write::Update { id, .. }) => Some(*id),
            Plan::Rest(Rest { webhook: Some((webhook, Ownership::Adopted)), .. }) => Some(webhook.id),
            _ => None,
        };
        if adopted.is_none() {
            pass.context.index.release(&pass.key);
        }
        // What status does not record yet is reserved first: two objects may decide at the same time.
        if let Some(id) = adopted.filter(|id| case.owned_id() != Some(*id))
            && let Some(other) = pass.context.index.reserve(id, &pass.key)
        {
            pass.again = Some(resolved.project.until_due(pass.context.clock.now()));
            return Step::Rest(Refusal::person(Reason::Conflict, conflict(id, &Foreign::ClaimedBy(other))).into());
        }
        let wrote = pass.wrote;
        match planned {
            Plan::Ask(id) => Step::Ask(id),
            Plan::Write(write) => Step::Write(write),
            Plan::Rest(rest) => {
                pass.again = Some(rest.again.unwrap_or_else(|| resolved.project.until_due(pass.context.clock.now())));
                let outcome = outcome(rest, case.basis, memory, wrote);
                // Of most objects nothing has to be remembered, and they are many.
                if outcome.reason == Reason::Synced && memory.is_forgettable() {
                    pass.memory.decisions = None;
                }
                Step::Rest(outcome)
            }
        }
    }

    async fn apply(
        pass: &mut Pass<'_, Self>,
        resolved: &Resolved,
        desired: &Desired,
        observed: &Observed,
        write: Write,
    ) -> Result<(), Halt> {
        apply::apply(pass, resolved, desired, observed, write).await
    }

    /// A second webhook goes, and what is planned for the first one follows. After the others, the remote has the word.
    fn pretend(pass: &mut Pass<'_, Self>, write: &Write) -> bool {
        let Write::RemoveDuplicate { id, keep, record } = write else { return false };
        pass.memory.done.deleted.insert(*id);
        if let Some(ownership) = record {
            (pass.status.webhook_id, pass.status.ownership) = (Some(keep.to_string()), Some(*ownership));
        }
        true
    }

    /// Before status records Created or Adopted, the finalizer is there.
    async fn hold(pass: &mut Pass<'_, Self>, outcome: &Outcome) -> Result<(), Halt> {
        let owns = matches!(outcome.finding, Finding::Present { ownership, .. } if ownership != Ownership::Observed);
        let observes = pass.object.spec.management_policy == ManagementPolicy::Observe;
        let going = pass.object.metadata.deletion_timestamp.is_some();
        if owns && !observes && !going && !intent(pass).held {
            publish::hold(pass, serde_json::json!({})).await?;
        }
        Ok(())
    }

    fn next_status(pass: &Pass<'_, Self>, outcome: &Outcome, now: &Time) -> ProjectWebhookStatus {
        let generation = pass.object.metadata.generation.unwrap_or_default();
        next_status(&pass.status, outcome, generation, &requests(pass.object), now)
    }

    fn decided(context: &Context, key: &ObjectKey) {
        context.index.decided(key);
    }

    fn resync_interval(pass: &Pass<'_, Self>) -> Duration {
        let own = pass.object.spec.resync_interval.as_deref().and_then(parse_duration);
        own.unwrap_or(pass.context.settings.resync)
    }

    async fn finalize(pass: &mut Pass<'_, Self>) -> Result<Outcome, Halt> {
        finalize::finalize(pass).await
    }

    fn forget(context: &Context, key: &ObjectKey) {
        context.sources.forget(&User::ProjectWebhook(key.clone()));
        context.snapshots.forget(key);
        context.index.release(key);
    }
}

fn requests(object: &ProjectWebhook) -> Requests {
    let annotation = |name: &str| object.annotations().get(name).cloned();
    Requests { reconcile: annotation(RECONCILE_REQUESTED_AT), correct_drift: annotation(CORRECT_DRIFT_REQUESTED_AT) }
}

/// Finalizer and annotation, as the cache or this process' own newer write has them.
fn intent(pass: &Pass<'_, ProjectWebhookKind>) -> Intent {
    let written = pass.memory.creating.clone();
    let held = pass.held || pass.object.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    let annotation = || pass.object.annotations().get(CREATING).and_then(|annotation| Creating::parse(annotation));
    Intent { held, creating: written.or_else(annotation) }
}

/// The webhook's name at the remote.
fn display_name(pass: &Pass<'_, ProjectWebhookKind>) -> String {
    pass.object.spec.name.clone().unwrap_or_else(|| pass.key.name.to_string())
}

/// The object, as decisions see it.
fn case(pass: &Pass<'_, ProjectWebhookKind>, basis: Basis) -> Case {
    let spec = &pass.object.spec;
    let status = pass.status.clone();
    let requested = requests(pass.object).correct_drift;
    Case {
        key: pass.key.clone(),
        age: age(pass.object),
        name: display_name(pass),
        marker: Marker::of(&pass.context.settings.cluster, &pass.key),
        marking: pass.context.settings.marking,
        management: spec.management_policy,
        adoption: spec.adoption_policy,
        pinned: spec.webhook_id.as_deref().and_then(|id| id.parse().ok()),
        recorded: status.webhook_id.as_deref().and_then(|id| id.parse().ok()).zip(status.ownership),
        intent: intent(pass),
        basis,
        applied: status.applied,
        correction_requested: requested.is_some() && requested != status.last_handled_correct_drift_at,
    }
}

/// The memory for decisions, begun with what the object tells of earlier processes.
fn decisions<'a>(remembered: &'a mut Remembered, case: &Case, now: Moment, object: &ProjectWebhook) -> &'a mut Memory {
    remembered.decisions.get_or_insert_with(|| {
        let corrections = object.status.iter().flat_map(|status| &status.corrections);
        let counts: BTreeMap<Field, u32> =
            corrections.filter_map(|c| Some((Field::parse(&c.field)?, c.count))).collect();
        // They were counted for the spec and Secrets of then. If those were never applied, that is the present basis.
        let observed = object.status.as_ref().map(|status| status.observed_generation);
        let unchanged = observed == object.metadata.generation && !case.is_rotated();
        let counts = if unchanged { counts } else { BTreeMap::new() };
        Box::new(Memory::first_met(now, case.intent.is_open(case.owned_id()), counts, case.basis.clone()))
    })
}

fn outcome(rest: Rest<'_>, basis: Basis, memory: &Memory, wrote: bool) -> Outcome {
    let Rest { reason, message, webhook, differences, again: _ } = rest;
    let finding = match webhook {
        Some((webhook, ownership)) => Finding::Present { webhook: Box::new(webhook.clone()), ownership, differences },
        None => Finding::Absent,
    };
    Outcome { reason, message, finding, basis: Some(basis), recurring: Some(memory.recurring()), wrote }
}
