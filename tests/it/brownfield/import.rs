//! `hookwright import` of webhooks, and the round trip: what is applied adopts each of them and changes nothing there.

use std::os::unix::fs::PermissionsExt as _;

use hookwright::api::project_webhook::Ownership;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use simulator::app_maker::Masking;
use simulator::{Behaviour, NewWebhook};

use super::{Scratch, hookwright, import, kubectl_apply, plan};
use crate::support::{MARKER, World, assert_writes, ready_reason, rendered, status};

/// Values that nothing but a Secret may hold.
const CANARIES: [&str; 6] =
    ["canary-bearer", "canary-path", "canary-query", "canary-password", "canary-other", "token-of-the-tests"];

#[track_caller]
fn without_canaries(text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}

/// Webhooks as people make them, one more odd than the other.
fn odd_webhooks() -> Vec<NewWebhook> {
    let plain = |name: &str, path: &str| NewWebhook::new(name, format!("https://hooks.example.com/{path}"));
    vec![
        plain("builds", "canary-path"),
        NewWebhook { active: false, ..plain("Build alerts (EU) – größer", "in?key=canary-query") }
            .header("Authorization", "Bearer canary-bearer")
            .header("X-Team", "shop: \"a\" # 'b' \\ \t|"),
        NewWebhook {
            events: ["deployment.build.created", "Deployment.Build.FAILED", "on", "1e5", "deployment.build.created"]
                .map(Into::into)
                .into(),
            ..plain("true", "x").header("yes", "no").header("X-Number", "0123").header("X-Empty", "")
        },
        // The same name and receiver as the first one.
        plain("builds", "canary-path"),
        plain("通知", "canary-path/notify"),
        NewWebhook::new("BUILDS!", "HTTP://u:canary-password@Hooks.Example.COM:80?q#fragment"),
        plain(&"n".repeat(253), "long").header("X~Odd!#$%&'*+^`|", "canary-other").header("x-odd", " canary-other "),
    ]
}

/// The documents of a stream, as values.
fn documents(yaml: &str) -> Vec<Value> {
    serde_yaml::from_multiple(yaml).unwrap()
}

#[tokio::test]
async fn what_is_imported_and_applied_adopts_each_webhook_and_changes_nothing_there() {
    let world = World::start().await;
    let made: Vec<_> = odd_webhooks().into_iter().map(|webhook| world.console_create(webhook)).collect();
    let before = world.remote();
    let said = import(&world, &[]).await.with_code(0);
    without_canaries(&said.err);
    assert!(said.err.contains("7 written, 0 left out, 0 refused"), "{}", said.err);
    for document in documents(&said.out).iter().filter(|document| document["kind"] != "Secret") {
        without_canaries(&document.to_string());
        assert_eq!(document["spec"]["deletionPolicy"], Value::Null, "adopted, so orphaned by default");
    }

    // Before it is applied, a plan of it says the same.
    let planned = plan(&world, &said.out, &[]).await.with_code(0);
    without_canaries(&(planned.out.clone() + &planned.err));
    let adopts =
        planned.out.lines().filter(|line| line.contains("no change: Synced") && line.contains("adopts webhook"));
    assert_eq!(adopts.count(), made.len(), "{}", planned.out);

    kubectl_apply(&world, &said.out).await;
    let mut adopted = vec![];
    for object in world.webhooks().list(&ListParams::default()).await.unwrap() {
        let object = world.wait_ready(&object.name_any()).await;
        let seen = status(&object);
        assert_eq!((seen.ownership, ready_reason(&object)), (Some(Ownership::Adopted), Some("Synced")));
        adopted.extend(seen.webhook_id);
    }
    adopted.sort();
    let mut ids: Vec<_> = made.iter().map(|webhook| webhook.id.clone()).collect();
    ids.sort();
    assert_eq!(adopted, ids);
    assert_writes(&world, &[]);
    assert_eq!(world.remote(), before);

    // What is adopted is somebody's by now.
    let again = import(&world, &[]).await.with_code(0);
    assert_eq!(again.out, "");
    assert_eq!(again.lines("left out: webhook").len(), made.len(), "{}", again.err);
    assert_eq!(again.lines(&format!("ProjectWebhook {}/builds claims it", world.namespace)).len(), 1, "{}", again.err);
}

#[tokio::test]
async fn what_somebody_has_or_no_spec_can_say_is_left_and_the_others_are_written() {
    let world = World::start().await;
    world.webhook("ours", json!({})).await;
    world.wait_ready("ours").await;
    let url = |path: &str| format!("https://hooks.example.com/{path}");
    let make = |webhook| world.console_create(webhook).id;
    let elsewhere = make(NewWebhook::new("elsewhere", url("canary-path")).header(MARKER, "f".repeat(32)));
    let scheme = make(NewWebhook::new("scheme", "ftp://hooks.example.com/canary-path"));
    let control = make(NewWebhook::new("control", url("a")).header("X-A", "canary-bearer\nX-B: canary-other"));
    let silent = make(NewWebhook { events: vec![], ..NewWebhook::new("silent", url("b")) });
    let asterisks = make(NewWebhook::new("asterisks", url("c")).header("X-A", "***"));
    let blank = make(NewWebhook::new(" blank", url("d")));
    make(NewWebhook::new("good", url("canary-path")));
    let pinned = make(NewWebhook::new("pinned", url("e")));
    world.webhook("holder", json!({ "webhookId": pinned, "name": "pinned", "url": url("e"), "suspend": true })).await;
    world.sim.clear_calls();
    let said = import(&world, &[]).await.with_code(1);
    without_canaries(&said.err);
    let objects: Vec<_> = documents(&said.out).into_iter().filter(|document| document["kind"] != "Secret").collect();
    assert_eq!(objects.len(), 1, "{}", said.out);
    assert_eq!(objects[0]["metadata"]["name"], "good");
    for (id, part) in [
        (&elsewhere, "ownership marker of an owner that is not in this cluster"),
        (&pinned, "holder claims it"),
        (&scheme, "not an http or https URL"),
        (&control, "control character"),
        (&silent, "no events"),
        (&asterisks, "masks the value of header X-A"),
        (&blank, "blanks at its ends"),
    ] {
        let lines = said.lines(id);
        assert_eq!(lines.len(), 1, "{}", said.err);
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert_eq!(said.lines(&format!("it belongs to ProjectWebhook {}/ours", world.namespace)).len(), 1, "{}", said.err);
    assert!(said.err.contains("1 written, 3 left out, 5 refused"), "{}", said.err);
    assert_eq!(rendered(&world), ["GET list"]);
}

#[tokio::test]
async fn masked_values_are_refused_with_what_to_do() {
    let world = World::with(|setup| setup.no_operator()).await;
    let there =
        world.console_create(NewWebhook::new("builds", "https://hooks.example.com/a").header("X-A", "canary-other"));
    world.behave(Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() });
    let said = import(&world, &[]).await.with_code(1);
    assert_eq!(said.out, "");
    let line = said.lines("refused")[0];
    for part in
        ["masks the value of header X-A", "by hand", &format!("spec.webhookId: {}", there.id), "real value in a Secret"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn names_and_secrets_that_are_there_are_not_taken() {
    let world = World::with(|setup| setup.no_operator()).await;
    world.webhook("builds", json!({})).await;
    world.secret("alerts-webhook", &[("url", "kept")]).await;
    let builds = world.console_create(NewWebhook::new("builds", "https://hooks.example.com/a"));
    let alerts = world.console_create(NewWebhook::new("alerts", "https://hooks.example.com/b"));
    let said = import(&world, &[]).await.with_code(0);
    let names: Vec<_> =
        documents(&said.out).iter().map(|document| document["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    let (builds, alerts) = (format!("builds-{}", builds.id), format!("alerts-{}", alerts.id));
    assert_eq!(names, [format!("{builds}-webhook"), builds, format!("{alerts}-webhook"), alerts]);
}

#[tokio::test]
async fn files_are_for_their_owner_alone_and_never_written_over() {
    let world = World::with(|setup| setup.no_operator()).await;
    world.console_lookalike("builds");
    let scratch = Scratch::new();
    let directory = scratch.0.join("manifests/");
    import(&world, &["--output", directory.to_str().unwrap()]).await.with_code(0);
    let mut files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap()).collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = files.iter().map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["builds-webhook.secret.yaml", "builds.yaml"]);
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let again = import(&world, &["--output", directory.to_str().unwrap()]).await.with_code(1);
    assert!(again.err.contains("builds-webhook.secret.yaml can't be created"), "{}", again.err);
    let file = scratch.0.join("all.yaml");
    import(&world, &["--output", file.to_str().unwrap()]).await.with_code(0);
    assert_eq!(documents(&std::fs::read_to_string(&file).unwrap()).len(), 2);
    let again = import(&world, &["--output", file.to_str().unwrap()]).await.with_code(1);
    assert!(again.err.contains("is there already"), "{}", again.err);
}

#[tokio::test]
async fn what_can_not_be_read_through_is_said_with_the_reason() {
    let world = World::with(|setup| setup.no_operator()).await;
    let project = ["--organization", &*world.project.organization, "--project", &*world.project.id];
    let with = async |connection: &[&str]| hookwright(&world, &[&["import"], connection, &project[..]].concat()).await;
    let missing = with(&["--connection", &format!("{}/none", world.namespace)]).await.with_code(1);
    assert!(missing.err.contains("ConnectionNotFound") && missing.err.contains("does not exist"), "{}", missing.err);
    world.secret("app-maker", &[("token", "canary-bearer")]).await;
    let rejected = with(&["--connection", "app-maker", "-n", &world.namespace]).await.with_code(1);
    assert!(rejected.err.contains("401"), "{}", rejected.err);
    without_canaries(&rejected.err);
    let both = with(&["--connection", "a/b", "--cluster-connection", "c"]).await.with_code(2);
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
    let elsewhere = with(&["--connection", "a/b", "-n", "c"]).await.with_code(1);
    assert!(elsewhere.err.contains("use --cluster-connection"), "{}", elsewhere.err);
    world.connection("foreign", json!({ "appMaker": { "endpoint": "https://api.example.com/canary-path" } })).await;
    let forbidden = with(&["--connection", &format!("{}/foreign", world.namespace)]).await.with_code(1);
    assert!(forbidden.err.contains("EndpointNotAllowed"), "{}", forbidden.err);
    without_canaries(&forbidden.err);
}

#[tokio::test]
async fn a_cluster_connection_is_read_through_where_it_admits() {
    let world = World::with(|setup| setup.wide()).await;
    let name = world.namespace.clone();
    let connection = |namespaces: &[&str]| {
        json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ClusterConnection", "metadata": { "name": name },
            "spec": {
                "appMaker": {
                    "endpoint": world.sim.http_endpoint(),
                    "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
                },
                "allowedNamespaces": { "names": namespaces },
            },
        })
    };
    world.apply(connection(&[])).await.unwrap();
    let there = world.console_lookalike("builds");
    let project = ["--organization", &*world.project.organization, "--project", &*world.project.id];
    let args = [&["import", "--cluster-connection", &*name, "--namespace", &*world.namespace], &project[..]].concat();
    let refused = hookwright(&world, &args).await.with_code(1);
    assert!(refused.err.contains("ConnectionNotAllowed") && refused.err.contains("does not admit"), "{}", refused.err);
    world.apply(connection(&[&world.namespace])).await.unwrap();
    let said = hookwright(&world, &args).await.with_code(0);
    kubectl_apply(&world, &said.out).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).webhook_id, Some(there.id));
    assert_writes(&world, &[]);
    world.delete("builds").await;
    world.wait_gone("builds").await;
    let deleted = world.kubectl(&["delete", "clusterconnection", &name, "--timeout=60s"]).await;
    assert!(deleted.status.success(), "{}", String::from_utf8_lossy(&deleted.stderr));
    let secrets = Api::<Secret>::namespaced(world.client.clone(), &world.namespace);
    assert!(secrets.get_opt("builds-webhook").await.unwrap().is_some(), "the Secret is the user's");
}
