//! What a person at a terminal sees and does, with kubectl itself.

use std::path::PathBuf;
use std::process::Output;

use hookwright::api::crd_documents;
use serde_json::{Value, json};
use simulator::codearts::NewChannel;

use crate::support::{DEADLINE, World};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What kubectl printed, which it must have done with success.
async fn said(world: &World, args: &[&str]) -> String {
    let output = world.kubectl(args).await;
    assert!(output.status.success(), "kubectl {}: {}", args.join(" "), text(&output));
    text(&output)
}

/// A manifest as a file, as kubectl wants it.
fn file(world: &World, manifest: &Value) -> PathBuf {
    let name = format!("{}-{}.json", world.namespace, manifest["metadata"]["name"].as_str().unwrap());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, manifest.to_string()).unwrap();
    path
}

async fn apply(world: &World, manifest: &Value) -> Output {
    let path = file(world, manifest);
    let output = world.kubectl(&["apply", "-f", path.to_str().unwrap()]).await;
    std::fs::remove_file(path).unwrap();
    output
}

#[tokio::test]
async fn wait_for_ready_returns_when_the_webhook_is_there() {
    let world = World::start().await;
    assert!(apply(&world, &world.webhook_manifest("builds", json!({}))).await.status.success());
    let timeout = format!("--timeout={}s", DEADLINE.as_secs());
    let waited = said(&world, &["wait", "--for=condition=Ready", "projectwebhook/builds", &timeout]).await;
    assert!(waited.contains("condition met"), "{waited}");
    // It did not return too early: status is of this generation, and the remote holds the webhook.
    let object = world.get("builds").await;
    assert_eq!(object.status.unwrap().observed_generation, 1);
    assert_eq!(world.only().url, "https://hooks.example.com/builds");
    let waited = said(&world, &["wait", "--for=condition=Ready", "connection/app-maker", &timeout]).await;
    assert!(waited.contains("condition met"), "{waited}");
}

#[tokio::test]
async fn the_columns_tell_state_and_the_wide_ones_why() {
    let world = World::start().await;
    world.webhook("builds", json!({ "active": false })).await;
    world.webhook("waits", json!({ "connectionRef": { "name": "none" } })).await;
    world.wait_ready("builds").await;
    world.wait_reason("waits", "ConnectionNotFound").await;
    let id = world.only().id;
    let table = said(&world, &["get", "pwh"]).await;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "ACTIVE", "REMOTE-ID", "AGE"], "{table}");
    assert_eq!(rows[1][..5], ["builds", "True", "Synced", "false", id.as_str()], "{table}");
    assert_eq!(rows[2][..3], ["waits", "False", "ConnectionNotFound"], "{table}");

    let wide = said(&world, &["get", "pwh", "--output=wide"]).await;
    let head: Vec<_> = wide.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head[6..], ["HOST", "EVENTS", "MESSAGE"], "{wide}");
    let builds = wide.lines().nth(1).unwrap();
    for shown in ["hooks.example.com", "[\"deployment.build.created\"]", "the remote equals the spec"] {
        assert!(builds.contains(shown), "{shown} is not in {wide}");
    }
    assert!(wide.contains("does not exist; create it, or correct spec.connectionRef"), "{wide}");
}

#[tokio::test]
async fn connections_have_columns_too() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let table = said(&world, &["get", "connections.hookwright.dev", "--output=wide"]).await;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "AGE", "MESSAGE"], "{table}");
    assert_eq!(rows[1][..3], ["app-maker", "True", "Configured"], "{table}");
}

/// A task with a channel as `world.notification` wants it.
fn checked_task(world: &World) -> String {
    let task = world.sim.new_task();
    world.sim.console_set_channel(&task, NewChannel::new("wecom", "https://hooks.example.com/robot")).unwrap();
    task
}

#[tokio::test]
async fn task_notifications_have_columns_too_and_wait_waits_for_them() {
    let world = World::start().await;
    world.check_sources().await;
    world.check_connection("codearts", json!({})).await;
    let (well, drifted) = (checked_task(&world), checked_task(&world));
    world.notification("checks", &well, json!({})).await;
    let channels = json!([{ "type": "wecom", "enabled": false }, { "type": "lark", "enabled": false }]);
    world.notification("drifted", &drifted, json!({ "channels": channels })).await;
    let timeout = format!("--timeout={}s", DEADLINE.as_secs());
    let waited = said(&world, &["wait", "--for=condition=Ready", "tn/checks", &timeout]).await;
    assert!(waited.contains("condition met"), "{waited}");
    let calls = world.sim.calls_for(&well);
    assert_eq!(calls.len(), 1, "it did not return before the task was looked at: {calls:?}");
    let waited = said(&world, &["wait", "--for=condition=Stalled", "tasknotification/drifted", &timeout]).await;
    assert!(waited.contains("condition met"), "{waited}");

    let table = said(&world, &["get", "tn"]).await;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "TASK-ID", "AGE"], "{table}");
    assert_eq!(rows[1][..4], ["checks", "True", "Synced", &well], "{table}");
    assert_eq!(rows[2][..4], ["drifted", "False", "ManualChangeRequired", &drifted], "{table}");

    // Of each type whether it is in sync; nothing for one that is not declared.
    let wide = said(&world, &["get", "tn", "--output=wide"]).await;
    let rows: Vec<Vec<&str>> = wide.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][5..], ["WECOM", "DINGTALK", "LARK", "MESSAGE"], "{wide}");
    assert_eq!(rows[1][5..9], ["true", "the", "task's", "notifications"], "{wide}");
    assert_eq!(rows[2][5..8], ["false", "true", "the"], "{wide}");
    assert!(wide.contains("the remote differs in channels[wecom].enabled"), "{wide}");
}

#[tokio::test]
async fn a_cluster_connection_is_waited_for_listed_and_has_columns() {
    let world = World::with(|setup| setup.wide()).await;
    let name = world.namespace.clone();
    let from = json!({ "secretKeyRef": { "name": "app-maker", "key": "token" } });
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": name },
        "spec": { "appMaker": { "endpoint": world.sim.http_endpoint(), "tokenFrom": from } },
    });
    assert!(apply(&world, &connection).await.status.success());
    let timeout = format!("--timeout={}s", DEADLINE.as_secs());
    let object = format!("clusterconnection/{name}");
    let waited = said(&world, &["wait", "--for=condition=Ready", &object, &timeout]).await;
    assert!(waited.contains("condition met"), "{waited}");
    let table = said(&world, &["get", "clusterconnections", &name, "--output=wide"]).await;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "REASON", "AGE", "MESSAGE"], "{table}");
    assert_eq!(rows[1][..3], [name.as_str(), "True", "Configured"], "{table}");
    let all = said(&world, &["get", "hookwright", "--output=name"]).await;
    assert!(all.lines().any(|line| line == format!("clusterconnection.hookwright.dev/{name}")), "{all}");
    said(&world, &["delete", &object, &timeout]).await;
}

#[tokio::test]
async fn the_category_lists_everything_of_ours() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.notification("checks", "a-task", json!({})).await;
    let all = said(&world, &["get", "hookwright", "--output=name"]).await;
    let names: Vec<_> = all.lines().collect();
    assert!(names.contains(&"projectwebhook.hookwright.dev/builds"), "{all}");
    assert!(names.contains(&"tasknotification.hookwright.dev/checks"), "{all}");
    assert!(names.contains(&"connection.hookwright.dev/app-maker"), "{all}");
}

/// The fields of a schema that have fields of their own, as paths for `kubectl explain`, each with its fields.
fn explained(at: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
    let Some(properties) = schema["properties"].as_object() else { return };
    found.push((at.to_owned(), schema["properties"].clone()));
    for (name, property) in properties {
        explained(&format!("{at}.{name}"), property, found);
    }
}

#[tokio::test]
async fn explain_describes_every_field() {
    let world = World::with(|setup| setup.no_operator().no_connection()).await;
    let served =
        async { while !world.kubectl(&["explain", "clusterconnections.spec.caFrom"]).await.status.success() {} };
    tokio::time::timeout(DEADLINE, served).await.expect("the API server explains a new kind in time");
    for (plural, yaml) in crd_documents().unwrap() {
        let crd: Value = serde_yaml::from_str(&yaml).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
        let mut paths = vec![];
        explained("spec", &schema["spec"], &mut paths);
        explained("status", &schema["status"], &mut paths);
        for (path, fields) in paths {
            let what = format!("{plural}.hookwright.dev.{path}");
            let output =
                said(&world, &["explain", &format!("{plural}.{path}"), "--api-version=hookwright.dev/v1alpha1"]).await;
            let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
            for (name, field) in fields.as_object().unwrap() {
                let description = field["description"].as_str().unwrap();
                let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(output.contains(&format!("{name} <")), "{what} does not explain {name}: {output}");
                assert!(output.contains(&description), "{what} does not say of {name} {description:?}: {output}");
            }
        }
    }
}

#[tokio::test]
async fn describe_shows_conditions_and_what_was_done() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.wait_event("builds", "the creation", |event| event.reason.as_deref() == Some("RemoteChanged")).await;
    let described = said(&world, &["describe", "projectwebhook", "builds"]).await;
    for shown in
        ["create webhook \"builds\" for hooks.example.com", "RemoteChanged", "Synced", "the remote equals the spec"]
    {
        assert!(described.contains(shown), "{shown} is not in {described}");
    }
}

#[tokio::test]
async fn apply_names_a_field_that_does_not_exist() {
    let world = World::with(|setup| setup.no_operator().no_connection()).await;
    let mut manifest = world.webhook_manifest("builds", json!({}));
    manifest["spec"]["evnts"] = json!(["deployment.build.created"]);
    manifest["spec"]["headers"] = json!([{ "name": "X-A", "valeu": "a", "value": "b" }]);
    let output = apply(&world, &manifest).await;
    assert!(!output.status.success(), "{}", text(&output));
    for field in ["unknown field \"spec.evnts\"", "unknown field \"spec.headers[0].valeu\""] {
        assert!(text(&output).contains(field), "{field} is not in {}", text(&output));
    }
    assert!(world.webhooks().get_opt("builds").await.unwrap().is_none(), "nothing of it was taken");
}

#[tokio::test]
async fn apply_says_what_to_write_instead() {
    let world = World::with(|setup| setup.no_operator().no_connection()).await;
    let manifest = world.webhook_manifest("builds", json!({ "resyncInterval": "5s", "projectId": "shop" }));
    let output = apply(&world, &manifest).await;
    assert!(!output.status.success(), "{}", text(&output));
    for message in ["resyncInterval is between 30s and 24h", "projectId is 24 hexadecimal digits"] {
        assert!(text(&output).contains(message), "{message} is not in {}", text(&output));
    }
}

#[tokio::test]
async fn delete_returns_when_the_webhook_is_gone_on_both_sides() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let timeout = format!("--timeout={}s", DEADLINE.as_secs());
    let deleted = said(&world, &["delete", "pwh", "builds", &timeout]).await;
    assert!(deleted.contains("deleted"), "{deleted}");
    assert!(world.remote().is_empty());
}
