//! Whether calls may still be made, and what ends those under way.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use tokio::sync::watch;

/// This process may not call: it is stopping, or does not lead any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this operator is stopping, or another one leads")]
pub struct Closed;

/// Asked right before each call is sent.
pub trait Gate: Send + Sync {
    /// Whether a call may be sent now, and when it has to have ended: one that goes on for longer could overlap with the
    /// calls of the next leader.
    ///
    /// # Errors
    /// No call may be sent.
    fn may_call(&self) -> Result<Option<Deadline>, Closed>;
}

/// The gate of a process that has nobody beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Gate for Open {
    fn may_call(&self) -> Result<Option<Deadline>, Closed> {
        Ok(None)
    }
}

/// The gate of a process that only looks: nothing that asks passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shut;

impl Gate for Shut {
    fn may_call(&self) -> Result<Option<Deadline>, Closed> {
        Err(Closed)
    }
}

/// When calls have to have ended. It moves on whenever the lease is renewed, so that a call may take longer than one lease,
/// and yet ends before the lease would.
#[derive(Clone, Debug)]
pub struct Deadline(watch::Receiver<Instant>);

/// The end that moves a [`Deadline`].
#[derive(Debug)]
pub struct DeadlineHandle(watch::Sender<Instant>);

impl DeadlineHandle {
    /// From now on calls have to have ended by then.
    pub fn move_to(&self, end: Instant) {
        self.0.send_replace(end);
    }
}

impl Deadline {
    /// A deadline, and what moves it. Once the handle is dropped, it stays where it is.
    #[must_use]
    pub fn at(end: Instant) -> (DeadlineHandle, Self) {
        let (sender, receiver) = watch::channel(end);
        (DeadlineHandle(sender), Self(receiver))
    }

    /// Whether it is too late. The clock goes on while a process is stopped (CLOCK_MONOTONIC).
    #[must_use]
    pub fn has_passed(&self) -> bool {
        *self.0.borrow() <= Instant::now()
    }

    /// Does the work, and gives it up at the deadline. Each step of the work asks the clock first: timers fire some time
    /// after a frozen process goes on, and the work's next step may be the one that sends.
    ///
    /// # Errors
    /// The deadline has passed.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, Closed> {
        let mut work = pin!(work);
        let mut step = pin!(poll_fn(|context| {
            if self.has_passed() { Poll::Ready(Err(Closed)) } else { work.as_mut().poll(context).map(Ok) }
        }));
        loop {
            let end = *self.0.borrow();
            // At an end that has moved on meanwhile, the step only learns that there is more time.
            if let Ok(done) = tokio::time::timeout_at(end.into(), &mut step).await {
                return done;
            }
            if self.has_passed() {
                return Err(Closed);
            }
        }
    }
}

/// The end that stops: see [`cut`].
#[derive(Debug)]
pub struct CutHandle(watch::Sender<bool>);

impl CutHandle {
    /// Ends every call under way, and refuses those to come. It can't be taken back.
    pub fn cut(&self) {
        self.0.send_replace(true);
    }
}

/// The end that is stopped. Dropping the handle does not cut.
#[derive(Clone, Debug)]
pub struct Cut(watch::Receiver<bool>);

/// A signal that ends calls.
#[must_use]
pub fn cut() -> (CutHandle, Cut) {
    let (sender, receiver) = watch::channel(false);
    (CutHandle(sender), Cut(receiver))
}

impl Cut {
    /// A signal that never comes.
    #[must_use]
    pub fn never() -> Self {
        cut().1
    }

    /// Whether it has come.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it comes. Cancellation-safe.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|cut| *cut).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
