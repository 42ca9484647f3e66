//! Connections: when they can be used, who uses them, and how they are called.

use hookwright::api::connection::Connection;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::json;
use simulator::{Fault, FaultKind};

use crate::support::{DEADLINE, TOKEN, World, condition, message};

fn connections(world: &World) -> Api<Connection> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// The reason of `Ready`, if status speaks of the current generation.
fn reason(connection: &Connection) -> Option<&str> {
    let status = connection.status.as_ref()?;
    let current = Some(status.observed_generation) == connection.metadata.generation;
    current.then(|| condition(&status.conditions, "Ready").map(|ready| ready.reason.as_str())).flatten()
}

async fn wait_reason(world: &World, name: &str, wanted: &str) -> Connection {
    world.wait_for(connections(world), name, wanted, |connection| reason(connection) == Some(wanted)).await
}

async fn wait_gone(world: &World, name: &str) {
    let gone = await_condition(connections(world), name, |connection: Option<&Connection>| connection.is_none());
    tokio::time::timeout(DEADLINE, gone).await.expect("the connection goes").unwrap();
}

fn told(connection: &Connection) -> &str {
    let status = connection.status.as_ref().unwrap();
    &condition(&status.conditions, "Ready").unwrap().message
}

fn is_held(connection: &Connection) -> bool {
    connection.finalizers().iter().any(|finalizer| finalizer == "hookwright.dev/finalizer")
}

async fn config_map(world: &World, name: &str, key: &str, value: &str) {
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { key: value } });
    world.apply(map).await.unwrap();
}

#[tokio::test]
async fn a_connection_is_ready_once_its_secret_is_there_and_its_users_follow() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.connection("app-maker", json!({})).await;
    world.webhook("builds", json!({})).await;
    wait_reason(&world, "app-maker", "SecretNotFound").await;
    world.wait_reason("builds", "ConnectionNotReady").await;
    world.secret("app-maker", &[("other", TOKEN)]).await;
    let has_other =
        |c: &Connection| reason(c) == Some("SecretNotFound") && told(c).contains("has no key token; add it");
    world.wait_for(connections(&world), "app-maker", "the key is missing", has_other).await;
    assert!(world.calls().is_empty());
    world.secret("app-maker", &[("token", &format!("{TOKEN}\n"))]).await;
    wait_reason(&world, "app-maker", "Configured").await;
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn a_connection_is_configured_without_any_call() {
    let world = World::start().await;
    wait_reason(&world, "app-maker", "Configured").await;
    assert_eq!(world.sim.counts(None).total, 0);
}

#[tokio::test]
async fn a_connection_that_is_made_after_its_user_is_taken_up() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.webhook("builds", json!({})).await;
    world.wait_reason("builds", "ConnectionNotFound").await;
    world.secret("app-maker", &[("token", TOKEN)]).await;
    world.connection("app-maker", json!({})).await;
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn tls_is_trusted_through_ca_from_alone() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.secret("app-maker", &[("token", TOKEN)]).await;
    let endpoint = json!({ "endpoint": world.sim.https_endpoint() });
    world.connection("strangers", json!({ "appMaker": endpoint })).await;
    world.webhook("builds", json!({ "connectionRef": { "name": "strangers" } })).await;
    let object = world.wait_reason("builds", "RemoteUnavailable").await;
    let expected = "GET of the project's webhooks was not sent: the endpoint's certificate is signed by an unknown authority; \
                    if that is a CA of your own, set spec.caFrom of the connection";
    assert_eq!(message(&object), expected);
    assert_eq!(world.sim.counts(None).total, 0, "nothing was sent to whom is not trusted");

    let ca = json!({ "configMapKeyRef": { "name": "ca", "key": "ca.crt" } });
    world.connection("friends", json!({ "appMaker": endpoint, "caFrom": ca })).await;
    wait_reason(&world, "friends", "ConfigMapNotFound").await;
    config_map(&world, "ca", "other", "").await;
    let lacks_key = |c: &Connection| told(c).contains("has no key ca.crt; add it");
    world.wait_for(connections(&world), "friends", "the key is missing", lacks_key).await;
    config_map(&world, "ca", "ca.crt", "not PEM").await;
    wait_reason(&world, "friends", "InvalidSpec").await;
    config_map(&world, "ca", "ca.crt", world.sim.ca_pem()).await;
    wait_reason(&world, "friends", "Configured").await;
    world.webhook("builds", json!({ "connectionRef": { "name": "friends" } })).await;
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn a_ca_that_is_taken_away_is_trusted_no_longer() {
    let world = World::with(|setup| setup.no_connection()).await;
    world.secret("app-maker", &[("token", TOKEN)]).await;
    config_map(&world, "ca", "ca.crt", world.sim.ca_pem()).await;
    let ca = json!({ "configMapKeyRef": { "name": "ca", "key": "ca.crt" } });
    let spec = json!({ "appMaker": { "endpoint": world.sim.https_endpoint() }, "caFrom": ca });
    world.connection("app-maker", spec).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let maps = Api::<ConfigMap>::namespaced(world.client.clone(), &world.namespace);
    maps.delete("ca", &DeleteParams::default()).await.unwrap();
    wait_reason(&world, "app-maker", "ConfigMapNotFound").await;
    let object = world.wait_reason("builds", "ConnectionNotReady").await;
    assert!(message(&object).contains("ConfigMap ca is not in namespace"), "{}", message(&object));
}

#[tokio::test]
async fn an_endpoint_that_is_not_allowed_is_never_called() {
    let world =
        World::with(|setup| setup.without_flag("--allowed-endpoint").flag("--allowed-endpoint", "a.example")).await;
    let connection = wait_reason(&world, "app-maker", "EndpointNotAllowed").await;
    assert!(told(&connection).contains("have the operator's administrator allow it"), "{}", told(&connection));
    world.webhook("builds", json!({})).await;
    world.wait_reason("builds", "EndpointNotAllowed").await;
    world.delete("builds").await;
    world.wait_gone("builds").await;
    assert_eq!(world.sim.counts(None).total, 0);
}

#[tokio::test]
async fn a_new_token_is_used_from_the_next_call_on() {
    let world = World::start().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let new = world.sim.add_token("the-new-token");
    world.sim.remove_token(TOKEN);
    world.sim.clear_calls();
    world.secret("app-maker", &[("token", "the-new-token")]).await;
    // The Secret's change triggers its users; a pass that somebody asks for must not be faster with the old token.
    world.webhook("builds", json!({ "active": false })).await;
    let is_off = |state: &simulator::State| state.webhooks(&world.project.id).iter().all(|webhook| !webhook.active);
    world.wait_remote("the change arrives", is_off).await;
    world.wait_ready("builds").await;
    let last = world.calls().last().unwrap().token;
    assert_eq!(last, Some(new));
}

#[tokio::test]
async fn a_rejected_token_stalls_connection_and_users_until_the_secret_changes() {
    let world = World::start().await;
    world.sim.remove_token(TOKEN);
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "CredentialsRejected").await;
    let connection = wait_reason(&world, "app-maker", "CredentialsRejected").await;
    assert_eq!(told(&connection), message(&object), "both say the same");
    world.sim.add_token("the-new-token");
    world.secret("app-maker", &[("token", "the-new-token")]).await;
    wait_reason(&world, "app-maker", "Configured").await;
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn a_connection_is_held_only_while_it_is_in_use() {
    let world = World::start().await;
    assert!(!is_held(&wait_reason(&world, "app-maker", "Configured").await), "nobody uses it");
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.wait_for(connections(&world), "app-maker", "held", is_held).await;
    world.delete("builds").await;
    world.wait_for(connections(&world), "app-maker", "released", |connection| !is_held(connection)).await;
}

#[tokio::test]
async fn a_used_connection_stays_until_its_users_are_gone_and_names_them() {
    let world = World::start().await;
    for name in ["one", "two"] {
        world.webhook(name, json!({})).await;
        world.wait_ready(name).await;
    }
    world.wait_for(connections(&world), "app-maker", "held", is_held).await;
    connections(&world).delete("app-maker", &DeleteParams::default()).await.unwrap();
    let blocked = wait_reason(&world, "app-maker", "DeletionBlocked").await;
    let ns = &world.namespace;
    let expected = format!(
        "being deleted, but in use by ProjectWebhook {ns}/one, ProjectWebhook {ns}/two; delete them, or change their spec.connectionRef"
    );
    assert_eq!(told(&blocked), expected);
    // One goes elsewhere, the other away; both through the connection that still works.
    world.connection("other", json!({})).await;
    world.webhook("one", json!({ "connectionRef": { "name": "other" } })).await;
    let one_left = |c: &Connection| reason(c) == Some("DeletionBlocked") && !told(c).contains("/one");
    world.wait_for(connections(&world), "app-maker", "one user is left", one_left).await;
    world.delete("two").await;
    world.wait_gone("two").await;
    wait_gone(&world, "app-maker").await;
    let left = world.wait_ready("one").await;
    assert_eq!(
        world.only().id,
        left.status.unwrap().webhook_id.unwrap(),
        "the other webhook was deleted, this one kept"
    );
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_the_connection_allows() {
    let world = World::start().await;
    world.connection("app-maker", json!({ "rateLimit": { "maxInFlight": 2 } })).await;
    wait_reason(&world, "app-maker", "Configured").await;
    // Long enough for all that may come to be there at once.
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 100, applied: false }));
    let names: Vec<_> = (0..10).map(|i| format!("builds-{i}")).collect();
    for name in &names {
        let project = world.sim.new_project();
        world.webhook(name, json!({ "organizationId": project.organization, "projectId": project.id })).await;
    }
    for name in &names {
        world.wait_ready(name).await;
    }
    assert_eq!(world.sim.counts(None).max_in_flight, 2);
}

#[tokio::test]
async fn a_changed_rate_holds_without_a_restart() {
    let world = World::start().await;
    wait_reason(&world, "app-maker", "Configured").await;
    let patch = Patch::Merge(json!({ "spec": { "rateLimit": { "maxInFlight": 1 } } }));
    connections(&world).patch("app-maker", &PatchParams::default(), &patch).await.unwrap();
    wait_reason(&world, "app-maker", "Configured").await;
    world.sim.add_fault(Fault::new(FaultKind::Latency { ms: 50, applied: false }));
    let names: Vec<_> = (0..5).map(|i| format!("builds-{i}")).collect();
    for name in &names {
        let project = world.sim.new_project();
        world.webhook(name, json!({ "organizationId": project.organization, "projectId": project.id })).await;
    }
    for name in &names {
        world.wait_ready(name).await;
    }
    assert_eq!(world.sim.counts(None).max_in_flight, 1);
}

#[tokio::test]
async fn a_call_ends_after_the_connections_timeout() {
    let world = World::start().await;
    world.connection("app-maker", json!({ "timeoutSeconds": 1 })).await;
    wait_reason(&world, "app-maker", "Configured").await;
    let fault = world.sim.add_fault(Fault::new(FaultKind::Timeout { applied: false, hold_ms: None }));
    world.webhook("builds", json!({})).await;
    let object = world.wait_reason("builds", "RemoteUnavailable").await;
    assert_eq!(message(&object), "GET of the project's webhooks timed out");
    world.sim.remove_fault(&fault);
    world.wait_ready("builds").await;
}

#[tokio::test]
async fn a_connection_whose_last_user_goes_elsewhere_can_be_deleted() {
    let world = World::start().await;
    world.connection("other", json!({})).await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.wait_for(connections(&world), "app-maker", "held", is_held).await;
    connections(&world).delete("app-maker", &DeleteParams::default()).await.unwrap();
    wait_reason(&world, "app-maker", "DeletionBlocked").await;
    world.webhook("builds", json!({ "connectionRef": { "name": "other" } })).await;
    wait_gone(&world, "app-maker").await;
    world.wait_ready("builds").await;
    assert_eq!(world.remote().len(), 1);
}
