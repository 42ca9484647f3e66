//! Kubernetes Events. kube's recorder takes two that differ only in their note for one that happened twice, and keeps the
//! first note: the second of two writes to the remote, or of two orphans, would never be named. Here each note has a
//! recorder of its own, so that only what says the same is counted together.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};

use super::sources::lock;

/// How long the same counts as a repetition: as in kube's recorder.
const REPETITION: Duration = Duration::from_secs(360);
/// Notes remembered at most. What is forgotten too early becomes a second Event.
const REMEMBERED: usize = 1024;

/// See the module.
pub struct Events {
    client: Client,
    reporter: Reporter,
    recorders: Mutex<HashMap<u64, (Recorder, Instant)>>,
}

impl Events {
    /// Events of this reporter.
    #[must_use]
    pub fn new(client: Client, reporter: Reporter) -> Self {
        Self { client, reporter, recorders: Mutex::default() }
    }

    /// Writes one.
    ///
    /// # Errors
    /// Kubernetes does not take it.
    pub async fn publish(&self, event: &Event, on: &ObjectReference) -> Result<(), kube::Error> {
        self.recorder(event, on).publish(event, on).await
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
