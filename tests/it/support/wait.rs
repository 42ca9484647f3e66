//! Waiting for conditions, never for time.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookwright::api::project_webhook::{ProjectWebhook, ProjectWebhookStatus};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Operator, World, states};

/// How long anything may take. Nothing is asserted about time; this only turns a test that hangs into one that fails.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The condition of a type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// The reason of `Ready`, if status speaks of the current generation.
pub fn ready_reason(object: &ProjectWebhook) -> Option<&str> {
    let status = object.status.as_ref()?;
    let current = Some(status.observed_generation) == object.metadata.generation;
    current.then(|| condition(&status.conditions, "Ready").map(|ready| ready.reason.as_str())).flatten()
}

/// `Ready=True` for the current generation.
pub fn is_ready(object: &ProjectWebhook) -> bool {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    ready_reason(object).is_some() && condition(conditions, "Ready").is_some_and(|ready| ready.status == "True")
}

impl World {
    /// Waits until an object of any kind is as wanted, and returns it as it was then.
    pub async fn wait_for<K>(&self, api: Api<K>, name: &str, what: &str, is_so: impl Fn(&K) -> bool) -> K
    where
        K: Resource + Clone + Debug + DeserializeOwned + Serialize + Send + 'static,
    {
        let last = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&last);
        let wanted = move |object: Option<&K>| {
            object.into_iter().for_each(states::saw);
            seen.lock().unwrap().clone_from(&object.cloned());
            object.is_some_and(&is_so)
        };
        match tokio::time::timeout(DEADLINE, await_condition(api, name, wanted)).await {
            Ok(result) => result.unwrap_or_else(|error| panic!("{name}, {what}: {error}")).expect("it is there"),
            Err(_) => {
                let last = last.lock().unwrap().take();
                panic!("{name} is not so in {DEADLINE:?}: {what}; last seen:\n{last:#?}")
            }
        }
    }

    /// Waits until a ProjectWebhook is as wanted.
    pub async fn wait_until(&self, name: &str, what: &str, is_so: impl Fn(&ProjectWebhook) -> bool) -> ProjectWebhook {
        self.wait_for(self.webhooks(), name, what, is_so).await
    }

    /// Waits until the status of a ProjectWebhook is as wanted, for the current generation.
    pub async fn wait_status(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&ProjectWebhookStatus) -> bool,
    ) -> ProjectWebhook {
        self.wait_until(name, what, |object| {
            ready_reason(object).is_some() && object.status.as_ref().is_some_and(&is_so)
        })
        .await
    }

    /// Waits for `Ready=True` of the current generation.
    pub async fn wait_ready(&self, name: &str) -> ProjectWebhook {
        self.wait_until(name, "Ready", is_ready).await
    }

    /// Waits until `Ready` has this reason for the current generation.
    pub async fn wait_reason(&self, name: &str, reason: &str) -> ProjectWebhook {
        self.wait_until(name, &format!("Ready with reason {reason}"), |object| ready_reason(object) == Some(reason))
            .await
    }

    /// Asks for a pass by annotation, waits until it is over, and returns the object as it is then.
    pub async fn pass(&self, name: &str) -> ProjectWebhook {
        let asked = super::cluster::random("ask");
        self.annotate(name, "hookwright.dev/reconcile-requested-at", &asked).await;
        self.wait_until(name, &format!("a pass for {asked}"), |object| {
            object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref())
                == Some(asked.as_str())
        })
        .await
    }

    /// Waits until a ProjectWebhook is gone.
    pub async fn wait_gone(&self, name: &str) {
        let gone = await_condition(self.webhooks(), name, |object: Option<&ProjectWebhook>| object.is_none());
        if tokio::time::timeout(DEADLINE, gone).await.is_err() {
            let left = self.webhooks().get_opt(name).await;
            panic!("{name} is still there after {DEADLINE:?}: {left:#?}");
        }
    }

    /// Waits for an Event about an object whose reason and note are as wanted; returns the note.
    pub async fn wait_event(&self, name: &str, what: &str, is_so: impl Fn(&Event) -> bool) -> String {
        let api = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
        let found = async {
            use futures::StreamExt;
            while let Some(event) = events.next().await {
                let Ok(event) = event else { continue };
                let regarding = event.regarding.as_ref().and_then(|object| object.name.as_deref());
                if regarding == Some(name) && is_so(&event) {
                    return event.note.unwrap_or_default();
                }
            }
            unreachable!("a watch does not end")
        };
        match tokio::time::timeout(DEADLINE, found).await {
            Ok(note) => note,
            Err(_) => panic!("no Event of {name} in {DEADLINE:?}: {what}; there are {:#?}", self.events_of(name).await),
        }
    }

    /// Waits until the operator's metrics are as wanted, and returns them. They are counted after status is written.
    pub async fn wait_metrics(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        self.wait_served("/metrics", what, |_, text| is_so(text)).await
    }

    /// Waits until the operator's server answers as wanted, by code and text, and returns the text.
    pub async fn wait_served(&self, path: &str, what: &str, is_so: impl Fn(u16, &str) -> bool) -> String {
        self.operator().wait_served(path, what, is_so).await
    }

    /// Waits until a metric whose line contains this has a value.
    pub async fn wait_counted(&self, metric: &str, value: u64) {
        let end = format!(" {value}");
        self.wait_metrics(metric, |text| text.lines().any(|line| line.contains(metric) && line.ends_with(&end))).await;
    }

    /// Waits until the remote is as wanted.
    pub async fn wait_remote(&self, what: &str, is_so: impl Fn(&simulator::State) -> bool) {
        if let Err(error) = self.sim.wait_until(what, DEADLINE, is_so).await {
            panic!("{error:#}");
        }
    }
}

impl Operator {
    /// Waits until its server answers as wanted, by code and text, and returns the text.
    pub async fn wait_served(&self, path: &str, what: &str, is_so: impl Fn(u16, &str) -> bool) -> String {
        let begin = std::time::Instant::now();
        loop {
            let (code, text) = self.get(path).await;
            if is_so(code, &text) {
                return text;
            }
            assert!(begin.elapsed() < DEADLINE, "not so in {DEADLINE:?}: {what}; {path}:\n{text}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it has logged this.
    pub async fn wait_logged(&self, text: &str) {
        let begin = std::time::Instant::now();
        while !self.log().contains(text) {
            assert!(begin.elapsed() < DEADLINE, "not logged in {DEADLINE:?}: {text}; its log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// How many passes over ProjectWebhooks the metrics tell of.
pub fn passes(metrics: &str) -> u64 {
    let counts = metrics.lines().filter(|line| line.contains("_passes_total") && line.contains("ProjectWebhook"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// The status of a ProjectWebhook; the empty one if it has none.
pub fn status(object: &ProjectWebhook) -> ProjectWebhookStatus {
    object.status.clone().unwrap_or_default()
}

/// The message of `Ready`.
pub fn message(object: &ProjectWebhook) -> String {
    let status = status(object);
    condition(&status.conditions, "Ready").map(|ready| ready.message.clone()).unwrap_or_default()
}
