//! The API server, asked whether it would take what is rendered.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::helm::{documents, title};
use crate::support::{DEADLINE, admin_client, apply_definitions, kubeconfig, random};

/// Kinds that have no namespace, of those that the tests touch.
const CLUSTER_SCOPED: [&str; 6] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "Namespace",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// A client of the shared control plane, on which our definitions and the Prometheus Operator's are.
pub async fn shared() -> Client {
    static READY: OnceCell<()> = OnceCell::const_new();
    let client = admin_client(&kubeconfig("HOOKWRIGHT_TEST_KUBECONFIG")).await;
    READY
        .get_or_init(async || {
            apply_definitions(&client).await;
            for crd in documents(include_str!("monitoring.yaml")) {
                let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
                apply(&client, &crd).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                let api = Api::<CustomResourceDefinition>::all(client.clone());
                let served = await_condition(api, &name, conditions::is_crd_established());
                tokio::time::timeout(DEADLINE, served).await.expect("it is established in time").expect("a watch");
            }
        })
        .await;
    client
}

/// A namespace with these labels, in which pods may be created.
pub async fn namespace(client: &Client, labels: Value) -> String {
    let name = random("chart");
    make_namespace(client, &name, labels).await;
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &name);
    let there = await_condition(accounts, "default", |account: Option<&ServiceAccount>| account.is_some());
    tokio::time::timeout(DEADLINE, there).await.expect("its ServiceAccount comes in time").expect("a watch");
    name
}

/// A namespace of this name; another test may have made it.
pub async fn make_namespace(client: &Client, name: &str, labels: Value) {
    let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } })).unwrap();
    match Api::all(client.clone()).create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        other => drop(other.unwrap_or_else(|error| panic!("namespace {name}: {error}"))),
    }
}

/// The API for an object's kind, in its namespace.
pub fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |field: &str| object[field].as_str().unwrap_or_else(|| panic!("no {field}: {object}"));
    let (group, version) = text("apiVersion").rsplit_once('/').unwrap_or(("", text("apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")));
    if CLUSTER_SCOPED.contains(&text("kind")) {
        return Api::all_with(client.clone(), &resource);
    }
    let namespace = object["metadata"]["namespace"].as_str();
    let namespace = namespace.unwrap_or_else(|| panic!("{} is rendered without its namespace", title(object)));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Applies an object.
pub async fn apply(client: &Client, object: &Value) -> Result<DynamicObject, kube::Error> {
    patch(client, object, PatchParams::apply("tests").force()).await
}

/// Asks whether an object would be taken, unknown fields refused.
pub async fn dry_run(client: &Client, object: &Value) -> Result<DynamicObject, kube::Error> {
    let params = PatchParams { dry_run: true, ..PatchParams::apply("tests").force().validation_strict() };
    patch(client, object, params).await
}

async fn patch(client: &Client, object: &Value, params: PatchParams) -> Result<DynamicObject, kube::Error> {
    let name = object["metadata"]["name"].as_str().expect("a name");
    api(client, object).patch(name, &params, &Patch::Apply(object)).await
}

/// Every object would be taken. The namespaces that they name are made before.
pub async fn all_accepted(client: &Client, what: &str, objects: &[Value]) {
    let namespaces: BTreeSet<_> =
        objects.iter().filter_map(|object| object["metadata"]["namespace"].as_str()).collect();
    for namespace in namespaces {
        make_namespace(client, namespace, json!({})).await;
    }
    for object in objects {
        dry_run(client, object).await.unwrap_or_else(|error| panic!("{what}: {}: {error}", title(object)));
    }
}
