//! `hookwright plan`: what would happen, in the operator's own words, and nothing happens.

use hookwright::api::connection::Connection;
use hookwright::api::project_webhook::ProjectWebhook;
use hookwright::api::task_notification::TaskNotification;
use hookwright::controller::outside::reader;
use hookwright::remote::gate::Closed;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::{Api, Config, Resource, ResourceExt};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, NewWebhook};

use super::{Scratch, hookwright, hookwright_with, plan};
use crate::support::{MARKER, World, account, rendered, status};

/// A stream of manifests. JSON is YAML.
fn stream(manifests: &[&Value]) -> String {
    manifests.iter().map(|manifest| format!("---\n{manifest}\n")).collect()
}

fn secret(name: &str, data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data })
}

/// Every object of the world's namespace that a command might touch, with its version.
async fn versions(world: &World) -> Vec<String> {
    async fn of<K>(world: &World) -> Vec<String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug,
    {
        let api = Api::<PartialObjectMeta<K>>::namespaced(world.client.clone(), &world.namespace);
        let list = api.list(&ListParams::default()).await.unwrap();
        let version = |object: &PartialObjectMeta<K>| {
            format!("{} {} {:?}", K::kind(&()), object.name_any(), object.resource_version())
        };
        list.items.iter().map(version).collect()
    }
    let mut all = of::<ProjectWebhook>(world).await;
    all.extend(of::<TaskNotification>(world).await);
    all.extend(of::<Connection>(world).await);
    all.extend(of::<Secret>(world).await);
    all.extend(of::<ConfigMap>(world).await);
    all.extend(of::<Event>(world).await);
    all
}

#[tokio::test]
async fn what_would_be_created_is_told_and_nothing_is_written_anywhere() {
    let world = World::with(|setup| setup.no_operator()).await;
    let recording = world.record().await;
    let before = versions(&world).await;
    let webhook = world.webhook_manifest("builds", json!({ "name": "Build alerts" }));
    let said = plan(&world, &stream(&[&webhook]), &[]).await.with_code(2);
    let line =
        format!("ProjectWebhook {}/builds: create webhook \"Build alerts\" for hooks.example.com\n", world.namespace);
    assert_eq!(said.out, line + "1 to change, 0 differing, 0 without change, 0 in error\n");
    assert_eq!(said.err, "");
    assert_eq!(rendered(&world), ["GET list"]);
    assert!(world.remote().is_empty());
    assert_eq!(versions(&world).await, before);
    assert!(recording.all().is_empty(), "no version of any object was ever there");
}

#[tokio::test]
async fn a_change_of_what_is_there_is_an_update_of_it_and_no_change_is_none() {
    let mut world = World::start().await;
    let spec = json!({ "headers": [{ "name": "X-Team", "value": "shop" }] });
    world.webhook("builds", spec.clone()).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.kill_operator();
    world.sim.clear_calls();
    let before = versions(&world).await;
    let same = plan(&world, &stream(&[&world.webhook_manifest("builds", spec)]), &[]).await.with_code(0);
    assert!(same.out.contains("builds: no change: Synced: the remote equals the spec\n"), "{}", same.out);
    // A header that the manifest does not have any more would go.
    let changed = world.webhook_manifest("builds", json!({ "active": false, "events": ["a.b"] }));
    let said = plan(&world, &stream(&[&changed]), &[]).await.with_code(2);
    assert!(
        said.out.contains(&format!("builds: update webhook {id}: active, events, headers[X-Team]\n")),
        "{}",
        said.out
    );
    assert_eq!(rendered(&world), ["GET list", "GET list"]);
    assert_eq!(versions(&world).await, before);
}

#[tokio::test]
async fn secrets_and_connections_of_the_manifests_count_in_place_of_the_clusters() {
    let mut world = World::start().await;
    let from = |key: &str| json!({ "secretKeyRef": { "name": "receiver", "key": key } });
    let spec =
        json!({ "url": null, "urlFrom": from("url"), "headers": [{ "name": "X-Key", "valueFrom": from("key") }] });
    world.secret("receiver", &[("url", "https://hooks.example.com/canary"), ("key", "canary-old")]).await;
    world.webhook("builds", spec.clone()).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.kill_operator();
    let webhook = world.webhook_manifest("builds", spec);
    let with = |key: &str| secret("receiver", json!({ "url": "https://hooks.example.com/canary", "key": key }));
    plan(&world, &stream(&[&with("canary-old"), &webhook]), &[]).await.with_code(0);
    let said = plan(&world, &stream(&[&webhook, &with("canary-new")]), &[]).await.with_code(2);
    assert!(said.out.contains(&format!("update webhook {id}: headers[X-Key]\n")), "{}", said.out);
    assert!(!(said.out + &said.err).contains("canary"));

    // A connection that is not there yet, with a Secret that is not there yet.
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": "new" },
        "spec": { "appMaker": {
            "endpoint": world.sim.http_endpoint(),
            "tokenFrom": { "secretKeyRef": { "name": "new", "key": "token" } },
        } },
    });
    let other = world.webhook_manifest("other", json!({ "connectionRef": { "name": "new" } }));
    let token = secret("new", json!({ "token": crate::support::TOKEN }));
    let said = plan(&world, &stream(&[&other, &connection, &token]), &[]).await.with_code(2);
    assert!(said.out.contains("other: create webhook \"other\""), "{}", said.out);
    let said = plan(&world, &stream(&[&other]), &[]).await.with_code(1);
    assert!(said.out.contains("other: error: ConnectionNotFound: "), "{}", said.out);
}

#[tokio::test]
async fn what_the_api_server_would_refuse_is_told_in_its_own_words_but_for_values() {
    let world = World::with(|setup| setup.no_operator()).await;
    world.webhook("builds", json!({})).await;
    let bad = [
        (world.webhook_manifest("short", json!({ "projectId": "shop" })), "projectId is 24 hexadecimal digits"),
        (world.webhook_manifest("empty", json!({ "events": [] })), "spec.events"),
        (world.webhook_manifest("typo", json!({ "evnts": ["a"] })), ".spec.evnts: field not declared in schema"),
        (world.webhook_manifest("builds", json!({ "evnts": ["a"] })), "unknown field \"spec.evnts\""),
        (world.webhook_manifest("twice", json!({ "events": ["a", "a"] })), "spec.events"),
        (
            world.webhook_manifest("url", json!({ "url": "ftp://u:canary@h.example.com/canary?canary" })),
            "url is an http or https URL",
        ),
        (
            world.webhook_manifest("header", json!({ "headers": [{ "name": "X-A", "value": "canary\ncanary" }] })),
            "spec.headers[0].value",
        ),
        (
            world.webhook_manifest(
                "both",
                json!({ "headers": [{ "name": "X-A", "value": "canary", "valeu": "canary" }] }),
            ),
            "valeu: field not declared in schema",
        ),
        (
            world.webhook_manifest("builds", json!({ "projectId": "f".repeat(24) })),
            "projectId is immutable; create another ProjectWebhook",
        ),
    ];
    for (manifest, part) in &bad {
        let said = plan(&world, &stream(&[manifest]), &[]).await.with_code(1);
        assert!(said.out.contains(": error: ") && said.out.contains(part), "{part}: {}", said.out);
        assert!(!(said.out + &said.err).contains("canary"), "{part}");
    }
    // One that is refused keeps none of the others from its plan.
    let good = world.webhook_manifest("good", json!({}));
    let said = plan(&world, &stream(&[&bad[0].0, &good]), &[]).await.with_code(1);
    assert!(said.out.contains("good: create webhook"), "{}", said.out);
    assert!(said.out.ends_with("1 to change, 0 differing, 0 without change, 1 in error\n"), "{}", said.out);
}

#[tokio::test]
async fn what_needs_a_person_is_an_error_with_the_way_out() {
    let world = World::with(|setup| setup.no_operator()).await;
    let there = world.console_lookalike("builds");
    let refuse = world.webhook_manifest("builds", json!({}));
    let said = plan(&world, &stream(&[&refuse]), &[]).await.with_code(1);
    assert!(said.out.contains("error: AdoptionRequired: ") && said.out.contains(&there.id), "{}", said.out);
    assert!(said.out.contains("spec.adoptionPolicy: Adopt"), "{}", said.out);
    let adopt = world.webhook_manifest("builds", json!({ "adoptionPolicy": "Adopt" }));
    let said = plan(&world, &stream(&[&adopt]), &[]).await.with_code(0);
    assert!(said.out.contains(&format!("adopts webhook {} as it is", there.id)), "{}", said.out);
    // Two new ones that pin the same one: the operator would refuse one of them, and so does the plan.
    let pinned =
        |name: &str| world.webhook_manifest(name, json!({ "webhookId": there.id, "name": "builds", "url": there.url }));
    let said = plan(&world, &stream(&[&pinned("one"), &pinned("two")]), &[]).await.with_code(1);
    assert!(said.out.contains("error: Conflict: "), "{}", said.out);
    assert!(said.out.contains("0 to change, 0 differing, 1 without change, 1 in error"), "{}", said.out);
}

#[tokio::test]
async fn a_second_webhook_of_an_object_would_go_and_what_follows_is_told_too() {
    let mut world = World::start().await;
    world.webhook("builds", json!({})).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.kill_operator();
    let late = NewWebhook::new("builds", "https://hooks.example.com/builds").header(MARKER, world.marker("builds"));
    let late = world.console_create(late).id;
    let manifest = world.webhook_manifest("builds", json!({ "active": false }));
    let said = plan(&world, &stream(&[&manifest]), &[]).await.with_code(2);
    let lines: Vec<_> = said.out.lines().filter(|line| line.contains("builds: ")).collect();
    assert_eq!(lines.len(), 2, "{}", said.out);
    assert!(lines[0].ends_with(&format!("delete duplicate webhook {late}, keep {id}")), "{}", said.out);
    assert!(lines[1].ends_with(&format!("update webhook {id}: active")), "{}", said.out);
    assert_eq!(world.remote().len(), 2);
}

#[tokio::test]
async fn drift_that_the_policy_leaves_is_told_with_both_sides() {
    let mut world = World::start().await;
    let spec = json!({ "managementPolicy": "ReportDrift" });
    world.webhook("builds", spec.clone()).await;
    let id = status(&world.wait_ready("builds").await).webhook_id.unwrap();
    world.kill_operator();
    let edit = simulator::WebhookEdit { events: Some(vec!["x".into()]), ..Default::default() };
    world.console_edit(&id, edit);
    let said = plan(&world, &stream(&[&world.webhook_manifest("builds", spec)]), &[]).await.with_code(2);
    assert!(said.out.contains("builds: differs: Drifted: the remote differs in events"), "{}", said.out);
    assert!(said.out.contains("\n  events: desired [deployment.build.created], actual [x]\n"), "{}", said.out);
}

#[tokio::test]
async fn json_says_the_same_to_programs() {
    let world = World::with(|setup| setup.no_operator()).await;
    let there = world.console_lookalike("there");
    let create = world.webhook_manifest("builds", json!({ "headers": [{ "name": "X-A", "value": "canary" }] }));
    let adopt = world.webhook_manifest("there", json!({ "webhookId": there.id }));
    let bad = world.webhook_manifest("bad", json!({ "projectId": "shop" }));
    let said = plan(&world, &stream(&[&create, &adopt, &bad]), &["-o", "json"]).await.with_code(1);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let namespace = &world.namespace;
    assert_eq!(
        report["objects"][0],
        json!({
            "kind": "ProjectWebhook", "namespace": namespace, "name": "builds", "verdict": "change",
            "writes": ["create webhook \"builds\" for hooks.example.com"],
        })
    );
    assert_eq!(
        report["objects"][1],
        json!({
            "kind": "ProjectWebhook", "namespace": namespace, "name": "there", "verdict": "noChange", "writes": [],
            "reason": "Synced", "message": "the remote equals the spec", "adopts": there.id,
        })
    );
    assert_eq!((&report["objects"][2]["name"], &report["objects"][2]["verdict"]), (&json!("bad"), &json!("error")));
    assert!(!said.out.contains("canary"));
}

#[tokio::test]
async fn files_and_directories_are_read_and_what_is_none_of_ours_is_left_out() {
    let world = World::with(|setup| setup.no_operator()).await;
    let scratch = Scratch::new();
    let write = |name: &str, text: &str| std::fs::write(scratch.0.join(name), text).unwrap();
    write("a.yaml", &stream(&[&world.webhook_manifest("one", json!({}))]));
    write("b.json", &world.webhook_manifest("two", json!({})).to_string());
    write("c.yml", "apiVersion: v1\nkind: Service\nmetadata: {name: canary}\n");
    write("d.txt", "canary: [");
    std::fs::create_dir(scratch.0.join("deeper")).unwrap();
    write("deeper/e.yaml", "canary: [");
    let directory = scratch.0.to_str().unwrap();
    let said = hookwright(&world, &["plan", "-n", &world.namespace, "-f", directory]).await.with_code(2);
    assert!(said.out.contains("/one: create webhook") && said.out.contains("/two: create webhook"), "{}", said.out);
    assert!(said.out.ends_with("2 to change, 0 differing, 0 without change, 0 in error\n"), "{}", said.out);
    let broken = hookwright(&world, &["plan", "-f", &format!("{directory}/d.txt")]).await.with_code(1);
    assert!(broken.err.contains("d.txt is no YAML") && !broken.err.contains("canary"), "{}", broken.err);
    let missing = hookwright(&world, &["plan", "-f", &format!("{directory}/none")]).await.with_code(1);
    assert!(missing.err.contains("can't be read"), "{}", missing.err);
    // Not with 2: that would be changes.
    let misread = hookwright_with(&world, &["plan", "--filenam", "x"], "").await.with_code(1);
    assert!(misread.err.contains("--filename"), "{}", misread.err);
    hookwright(&world, &["plan", "--help"]).await.with_code(0);
}

#[tokio::test]
async fn who_may_only_read_has_a_plan_too_and_is_told_what_was_not_checked() {
    let mut world = World::with(|setup| setup.no_operator()).await;
    let rule = |group: &str, resources: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list"] });
    let ours = ["projectwebhooks", "tasknotifications", "connections"];
    let reader = world.account(json!([rule("hookwright.dev", &ours), account::secrets(&["get", "list"])])).await;
    world.operator_setup.kubeconfig.clone_from(&reader.kubeconfig);
    let said = plan(&world, &stream(&[&world.webhook_manifest("builds", json!({}))]), &[]).await.with_code(2);
    assert!(said.out.contains("builds: create webhook"), "{}", said.out);
    assert_eq!(
        said.lines("is not checked by the API server (the API server answers 403 Forbidden)").len(),
        1,
        "{}",
        said.err
    );
    assert_eq!(said.lines("of other namespaces may not be read").len(), 3, "{}", said.err);
}

#[tokio::test]
async fn a_remote_that_repeats_secrets_is_not_repeated() {
    let world = World::with(|setup| setup.no_operator()).await;
    let body = json!({ "message": "canary-a canary-b", "code": "canary-a" });
    world.sim.add_fault(Fault::new(FaultKind::Status {
        code: 400,
        body: Some(body),
        retry_after: None,
        applied: false,
    }));
    let spec =
        json!({ "url": "https://hooks.example.com/canary-b", "headers": [{ "name": "X-A", "value": "canary-a" }] });
    let said = plan(&world, &stream(&[&world.webhook_manifest("builds", spec)]), &[]).await.with_code(1);
    assert!(said.out.contains("builds: error: RemoteRejected: "), "{}", said.out);
    assert!(!(said.out + &said.err).contains("canary"));
}

#[tokio::test]
async fn the_client_of_a_plan_lets_dry_runs_pass_and_no_write_whoever_tries() {
    let world = World::with(|setup| setup.no_operator()).await;
    let file = Kubeconfig::read_from(&world.operator_setup.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let maps = Api::<ConfigMap>::namespaced(reader(config).unwrap(), &world.namespace);
    let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "it" } })).unwrap();
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    assert_eq!(maps.create(&dry, &map).await.unwrap().name_any(), "it");
    let error = maps.create(&PostParams::default(), &map).await.unwrap_err();
    assert!(matches!(&error, kube::Error::Service(error) if error.is::<Closed>()), "{error:?}");
    assert!(maps.delete("kube-root-ca.crt", &DeleteParams::default()).await.is_err());
    assert!(maps.get_opt("it").await.unwrap().is_none());
}
