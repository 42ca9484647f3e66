//! One pass over one object, the same for every kind:
//!
//! `resolve → desired → observe → plan → apply → publish`
//!
//! Steps that are IO are async and thin; steps that decide are pure and hold all of the decisions.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{Clock, Context};
use super::index::{ConnectionKey, User, object_key};
use super::lanes::Lanes;
use super::publish;
use super::refuse::Halt;
use super::sources::lock;
use crate::api::condition::{Class, Reason};
use crate::domain::ids::ObjectKey;
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::schedule::backoff;
use crate::domain::status::current_reason;
use crate::ops::metrics::{Kind as MetricsKind, PassResult};

/// Looks and writes of one pass. A pass that needs more is going in circles, and is tried again later.
const MAX_STEPS: usize = 16;

/// How soon a pass comes back that met a cache which lags behind its own last write.
const CACHE_LAG: Duration = Duration::from_millis(50);

/// What one plan asks for.
#[derive(Debug)]
pub enum Step<A, W, O> {
    /// Ask the remote for this too, and plan again.
    Ask(A),
    /// Write, look, and plan again.
    Write(W),
    /// The pass is over.
    Rest(O),
}

/// A kind of object that has a counterpart at a remote.
pub trait Kind: Sized + Send + Sync + 'static {
    /// The custom resource.
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + fmt::Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Clone + Default + PartialEq + Serialize + Send + Sync;
    /// References, resolved.
    type Resolved: Send + Sync;
    /// What should be.
    type Desired: Send + Sync;
    /// What is.
    type Observed: Send + Sync;
    /// What else to ask the remote for.
    type Ask: Copy + Send + Sync;
    /// A write to the remote, in the words of the plan.
    type Write: Display + Send + Sync;
    /// How a pass ended.
    type Outcome: From<Refusal> + Send + Sync;
    /// What is remembered between passes.
    type Memory: Default + Send + Sync;

    /// Name of the kind, for metrics.
    const KIND: MetricsKind;

    /// The status of an object.
    fn status(object: &Self::Object) -> Option<&Self::Status>;
    /// The conditions of a status.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// `spec.suspend`.
    fn is_suspended(object: &Self::Object) -> bool;
    /// The connection it uses.
    fn connection(object: &Self::Object) -> ConnectionKey;
    /// It, as somebody who is told of changes.
    fn user(key: ObjectKey) -> User;

    /// IO: references, Secrets, connection.
    fn resolve(pass: &Pass<'_, Self>) -> impl Future<Output = Result<Self::Resolved, Halt>> + Send;
    /// Pure: the spec and its values, checked.
    ///
    /// # Errors
    /// The first thing that can't be used.
    fn desired(pass: &Pass<'_, Self>, resolved: &Self::Resolved) -> Result<Self::Desired, Refusal>;
    /// IO: looks at the remote.
    fn observe(
        pass: &mut Pass<'_, Self>,
        resolved: &Self::Resolved,
        ask: Option<Self::Ask>,
    ) -> impl Future<Output = Result<Self::Observed, Halt>> + Send;
    /// Pure: decides.
    fn plan(
        pass: &mut Pass<'_, Self>,
        resolved: &Self::Resolved,
        desired: &Self::Desired,
        observed: &Self::Observed,
    ) -> Step<Self::Ask, Self::Write, Self::Outcome>;
    /// IO: one write, after the intent to make it is on the object.
    fn apply(
        pass: &mut Pass<'_, Self>,
        resolved: &Self::Resolved,
        desired: &Self::Desired,
        observed: &Self::Observed,
        write: Self::Write,
    ) -> impl Future<Output = Result<(), Halt>> + Send;
    /// IO: what has to be on the object before status may say how the pass ended.
    fn hold(pass: &mut Pass<'_, Self>, outcome: &Self::Outcome) -> impl Future<Output = Result<(), Halt>> + Send;
    /// Pure: the status after the pass.
    fn next_status(pass: &Pass<'_, Self>, outcome: &Self::Outcome, now: &Time) -> Self::Status;
    /// How often the object is looked at when nothing happens.
    fn resync_interval(pass: &Pass<'_, Self>) -> Duration;
    /// IO: the pass over an object that is being deleted.
    fn finalize(pass: &mut Pass<'_, Self>) -> impl Future<Output = Result<Self::Outcome, Halt>> + Send;
    /// The object is gone: nothing of it needs to be remembered.
    fn forget(context: &Context, key: &ObjectKey);
}

/// One pass over one object.
pub struct Pass<'a, K: Kind> {
    /// Shared handles.
    pub context: &'a Arc<Context>,
    /// The object as the cache has it.
    pub object: &'a K::Object,
    /// Its namespace and name.
    pub key: ObjectKey,
    /// Its status, as this pass last wrote it.
    pub status: K::Status,
    /// What earlier passes of this process remember.
    pub memory: K::Memory,
    /// The object's newest resourceVersion that this process knows.
    pub version: Option<String>,
    /// Whether this pass has put the finalizer on the object, which the cache may not show yet.
    pub held: bool,
    /// Whether this pass has written to the remote.
    pub wrote: bool,
    /// Its writes in the words of the plan, until an Event tells them.
    pub noted: Vec<String>,
    /// When to come back; `None` waits for a change.
    pub again: Option<Duration>,
    /// The refusal that ended the pass, if one did, wants to be tried again with growing delays.
    failed: bool,
    /// Passes in a row before this one that were.
    failures: u32,
    /// The object needs nothing more: its finalizer is gone.
    pub released: bool,
}

/// What the driver remembers of an object.
struct Record<M> {
    memory: M,
    failures: u32,
    version: Option<String>,
    reason: Option<Reason>,
}

/// Memories of all objects of a kind, by UID: an object that is deleted and created again is another one.
pub struct Driver<K: Kind> {
    context: Arc<Context>,
    records: Mutex<HashMap<String, Record<K::Memory>>>,
    lanes: Lanes,
}

impl<K: Kind> Driver<K> {
    /// A driver that remembers nothing yet.
    #[must_use]
    pub fn new(context: Arc<Context>) -> Self {
        let lanes = Lanes::new(context.settings.max_concurrent);
        Self { context, records: Mutex::default(), lanes }
    }

    /// The shared handles.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// One pass, if its connection has a place for it; else it is triggered again when one is free.
    pub async fn reconcile(&self, object: Arc<K::Object>) -> Action {
        let connection = K::connection(&object);
        if !self.lanes.enter(&connection, &object_key(object.as_ref())) {
            return Action::await_change();
        }
        let action = self.pass(object).await;
        if let Some(next) = self.lanes.leave(&connection) {
            self.context.triggers.user(K::user(next));
        }
        action
    }

    /// One pass, with its bookkeeping.
    async fn pass(&self, object: Arc<K::Object>) -> Action {
        let key = object_key(object.as_ref());
        let uid = object.uid().unwrap_or_default();
        let record = lock(&self.records).remove(&uid);
        let Some(record) = record.or_else(|| self.first_met(&object)) else { return Action::await_change() };
        if is_behind(object.resource_version().as_deref(), record.version.as_deref()) {
            lock(&self.records).insert(uid, record);
            return Action::requeue(CACHE_LAG);
        }
        let started = Instant::now();
        let _under_way = self.context.health.pass_started(format!("{} {key}", K::KIND.as_str()));
        let Record { memory, failures, version: _, reason } = record;
        let mut pass: Pass<'_, K> = Pass {
            context: &self.context,
            object: &object,
            key,
            status: K::status(&object).cloned().unwrap_or_default(),
            memory,
            version: object.resource_version(),
            held: false,
            wrote: false,
            noted: vec![],
            again: None,
            failed: false,
            failures,
            released: false,
        };
        let ended = run(&mut pass).await;
        let (after, result) = judge(&mut pass, reason, ended);
        self.context.metrics.passed(K::KIND, result, started.elapsed());
        self.context.metrics.object_reason(K::KIND, reason, after);
        let Pass { key, memory, version, released, again, failed, .. } = pass;
        if released {
            self.context.metrics.object_reason(K::KIND, after, None);
            K::forget(&self.context, &key);
            return Action::await_change();
        }
        let failures = if failed { failures + 1 } else { 0 };
        lock(&self.records).insert(uid, Record { memory, failures, version, reason: after });
        again.map_or_else(Action::await_change, Action::requeue)
    }

    /// The record of an object that this process has not met; `None` if there is nothing to do for it.
    fn first_met(&self, object: &K::Object) -> Option<Record<K::Memory>> {
        let reason = K::status(object).and_then(|status| current_reason(K::conditions(status)));
        let going = object.meta().deletion_timestamp.is_some();
        let held = object.finalizers().iter().any(|finalizer| finalizer == crate::api::FINALIZER);
        if going && !held {
            return None;
        }
        self.context.metrics.object_reason(K::KIND, None, reason);
        Some(Record { memory: K::Memory::default(), failures: 0, version: None, reason })
    }

    /// The object is gone without a pass of ours: it had nothing at the remote.
    pub fn gone(&self, object: &K::Object) {
        let key = object_key(object);
        if let Some(record) = object.uid().and_then(|uid| lock(&self.records).remove(&uid)) {
            self.context.metrics.object_reason(K::KIND, record.reason, None);
        }
        K::forget(&self.context, &key);
    }
}

/// The pass. Returns the reason that status gives now; `None` if status was left as it is.
async fn run<K: Kind>(pass: &mut Pass<'_, K>) -> Result<Option<Reason>, Halt> {
    let going = pass.object.meta().deletion_timestamp.is_some();
    if !going && K::is_suspended(pass.object) {
        return Ok(None);
    }
    let result = if going { K::finalize(pass).await } else { look_and_write(pass).await };
    let outcome = match result {
        Err(Halt::Refused(refusal)) => refused(pass, refusal),
        other => other?,
    };
    if pass.released {
        return Ok(None);
    }
    K::hold(pass, &outcome).await?; // IO
    let status = K::next_status(pass, &outcome, &Clock::time()); // pure
    publish::status(pass, status).await?; // IO
    Ok(current_reason(K::conditions(&pass.status)))
}

async fn look_and_write<K: Kind>(pass: &mut Pass<'_, K>) -> Result<K::Outcome, Halt> {
    let resolved = K::resolve(pass).await?; // IO
    let desired = K::desired(pass, &resolved)?; // pure
    let mut ask = None;
    for _ in 0..MAX_STEPS {
        let observed = K::observe(pass, &resolved, ask).await?; // IO
        match K::plan(pass, &resolved, &desired, &observed) {
            // pure
            Step::Ask(what) => ask = Some(what),
            Step::Write(write) => {
                ask = None;
                let text = write.to_string();
                tracing::info!(object = %pass.key, "{text}");
                K::apply(pass, &resolved, &desired, &observed, write).await?; // IO
                pass.wrote = true;
                pass.noted.push(text);
            }
            Step::Rest(outcome) => return Ok(outcome),
        }
    }
    Err(Halt::Retry("the remote keeps changing while it is looked at".into()))
}

/// Both good and bad ends become an outcome, from which alone status is built.
fn refused<K: Kind>(pass: &mut Pass<'_, K>, refusal: Refusal) -> K::Outcome {
    pass.again = Some(match refusal.retry {
        Retry::Backoff => backoff(pass.failures + 1, &pass.key),
        Retry::After(delay) => delay,
        Retry::OnChange => K::resync_interval(pass),
    });
    pass.failed = refusal.retry == Retry::Backoff;
    refusal.into()
}

/// Reason after the pass, and how to count it.
fn judge<K: Kind>(
    pass: &mut Pass<'_, K>,
    before: Option<Reason>,
    result: Result<Option<Reason>, Halt>,
) -> (Option<Reason>, PassResult) {
    match result {
        Ok(after) => {
            let after = after.or(before);
            let result = match after.map(Reason::class) {
                Some(Class::Ready) | None => PassResult::Settled,
                Some(Class::Mending) => PassResult::Waiting,
                Some(Class::Stalled) => PassResult::Stalled,
            };
            (after, result)
        }
        Err(Halt::Refused(Refusal { message: why, .. }) | Halt::Retry(why)) => {
            tracing::warn!(object = %pass.key, "pass ended early, trying again: {why}");
            pass.again = Some(backoff(pass.failures + 1, &pass.key));
            pass.failed = true;
            (before, PassResult::Failed)
        }
    }
}

/// Whether the cache is older than our own last write. resourceVersions of one resource are comparable as numbers
/// (Kubernetes API concepts, since 1.35); where they are no numbers, equality has to do, and nothing is held back.
fn is_behind(cached: Option<&str>, written: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    matches!((number(cached), number(written)), (Some(cached), Some(written)) if cached < written)
}
