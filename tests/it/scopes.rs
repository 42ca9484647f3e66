//! `--watch-namespace`: given several times, those namespaces are served and no other.

use hookwright::api::project_webhook::ProjectWebhook;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{TOKEN, World, is_ready, of_project, random, status};

/// A manifest, in another namespace than the world's.
fn within(namespace: &str, mut manifest: Value) -> Value {
    manifest["metadata"]["namespace"] = json!(namespace);
    manifest
}

/// Everything that a webhook needs, in a namespace of its own, and the webhook.
async fn tenant(world: &World, namespace: &str, project: &Value) -> Api<ProjectWebhook> {
    world.create_namespace(namespace).await;
    let secret = |name: &str, token: &str| {
        let metadata = json!({ "name": name });
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": { "token": token } })
    };
    let from = json!({ "secretKeyRef": { "name": "app-maker", "key": "token" } });
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": "app-maker" },
        "spec": { "appMaker": { "endpoint": world.sim.http_endpoint(), "tokenFrom": from } },
    });
    for manifest in [secret("app-maker", TOKEN), secret("receiver", "one"), connection] {
        world.apply(within(namespace, manifest)).await.unwrap();
    }
    webhook(world, namespace, project, &json!({})).await;
    Api::namespaced(world.client.clone(), namespace)
}

/// Applies the webhook of a namespace, whose header is in a Secret there.
async fn webhook(world: &World, namespace: &str, project: &Value, spec: &Value) {
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    let mut own = json!({ "headers": [{ "name": "X-A", "valueFrom": from }] });
    crate::support::merge(&mut own, project.clone());
    crate::support::merge(&mut own, spec.clone());
    world.apply(within(namespace, world.webhook_manifest("builds", own))).await.unwrap();
}

#[tokio::test]
async fn two_watched_namespaces_are_served_and_a_third_is_not() {
    let names = [random("it"), random("it"), random("it")];
    let [first, second, third] = &names;
    let world = World::with(|setup| {
        setup.no_connection().without_flag("--watch-namespace");
        setup.flag("--watch-namespace", first).flag("--watch-namespace", second)
    })
    .await;
    let projects = names.clone().map(|_| world.sim.new_project());
    let specs = projects.clone().map(|project| of_project(&project));
    let mut apis = vec![];
    // The one that is not served comes first: it has had its time when the others are Ready.
    for at in [2, 0, 1] {
        apis.push(tenant(&world, &names[at], &specs[at]).await);
    }
    let served = [(first, 0, &apis[1]), (second, 1, &apis[2])];
    for (namespace, at, api) in served {
        world.wait_for(api.clone(), "builds", &format!("Ready in {namespace}"), is_ready).await;
        assert_eq!(world.sim.webhooks(&projects[at].id).len(), 1);
    }
    // In each of them a changed Secret is seen, a changed spec, and a deletion.
    for (namespace, at, api) in served {
        let of_project = |state: &simulator::State| state.webhooks(&projects[at].id).first().cloned();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "receiver" }, "stringData": { "token": "two" },
        });
        world.apply(within(namespace, secret)).await.unwrap();
        let rotated =
            |state: &simulator::State| of_project(state).is_some_and(|webhook| webhook.headers["X-A"] == "two");
        world.wait_remote("the rotated Secret", rotated).await;
        webhook(&world, namespace, &specs[at], &json!({ "active": false })).await;
        let is_off = |object: &ProjectWebhook| {
            is_ready(object) && status(object).remote.is_some_and(|remote| remote.active == Some(false))
        };
        world.wait_for(api.clone(), "builds", "switched off", is_off).await;
        api.delete("builds", &DeleteParams::default()).await.unwrap();
        world.wait_remote("no webhook", |state| of_project(state).is_none()).await;
    }
    let ignored = apis[0].get("builds").await.unwrap();
    assert_eq!((status(&ignored).observed_generation, ignored.metadata.finalizers), (-1, None), "in {third}");
    assert_eq!(world.sim.calls_for(&projects[2].id).len(), 0);
}
