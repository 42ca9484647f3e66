//! Observation is shared: one LIST per connection and project serves all its ProjectWebhooks.
//!
//! Single flight: who asks while a LIST is under way waits for it, and takes it if it began late enough. Who comes with
//! others waits for them ([`super::gathering`]), and a LIST that has to show a write waits a moment while other writes of
//! the project are under way.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};

use super::clock::Clock;
use super::connections::Live;
use super::gathering::{Company, Gathering};
use super::index::ConnectionKey;
use super::sources::lock;
use crate::domain::ids::{ObjectKey, ProjectId, ProjectPath};
use crate::domain::observed::Webhook;
use crate::domain::schedule::{backoff, jittered};
use crate::domain::time::Moment;
use crate::ops::metrics::{Kind, Metrics};
use crate::remote::app_maker::AppMaker;
use crate::remote::error::{RemoteError, RetryClass};
use crate::remote::pace::Priority;

/// How old a LIST may be for a pass that may write: many objects applied together share one.
pub const FRESH: Duration = Duration::from_secs(5);

/// How long a LIST is kept for objects of the project that have to wait for a place: a little longer than they wait before
/// they ask again. Once all have used it, nobody needs it before the next one, and all LISTs are much memory.
pub const KEPT: Duration = Duration::from_secs(35);

/// How often LISTs that nobody needs are dropped.
pub const SWEPT: Duration = Duration::from_secs(1);

/// How long a LIST waits for other writes of its project to end, so that it shows them too.
const GATHER: Duration = Duration::from_millis(250);

/// One LIST.
#[derive(Debug)]
pub struct Snapshot {
    /// Its content.
    pub webhooks: Vec<Webhook>,
    /// When it began: it shows what ended before.
    pub begun: Moment,
}

/// A LIST that failed, for all who would have used it.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Why.
    pub error: RemoteError,
    /// When it is worth trying again.
    pub again: Duration,
}

/// Why there is no LIST.
#[derive(Clone, Debug)]
pub enum NoList {
    /// It failed.
    Failed(Failed),
    /// Others are about to need one too; to be asked for again after this time, or when one is there.
    Gathering(Duration),
}

/// What a LIST is made through.
#[derive(Clone, Copy)]
pub struct Remote<'a> {
    /// The connection.
    pub live: &'a Live,
    /// Its client.
    pub app_maker: &'a AppMaker,
}

/// Who asks for a LIST.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// The object.
    pub object: &'a ObjectKey,
    /// Its priority.
    pub priority: Priority,
    /// Whom it may wait for, and whether it has no webhook yet.
    pub company: Option<(Company, bool)>,
    /// Called for each that has waited for this LIST.
    pub tell: &'a (dyn Fn(ObjectKey) + Sync),
}

/// What is known of a project.
#[derive(Default)]
struct State {
    latest: Option<Arc<Snapshot>>,
    /// Who has used the latest.
    used_by: HashSet<ObjectKey>,
    failed: Option<Failure>,
    failures: u32,
}

/// The last LIST failed; the failure stands until this moment, for all who use the connection as it was then.
struct Failure {
    error: RemoteError,
    until: Moment,
    connection: String,
}

#[derive(Default)]
struct Timer {
    due: Option<Moment>,
    intervals: HashMap<ObjectKey, Duration>,
}

/// One project seen through one connection.
#[derive(Default)]
pub struct Project {
    state: AsyncMutex<State>,
    timer: Mutex<Timer>,
    gathering: Mutex<Gathering>,
    writing: AtomicUsize,
    written: Notify,
}

/// Held while a write to a project is under way.
pub struct Writing(Arc<Project>);

impl Drop for Writing {
    fn drop(&mut self) {
        if self.0.writing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.written.notify_waiters();
        }
    }
}

/// All projects.
#[derive(Default)]
pub struct Snapshots {
    projects: Mutex<HashMap<(ConnectionKey, ProjectPath), Arc<Project>>>,
}

impl Snapshots {
    /// The project, made when it is first asked for.
    #[must_use]
    pub fn project(&self, connection: &ConnectionKey, path: ProjectPath) -> Arc<Project> {
        Arc::clone(lock(&self.projects).entry((connection.clone(), path)).or_default())
    }

    /// How many projects a connection serves.
    #[must_use]
    pub fn count(&self, connection: &ConnectionKey) -> usize {
        lock(&self.projects).keys().filter(|(key, _)| key == connection).count()
    }

    /// Drops the LISTs that are used up. `members` is how many objects of a project use a connection.
    pub fn sweep(&self, now: Moment, members: impl Fn(&ConnectionKey, ProjectId) -> usize) {
        for ((connection, path), project) in lock(&self.projects).iter() {
            // Whoever holds the lock is about to have a new one.
            if let Ok(mut state) = project.state.try_lock() {
                let kept = if state.used_by.len() < members(connection, path.project) { KEPT } else { FRESH };
                if state.latest.take_if(|latest| now.since(latest.begun) > kept).is_some() {
                    state.used_by = HashSet::new();
                }
            }
        }
    }

    /// Forgets an object, and the projects that nobody uses any more.
    pub fn forget(&self, object: &ObjectKey) {
        lock(&self.projects).retain(|_, project| {
            lock(&project.gathering).forget(object);
            let mut timer = lock(&project.timer);
            timer.intervals.remove(object);
            // Whoever holds it is in a pass, and is forgotten in his turn.
            !timer.intervals.is_empty() || Arc::strong_count(project) > 1
        });
    }
}

impl Project {
    /// A LIST that began at `begun_after` or later: a known one, or a new one.
    ///
    /// # Errors
    /// The LIST fails, or failed a moment ago, or the asker waits for others.
    pub async fn list(
        &self,
        Remote { live, app_maker }: Remote<'_>,
        path: &ProjectPath,
        begun_after: Moment,
        asker: Asker<'_>,
        clock: &Clock,
    ) -> Result<Arc<Snapshot>, NoList> {
        let mut state = self.state.lock().await;
        // After one that failed, an older one is no answer: it would make Ready again what nobody could look at.
        if let Some(latest) = state.latest.clone().filter(|l| l.begun >= begun_after && state.failed.is_none()) {
            state.used_by.insert(asker.object.clone());
            return Ok(latest);
        }
        // A new Secret or endpoint deserves a new try; anybody else would only add load.
        // What was refused for the credentials' sake stands only as long as they are.
        let stands = |failure: &&Failure| {
            failure.connection == live.built_from && (!failure.error.is_auth() || live.credentials.are_rejected())
        };
        if let Some(failure) = state.failed.as_ref().filter(stands) {
            let again = failure.until.since(clock.now());
            if !again.is_zero() {
                return Err(NoList::Failed(Failed { error: failure.error.clone(), again }));
            }
        }
        if let Some((company, newcomer)) = asker.company
            && let Some(wait) = lock(&self.gathering).wait(asker.object, newcomer, company, clock.now())
        {
            return Err(NoList::Gathering(wait));
        }
        self.gather().await;
        let begun = clock.now();
        let answer = app_maker.list(path, asker.priority).await;
        lock(&self.gathering).end().into_iter().filter(|other| other != asker.object).for_each(asker.tell);
        match answer {
            Ok(webhooks) => {
                let snapshot = Arc::new(Snapshot { webhooks, begun });
                let used_by = HashSet::from([asker.object.clone()]);
                *state = State { latest: Some(Arc::clone(&snapshot)), used_by, failed: None, failures: 0 };
                Ok(snapshot)
            }
            Err(error) => {
                state.failures += 1;
                // Nobody was answered: whoever comes next is due, and must not take an older LIST for the answer.
                lock(&self.timer).due = Some(begun);
                let again = match error.retry() {
                    RetryClass::After(delay) => delay,
                    RetryClass::Soon | RetryClass::Person => backoff(state.failures, path),
                };
                let until = clock.now().after(again);
                state.failed = Some(Failure { error: error.clone(), until, connection: live.built_from.clone() });
                Err(NoList::Failed(Failed { error, again }))
            }
        }
    }

    async fn gather(&self) {
        let deadline = tokio::time::sleep(GATHER);
        tokio::pin!(deadline);
        loop {
            let written = self.written.notified();
            if self.writing.load(Ordering::Acquire) == 0 {
                return;
            }
            tokio::select! {
                () = written => {}
                () = &mut deadline => return,
            }
        }
    }

    /// Announces a write; the LIST that has to show it comes after the guard is dropped.
    #[must_use]
    pub fn writing(self: &Arc<Self>) -> Writing {
        self.writing.fetch_add(1, Ordering::AcqRel);
        Writing(Arc::clone(self))
    }

    /// Lets a failure stand no longer: a person asks for a new try.
    pub async fn retry_now(&self) {
        if let Some(failure) = &mut self.state.lock().await.failed {
            failure.until = Moment::default();
        }
    }

    /// The begin that a periodic look needs: if the timer is due, that moment, and the timer is wound up again. The
    /// project owns the timer, so that all its objects come due together and share one LIST. `least` is the shortest
    /// interval that the connection's rate allows.
    pub fn due(
        &self,
        object: &ObjectKey,
        interval: Duration,
        now: Moment,
        least: impl FnOnce() -> Duration,
        metrics: &Metrics,
    ) -> Option<Moment> {
        let (due, shortest) = {
            let mut timer = lock(&self.timer);
            timer.intervals.insert(object.clone(), interval);
            let shortest = timer.intervals.values().min().copied().unwrap_or(interval);
            if let Some(due) = timer.due.filter(|due| now < *due) {
                // A shorter interval may have come in.
                timer.due = Some(due.min(now.after(jittered(shortest, object))));
                return None;
            }
            (timer.due, shortest)
        };
        // Without the lock: who forgets an object holds the projects, which this counts, and waits for the lock.
        let stretched = shortest.max(least());
        let mut timer = lock(&self.timer);
        if timer.due != due {
            // Another object of the project has wound it meanwhile, and looks.
            return None;
        }
        metrics.resync_stretch(Kind::ProjectWebhook, stretched.as_secs_f64() / shortest.as_secs_f64().max(1.0));
        timer.due = Some(now.after(jittered(stretched, object)));
        if let Some(due) = due {
            metrics.resync_lag(Kind::ProjectWebhook, now.since(due));
        }
        Some(due.unwrap_or(now))
    }

    /// Time until the project is next looked at.
    pub fn until_due(&self, now: Moment) -> Duration {
        lock(&self.timer).due.map_or(Duration::ZERO, |due| due.since(now))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
