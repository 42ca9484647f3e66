//! What the operator refuses or waits for: a row for each reason, with its message and what it cost at the remote.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use futures::future::join_all;
use hookwright::api::condition::{Class, Reason};
use hookwright::api::connection::{ClusterConnection, Connection, ConnectionStatus};
use hookwright::domain::desired::InvalidValue;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Resource};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use simulator::{Behaviour, Fault, NewWebhook, ProjectRef};

use super::rows::expand;
use crate::support::{DEADLINE, World, condition, merge, ready_reason, render};

/// A row; see stopped.yaml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Row {
    name: String,
    /// Needs an operator that watches all namespaces.
    #[serde(default)]
    wide: bool,
    #[serde(default)]
    secrets: Value,
    #[serde(default)]
    binary: Value,
    #[serde(default)]
    config_maps: Value,
    connection: Option<Value>,
    cluster_connection: Option<Value>,
    #[serde(default)]
    behaviour: Option<Behaviour>,
    console: Option<Value>,
    #[serde(default)]
    faults: Vec<Fault>,
    webhook: Value,
    #[serde(default)]
    delete: bool,
    reason: String,
    says: String,
    connection_reason: Option<String>,
    connection_says: Option<String>,
    calls: Option<Vec<String>>,
}

fn rows() -> Vec<Row> {
    [include_str!("stopped.yaml"), include_str!("stopped-by-remote.yaml")]
        .into_iter()
        .flat_map(|text| {
            let rows: Vec<Value> = serde_yaml::from_str(text).unwrap();
            rows.into_iter().map(|row| serde_json::from_value(expand(row, 0)).unwrap()).collect::<Vec<Row>>()
        })
        .collect()
}

#[test]
fn each_reason_that_is_not_ready_has_a_row_with_its_message() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    let with_row: BTreeSet<_> =
        rows.iter().flat_map(|row| [Some(&row.reason), row.connection_reason.as_ref()]).flatten().collect();
    let reasons = Reason::ALL.iter().filter(|reason| reason.class() != Class::Ready).map(|reason| reason.as_str());
    let without: Vec<_> = reasons.filter(|reason| !with_row.contains(&(*reason).to_owned())).collect();
    assert!(without.is_empty(), "no row of stopped.yaml or stopped-by-remote.yaml has these: {without:?}");
}

/// Which row tells of a value that can't be used.
fn row_of(variant: &str) -> Option<&'static str> {
    match variant {
        "ControlCharacter" => Some("control-character"),
        "OnlyAsterisks" => Some("only-asterisks"),
        "TooLong" => Some("too-long"),
        "NotAReceiver" => Some("url-of-secret-is-none"),
        "UrlTooLong" => Some("url-too-long"),
        // Names are never taken from Secrets: the API server refuses these already, see refused.yaml.
        "NotAToken" | "Reserved" | "Twice" => None,
        new => panic!("{new} needs a row in stopped.yaml, and its name here"),
    }
}

#[test]
fn each_value_that_can_not_be_used_has_a_row() {
    let rows = rows();
    for variant in InvalidValue::VARIANTS {
        let Some(row) = row_of(variant) else { continue };
        assert!(rows.iter().any(|other| other.name == row), "{variant}: {row}");
    }
}

#[tokio::test]
async fn each_reason_is_told_with_what_to_do_and_bad_input_costs_no_call() {
    // One receiver is allowed, so that others are not.
    let world = World::with(|setup| setup.flag("--allowed-receiver", "https://hooks.example.com:*")).await;
    let rows = rows().into_iter().filter(|row| !row.wide);
    let failures = join_all(rows.map(|row| Case::new(&world, row).judge())).await.concat();
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n\n"));
}

#[tokio::test]
async fn each_reason_about_cluster_connections_is_told_with_what_to_do_and_costs_no_call() {
    let world = World::with(|setup| setup.wide()).await;
    let rows = rows().into_iter().filter(|row| row.wide);
    let failures = join_all(rows.map(|row| Case::new(&world, row).judge())).await.concat();
    remove_all(&world).await;
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n\n"));
}

/// The next operator that watches everything shall not find these.
async fn remove_all(world: &World) {
    let all = (&DeleteParams::default(), &ListParams::default());
    world.webhooks().delete_collection(all.0, all.1).await.unwrap();
    let api = Api::<ClusterConnection>::all(world.client.clone());
    for one in api.list(&ListParams::default()).await.unwrap() {
        let name = one.metadata.name.unwrap();
        if name.starts_with(&world.namespace) {
            api.delete(&name, all.0).await.unwrap();
        }
    }
}

/// A row at work.
struct Case<'a> {
    world: &'a World,
    row: Row,
    project: ProjectRef,
    console: String,
}

impl<'a> Case<'a> {
    fn new(world: &'a World, row: Row) -> Self {
        let project = world.sim.new_project();
        Self { world, row, project, console: String::new() }
    }

    /// What is not as the row says.
    async fn judge(mut self) -> Vec<String> {
        self.make_sources().await;
        let connection = self.make_connection().await;
        self.make_remote();
        if !self.row.delete {
            self.make_faults();
        }
        self.world.webhook(&self.row.name, self.spec(connection.as_ref())).await;
        if self.row.delete {
            self.world.wait_ready(&self.row.name).await;
            self.make_faults();
            self.world.delete(&self.row.name).await;
        }
        let mut wrong = self.judge_webhook().await;
        if self.row.connection_reason.is_some() {
            wrong.extend(self.judge_connection(connection.expect("a connection of its own")).await);
        }
        // Everything has been told by now; what it cost is known.
        let calls: Vec<_> = self.world.sim.calls_for(&self.project.id).iter().map(render).collect();
        if self.row.calls.as_ref().is_some_and(|expected| *expected != calls) {
            wrong.push(format!("{}: calls {calls:?}", self.row.name));
        }
        wrong
    }

    fn text(&self, text: &str) -> String {
        text.replace("{namespace}", &self.world.namespace)
            .replace("{name}", &self.row.name)
            .replace("{organization}", &self.project.organization)
            .replace("{project}", &self.project.id)
            .replace("{console}", &self.console)
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
        let name = &self.row.name;
        if let Some(spec) = &self.row.connection {
            self.world.connection(name, spec.clone()).await;
            return Some(json!({ "kind": "Connection", "name": name }));
        }
        let spec = self.row.cluster_connection.clone()?;
        let name = format!("{}-{name}", self.world.namespace);
        let mut usual = json!({
            "appMaker": {
                "endpoint": self.world.sim.http_endpoint(),
                "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
            },
        });
        merge(&mut usual, spec);
        let object = json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": name }, "spec": usual,
        });
        self.world.apply(object).await.unwrap();
        Some(json!({ "kind": "ClusterConnection", "name": name }))
    }

    fn make_remote(&mut self) {
        let sim = &self.world.sim;
        if let Some(behaviour) = self.row.behaviour.clone() {
            sim.set_project_behaviour(&self.project.id, Some(behaviour)).unwrap();
        }
        if let Some(different) = self.row.console.clone() {
            let name = &self.row.name;
            let lookalike = NewWebhook::new(name, format!("https://hooks.example.com/{name}"));
            let mut webhook = serde_json::to_value(lookalike).unwrap();
            merge(&mut webhook, different);
            self.console = sim.console_create(&self.project.id, serde_json::from_value(webhook).unwrap()).unwrap().id;
        }
    }

    fn make_faults(&self) {
        for fault in self.row.faults.clone() {
            self.world.sim.add_fault(fault.project(&self.project.id));
        }
    }

    fn spec(&self, connection: Option<&Value>) -> Value {
        let mut spec = json!({ "organizationId": self.project.organization, "projectId": self.project.id });
        if let Some(connection) = connection {
            spec["connectionRef"] = connection.clone();
        }
        let Value::Object(different) = self.row.webhook.clone() else { panic!("{}: webhook", self.row.name) };
        // Not merged: a `null` is to reach the merge with the usual spec.
        for (field, value) in different {
            spec[field] = value;
        }
        spec
    }

    async fn judge_webhook(&self) -> Vec<String> {
        let Row { name, reason, .. } = &self.row;
        let says = self.text(&self.row.says);
        let is_so = |conditions: &[Condition]| is_told(conditions, reason, &says);
        let told = wait(self.world.webhooks(), name, move |object| {
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice());
            ready_reason(object).is_some() && conditions.is_some_and(is_so)
        });
        match told.await {
            Ok(_) => vec![],
            Err(last) => {
                let conditions = last.and_then(|object| object.status).map(|status| status.conditions);
                vec![format!("{name}: not {reason}: {says}\nbut {:#?}", shown(conditions.as_deref()))]
            }
        }
    }

    async fn judge_connection(&self, reference: Value) -> Vec<String> {
        let reason = self.row.connection_reason.as_deref().unwrap_or_default();
        let says = self.text(self.row.connection_says.as_deref().unwrap_or_default());
        let name = reference["name"].as_str().unwrap();
        let client = self.world.client.clone();
        let is_so = |status: &ConnectionStatus| is_told(&status.conditions, reason, &says);
        let last = if reference["kind"] == "Connection" {
            let api = Api::<Connection>::namespaced(client, &self.world.namespace);
            let told = wait(api, name, move |object| object.status.as_ref().is_some_and(is_so)).await;
            told.err().map(|last| last.and_then(|object| object.status))
        } else {
            let api = Api::<ClusterConnection>::all(client);
            let told = wait(api, name, move |object| object.status.as_ref().is_some_and(is_so)).await;
            told.err().map(|last| last.and_then(|object| object.status))
        };
        let wrong = |status: Option<ConnectionStatus>| {
            let conditions = status.map(|status| status.conditions);
            format!("connection {name}: not {reason}: {says}\nbut {:#?}", shown(conditions.as_deref()))
        };
        last.map(wrong).into_iter().collect()
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

type Told<'a> = BTreeMap<&'a str, (&'a str, &'a str, &'a str)>;

fn shown(conditions: Option<&[Condition]>) -> Told<'_> {
    let mut all = Told::new();
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
