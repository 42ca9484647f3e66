//! When a call may be made: one governor for all users of a connection.
//!
//! `rules` decides, with the time as an argument; what is here only keeps the queue. Who has to wait costs nothing
//! until its turn: turns are given when a permit comes back, and, where only time is missing, by one timekeeper.

mod rules;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::error::{Fault, NotSent, RemoteError};
use crate::api::connection::RateLimit;
use rules::{Next, Rules};

/// Which calls go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Deletions, changed specs, and whatever follows a write.
    Urgent,
    /// Looking whether everything is still as it was. Where both wait, one call in ten is periodic.
    Periodic,
}

/// How a call went, as far as its pace is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// The remote keeps up.
    Good,
    /// Timeout or 5xx: fewer calls at the same time. With a delay, none before that.
    Overloaded(Option<Duration>),
    /// 429: fewer calls at the same time, and none before the delay, or, without one, before a delay that doubles with
    /// each 429 in a row.
    RateLimited(Option<Duration>),
    /// Says nothing of the remote's load.
    Neutral,
}

impl Feedback {
    /// What a call's end says of the remote's load.
    #[must_use]
    pub const fn of(error: Option<&RemoteError>) -> Self {
        let Some(error) = error else { return Self::Good };
        match &error.fault {
            Fault::RateLimited { retry_after } => Self::RateLimited(*retry_after),
            Fault::Server { retry_after, .. } => Self::Overloaded(*retry_after),
            Fault::Timeout | Fault::Network | Fault::NotSent(NotSent::Timeout) => Self::Overloaded(None),
            // A refusal comes from a remote that keeps up.
            Fault::Unauthorized(_) | Fault::Forbidden(_) | Fault::NotFound(_) | Fault::Rejected { .. } => Self::Good,
            Fault::NotSent(_) | Fault::Redirected { .. } | Fault::Body(_) | Fault::Draining | Fault::Cut => {
                Self::Neutral
            }
        }
    }
}

/// The pace of one connection. Cheap to clone; clones share the pace.
#[derive(Clone, Debug)]
pub struct Pace(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Tells the timekeeper that its time may have changed.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    urgent: VecDeque<Waiter>,
    periodic: VecDeque<Waiter>,
    /// Urgent turns since the last periodic one, while periodic ones waited.
    urgent_turns: u32,
    /// Until when the timekeeper sleeps, if there is one.
    wakes_at: Option<Instant>,
}

type Waiter = oneshot::Sender<Permit>;

/// After so many urgent turns a periodic one is due.
const URGENT_TURNS: u32 = 9;

impl Pace {
    /// A pace with a full bucket.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        let state = State {
            rules: Rules::new(limit, Instant::now()),
            urgent: VecDeque::new(),
            periodic: VecDeque::new(),
            urgent_turns: 0,
            wakes_at: None,
        };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Sets another limit. Calls under way and those that wait go on.
    pub fn configure(&self, limit: RateLimit) {
        self.0.lock().rules.configure(limit, Instant::now());
        Shared::give_turns(&self.0);
    }

    /// The limit that is set.
    #[must_use]
    pub fn limit(&self) -> RateLimit {
        self.0.lock().rules.limit()
    }

    /// Until when the remote wants no call at all, if it said so.
    #[must_use]
    pub fn blocked_for(&self) -> Option<Duration> {
        self.0.lock().rules.blocked_for(Instant::now())
    }

    /// Waits for a turn: first come, first served within a priority. Cancellation-safe: who leaves takes nothing along.
    pub async fn acquire(&self, priority: Priority) -> Permit {
        let arrived = Instant::now();
        let turn = {
            let mut state = self.0.lock();
            if state.nobody_waits() && state.rules.next(arrived) == Next::Now {
                state.rules.take(arrived);
                let mut permit = Shared::permit(&self.0, state.rules.epoch());
                permit.unused = false;
                return permit;
            }
            let (sender, receiver) = oneshot::channel();
            state.queue(priority).push_back(sender);
            receiver
        };
        Shared::give_turns(&self.0);
        match turn.await {
            Ok(mut permit) => {
                permit.unused = false;
                permit.waited = arrived.elapsed();
                permit
            }
            // Waiters are dropped with the state only, and `self` keeps that.
            Err(_) => std::future::pending().await,
        }
    }
}

/// A turn: it may be used for one call. Dropping it ends the call, as far as the pace is concerned.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    epoch: u64,
    waited: Duration,
    /// On its way to a waiter: if that has left, the token goes back too.
    unused: bool,
}

impl Permit {
    /// How long the turn was waited for.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Ends the call and tells how it went.
    pub fn done(self, feedback: Feedback) {
        self.shared.lock().rules.learn(self.epoch, feedback, Instant::now());
    }

    /// Ends a call that was not made after all.
    pub fn unused(mut self) {
        self.unused = true;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.shared.lock();
            state.rules.release();
            if self.unused {
                state.rules.refund();
            }
        }
        Shared::give_turns(&self.shared);
    }
}

/// What there is to do for the queue.
enum Turn {
    Give(Waiter, u64),
    StartTimekeeper,
    TellTimekeeper,
    Nothing,
}

impl State {
    fn queue(&mut self, priority: Priority) -> &mut VecDeque<Waiter> {
        match priority {
            Priority::Urgent => &mut self.urgent,
            Priority::Periodic => &mut self.periodic,
        }
    }

    fn nobody_waits(&self) -> bool {
        self.urgent.is_empty() && self.periodic.is_empty()
    }

    fn turn(&mut self, now: Instant) -> Turn {
        for queue in [&mut self.urgent, &mut self.periodic] {
            while queue.front().is_some_and(Waiter::is_closed) {
                queue.pop_front();
            }
        }
        if self.nobody_waits() {
            return Turn::Nothing;
        }
        match self.rules.next(now) {
            Next::WhenReleased => Turn::Nothing,
            Next::Now => match self.first() {
                Some(waiter) => {
                    self.rules.take(now);
                    Turn::Give(waiter, self.rules.epoch())
                }
                None => Turn::Nothing,
            },
            Next::At(at) => match self.wakes_at {
                Some(wakes_at) if wakes_at <= at => Turn::Nothing,
                before => {
                    self.wakes_at = Some(at);
                    if before.is_some() { Turn::TellTimekeeper } else { Turn::StartTimekeeper }
                }
            },
        }
    }

    fn first(&mut self) -> Option<Waiter> {
        let both_wait = !self.urgent.is_empty() && !self.periodic.is_empty();
        let periodic = self.urgent.is_empty() || (both_wait && self.urgent_turns >= URGENT_TURNS);
        self.urgent_turns = if both_wait && !periodic { self.urgent_turns + 1 } else { 0 };
        self.queue(if periodic { Priority::Periodic } else { Priority::Urgent }).pop_front()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock; if it did, the numbers would still be numbers.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(shared: &Arc<Self>, epoch: u64) -> Permit {
        Permit { shared: Arc::clone(shared), epoch, waited: Duration::ZERO, unused: true }
    }

    /// Gives as many turns as there are. Never called under the lock: a permit that nobody takes locks on its way back.
    fn give_turns(shared: &Arc<Self>) {
        loop {
            let turn = shared.lock().turn(Instant::now());
            match turn {
                Turn::Give(waiter, epoch) => drop(waiter.send(Self::permit(shared, epoch))),
                Turn::StartTimekeeper => return Self::start_timekeeper(shared),
                Turn::TellTimekeeper => return shared.changed.notify_one(),
                Turn::Nothing => return,
            }
        }
    }

    fn start_timekeeper(shared: &Arc<Self>) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Self::keep_time(Arc::clone(shared)))),
            // A permit that is dropped outside a runtime: whoever comes next starts the timekeeper.
            Err(_) => shared.lock().wakes_at = None,
        }
    }

    async fn keep_time(shared: Arc<Self>) {
        loop {
            let Some(wakes_at) = shared.lock().wakes_at else { return };
            tokio::select! {
                () = tokio::time::sleep_until(wakes_at) => break,
                () = shared.changed.notified() => {}
            }
        }
        shared.lock().wakes_at = None;
        Self::give_turns(&shared);
    }
}

#[cfg(test)]
mod tests;
