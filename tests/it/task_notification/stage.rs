//! A world with a Check task, and a connection to it.

use std::ops::Deref;

use hookwright::api::connection::Connection;
use hookwright::api::task_notification::{TaskNotification, TaskNotificationStatus};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use simulator::codearts::{Behaviour, NewChannel};

use crate::support::{DEADLINE, Setup, World, condition, merge, random};

/// The token that Check takes, in Secret `codearts`, key `token`.
pub const TOKEN: &str = "check-token-of-the-tests";
/// The robot's URL, in Secret `robots`, key `url`.
pub const URL: &str = "https://robots.example.com/send?key=of-the-tests";
/// The robot's signing secret, in Secret `robots`, key `sign`.
pub const SIGN: &str = "signing-secret-of-the-tests";

/// See the module.
pub struct Stage {
    pub world: World,
    pub task: String,
}

impl Deref for Stage {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Stage {
    /// A task without channels, and Connection `codearts` that is authenticated by token.
    pub async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    pub async fn with(change: impl FnOnce(&mut Setup) -> &mut Setup) -> Self {
        let world = World::with(|setup| {
            // IAM is another host than Check.
            change(setup.no_connection().flag("--allowed-endpoint", "https://localhost:*"))
        })
        .await;
        world.sim.add_check_token(TOKEN);
        let task = world.sim.new_task();
        let ca = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" },
            "data": { "ca.crt": world.sim.ca_pem() },
        });
        world.apply(ca).await.unwrap();
        world.secret("codearts", &[("token", TOKEN)]).await;
        world.secret("robots", &[("url", URL), ("sign", SIGN)]).await;
        let stage = Self { world, task };
        stage.connect(json!({ "tokenFrom": from("codearts", "token") }), json!({})).await;
        stage
    }

    /// Applies Connection `codearts` with this way to authenticate, and what is different in its spec.
    pub async fn connect(&self, auth: Value, spec: Value) {
        let mut all = json!({
            "appMaker": null,
            "codeArts": { "endpoint": self.sim.check_endpoint(), "auth": auth },
            "caFrom": { "configMapKeyRef": { "name": "ca", "key": "ca.crt" } },
        });
        merge(&mut all, spec);
        // `merge` has taken it away as well.
        all["appMaker"] = Value::Null;
        self.connection("codearts", all).await;
        // Until it is judged, a look may still go through the connection as it was.
        let is_judged = |connection: &Connection| {
            let observed = connection.status.as_ref().map(|status| status.observed_generation);
            observed == connection.metadata.generation
        };
        self.wait_for(self.connections(), "codearts", "judged", is_judged).await;
    }

    /// Enters the channel at the console that `notify` declares.
    pub fn console(&self, change: impl FnOnce(NewChannel) -> NewChannel) -> simulator::codearts::Channel {
        let channel = NewChannel::new("wecom", URL).notify(["jobResult", "issues"]).secret(SIGN);
        self.sim.console_set_channel(&self.task, change(channel)).unwrap()
    }

    /// Sets how Check behaves.
    pub fn behave(&self, behaviour: Behaviour) {
        self.sim.set_check_behaviour(behaviour);
    }

    /// Applies a TaskNotification of the stage's task with one WeCom channel, and what is different in its spec.
    pub async fn notify(&self, name: &str, spec: Value) {
        let mut all = json!({
            "connectionRef": { "name": "codearts" },
            "taskId": self.task,
            "channels": [{
                "type": "wecom",
                "urlFrom": from("robots", "url"),
                "secretFrom": from("robots", "sign"),
                "notify": ["jobResult", "issues"],
            }],
        });
        merge(&mut all, spec);
        let object = json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "TaskNotification", "metadata": { "name": name },
            "spec": all,
        });
        self.apply(object).await.unwrap_or_else(|error| panic!("TaskNotification {name}: {error}"));
    }

    pub fn notifications(&self) -> Api<TaskNotification> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn connections(&self) -> Api<Connection> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits until `Ready` has this reason for the current generation, and returns the status.
    pub async fn told(&self, name: &str, reason: &str) -> TaskNotificationStatus {
        let is_so = |object: &TaskNotification| ready(object).is_some_and(|(found, _)| found == reason);
        self.wait_for(self.notifications(), name, reason, is_so).await.status.unwrap()
    }

    /// The same for a message that holds this text.
    pub async fn told_that(&self, name: &str, reason: &str, text: &str) -> TaskNotificationStatus {
        let is_so = |object: &TaskNotification| {
            ready(object).is_some_and(|(found, says)| found == reason && says.contains(text))
        };
        self.wait_for(self.notifications(), name, &format!("{reason}: {text}"), is_so).await.status.unwrap()
    }

    /// Waits for a reason of Connection `codearts`.
    pub async fn connection_is(&self, reason: &str) -> String {
        let is_so = |connection: &Connection| {
            let ready = connection.status.as_ref().and_then(|status| condition(&status.conditions, "Ready"));
            ready.is_some_and(|ready| ready.reason == reason)
        };
        let connection = self.wait_for(self.connections(), "codearts", reason, is_so).await;
        condition(&connection.status.unwrap().conditions, "Ready").unwrap().message.clone()
    }

    /// Asks for a pass by annotation and waits until it is over.
    pub async fn look(&self, name: &str) -> TaskNotificationStatus {
        let asked = random("ask");
        let patch = Patch::Merge(json!({
            "metadata": { "annotations": { "hookwright.dev/reconcile-requested-at": asked } },
        }));
        self.notifications().patch_metadata(name, &PatchParams::default(), &patch).await.unwrap();
        let is_so = |object: &TaskNotification| {
            object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref()) == Some(&asked)
        };
        self.wait_for(self.notifications(), name, "a pass", is_so).await.status.unwrap()
    }

    /// Deletes a TaskNotification and waits until it is gone.
    pub async fn remove(&self, name: &str) {
        self.notifications().delete(name, &DeleteParams::default()).await.unwrap();
        let gone = await_condition(self.notifications(), name, |object: Option<&TaskNotification>| object.is_none());
        tokio::time::timeout(DEADLINE, gone).await.expect("it goes").unwrap();
    }

    /// The calls about the task, as `METHOD status`.
    pub fn asked(&self) -> Vec<String> {
        let calls = self.sim.calls_for(&self.task);
        calls.iter().map(|call| format!("{} {}", call.method, call.outcome)).collect()
    }
}

/// A value of a Secret.
pub fn from(secret: &str, key: &str) -> Value {
    json!({ "secretKeyRef": { "name": secret, "key": key } })
}

/// Reason and message of `Ready`, if status speaks of the current generation.
pub fn ready(object: &TaskNotification) -> Option<(&str, &str)> {
    let status = object.status.as_ref()?;
    let current = Some(status.observed_generation) == object.metadata.generation;
    let ready = condition(&status.conditions, "Ready").filter(|_| current)?;
    Some((ready.reason.as_str(), ready.message.as_str()))
}

/// The message of a status.
pub fn says(status: &TaskNotificationStatus) -> String {
    condition(&status.conditions, "Ready").unwrap().message.clone()
}
