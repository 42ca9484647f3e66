//! The steps of a pass over a TaskNotification. The remote has no call that writes, so there is nothing to apply, no
//! finalizer, and nothing to do at the remote when the object goes.

mod observe;
mod resolve;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::connections::Live;
use super::context::Context;
use super::index::{ConnectionKey, User};
use super::kind::{Kind, Pass, Step};
use super::publish;
use super::refuse::Halt;
use crate::api::RECONCILE_REQUESTED_AT;
use crate::api::condition::Reason;
use crate::api::task_notification::{TaskNotification, TaskNotificationStatus};
use crate::domain::desired;
use crate::domain::ids::{ObjectKey, TaskId};
use crate::domain::notification::{Channel, Desired, DesiredChannel, Outcome, compare, next_status, outcome, secret};
use crate::domain::pattern::check_receiver;
use crate::domain::refusal::Refusal;
use crate::domain::schedule::parse_duration;
use crate::domain::secret::{ReceiverUrl, SecretText, hidden_parts};
use crate::domain::time::Moment;
use crate::ops::metrics::Kind as MetricsKind;
use crate::remote::codearts::check::Check;

/// References of a TaskNotification, resolved.
pub struct Resolved {
    live: Arc<Live>,
    check: Check,
    task: TaskId,
    /// Of each channel of the spec, in its order.
    texts: Vec<Texts>,
    basis: Basis,
}

/// What the Secrets hold for a channel, and the URL wherever it stands, not checked yet.
#[derive(Default)]
struct Texts {
    url: Option<Text>,
    secret: Option<Text>,
}

/// A value, and where it is from, for messages.
struct Text {
    text: SecretText,
    field: String,
}

/// What tells that nothing has changed since the last look: spec, Secrets and connection. In memory only.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Basis(u64);

impl Resolved {
    /// Everything that must not be shown: of a URL all but its host. `held` is [`Remembered::held`].
    fn secrets(&self, held: &[SecretText]) -> Vec<SecretText> {
        let mut secrets = self.own();
        secrets.extend(self.live.secrets());
        secrets.extend_from_slice(held);
        secrets
    }

    /// What spec and Secrets hold now.
    fn own(&self) -> Vec<SecretText> {
        let mut secrets = vec![];
        for Texts { url, secret } in &self.texts {
            secrets.extend(secret.as_ref().map(|secret| secret.text.clone()));
            secrets.extend(url.iter().flat_map(|url| hidden_parts(url.text.expose())));
        }
        secrets
    }
}

/// What is remembered between passes.
#[derive(Default)]
pub struct Remembered {
    /// The last look that succeeded, and when the next one is due.
    looked: Option<(Basis, Moment)>,
    /// What the object's Secrets and the remote held at the looks so far, for keeping it out of messages: the remote may
    /// quote what was rotated out, and hold it still.
    held: Vec<SecretText>,
}

/// Most values that are remembered of a task: those of three channels on both sides, twice over.
const MOST_HELD: usize = 48;

impl Remembered {
    fn hold(&mut self, values: impl IntoIterator<Item = SecretText>) {
        for value in values {
            if !self.held.contains(&value) {
                self.held.push(value);
            }
        }
        let surplus = self.held.len().saturating_sub(MOST_HELD);
        self.held.drain(..surplus);
    }
}

/// The kind.
pub struct TaskNotificationKind;

impl Kind for TaskNotificationKind {
    type Object = TaskNotification;
    type Status = TaskNotificationStatus;
    type Resolved = Resolved;
    type Desired = Desired;
    type Observed = Vec<Channel>;
    type Ask = Infallible;
    type Write = Infallible;
    type Outcome = Outcome;
    type Memory = Remembered;

    const KIND: MetricsKind = MetricsKind::TaskNotification;

    fn status(object: &TaskNotification) -> Option<&TaskNotificationStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &TaskNotificationStatus) -> &[Condition] {
        &status.conditions
    }

    fn is_suspended(object: &TaskNotification) -> bool {
        object.spec.suspend
    }

    fn connection(object: &TaskNotification) -> ConnectionKey {
        ConnectionKey::of(&object.spec.connection_ref, &object.namespace().unwrap_or_default())
    }

    fn user(key: ObjectKey) -> User {
        User::TaskNotification(key)
    }

    async fn resolve(pass: &Pass<'_, Self>) -> Result<Resolved, Halt> {
        resolve::resolve(pass).await
    }

    fn desired(pass: &Pass<'_, Self>, resolved: &Resolved) -> Result<Desired, Refusal> {
        let mut channels = vec![];
        for (channel, texts) in pass.object.spec.channels.iter().zip(&resolved.texts) {
            let set = |names: &Option<Vec<String>>| names.clone().map(|names| names.into_iter().collect());
            channels.push(DesiredChannel {
                kind: channel.type_,
                enabled: channel.enabled,
                url: texts.url.as_ref().map(|url| receiver(pass, url)).transpose()?,
                secret: texts.secret.as_ref().map(|from| secret(from.text.expose(), &from.field)).transpose()?,
                notify: set(&channel.notify),
                review_result_filter: channel.review_result_filter.clone(),
                user_ids: set(&channel.user_ids),
            });
        }
        Ok(channels)
    }

    async fn observe(
        pass: &mut Pass<'_, Self>,
        resolved: &Resolved,
        _: Option<Infallible>,
    ) -> Result<Vec<Channel>, Halt> {
        observe::observe(pass, resolved).await
    }

    fn plan(
        pass: &mut Pass<'_, Self>,
        resolved: &Resolved,
        desired: &Desired,
        observed: &Vec<Channel>,
    ) -> Step<Infallible, Infallible, Outcome> {
        Step::Rest(outcome(compare(desired, observed, &resolved.secrets(&pass.memory.held))))
    }

    async fn apply(
        _: &mut Pass<'_, Self>,
        _: &Resolved,
        _: &Desired,
        _: &Vec<Channel>,
        never: Infallible,
    ) -> Result<(), Halt> {
        match never {}
    }

    fn pretend(_: &mut Pass<'_, Self>, never: &Infallible) -> bool {
        match *never {}
    }

    async fn hold(_: &mut Pass<'_, Self>, _: &Outcome) -> Result<(), Halt> {
        Ok(())
    }

    fn next_status(pass: &Pass<'_, Self>, outcome: &Outcome, now: &Time) -> TaskNotificationStatus {
        let generation = pass.object.metadata.generation.unwrap_or_default();
        next_status(&pass.status, outcome, generation, requested(pass.object), now)
    }

    fn decided(_: &Context, _: &ObjectKey) {}

    fn resync_interval(pass: &Pass<'_, Self>) -> Duration {
        let own = pass.object.spec.resync_interval.as_deref().and_then(parse_duration);
        own.unwrap_or(pass.context.settings.resync)
    }

    /// Nothing of it is at the remote. The finalizer is not ours to set here; somebody may have copied it.
    async fn finalize(pass: &mut Pass<'_, Self>) -> Result<Outcome, Halt> {
        publish::release(pass).await?;
        Ok(Outcome { reason: Reason::Progressing, message: "nothing is left to do".into(), found: None })
    }

    fn forget(context: &Context, key: &ObjectKey) {
        context.sources.forget(&User::TaskNotification(key.clone()));
    }
}

/// The annotation that asks for a pass.
fn requested(object: &TaskNotification) -> Option<&String> {
    object.annotations().get(RECONCILE_REQUESTED_AT)
}

/// A receiver that may be named.
fn receiver(pass: &Pass<'_, TaskNotificationKind>, from: &Text) -> Result<ReceiverUrl, Refusal> {
    let url = desired::receiver(from.text.expose(), &from.field)?;
    check_receiver(&pass.context.settings.receivers, &url)?;
    Ok(url)
}
