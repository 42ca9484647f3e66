//! `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::metrics::Metrics;

/// When passes have stalled, unless the caller says otherwise: longer than any timeout, and than the longest
/// Retry-After, that a pass can wait for.
pub const STALLED_AFTER: Duration = Duration::from_mins(15);

/// So many reasons are listed; kubelet shows the beginning only.
const MOST_REASONS: usize = 20;

/// What the probes know. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stalled_after: Duration,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    next: u64,
    waiting: BTreeMap<u64, String>,
    passes: BTreeMap<u64, Underway>,
    /// When a pass of each queue last ended or came further; nothing that is longer ago than a stall.
    last_move: BTreeMap<String, Instant>,
    /// The replica that is at work in place of this one.
    leader: Option<String>,
}

#[derive(Debug)]
struct Underway {
    object: String,
    queue: String,
    begun: Instant,
}

impl Health {
    /// Ready and alive. It is not alive when a pass has been under way for longer than `stalled_after` and none of its queue
    /// has ended or come further in that time. The second condition is for connections with thousands of users: right after a
    /// start most of their passes wait long for their turn, and a restart would only send them back to the end of the queue.
    #[must_use]
    pub fn new(stalled_after: Duration) -> Self {
        Self(Arc::new(Inner { stalled_after, notes: Mutex::default() }))
    }

    /// Not ready, for this reason, until the answer is dropped. Reasons are for people, and are shown to whoever asks.
    #[must_use = "ready again when this is dropped"]
    pub fn not_ready(&self, reason: impl Into<String>) -> NotReady {
        let mut notes = self.notes();
        let number = notes.number();
        notes.waiting.insert(number, reason.into());
        NotReady { health: self.clone(), number }
    }

    /// Another replica is at work, and this one is ready to take over; `None`: it is at work itself.
    pub fn standing_by(&self, leader: Option<&str>) {
        self.notes().leader = leader.map(str::to_owned);
    }

    /// A pass over this object has begun; it ends when the answer is dropped. Passes of one `queue`, mostly the users of a
    /// connection, wait for each other.
    #[must_use = "the pass ends when this is dropped"]
    pub fn pass_started(&self, queue: impl Into<String>, object: impl Into<String>) -> PassUnderWay {
        let mut notes = self.notes();
        let number = notes.number();
        notes.passes.insert(number, Underway { object: object.into(), queue: queue.into(), begun: Instant::now() });
        PassUnderWay { health: self.clone(), number }
    }

    /// Whoever waits in this queue does not wait in vain: it has come further, though perhaps no pass has ended.
    pub fn moved(&self, queue: &str) {
        let mut notes = self.notes();
        notes.last_move.retain(|_, last| !self.is_late(last));
        notes.last_move.insert(queue.to_owned(), Instant::now());
    }

    /// Why it is not ready; empty if it is.
    #[must_use]
    pub fn waiting_for(&self) -> Vec<String> {
        self.notes().waiting.values().cloned().collect()
    }

    /// The objects whose passes have stalled, the oldest first; empty if all is well.
    #[must_use]
    pub fn stalled(&self) -> Vec<String> {
        let notes = self.notes();
        let moves = |queue: &String| notes.last_move.get(queue).is_some_and(|end| !self.is_late(end));
        let stalled = |pass: &&Underway| self.is_late(&pass.begun) && !moves(&pass.queue);
        notes.passes.values().filter(stalled).map(|pass| pass.object.clone()).collect()
    }

    fn is_late(&self, moment: &Instant) -> bool {
        moment.elapsed() > self.0.stalled_after
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        // Nothing panics under the lock; if it did, the notes would still be notes.
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// See [`Health::not_ready`].
#[derive(Debug)]
pub struct NotReady {
    health: Health,
    number: u64,
}

impl Drop for NotReady {
    fn drop(&mut self) {
        self.health.notes().waiting.remove(&self.number);
    }
}

/// See [`Health::pass_started`].
#[derive(Debug)]
pub struct PassUnderWay {
    health: Health,
    number: u64,
}

impl Drop for PassUnderWay {
    fn drop(&mut self) {
        let ended = self.health.notes().passes.remove(&self.number);
        if let Some(Underway { queue, .. }) = ended {
            self.health.moved(&queue);
        }
    }
}

/// The server, bound and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
    address: SocketAddr,
}

#[derive(Clone)]
struct Sources {
    health: Health,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Takes the address; port 0 takes any.
    ///
    /// # Errors
    /// The address can't be taken.
    pub async fn bind(address: SocketAddr, health: Health, metrics: Arc<Metrics>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(encode))
            .with_state(Sources { health, metrics });
        tracing::info!(%address, "serving /healthz, /readyz and /metrics");
        Ok(Self { listener, router, address })
    }

    /// The address that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends and the requests under way have been answered.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        axum::serve(self.listener, self.router).with_graceful_shutdown(stop).await
    }
}

async fn healthz(State(sources): State<Sources>) -> impl IntoResponse {
    verdict("ok", "these passes have stalled:", &sources.health.stalled())
}

async fn readyz(State(sources): State<Sources>) -> impl IntoResponse {
    let leader = sources.health.notes().leader.clone();
    let good = leader.map_or_else(|| "ok".into(), |leader| format!("ok, standing by: {leader} leads"));
    verdict(&good, "not ready:", &sources.health.waiting_for())
}

async fn encode(State(sources): State<Sources>) -> impl IntoResponse {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], sources.metrics.encode())
}

fn verdict(good: &str, heading: &str, reasons: &[String]) -> (StatusCode, String) {
    if reasons.is_empty() {
        return (StatusCode::OK, format!("{good}\n"));
    }
    let mut text = format!("{heading}\n");
    // Writing to a String can't fail.
    for reason in reasons.iter().take(MOST_REASONS) {
        let _ = writeln!(text, "- {reason}");
    }
    if reasons.len() > MOST_REASONS {
        let _ = writeln!(text, "- and {} more", reasons.len() - MOST_REASONS);
    }
    (StatusCode::SERVICE_UNAVAILABLE, text)
}

#[cfg(test)]
mod tests;
