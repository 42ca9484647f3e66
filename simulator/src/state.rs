//! Everything the simulator knows, under one lock, with a signal at every change.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::StatusCode;
use tokio::sync::watch;

use crate::app_maker::{AppMaker, Webhook};
use crate::calls::{Call, CallLog, Counts, Outcome, Ticket};
use crate::codearts::{self, Channel, CodeArts};
use crate::faults::{FaultPlan, Verdict};
use crate::remote::{ApiRequest, Remote, Reply};

/// Everything the simulator knows at one moment. Tests get it in [`crate::Simulator::wait_until`].
pub struct State {
    pub(crate) app_maker: AppMaker,
    pub(crate) codearts: CodeArts,
    pub(crate) calls: CallLog,
    pub(crate) faults: FaultPlan,
}

impl State {
    pub(crate) fn new(codearts: CodeArts, seed: u64, calls_kept: usize) -> Self {
        Self { app_maker: AppMaker::new(), codearts, calls: CallLog::new(calls_kept), faults: FaultPlan::new(seed) }
    }

    /// The recorded calls, oldest first.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter()
    }

    /// The recorded calls to one project of App Maker, task of Check, or user of IAM, oldest first.
    pub fn calls_for(&self, scope: &str) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter().filter(move |call| call.is_for(scope))
    }

    /// The counts of all calls, or of those to one project of App Maker, task of Check, or user of IAM.
    pub fn counts(&self, scope: Option<&str>) -> Counts {
        self.calls.counts(scope)
    }

    /// The webhooks of a project in full truth, oldest first; empty if there is no such project.
    pub fn webhooks(&self, project: &str) -> Vec<Webhook> {
        self.app_maker.console_list(project).unwrap_or_default()
    }

    /// How many webhooks a project has; none if there is no such project. Cheaper than [`Self::webhooks`].
    pub fn webhook_count(&self, project: &str) -> usize {
        self.app_maker.webhook_count(project)
    }

    /// The notification channels of a task of Check in full truth, oldest first; empty if there is no such task.
    pub fn channels(&self, task: &str) -> Vec<Channel> {
        self.codearts.tasks.channels(task).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// How often each fault was injected, by its id and, as `kind/<kind>`, by its kind.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        self.faults.injected()
    }

    /// Records that a request has come in, and decides which faults hit it.
    pub(crate) fn admit(&mut self, request: &ApiRequest) -> (Ticket, Verdict) {
        let target = self.remote_of(request).target(request);
        let verdict = self.faults.decide(request, &target);
        let ticket = self.calls.begin(request, target, verdict.ids.clone());
        (ticket, verdict)
    }

    /// Lets the API carry a request out, now, whether or not anybody hears the answer.
    pub(crate) fn apply(&mut self, ticket: &Ticket, request: &ApiRequest) -> Reply {
        let reply = self.remote_of_mut(request).answer(request);
        if reply.effect {
            self.calls.took_effect(ticket);
        }
        reply
    }

    /// Lets the API carry out a request whose caller has long been told nothing.
    pub(crate) fn apply_late(&mut self, ticket: &Ticket, request: &ApiRequest) {
        let reply = self.apply(ticket, request);
        self.calls.landed(ticket, reply.status.as_u16());
    }

    /// What the API says with a status that a fault asks for.
    pub(crate) fn failure(&self, request: &ApiRequest, status: StatusCode) -> Reply {
        self.remote_of(request).failure(request, status)
    }

    /// Records how a call ended.
    pub(crate) fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        self.calls.finish(ticket, outcome);
    }

    /// The API that a request belongs to. Their paths do not meet, so all of them share the listeners.
    fn remote_of(&self, request: &ApiRequest) -> &dyn Remote {
        if codearts::owns(&request.path) { &self.codearts } else { &self.app_maker }
    }

    fn remote_of_mut(&mut self, request: &ApiRequest) -> &mut dyn Remote {
        if codearts::owns(&request.path) { &mut self.codearts } else { &mut self.app_maker }
    }
}

/// The state as tasks share it.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// Counts the times that late effects were let go; see [`crate::FaultKind::LateEffect`].
    released: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: watch::Sender::new(()), released: watch::Sender::new(0) }
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and tells everybody who waits.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn release_late_effects(&self) {
        self.released.send_modify(|count| *count += 1);
    }

    pub(crate) fn releases(&self) -> watch::Receiver<u64> {
        self.released.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Only a test's predicate can panic under the lock, and it only reads: the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
