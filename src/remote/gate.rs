//! Whether calls may still be made, and what ends those under way.

use std::time::Instant;

use tokio::sync::watch;

/// This process may not call: it is stopping, or does not lead any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this operator is stopping, or another one leads")]
pub struct Closed;

/// Asked right before each call is sent.
pub trait Gate: Send + Sync {
    /// Whether a call may be sent now, and when it has to have ended: an answer that comes later could overlap with
    /// the calls of the next leader.
    ///
    /// # Errors
    /// No call may be sent.
    fn may_call(&self) -> Result<Option<Instant>, Closed>;
}

/// The gate of a process that has nobody beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Open;

impl Gate for Open {
    fn may_call(&self) -> Result<Option<Instant>, Closed> {
        Ok(None)
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
