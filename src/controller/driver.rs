//! One pass over one object, the same for every kind:
//!
//! `resolve → desired → observe → plan → apply → publish`
//!
//! Steps that are IO are async and thin; steps that decide are pure and hold all of the decisions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};

use super::clock::Clock;
use super::context::Context;
use super::index::{ConnectionKey, object_key};
use super::kind::{Kind, Pass, Step};
use super::lanes::Lanes;
use super::publish;
use super::refuse::Halt;
use super::sources::lock;
use super::timetable::Timetable;
use crate::api::condition::{Class, Reason};
use crate::domain::ids::ObjectKey;
use crate::domain::refusal::{Refusal, Retry};
use crate::domain::schedule::backoff;
use crate::domain::status::current_reason;
use crate::domain::time::Moment;
use crate::ops::metrics::PassResult;

/// Looks and writes of one pass. A pass that needs more is going in circles, and is tried again later.
pub(super) const MAX_STEPS: usize = 16;

/// How soon a pass comes back that met a cache which lags behind its own last write.
const CACHE_LAG: Duration = Duration::from_millis(50);

/// How soon an object asks by itself whether it has a place by now: its turn is lost if the one before it changes lanes.
const TURN: Duration = Duration::from_secs(30);

/// What the driver remembers of an object.
struct Record<M> {
    memory: M,
    failures: u32,
    version: Option<String>,
    reason: Option<Reason>,
    /// Where the object is on the timetable, if it is.
    due: Option<Moment>,
    /// What a pass has done that waits for others.
    unfinished: Option<Unfinished>,
    /// Its finalizer was removed. The answer to that has the version of before, so no version tells when the cache shows it.
    released: bool,
}

impl<M: Default> Record<M> {
    /// Of an object of which nothing is remembered but the reason that its status gives.
    fn blank(reason: Option<Reason>) -> Self {
        let memory = M::default();
        Self { memory, failures: 0, version: None, reason, due: None, unfinished: None, released: false }
    }
}

/// Where a record is kept; empty while a pass has it. Boxed: a table has room for up to twice as many as there are.
type Slot<M> = Option<Box<Record<M>>>;

/// A pass that goes on when a LIST is there.
struct Unfinished {
    wrote: bool,
    noted: Vec<String>,
}

/// What there is to begin a pass with.
enum Taken<M> {
    Record(Box<Record<M>>),
    /// The cache lags behind our own last write.
    Behind,
    /// It was let go, and the watch has told its end or will: a pass would look at the remote once more, and nobody would ever
    /// forget what it remembers.
    Gone,
}

/// Memories of all objects of a kind, by UID: an object that is deleted and created again is another one.
pub struct Driver<K: Kind> {
    context: Arc<Context>,
    records: Mutex<HashMap<String, Slot<K::Memory>>>,
    lanes: Lanes,
    timetable: Timetable,
}

impl<K: Kind> Driver<K> {
    /// A driver that remembers nothing yet.
    #[must_use]
    pub fn new(context: Arc<Context>) -> Self {
        let lanes = Lanes::new(context.settings.max_concurrent);
        Self { context, records: Mutex::default(), lanes, timetable: Timetable::default() }
    }

    /// The shared handles.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Asks for passes over those that are at rest, when it is time for them; for ever.
    pub async fn call_those_due(&self) {
        self.timetable.call(self.context.clock, |key| self.context.triggers.user(K::user(key))).await;
    }

    /// One pass, if its connection has a place for it; else it is triggered again when one is free.
    pub async fn reconcile(&self, object: Arc<K::Object>) -> Action {
        let connection = K::connection(&object);
        let uid = object.uid().unwrap_or_default();
        let goes_on =
            lock(&self.records).get(&uid).is_some_and(|slot| slot.as_ref().is_some_and(|r| r.unfinished.is_some()));
        if !self.lanes.enter(&connection, &object_key(object.as_ref()), goes_on) {
            self.call_later(&object, TURN);
            return Action::await_change();
        }
        let action = self.pass(object, &connection).await;
        if let Some(next) = self.lanes.leave(&connection) {
            self.context.triggers.user(K::user(next));
        }
        action
    }

    /// One pass, with its bookkeeping.
    async fn pass(&self, object: Arc<K::Object>, connection: &ConnectionKey) -> Action {
        let key = self.key(&object);
        let uid = object.uid().unwrap_or_default();
        let held = object.finalizers().iter().any(|finalizer| finalizer == crate::api::FINALIZER);
        if object.meta().deletion_timestamp.is_some() && !held {
            return Action::await_change();
        }
        let record = match self.take(&object, &uid) {
            Taken::Record(record) => record,
            Taken::Behind => return Action::requeue(CACHE_LAG),
            Taken::Gone => return Action::await_change(),
        };
        // This is the pass that it was to have; another one in the middle of this would be for nothing.
        self.timetable.put(&key, record.due, None);
        let started = Instant::now();
        let called = format!("{} {key}", K::KIND.as_str());
        let _under_way = self.context.health.pass_started(connection.to_string(), called);
        let Record { memory, failures, version: _, reason, due: _, unfinished, released: _ } = *record;
        let Unfinished { wrote, noted } = unfinished.unwrap_or(Unfinished { wrote: false, noted: vec![] });
        let mut pass: Pass<'_, K> =
            Pass { key, memory, wrote, noted, failures, ..Pass::first(&self.context, object.as_ref()) };
        let ended = run(&mut pass).await;
        let gathers = matches!(ended, Err(Halt::Gathering(_)));
        let (after, result) = judge(&mut pass, reason, ended);
        if !gathers {
            self.context.metrics.passed(K::KIND, result, started.elapsed());
        }
        self.context.metrics.object_reason(K::KIND, reason, after);
        self.end(uid, pass, after, gathers);
        Action::await_change()
    }

    /// Takes the object's record for a pass, and leaves an empty slot.
    fn take(&self, object: &K::Object, uid: &str) -> Taken<K::Memory> {
        let mut records = lock(&self.records);
        let let_go = records.get(uid).and_then(Option::as_ref).is_some_and(|record| record.released);
        if let_go || !self.context.users.is_known(&K::user(object_key(object))) {
            return Taken::Gone;
        }
        let record = records.remove(uid).flatten().unwrap_or_else(|| self.first_met(object));
        if is_behind(object.resource_version().as_deref(), record.version.as_deref()) {
            records.insert(uid.to_owned(), Some(record));
            return Taken::Behind;
        }
        records.insert(uid.to_owned(), None);
        Taken::Record(record)
    }

    /// Remembers what the next pass needs, and when it is due; nothing of an object that is gone. `reason` is that which
    /// status gives now.
    fn end(&self, uid: String, pass: Pass<'_, K>, reason: Option<Reason>, gathers: bool) {
        let Pass { key, memory, version, released, again, failed, failures, wrote, noted, .. } = pass;
        let mut records = lock(&self.records);
        // Without its slot the object went while the pass was under way.
        let gone = records.remove(&uid).is_none();
        if released || gone {
            self.context.metrics.object_reason(K::KIND, reason, None);
            K::forget(&self.context, &key);
            if !gone {
                records.insert(uid, Some(Box::new(Record { released: true, ..Record::blank(None) })));
            }
            return;
        }
        let failures = match (failed, gathers) {
            (true, _) => failures + 1,
            (false, true) => failures,
            (false, false) => 0,
        };
        let unfinished = gathers.then_some(Unfinished { wrote, noted });
        let next = again.map(|wait| self.context.clock.now().after(wait));
        self.timetable.put(&key, None, next);
        let record = Record { memory, failures, version, reason, due: next, unfinished, released: false };
        records.insert(uid, Some(Box::new(record)));
    }

    /// Asks for a pass over an object that has none now.
    fn call_later(&self, object: &K::Object, wait: Duration) {
        let mut records = lock(&self.records);
        if !self.context.users.is_known(&K::user(object_key(object))) {
            drop(records);
            self.left(&K::connection(object), &object_key(object));
            return;
        }
        let slot = records.entry(object.uid().unwrap_or_default()).or_insert_with(|| Some(self.first_met(object)));
        // An empty slot is that of a pass under way, which asks for the next one itself.
        let Some(record) = slot else { return };
        let next = self.context.clock.now().after(wait);
        self.timetable.put(&self.key(object), record.due, Some(next));
        record.due = Some(next);
    }

    /// The object's key, for keeping.
    fn key(&self, object: &K::Object) -> ObjectKey {
        self.context.users.shared(K::user(object_key(object))).into_key()
    }

    /// The record of an object that this process has not met.
    fn first_met(&self, object: &K::Object) -> Box<Record<K::Memory>> {
        let reason = K::status(object).and_then(|status| current_reason(K::conditions(status)));
        self.context.metrics.object_reason(K::KIND, None, reason);
        Box::new(Record::blank(reason))
    }

    /// The object is gone without a pass of ours: it had nothing at the remote.
    pub fn gone(&self, object: &K::Object) {
        let key = object_key(object);
        if let Some(record) = object.uid().and_then(|uid| lock(&self.records).remove(&uid)).flatten() {
            self.context.metrics.object_reason(K::KIND, record.reason, None);
            self.timetable.put(&key, record.due, None);
        }
        K::forget(&self.context, &key);
        self.left(&K::connection(object), &key);
    }

    /// An object uses this connection no more: it waits for no place there.
    pub fn left(&self, connection: &ConnectionKey, key: &ObjectKey) {
        if let Some(next) = self.lanes.gone(connection, key) {
            self.context.triggers.user(K::user(next));
        }
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
    K::decided(pass.context, &pass.key);
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
            (after, result_of(after))
        }
        Err(halt) => {
            match halt {
                Halt::Gathering(wait) => {
                    pass.again = Some(wait);
                    return (before, PassResult::Waiting);
                }
                Halt::NotDue(wait) => {
                    pass.again = Some(wait);
                    return (before, result_of(before));
                }
                Halt::Outdated => tracing::debug!(object = %pass.key, "somebody else wrote the object in between"),
                Halt::Refused(Refusal { message: why, .. }) | Halt::Retry(why) => {
                    tracing::warn!(object = %pass.key, "pass ended early, trying again: {why}");
                }
            }
            pass.again = Some(backoff(pass.failures + 1, &pass.key));
            pass.failed = true;
            (before, PassResult::Failed)
        }
    }
}

fn result_of(reason: Option<Reason>) -> PassResult {
    match reason.map(Reason::class) {
        Some(Class::Ready) | None => PassResult::Settled,
        Some(Class::Mending) => PassResult::Waiting,
        Some(Class::Stalled) => PassResult::Stalled,
    }
}

/// Whether the cache is older than our own last write. resourceVersions of one resource are comparable as numbers
/// (Kubernetes API concepts, since 1.35); where they are no numbers, equality has to do, and nothing is held back.
fn is_behind(cached: Option<&str>, written: Option<&str>) -> bool {
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    matches!((number(cached), number(written)), (Some(cached), Some(written)) if cached < written)
}
