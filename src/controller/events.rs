//! Kubernetes Events. kube's recorder takes two that differ only in their note for one that happened twice, and keeps the
//! first note: the second of two writes to the remote, or of two orphans, would never be named. Here each note has a
//! recorder of its own, so that only what says the same is counted together.
//!
//! Most are queued and written one after the other, as client-go's recorder does: a pass does not wait for what only a
//! person will read.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};
use tokio::sync::{mpsc, oneshot};

use super::fail_point::FailPoint;
use super::refuse::kubernetes;
use super::sources::lock;

/// How long the same counts as a repetition: as in kube's recorder.
const REPETITION: Duration = Duration::from_secs(360);
/// Notes remembered at most; each takes about 7 KiB. What is forgotten too early becomes a second Event.
const REMEMBERED: usize = 128;
/// Events that wait at most; one more is waited for by its pass, so that none is lost.
const QUEUED: usize = 16_384;

enum Queued {
    Event(Box<(Event, ObjectReference)>),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// See the module.
#[derive(Clone)]
pub struct Events {
    writer: Arc<Writer>,
    queue: mpsc::Sender<Queued>,
}

struct Writer {
    client: Client,
    reporter: Reporter,
    recorders: Mutex<HashMap<u64, (Recorder, Instant)>>,
}

impl Events {
    /// Events of this reporter. The queue is worked off by the runtime that this is called in.
    #[must_use]
    pub fn new(client: Client, reporter: Reporter) -> Self {
        let writer = Arc::new(Writer { client, reporter, recorders: Mutex::default() });
        let (queue, mut queued) = mpsc::channel(QUEUED);
        let at_work = Arc::clone(&writer);
        tokio::spawn(async move {
            while let Some(next) = queued.recv().await {
                match next {
                    // A lost one is no reason to fail anything, and has been logged.
                    Queued::Event(event) => drop(at_work.write(&event.0, &event.1).await),
                    // Who asked may have given up.
                    Queued::Flush(done) => drop(done.send(())),
                }
            }
        });
        Self { writer, queue }
    }

    /// Writes one, and returns when Kubernetes has it: for what must be told before something is done.
    ///
    /// # Errors
    /// Kubernetes does not take it.
    pub async fn write(&self, event: Event, on: &ObjectReference) -> Result<(), kube::Error> {
        self.writer.write(&event, on).await
    }

    /// Has one written soon.
    pub async fn queue(&self, event: Event, on: &ObjectReference) {
        // The other end lives as long as the process.
        let _ = self.queue.send(Queued::Event(Box::new((event, on.clone())))).await;
    }

    /// Returns when everything that was queued until now is written.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let _ = self.queue.send(Queued::Flush(done)).await;
        let _ = flushed.await;
    }
}

impl Writer {
    async fn write(&self, event: &Event, on: &ObjectReference) -> Result<(), kube::Error> {
        let written = FailPoint::Event.after(self.recorder(event, on).publish(event, on)).await;
        written.inspect_err(|error| tracing::warn!("an Event could not be written: {}", kubernetes(error)))
    }

    fn recorder(&self, event: &Event, on: &ObjectReference) -> Recorder {
        let mut hasher = DefaultHasher::new();
        (&event.reason, &event.note, &on.kind, &on.namespace, &on.name, &on.uid).hash(&mut hasher);
        let mut recorders = lock(&self.recorders);
        recorders.retain(|_, (_, last)| last.elapsed() < REPETITION);
        if recorders.len() >= REMEMBERED {
            recorders.clear();
        }
        let fresh = || (Recorder::new(self.client.clone(), self.reporter.clone()), Instant::now());
        let (recorder, last) = recorders.entry(hasher.finish()).or_insert_with(fresh);
        *last = Instant::now();
        recorder.clone()
    }
}
