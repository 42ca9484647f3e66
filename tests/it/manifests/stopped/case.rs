//! A row at work: its objects are made, and what is told of them is compared.

use std::collections::BTreeMap;
use std::fmt::Debug;

use hookwright::api::condition::{Class, Reason};
use hookwright::api::connection::{ClusterConnection, Connection};
use hookwright::api::project_webhook::ProjectWebhook;
use hookwright::api::task_notification::TaskNotification;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::codearts::NewChannel;
use simulator::{NewWebhook, ProjectRef};

use super::Row;
use crate::support::{DEADLINE, World, condition, merge, render};

/// See the module.
pub struct Case<'a> {
    world: &'a World,
    row: Row,
    project: ProjectRef,
    task: String,
    console: String,
}

impl<'a> Case<'a> {
    pub fn new(world: &'a World, row: Row) -> Self {
        let (project, task) = (world.sim.new_project(), world.sim.new_task());
        Self { world, row, project, task, console: String::new() }
    }

    /// What is not as the row says.
    pub async fn judge(mut self) -> Vec<String> {
        self.make_sources().await;
        let connection = self.make_connection().await;
        self.make_remote();
        if !self.row.delete {
            self.make_faults();
        }
        self.make_object(connection.as_ref()).await;
        if self.row.delete {
            self.world.wait_ready(&self.row.name).await;
            self.make_faults();
            self.world.delete(&self.row.name).await;
        }
        let mut wrong = self.judge_object().await;
        if self.row.connection_reason.is_some() {
            wrong.extend(self.judge_connection(connection.expect("a connection of its own")).await);
        }
        // Everything has been told by now; what it cost is known.
        let calls: Vec<_> = self.world.sim.calls_for(self.scope()).iter().map(render).collect();
        if self.row.calls.as_ref().is_some_and(|expected| *expected != calls) {
            wrong.push(format!("{}: calls {calls:?}", self.row.name));
        }
        wrong
    }

    /// The task or project that the row's object is about, as calls are recorded.
    fn scope(&self) -> &str {
        match &self.row.notification {
            Some(spec) => spec["taskId"].as_str().unwrap_or(&self.task),
            None => &self.project.id,
        }
    }

    fn text(&self, text: &str) -> String {
        text.replace("{namespace}", &self.world.namespace)
            .replace("{name}", &self.row.name)
            .replace("{organization}", &self.project.organization)
            .replace("{project}", &self.project.id)
            .replace("{console}", &self.console)
            .replace("{iam}", &self.world.sim.iam_endpoint())
    }

    async fn make_sources(&self) {
        let row = &self.row;
        for (kind, field, all) in [
            ("Secret", "stringData", &row.secrets),
            ("Secret", "data", &row.binary),
            ("ConfigMap", "data", &row.config_maps),
        ] {
            for (name, data) in all.as_object().into_iter().flatten() {
                let source = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name }, field: data });
                self.world.apply(source).await.unwrap();
            }
        }
    }

    /// The reference to the row's own connection.
    async fn make_connection(&self) -> Option<Value> {
        let (name, to_check) = (&self.row.name, self.row.notification.is_some());
        let written = |spec: &Value| serde_json::from_str::<Value>(&self.text(&spec.to_string())).unwrap();
        if let Some(spec) = self.row.connection.as_ref().map(written) {
            match to_check {
                true => self.world.check_connection(name, spec).await,
                false => self.world.connection(name, spec).await,
            }
            return Some(json!({ "kind": "Connection", "name": name }));
        }
        let different = self.row.cluster_connection.as_ref().map(written)?;
        let name = format!("{}-{name}", self.world.namespace);
        let spec = if to_check { self.world.check_spec(different) } else { self.app_maker(different) };
        let object = json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": name }, "spec": spec,
        });
        self.world.apply(object).await.unwrap();
        Some(json!({ "kind": "ClusterConnection", "name": name }))
    }

    fn app_maker(&self, different: Value) -> Value {
        let mut usual = json!({
            "appMaker": {
                "endpoint": self.world.sim.http_endpoint(),
                "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
            },
        });
        merge(&mut usual, different);
        usual
    }

    fn make_remote(&mut self) {
        let sim = &self.world.sim;
        if let Some(behaviour) = self.row.behaviour.clone() {
            sim.set_project_behaviour(&self.project.id, Some(behaviour)).unwrap();
        }
        let Some(different) = self.row.console.clone() else { return };
        if self.row.notification.is_some() {
            let channel = with(&NewChannel::new("wecom", "https://hooks.example.com/robot"), different);
            self.console = sim.console_set_channel(&self.task, channel).unwrap().id;
        } else {
            let name = &self.row.name;
            let webhook = with(&NewWebhook::new(name, format!("https://hooks.example.com/{name}")), different);
            self.console = sim.console_create(&self.project.id, webhook).unwrap().id;
        }
    }

    fn make_faults(&self) {
        for fault in self.row.faults.clone() {
            // What IAM is asked is about a user, whom the row names.
            let of_user = fault.project.is_some();
            self.world.sim.add_fault(if of_user { fault } else { fault.project(self.scope()) });
        }
    }

    async fn make_object(&self, connection: Option<&Value>) {
        let Row { name, webhook, notification, .. } = &self.row;
        let mut spec = json!({});
        if let Some(connection) = connection {
            spec["connectionRef"] = connection.clone();
        }
        // Not merged: a `null` is to reach the merge with the usual spec.
        let mut add = |different: &Value| {
            for (field, value) in different.as_object().unwrap_or_else(|| panic!("{name}: no spec")) {
                spec[field] = value.clone();
            }
        };
        match (webhook, notification) {
            (Some(different), _) => {
                add(&json!({ "organizationId": self.project.organization, "projectId": self.project.id }));
                add(different);
                self.world.webhook(name, spec).await;
            }
            (None, different) => {
                add(different.as_ref().unwrap());
                self.world.notification(name, &self.task, spec).await;
            }
        }
    }

    async fn judge_object(&self) -> Vec<String> {
        let Row { name, reason, says, notification, .. } = &self.row;
        let says = self.text(says);
        match notification {
            None => judge(self.world.webhooks(), name, reason, &says).await,
            Some(_) => judge(self.namespaced::<TaskNotification>(), name, reason, &says).await,
        }
    }

    async fn judge_connection(&self, reference: Value) -> Vec<String> {
        let reason = self.row.connection_reason.as_deref().unwrap_or_default();
        let says = self.text(self.row.connection_says.as_deref().unwrap_or_default());
        let name = reference["name"].as_str().unwrap();
        if reference["kind"] == "Connection" {
            judge(self.namespaced::<Connection>(), name, reason, &says).await
        } else {
            judge(Api::<ClusterConnection>::all(self.world.client.clone()), name, reason, &says).await
        }
    }

    fn namespaced<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.world.client.clone(), &self.world.namespace)
    }
}

/// A thing for the console with some of its fields different.
fn with<T: serde::Serialize + DeserializeOwned>(usual: &T, different: Value) -> T {
    let mut value = serde_json::to_value(usual).unwrap();
    merge(&mut value, different);
    serde_json::from_value(value).unwrap()
}

/// An object that is told something.
trait Told: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static {
    /// The generation that it is about, and the conditions.
    fn told(&self) -> Option<(i64, &[Condition])>;
}

macro_rules! told {
    ($($kind:ty),*) => {$(
        impl Told for $kind {
            fn told(&self) -> Option<(i64, &[Condition])> {
                self.status.as_ref().map(|status| (status.observed_generation, status.conditions.as_slice()))
            }
        }
    )*};
}

told!(ProjectWebhook, TaskNotification, Connection, ClusterConnection);

/// What is wrong with what an object is told; nothing, if it becomes this.
async fn judge<K: Told>(api: Api<K>, name: &str, reason: &str, says: &str) -> Vec<String> {
    let is_so = |object: &K| {
        let current = object.told().filter(|(generation, _)| Some(*generation) == object.meta().generation);
        current.is_some_and(|(_, conditions)| is_told(conditions, reason, says))
    };
    match wait(api, name, is_so).await {
        Ok(()) => vec![],
        Err(last) => {
            let conditions = last.as_ref().and_then(Told::told).map(|(_, conditions)| conditions);
            vec![format!("{} {name}: not {reason}: {says}\nbut {:#?}", K::kind(&()), shown(conditions))]
        }
    }
}

/// `Ready` has reason and message, and beside it is what kstatus asks of a reason of its class, with the same text.
fn is_told(conditions: &[Condition], reason: &str, says: &str) -> bool {
    let of =
        |type_: &str| condition(conditions, type_).map(|c| (c.status.as_str(), c.reason.as_str(), c.message.as_str()));
    let class = Reason::ALL.iter().find(|known| known.as_str() == reason).expect("a reason").class();
    let (ready, reconciling, stalled) = match class {
        Class::Ready => (Some(("True", reason, says)), None, None),
        Class::Mending => (Some(("False", reason, says)), Some(("True", reason, says)), None),
        Class::Stalled => (Some(("False", reason, says)), None, Some(("True", reason, says))),
    };
    of("Ready") == ready && of("Reconciling") == reconciling && of("Stalled") == stalled
}

type Shown<'a> = BTreeMap<&'a str, (&'a str, &'a str, &'a str)>;

fn shown(conditions: Option<&[Condition]>) -> Shown<'_> {
    let mut all = Shown::new();
    for condition in conditions.unwrap_or_default() {
        all.insert(
            condition.type_.as_str(),
            (condition.status.as_str(), condition.reason.as_str(), condition.message.as_str()),
        );
    }
    all
}

/// Waits until an object is as wanted; else tells how it was last.
async fn wait<K>(api: Api<K>, name: &str, is_so: impl Fn(&K) -> bool) -> Result<(), Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let wanted = |object: Option<&K>| object.is_some_and(&is_so);
    match tokio::time::timeout(DEADLINE, await_condition(api.clone(), name, wanted)).await {
        Ok(result) => result.map(drop).map_err(|error| panic!("{name}: {error}")),
        Err(_) => Err(api.get_opt(name).await.unwrap()),
    }
}
