//! What the driver asks of a kind of object, and what a pass over one carries from step to step.

use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::index::{ConnectionKey, User, object_key};
use super::refuse::Halt;
use crate::domain::ids::ObjectKey;
use crate::domain::refusal::Refusal;
use crate::ops::metrics::Kind as MetricsKind;

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
    /// Pure: goes on as if the write had been made and seen; `false` if only the remote can tell what comes after it. For
    /// who foresees a pass ([`super::foresee`]).
    fn pretend(pass: &mut Pass<'_, Self>, write: &Self::Write) -> bool;
    /// IO: what has to be on the object before status may say how the pass ended.
    fn hold(pass: &mut Pass<'_, Self>, outcome: &Self::Outcome) -> impl Future<Output = Result<(), Halt>> + Send;
    /// Pure: the status after the pass.
    fn next_status(pass: &Pass<'_, Self>, outcome: &Self::Outcome, now: &Time) -> Self::Status;
    /// Status says what became of the present spec.
    fn decided(context: &Context, key: &ObjectKey);
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
    pub failed: bool,
    /// Passes in a row before this one that were.
    pub failures: u32,
    /// The object needs nothing more: its finalizer is gone.
    pub released: bool,
}

impl<'a, K: Kind> Pass<'a, K> {
    /// The first pass of a process over an object, before its first step.
    #[must_use]
    pub fn first(context: &'a Arc<Context>, object: &'a K::Object) -> Self {
        Self {
            context,
            object,
            key: object_key(object),
            status: K::status(object).cloned().unwrap_or_default(),
            memory: K::Memory::default(),
            version: object.resource_version(),
            held: false,
            wrote: false,
            noted: vec![],
            again: None,
            failed: false,
            failures: 0,
            released: false,
        }
    }
}
