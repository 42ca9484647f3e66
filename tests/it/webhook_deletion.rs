//! The end of a ProjectWebhook: what happens to the remote webhook, and that it always ends or says why.

use hookwright::api::connection::Connection;
use hookwright::api::project_webhook::ProjectWebhookStatus;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use simulator::app_maker::PatchHeaders;
use simulator::{Behaviour, Fault, FaultKind, NewWebhook};

use crate::support::{
    DEADLINE, MARKER, Manifest, World, assert_calls, assert_writes, condition, message, ready_reason, status,
};

/// A Ready webhook `builds`, with no call counted yet; its id at the remote.
async fn ready(world: &World, spec: Value) -> String {
    world.webhook("builds", spec).await;
    let object = world.wait_ready("builds").await;
    world.sim.clear_calls();
    status(&object).webhook_id.unwrap()
}

async fn deleted(world: &World) {
    world.delete("builds").await;
    world.wait_gone("builds").await;
}

/// What counts webhooks that stay: because that is the policy, or because nothing better was possible.
const WANTED: &str = r#"orphans_total{kind="ProjectWebhook",cause="wanted"}"#;
const LEFT: &str = r#"orphans_total{kind="ProjectWebhook",cause="left"}"#;

fn is_orphaned(event: &Event) -> bool {
    event.type_.as_deref() == Some("Warning") && event.reason.as_deref() == Some("Orphaned")
}

#[tokio::test]
async fn what_was_created_is_deleted_with_the_object() {
    let world = World::start().await;
    ready(&world, json!({})).await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn orphan_leaves_what_was_created_without_its_marker_and_a_warning_names_it() {
    let world = World::start().await;
    let id = ready(&world, json!({ "deletionPolicy": "Orphan", "headers": [{ "name": "X-A", "value": "1" }] })).await;
    deleted(&world).await;
    assert_writes(&world, &["PATCH headers"]);
    let left = world.only();
    assert_eq!(left.id, id);
    assert!(!left.headers.contains_key(MARKER));
    assert_eq!(left.headers["X-A"], "1");
    let note = world.wait_event("builds", "a Warning", is_orphaned).await;
    assert!(note.contains(&id), "{note}");
    world.wait_counted(WANTED, 1).await;
}

#[tokio::test]
async fn orphaning_ends_where_the_marker_can_not_be_removed() {
    let world = World::start().await;
    world.behave(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() });
    ready(&world, json!({ "deletionPolicy": "Orphan" })).await;
    deleted(&world).await;
    assert_writes(&world, &["PATCH headers"]);
    assert!(world.only().headers.contains_key(MARKER));
}

#[tokio::test]
async fn what_was_adopted_is_left_untouched_by_default() {
    let world = World::start().await;
    world.console_lookalike("builds");
    let id = ready(&world, json!({ "adoptionPolicy": "Adopt" })).await;
    deleted(&world).await;
    assert_writes(&world, &[]);
    assert_eq!(world.only().id, id);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&id));
}

#[tokio::test]
async fn what_is_only_observed_now_is_left_although_it_was_created() {
    let world = World::start().await;
    let id = ready(&world, json!({})).await;
    world.webhook("builds", json!({ "managementPolicy": "Observe" })).await;
    world.wait_reason("builds", "Observed").await;
    deleted(&world).await;
    assert_writes(&world, &[]);
    assert_eq!(world.only().id, id);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&id));
}

#[tokio::test]
async fn what_was_adopted_is_deleted_if_the_policy_says_so() {
    let world = World::start().await;
    world.console_lookalike("builds");
    ready(&world, json!({ "adoptionPolicy": "Adopt", "deletionPolicy": "Delete" })).await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn an_object_that_owns_nothing_goes_without_a_call() {
    let world = World::start().await;
    world.webhook("builds", json!({ "connectionRef": { "name": "missing" } })).await;
    world.wait_reason("builds", "ConnectionNotFound").await;
    deleted(&world).await;
    assert_calls(&world, &[]);
}

#[tokio::test]
async fn only_what_is_ours_is_deleted() {
    let world = World::start().await;
    let other = world.console_create(NewWebhook::new("builds", "https://hooks.example.com/other"));
    ready(&world, json!({})).await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
    assert_eq!(world.only().id, other.id);
}

#[tokio::test]
async fn what_somebody_else_marked_in_between_is_left_and_named() {
    let world = World::start().await;
    let id = ready(&world, json!({})).await;
    let headers = std::collections::BTreeMap::from([(MARKER.to_owned(), "e".repeat(32))]);
    world.console_edit(&id, simulator::WebhookEdit { headers: Some(headers), ..Default::default() });
    assert_eq!(ready_reason(&world.pass("builds").await), Some("Conflict"));
    deleted(&world).await;
    assert_writes(&world, &[]);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&id));
}

#[tokio::test]
async fn what_is_gone_already_is_no_obstacle() {
    let world = World::start().await;
    let id = ready(&world, json!({ "managementPolicy": "ReportDrift" })).await;
    world.console_delete(&id);
    assert_eq!(ready_reason(&world.pass("builds").await), Some("Drifted"));
    deleted(&world).await;
    assert_writes(&world, &[]);
    world.sim.clear_calls();
    // And where it vanishes between look and DELETE: that 404 is success.
    ready(&world, json!({})).await;
    world.sim.add_fault(Fault::status(404).methods(["DELETE"]));
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
}

#[tokio::test]
async fn a_project_that_is_gone_is_no_obstacle() {
    let world = World::start().await;
    ready(&world, json!({})).await;
    world.sim.remove_project(&world.project.id);
    deleted(&world).await;
}

#[tokio::test]
async fn a_spec_that_became_unusable_is_no_obstacle() {
    let world = World::start().await;
    world.secret("receiver", &[("token", "one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    ready(&world, json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
    world.delete_secret("receiver").await;
    world.wait_reason("builds", "SecretNotFound").await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
}

#[tokio::test]
async fn a_deletion_goes_on_when_the_remote_recovers() {
    let world = World::start().await;
    ready(&world, json!({})).await;
    let fault = world.sim.add_fault(Fault::status(503).methods(["DELETE"]).once());
    world.delete("builds").await;
    let waiting = world.wait_reason("builds", "RemoteUnavailable").await;
    assert!(condition(&status(&waiting).conditions, "Reconciling").is_some());
    world.wait_gone("builds").await;
    world.sim.remove_fault(&fault);
    assert_writes(&world, &["DELETE", "DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn without_the_secret_of_the_connection_the_credentials_last_seen_are_used() {
    let world = World::start().await;
    ready(&world, json!({})).await;
    world.delete_secret("app-maker").await;
    world.wait_reason("builds", "ConnectionNotReady").await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn connection_secret_and_webhook_can_be_deleted_together() {
    let world = World::start().await;
    ready(&world, json!({})).await;
    let connections = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    connections.delete("app-maker", &DeleteParams::default()).await.unwrap();
    world.delete_secret("app-maker").await;
    deleted(&world).await;
    assert_eq!(world.remote().len(), 0);
    let gone = kube::runtime::wait::await_condition(connections, "app-maker", |c: Option<&Connection>| c.is_none());
    tokio::time::timeout(DEADLINE, gone).await.expect("the connection goes when its last user has gone").unwrap();
}

#[tokio::test]
async fn without_any_credentials_it_is_blocked_until_they_are_back() {
    let mut world = World::start().await;
    ready(&world, json!({})).await;
    world.kill_operator();
    world.delete_secret("app-maker").await;
    world.delete("builds").await;
    world.restart_operator().await;
    let blocked = world.wait_reason("builds", "DeletionBlocked").await;
    let text = message(&blocked);
    assert!(text.contains("Secret") && text.contains("spec.deletionPolicy: Orphan"), "{text}");
    assert!(condition(&status(&blocked).conditions, "Stalled").is_some());
    assert_calls(&world, &[]);
    world.secret("app-maker", &[("token", crate::support::TOKEN)]).await;
    world.wait_gone("builds").await;
    assert_writes(&world, &["DELETE"]);
}

#[tokio::test]
async fn without_its_connection_it_is_blocked_until_that_is_back_or_goes_with_the_one_last_seen() {
    let mut world = World::start().await;
    let connections = Api::<Connection>::namespaced(world.client.clone(), &world.namespace);
    let force_away = async || {
        // The finalizer that would keep it is taken away, as people do who are in a hurry.
        let bare = Patch::Merge(json!({ "metadata": { "finalizers": [] } }));
        connections.delete("app-maker", &DeleteParams::default()).await.unwrap();
        let _gone_already = connections.patch("app-maker", &PatchParams::default(), &bare).await;
        let gone = |connection: Option<&Connection>| connection.is_none();
        let gone = kube::runtime::wait::await_condition(connections.clone(), "app-maker", gone);
        tokio::time::timeout(DEADLINE, gone).await.expect("the connection goes").unwrap();
    };
    ready(&world, json!({})).await;
    world.kill_operator();
    force_away().await;
    world.delete("builds").await;
    world.restart_operator().await;
    let blocked = world.wait_reason("builds", "DeletionBlocked").await;
    let text = message(&blocked);
    assert!(text.contains("app-maker") && text.contains("spec.deletionPolicy: Orphan"), "{text}");
    assert_calls(&world, &[]);
    world.connection("app-maker", json!({})).await;
    world.wait_gone("builds").await;
    assert_writes(&world, &["DELETE"]);
    // A process that has used it goes on with what it last saw.
    ready(&world, json!({})).await;
    force_away().await;
    world.wait_reason("builds", "ConnectionNotFound").await;
    deleted(&world).await;
    assert_writes(&world, &["DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_not_allowed_any_more_is_not_called_for_a_deletion_either() {
    let mut world = World::start().await;
    ready(&world, json!({})).await;
    world.reflag("--allowed-endpoint", "https://abp-api.akinon.net");
    world.restart_operator().await;
    world.delete("builds").await;
    let blocked = world.wait_reason("builds", "DeletionBlocked").await;
    let text = message(&blocked);
    assert!(text.contains("--allowed-endpoint") && text.contains("spec.deletionPolicy: Orphan"), "{text}");
    assert_calls(&world, &[]);
    world.reflag("--allowed-endpoint", "http://127.0.0.1:*");
    world.restart_operator().await;
    world.wait_gone("builds").await;
    assert_writes(&world, &["DELETE"]);
}

#[tokio::test]
async fn a_receiver_that_is_not_allowed_any_more_is_no_obstacle() {
    let mut world = World::start().await;
    ready(&world, json!({})).await;
    world.reflag("--allowed-receiver", "https://elsewhere.example.com");
    world.restart_operator().await;
    world.pass("builds").await;
    world.wait_reason("builds", "ReceiverNotAllowed").await;
    deleted(&world).await;
    assert_calls(&world, &["GET list", "DELETE", "GET list"]);
}

#[tokio::test]
async fn a_blocked_deletion_ends_with_deletion_policy_orphan() {
    let mut world = World::start().await;
    let id = ready(&world, json!({})).await;
    world.kill_operator();
    world.delete_secret("app-maker").await;
    world.delete("builds").await;
    world.restart_operator().await;
    world.wait_reason("builds", "DeletionBlocked").await;
    let patch = Patch::Merge(json!({ "spec": { "deletionPolicy": "Orphan" } }));
    world.webhooks().patch("builds", &PatchParams::default(), &patch).await.unwrap();
    world.wait_gone("builds").await;
    assert_calls(&world, &[]);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&id));
    assert_eq!(world.only().id, id);
}

#[tokio::test]
async fn what_was_never_recorded_is_looked_for_before_it_is_orphaned_so_that_a_warning_can_name_it() {
    let world = World::start().await;
    let lists = world.sim.add_fault(Fault::status(503).operations(["list"]).skip(1));
    world.webhook("builds", json!({ "deletionPolicy": "Orphan" })).await;
    world.wait_reason("builds", "RemoteUnavailable").await;
    world.delete("builds").await;
    world.wait_until("builds", "waiting", |object| message(object).starts_with("being deleted")).await;
    // And the write after which it could not be told from a stranger's fails too.
    world.sim.add_fault(Fault::new(FaultKind::Reset { applied: true }).methods(["PATCH"]).once());
    world.sim.remove_fault(&lists);
    world.wait_gone("builds").await;
    assert_writes(&world, &["POST", "PATCH headers"]);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&world.only().id));
}

#[tokio::test]
async fn what_a_replacement_left_behind_goes_before_the_new_one_is_orphaned() {
    let world = World::with(|setup| setup.flag("--settle-time", "1s")).await;
    world.behave(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() });
    let orphan = |headers: Value| json!({ "deletionPolicy": "Orphan", "headers": headers });
    let old = ready(&world, orphan(json!([{ "name": "X-Old", "value": "1" }]))).await;
    let deletions = world.sim.add_fault(Fault::status(503).methods(["DELETE"]));
    world.webhook("builds", orphan(json!([]))).await;
    let replaced = |status: &ProjectWebhookStatus| status.webhook_id.as_ref().is_some_and(|id| *id != old);
    let new = world.wait_status("builds", "the new one is recorded", replaced).await;
    let lists = world.sim.add_fault(Fault::status(503).operations(["list"]));
    world.delete("builds").await;
    world.wait_until("builds", "waiting", |object| message(object).starts_with("being deleted")).await;
    world.sim.remove_fault(&deletions);
    world.sim.remove_fault(&lists);
    world.wait_gone("builds").await;
    assert_eq!(Some(world.only().id), status(&new).webhook_id);
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&world.only().id));
}

#[tokio::test]
async fn a_creation_without_an_answer_is_waited_for_before_the_object_goes() {
    let world = World::start().await;
    let late = FaultKind::LateEffect { after_ms: None, silence: simulator::Silence::Reset };
    world.sim.add_fault(Fault::new(late).methods(["POST"]).once());
    world.webhook("builds", json!({})).await;
    world.wait_reason("builds", "Progressing").await;
    world.delete("builds").await;
    world.wait_until("builds", "waiting", |object| message(object).starts_with("being deleted")).await;
    world.sim.release_late_effects();
    world.wait_gone("builds").await;
    assert_writes(&world, &["POST", "DELETE"]);
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test]
async fn a_namespace_that_is_deleted_takes_the_remote_webhook_with_it() {
    // Its own namespace is another one: Kubernetes takes no Event in the dying one.
    let world = World::with(|setup| setup.flag("--namespace", "default")).await;
    ready(&world, json!({})).await;
    let namespaces = Api::<Namespace>::all(world.client.clone());
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    world.wait_gone("builds").await;
    let project = world.project.id.clone();
    world.wait_remote("no webhook is left", |state| state.webhook_count(&project) == 0).await;
}

#[tokio::test]
async fn in_a_dying_namespace_what_can_not_be_deleted_is_orphaned_and_told_elsewhere() {
    let mut world = World::with(|setup| setup.flag("--namespace", "default")).await;
    let id = ready(&world, json!({})).await;
    world.kill_operator();
    let namespaces = Api::<Namespace>::all(world.client.clone());
    world.delete_secret("app-maker").await;
    namespaces.delete(&world.namespace, &DeleteParams::default()).await.unwrap();
    world.restart_operator().await;
    world.wait_gone("builds").await;
    assert_eq!(world.only().id, id);
    let log = world.operator().log();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains(&id)), "{log}");
    let events = Api::<Event>::namespaced(world.client.clone(), "default");
    let all = events.list(&kube::api::ListParams::default()).await.unwrap().items;
    assert!(all.iter().any(|event| is_orphaned(event) && event.note.as_deref().is_some_and(|note| note.contains(&id))));
    world.wait_counted(LEFT, 1).await;
}

/// Kubernetes refuses to take finalizers off in the world's namespace, or goes on to.
async fn keep_finalizers(world: &World, keep: bool) {
    let name = &world.namespace;
    let api = "admissionregistration.k8s.io/v1";
    let here = json!({ "matchLabels": { "kubernetes.io/metadata.name": name } });
    let rule = json!({
        "apiGroups": ["hookwright.dev"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["projectwebhooks"],
    });
    let held = "!has(oldObject.metadata.finalizers) || has(object.metadata.finalizers)";
    let policy = json!({
        "apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": { "name": name },
        "spec": {
            "matchConstraints": { "namespaceSelector": here, "resourceRules": [rule] },
            "validations": [{ "expression": held, "message": "not now" }],
        },
    });
    let binding = json!({
        "apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding", "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    for manifest in [policy, binding] {
        if keep {
            world.apply(&manifest).await.unwrap();
        } else {
            world.dynamic(&manifest.object()).delete(name, &DeleteParams::default()).await.unwrap();
        }
    }
    // It takes effect a little later. When it ends, the object may go at once.
    let bare = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    let dry = PatchParams { dry_run: true, ..PatchParams::default() };
    let refused = async { while keep && world.webhooks().patch("builds", &dry, &bare).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, refused).await.expect("the policy takes effect");
}

#[tokio::test]
async fn an_orphan_is_counted_and_logged_once_however_often_kubernetes_refuses_to_let_the_object_go() {
    let world = World::start().await;
    let id = ready(&world, json!({ "deletionPolicy": "Orphan" })).await;
    keep_finalizers(&world, true).await;
    world.delete("builds").await;
    let tries = |log: &str| log.lines().filter(|line| line.contains("pass ended early")).count();
    let refused = async {
        while tries(&world.operator().log()) < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.expect("it tries again");
    keep_finalizers(&world, false).await;
    world.wait_gone("builds").await;
    world.wait_counted(WANTED, 1).await;
    let warned = world.operator().log().lines().filter(|line| line.contains("is orphaned")).count();
    assert_eq!(warned, 1, "{}", world.operator().log());
    assert!(world.wait_event("builds", "a Warning", is_orphaned).await.contains(&id));
}
