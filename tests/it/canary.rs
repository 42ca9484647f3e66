//! No secret leaves: canaries, values that are recognised wherever they come out, sent through everything that can go wrong at a
//! remote which repeats all that it was told.

use hookwright::api::connection::Connection;
use hookwright::api::project_webhook::{ProjectWebhook, ProjectWebhookStatus};
use k8s_openapi::ByteString;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, NewWebhook, WebhookEdit};

use crate::support::{MARKER, Recording, World, condition, random};

mod rotation;

const TOKEN: &str = "Vx8Kq2mZt4Lw";
const LITERAL: &str = "Hb5Rn9cYs3Jd";
const OF_SECRET: &str = "Pz6Wg1fTq8Mv";
const PREFIXED: &str = "Dk3Xs7bNu2Rc";
const LITERAL_URL: &str = "https://Ua4Jm6pEz9Hf:Wl2Ty8kOg5Qx@hooks.example.com/Cr7Zn3vIw6Bj/in?key=Gs9Ph4dMu1Ky";
const SECRET_URL: &str = "https://Ne5Vt2xRl8Wq:Jy6Fc1zSo3Dm@chat.example.com/Xi4Bk9gTh7Pu/in?key=Mq8Lw3jYv5Za";
/// Each secret alone, those of the one object and those of the other. No two share six characters in a row: then one that
/// is not known to be a secret would be shown, and not be hidden by another that is.
const LITERAL_PARTS: [&str; 6] = [TOKEN, LITERAL, "Ua4Jm6pEz9Hf", "Wl2Ty8kOg5Qx", "Cr7Zn3vIw6Bj", "Gs9Ph4dMu1Ky"];
const SECRET_PARTS: [&str; 7] =
    [TOKEN, OF_SECRET, PREFIXED, "Ne5Vt2xRl8Wq", "Jy6Fc1zSo3Dm", "Xi4Bk9gTh7Pu", "Mq8Lw3jYv5Za"];
/// What somebody writes at the console.
const CONSOLE: &str = "Of7Ew2nXb4Ks";
const NAMES: [&str; 2] = ["literal", "of-secrets"];

/// An error that repeats everything that the remote was ever told, under every name that an error may have.
fn echo(code: u16) -> FaultKind {
    let all = [TOKEN, LITERAL, OF_SECRET, PREFIXED, LITERAL_URL, SECRET_URL, CONSOLE].join(" ");
    let body = json!({
        "name": TOKEN, "code": PREFIXED, "error_code": OF_SECRET, "message": format!("not allowed: {all}"),
        "error_msg": all, "error": { "code": LITERAL, "message": all },
    });
    FaultKind::Status { code, body: Some(body), retry_after: None, applied: false }
}

async fn start() -> World {
    let world = World::with(|setup| setup.no_connection().env("RUST_LOG", "trace")).await;
    world.sim.add_token(TOKEN);
    world.secret("app-maker", &[("token", TOKEN)]).await;
    let receiver = [("url", SECRET_URL), ("header", OF_SECRET), ("prefixed", PREFIXED)];
    world.secret("receiver", &receiver).await;
    world.connection("app-maker", json!({})).await;
    world
}

fn specs() -> [Value; 2] {
    let from = |key: &str| json!({ "name": "receiver", "key": key });
    [
        json!({ "url": LITERAL_URL, "headers": [{ "name": "X-Literal", "value": LITERAL }] }),
        json!({
            "url": null,
            "urlFrom": { "secretKeyRef": from("url") },
            "headers": [
                { "name": "X-Secret", "valueFrom": { "secretKeyRef": from("header") } },
                { "name": "Authorization", "valueFrom": { "prefix": "Bearer ", "secretKeyRef": from("prefixed") } },
            ],
        }),
    ]
}

/// Everything of a world that others than its secrets' owner can see.
async fn places(world: &World, recording: &Recording) -> Vec<(&'static str, String)> {
    for object in world.webhooks().list(&ListParams::default()).await.unwrap() {
        recording.up_to(&object).await;
    }
    // The spec is its author's own; everything else of the object is ours.
    let ours = |version: &ProjectWebhook| json!([version.status, version.metadata.annotations]).to_string();
    let mut statuses: Vec<_> = recording.all().iter().map(ours).collect();
    let connections = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    let connections = connections.list(&ListParams::default()).await.unwrap().items;
    statuses.extend(connections.iter().map(|connection| json!(connection.status).to_string()));
    let events = Api::<Event>::namespaced(world.client.clone(), &world.namespace);
    let events = json!(events.list(&ListParams::default()).await.unwrap().items).to_string();
    let operator = world.operator();
    vec![
        ("the statuses", statuses.join("\n")),
        ("the Events", events),
        ("the log", operator.log()),
        ("/metrics", operator.get("/metrics").await.1),
        ("/readyz", operator.get("/readyz").await.1),
        ("/healthz", operator.get("/healthz").await.1),
    ]
}

/// The places where a text is, without regard to case, each with what is around it.
fn found(places: &[(&'static str, String)], text: &str) -> Vec<String> {
    let mut found = vec![];
    for (place, content) in places {
        let lower = content.to_ascii_lowercase();
        if let Some(at) = lower.find(&text.to_ascii_lowercase()) {
            let before = content[..at].chars().count().saturating_sub(150);
            let around: String = content.chars().skip(before).take(400).collect();
            found.push(format!("{place}: …{around}…"));
        }
    }
    found
}

/// A text as a Secret's data has it.
fn base64(text: &str) -> String {
    json!(ByteString(text.as_bytes().to_vec())).as_str().unwrap().trim_end_matches('=').to_owned()
}

/// No canary is anywhere. That the places can be seen at all is shown by what has to be in each of them.
async fn assert_nothing_left(world: &World, recording: &Recording) {
    let places = places(world, recording).await;
    for (place, text) in [
        ("the statuses", "hooks.example.com"),
        ("the statuses", "X-Literal"),
        ("the Events", "create webhook"),
        ("the log", "remote call"),
        ("the log", "DEBUG"),
        ("/metrics", "hookwright_"),
        ("/readyz", "200"),
        ("/healthz", "200"),
    ] {
        let seen: Vec<_> = places.iter().filter(|(name, _)| *name == place).cloned().collect();
        assert!(
            !found(&seen, text).is_empty(),
            "{text} is not in {place}: then nothing proves that a canary would be seen"
        );
    }
    // Six characters in a row of any of them, or the whole as a Secret's data has it.
    let parts = LITERAL_PARTS.iter().chain(&SECRET_PARTS).chain(&rotation::NEW_PARTS).chain([&CONSOLE]);
    let windows = parts.flat_map(|part| (0..=part.len() - 6).map(|at| part[at..at + 6].to_owned()));
    let encoded = [TOKEN, OF_SECRET, PREFIXED, SECRET_URL].map(base64);
    let leaks: Vec<_> = windows.chain(encoded).flat_map(|text| found(&places, &text)).collect();
    assert!(leaks.is_empty(), "{}", leaks.join("\n\n"));
}

/// Lets every call of one operation fail with this status until both objects say so.
async fn fail(world: &World, operation: &str, code: u16, reason: &str) {
    world.sim.add_fault(Fault::new(echo(code)).id("echo").operations([operation]));
    for name in NAMES {
        world.annotate(name, "hookwright.dev/reconcile-requested-at", &format!("{operation} {code}")).await;
    }
    for name in NAMES {
        world.wait_reason(name, reason).await;
    }
}

async fn recover(world: &World) {
    world.sim.remove_fault("echo");
    for name in NAMES {
        world.annotate(name, "hookwright.dev/reconcile-requested-at", &random("recover")).await;
        world.wait_ready(name).await;
    }
}

#[tokio::test]
async fn no_secret_leaves_through_creation_and_its_errors() {
    let world = start().await;
    let recording = world.record().await;
    world.sim.add_fault(Fault::new(echo(422)).id("echo").operations(["create"]));
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        world.webhook(name, spec).await;
    }
    for name in NAMES {
        world.wait_reason(name, "RemoteRejected").await;
    }
    fail(&world, "create", 403, "Forbidden").await;
    fail(&world, "create", 400, "RemoteRejected").await;
    fail(&world, "create", 429, "RateLimited").await;
    recover(&world).await;
    assert_eq!(world.remote().len(), 2);
    assert_nothing_left(&world, &recording).await;
}

#[tokio::test]
async fn no_secret_leaves_through_errors_of_looking_and_updating() {
    let world = start().await;
    let recording = world.record().await;
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        world.webhook(name, spec).await;
        world.wait_ready(name).await;
    }
    for (code, reason) in
        [(403, "Forbidden"), (404, "ProjectNotFound"), (422, "RemoteRejected"), (500, "RemoteUnavailable")]
    {
        fail(&world, "list", code, reason).await;
    }
    recover(&world).await;
    fail(&world, "list", 401, "CredentialsRejected").await;
    recover(&world).await;
    for kind in [
        FaultKind::Redirect { location: LITERAL_URL.into(), code: 302 },
        FaultKind::NotJson,
        FaultKind::WrongShape { shape: simulator::Shape::Data },
    ] {
        world.sim.add_fault(Fault::new(kind).id("echo").operations(["list"]));
        for name in NAMES {
            world.annotate(name, "hookwright.dev/reconcile-requested-at", &random("ask")).await;
            world.wait_reason(name, "RemoteUnavailable").await;
        }
        recover(&world).await;
    }
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        let mut spec = spec;
        spec["active"] = json!(false);
        world.sim.add_fault(Fault::new(echo(422)).id("echo").operations(["update"]));
        world.webhook(name, spec).await;
    }
    for name in NAMES {
        world.wait_reason(name, "RemoteRejected").await;
    }
    fail(&world, "update", 403, "Forbidden").await;
    recover(&world).await;
    assert_nothing_left(&world, &recording).await;
}

#[tokio::test]
async fn no_secret_leaves_through_an_error_that_repeats_it_alone() {
    let world = start().await;
    let recording = world.record().await;
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        world.webhook(name, spec).await;
        world.wait_ready(name).await;
    }
    for operation in ["list", "update", "delete"] {
        // What is a secret of one object is nothing to the other, so only its own asks; but a LIST answers everybody.
        let own =
            LITERAL_PARTS.map(|part| (NAMES[0], part)).into_iter().chain(SECRET_PARTS.map(|part| (NAMES[1], part)));
        for (own, part) in own {
            let body = json!({ "name": part, "message": format!("{part} is not allowed") });
            let kind = FaultKind::Status { code: 422, body: Some(body), retry_after: None, applied: false };
            world.sim.add_fault(Fault::new(kind).id("echo").operations([operation]));
            ask(&world, operation, own).await;
        }
        let refused =
            world.calls().iter().filter(|call| call.operation == operation && call.faults == ["echo"]).count();
        assert!(
            refused >= LITERAL_PARTS.len() + SECRET_PARTS.len(),
            "each of {operation} was refused, not only {refused}"
        );
        if operation != "delete" {
            recover(&world).await;
        }
    }
    assert_nothing_left(&world, &recording).await;
}

/// Makes an object meet the fault, and waits until it has.
async fn ask(world: &World, operation: &str, name: &str) {
    match operation {
        // Each change of the spec is an update that the remote refuses.
        "update" => {
            let patch = Patch::Merge(json!({ "spec": { "name": format!("name {}", random("n")) } }));
            world.webhooks().patch(name, &PatchParams::default(), &patch).await.unwrap();
            world.wait_reason(name, "RemoteRejected").await;
        }
        "delete" => {
            world.delete(name).await;
            let asked = random("ask");
            world.annotate(name, "hookwright.dev/reconcile-requested-at", &asked).await;
            let handled = |status: &ProjectWebhookStatus| status.last_handled_reconcile_at.as_ref() == Some(&asked);
            world.wait_until(name, "a pass", |object| object.status.as_ref().is_some_and(handled)).await;
            world.wait_reason(name, "DeletionBlocked").await;
        }
        _ => {
            for name in NAMES {
                world.pass(name).await;
                world.wait_reason(name, "RemoteRejected").await;
            }
        }
    }
}

#[tokio::test]
async fn no_secret_leaves_through_drift_and_adoption() {
    let world = start().await;
    let recording = world.record().await;
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        let mut spec = spec;
        spec["managementPolicy"] = json!("ReportDrift");
        world.webhook(name, spec).await;
        world.wait_ready(name).await;
    }
    for webhook in world.remote() {
        let mut headers = webhook.headers.clone();
        // Not the marker: with another one it would be somebody else's.
        headers.iter_mut().filter(|(name, _)| *name != MARKER).for_each(|(_, value)| *value = CONSOLE.into());
        let url = format!("https://{CONSOLE}:{CONSOLE}@hooks.example.com/{CONSOLE}?{CONSOLE}");
        let edit = WebhookEdit { url: Some(url), headers: Some(headers), ..WebhookEdit::default() };
        world.console_edit(&webhook.id, edit);
    }
    for name in NAMES {
        world.annotate(name, "hookwright.dev/reconcile-requested-at", "drift").await;
        let object = world.wait_reason(name, "Drifted").await;
        assert!(!object.status.unwrap().drift.is_empty());
    }
    // One that looks the same, whose headers are somebody's secrets.
    let url = format!("https://hooks.example.com/{CONSOLE}");
    world.console_create(NewWebhook::new("there", &url).header("X-Literal", CONSOLE));
    world.webhook("there", json!({ "url": url, "managementPolicy": "Observe" })).await;
    world.pass("there").await;
    world.wait_reason("there", "Observed").await;
    world.webhook("there", json!({ "url": url })).await;
    world.wait_reason("there", "AdoptionRequired").await;
    world.webhook("there", json!({ "url": url, "adoptionPolicy": "Adopt" })).await;
    world.wait_ready("there").await;
    assert_nothing_left(&world, &recording).await;
}

#[tokio::test]
async fn no_secret_leaves_through_a_deletion_and_its_errors() {
    let world = start().await;
    let recording = world.record().await;
    for (name, spec) in NAMES.into_iter().zip(specs()) {
        world.webhook(name, spec).await;
        world.wait_ready(name).await;
    }
    world.sim.add_fault(Fault::new(echo(422)).id("echo").operations(["delete"]));
    for name in NAMES {
        world.delete(name).await;
    }
    for name in NAMES {
        world.wait_reason(name, "DeletionBlocked").await;
    }
    assert_nothing_left(&world, &recording).await;
    // Without the Secrets it is not even known what must not be shown.
    world.delete_secret("receiver").await;
    world.sim.add_fault(Fault::new(echo(403)).id("echo").operations(["delete"]));
    for name in NAMES {
        world.annotate(name, "hookwright.dev/reconcile-requested-at", "again").await;
        world
            .wait_status(name, "blocked by 403", |status| {
                condition(&status.conditions, "Ready").is_some_and(|ready| ready.message.contains("403"))
            })
            .await;
    }
    assert_nothing_left(&world, &recording).await;
    world.sim.remove_fault("echo");
    for name in NAMES {
        world.annotate(name, "hookwright.dev/reconcile-requested-at", "at last").await;
        world.wait_gone(name).await;
    }
    assert!(world.remote().is_empty());
    assert_nothing_left(&world, &recording).await;
}
