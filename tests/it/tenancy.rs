//! ClusterConnections: whom they serve. The operator of these tests watches everything, on a control plane of its own.

use hookwright::api::connection::ClusterConnection;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};

use crate::support::{DEADLINE, TOKEN, World, condition, merge, message, random, ready_reason};

/// A ClusterConnection to the world's remote, with a name that no other test has.
async fn cluster_connection(world: &World, name: &str, spec: Value) {
    let mut usual = json!({
        "appMaker": {
            "endpoint": world.sim.http_endpoint(),
            "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
        },
    });
    merge(&mut usual, spec);
    let object = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": name }, "spec": usual,
    });
    // Replaced whole: a field that the next step leaves out is gone.
    world.apply(object).await.unwrap();
}

async fn namespace(world: &World, labels: Value) -> String {
    let name = random("tenant");
    let object: Namespace = serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } })).unwrap();
    Api::all(world.client.clone()).create(&PostParams::default(), &object).await.unwrap();
    name
}

/// A ProjectWebhook of a tenant.
async fn tenant_webhook(world: &World, namespace: &str, connection: &str) -> Value {
    let spec = json!({ "connectionRef": { "kind": "ClusterConnection", "name": connection }, "name": namespace });
    let mut manifest = world.webhook_manifest("builds", spec);
    manifest["metadata"]["namespace"] = json!(namespace);
    world.apply(&manifest).await.unwrap();
    manifest
}

/// Waits until a tenant's webhook has this reason, and returns the message.
async fn wait_reason(world: &World, namespace: &str, reason: &str) -> String {
    let api = Api::namespaced(world.client.clone(), namespace);
    let what = format!("{reason} in {namespace}");
    let object = world.wait_for(api, "builds", &what, |object| ready_reason(object) == Some(reason)).await;
    message(&object)
}

async fn clean_up(world: &World, connection: &str, namespaces: &[&str]) {
    use hookwright::api::project_webhook::ProjectWebhook;
    for namespace in namespaces {
        let api = Api::<ProjectWebhook>::namespaced(world.client.clone(), namespace);
        if api.delete("builds", &DeleteParams::default()).await.is_ok() {
            let gone = await_condition(api, "builds", |object: Option<&ProjectWebhook>| object.is_none());
            tokio::time::timeout(DEADLINE, gone).await.expect("the webhook goes").unwrap();
        }
    }
    let api = Api::<ClusterConnection>::all(world.client.clone());
    api.delete(connection, &DeleteParams::default()).await.unwrap();
    let gone = await_condition(api, connection, |object: Option<&ClusterConnection>| object.is_none());
    tokio::time::timeout(DEADLINE, gone).await.expect("the connection goes once nobody uses it").unwrap();
}

#[tokio::test]
async fn a_cluster_connection_serves_namespaces_by_name_or_by_label_and_a_change_takes_effect() {
    let world = World::with(|setup| setup.wide()).await;
    let connection = random("cluster");
    let (named, labelled) = (namespace(&world, json!({})).await, namespace(&world, json!({ "team": "a" })).await);
    // Absent is none.
    cluster_connection(&world, &connection, json!({})).await;
    for tenant in [&named, &labelled] {
        tenant_webhook(&world, tenant, &connection).await;
        let told = wait_reason(&world, tenant, "ConnectionNotAllowed").await;
        let expected = format!(
            "ClusterConnection {connection} does not admit namespace {tenant}; have it added to spec.allowedNamespaces there"
        );
        assert_eq!(told, expected);
    }
    assert!(world.calls().is_empty());
    // By name alone.
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "names": [named] } })).await;
    wait_reason(&world, &named, "Synced").await;
    wait_reason(&world, &labelled, "ConnectionNotAllowed").await;
    // By name or label.
    let selector = json!({ "matchLabels": { "team": "a" } });
    let either = json!({ "allowedNamespaces": { "names": [named], "selector": selector } });
    cluster_connection(&world, &connection, either).await;
    wait_reason(&world, &labelled, "Synced").await;
    assert_eq!(world.remote().len(), 2);
    // By label alone: the named one is out, and what it has at the remote stays as it is.
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "selector": selector } })).await;
    wait_reason(&world, &named, "ConnectionNotAllowed").await;
    assert_eq!(world.remote().len(), 2);
    // An empty selector is every namespace. By way of none: server-side apply makes null of an object that it empties.
    cluster_connection(&world, &connection, json!({})).await;
    wait_reason(&world, &labelled, "ConnectionNotAllowed").await;
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "selector": {} } })).await;
    wait_reason(&world, &named, "Synced").await;
    clean_up(&world, &connection, &[&named, &labelled]).await;
    assert!(world.remote().is_empty());
}

#[tokio::test]
async fn a_cluster_connection_serves_chosen_projects_without_regard_to_the_case_of_ids() {
    let world = World::with(|setup| setup.wide()).await;
    let (connection, tenant) = (random("cluster"), namespace(&world, json!({})).await);
    let project = format!("{}/{}", world.project.organization, world.project.id);
    let allowing = |projects: Value| json!({ "allowedNamespaces": { "names": [tenant] }, "allowedProjects": projects });
    cluster_connection(&world, &connection, allowing(json!([]))).await;
    tenant_webhook(&world, &tenant, &connection).await;
    let told = wait_reason(&world, &tenant, "ConnectionNotAllowed").await;
    let expected = format!(
        "ClusterConnection {connection} does not admit project {project}; have it added to spec.allowedProjects there"
    );
    assert_eq!(told, expected, "an empty list is none, where an absent one is all");
    assert!(world.calls().is_empty());
    cluster_connection(&world, &connection, allowing(json!([project.to_uppercase()]))).await;
    wait_reason(&world, &tenant, "Synced").await;
    clean_up(&world, &connection, &[&tenant]).await;
}

#[tokio::test]
async fn a_deletion_that_the_cluster_connection_no_longer_admits_says_so_and_calls_nobody() {
    let world = World::with(|setup| setup.wide()).await;
    let (connection, tenant) = (random("cluster"), namespace(&world, json!({})).await);
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "names": [tenant] } })).await;
    tenant_webhook(&world, &tenant, &connection).await;
    wait_reason(&world, &tenant, "Synced").await;
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "names": ["another"] } })).await;
    wait_reason(&world, &tenant, "ConnectionNotAllowed").await;
    world.sim.clear_calls();
    let api = Api::<hookwright::api::project_webhook::ProjectWebhook>::namespaced(world.client.clone(), &tenant);
    api.delete("builds", &DeleteParams::default()).await.unwrap();
    let told = wait_reason(&world, &tenant, "DeletionBlocked").await;
    assert!(told.contains("does not admit namespace") && told.contains("deletionPolicy: Orphan"), "{told}");
    assert!(world.calls().is_empty());
    // The way out that the message names: nobody is called, the webhook stays.
    let orphan = Patch::Merge(json!({ "spec": { "deletionPolicy": "Orphan" } }));
    api.patch("builds", &PatchParams::default(), &orphan).await.unwrap();
    clean_up(&world, &connection, &[&tenant]).await;
    assert_eq!(world.remote().len(), 1);
    assert!(world.calls().is_empty());
}

#[tokio::test]
async fn a_cluster_connection_reads_the_secrets_of_the_operators_namespace_and_no_others() {
    let world = World::with(|setup| setup.wide().no_connection()).await;
    let (connection, tenant) = (random("cluster"), namespace(&world, json!({})).await);
    // The tenant's own Secret of that name is not the connection's.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "app-maker", "namespace": tenant },
        "stringData": { "token": TOKEN },
    });
    world.apply(secret).await.unwrap();
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "names": [tenant] } })).await;
    tenant_webhook(&world, &tenant, &connection).await;
    let told = wait_reason(&world, &tenant, "ConnectionNotReady").await;
    assert!(told.contains(&format!("Secret app-maker is not in namespace {}", world.namespace)), "{told}");
    world.secret("app-maker", &[("token", TOKEN)]).await;
    wait_reason(&world, &tenant, "Synced").await;
    // A rotated one reaches users in other namespaces.
    Api::<Secret>::namespaced(world.client.clone(), &world.namespace)
        .delete("app-maker", &DeleteParams::default())
        .await
        .unwrap();
    wait_reason(&world, &tenant, "ConnectionNotReady").await;
    world.secret("app-maker", &[("token", TOKEN)]).await;
    wait_reason(&world, &tenant, "Synced").await;
    let api = Api::<ClusterConnection>::all(world.client.clone());
    let object = api.get(&connection).await.unwrap();
    let ready = condition(&object.status.as_ref().unwrap().conditions, "Ready").unwrap().clone();
    assert_eq!(ready.reason, "Configured");
    clean_up(&world, &connection, &[&tenant]).await;
}

async fn relabel(world: &World, namespace: &str, team: &str) {
    let labels = Patch::Merge(json!({ "metadata": { "labels": { "team": team } } }));
    let api = Api::<Namespace>::all(world.client.clone());
    api.patch_metadata(namespace, &PatchParams::default(), &labels).await.unwrap();
}

#[tokio::test]
async fn a_namespace_that_gets_other_labels_is_served_or_not_without_being_asked() {
    let world = World::with(|setup| setup.wide()).await;
    let (connection, tenant) = (random("cluster"), namespace(&world, json!({ "team": "b" })).await);
    let selector = json!({ "matchLabels": { "team": "a" } });
    cluster_connection(&world, &connection, json!({ "allowedNamespaces": { "selector": selector } })).await;
    tenant_webhook(&world, &tenant, &connection).await;
    wait_reason(&world, &tenant, "ConnectionNotAllowed").await;
    world.wait_counted(r#"hookwright_objects{kind="ClusterConnection",reason="Configured"}"#, 1).await;
    relabel(&world, &tenant, "a").await;
    wait_reason(&world, &tenant, "Synced").await;
    relabel(&world, &tenant, "b").await;
    wait_reason(&world, &tenant, "ConnectionNotAllowed").await;
    assert_eq!(world.remote().len(), 1);
    // A deletion follows too.
    let api = Api::<hookwright::api::project_webhook::ProjectWebhook>::namespaced(world.client.clone(), &tenant);
    api.delete("builds", &DeleteParams::default()).await.unwrap();
    wait_reason(&world, &tenant, "DeletionBlocked").await;
    relabel(&world, &tenant, "a").await;
    clean_up(&world, &connection, &[&tenant]).await;
    assert!(world.remote().is_empty());
    world.wait_counted(r#"hookwright_objects{kind="ClusterConnection",reason="Configured"}"#, 0).await;
}
