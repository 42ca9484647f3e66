//! `--secrets-watch false`: Secrets are only read by name, and a rotation is seen at the next resync.

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;

use crate::support::account::{Account, secrets, usual_rules};
use crate::support::{Operator, TOKEN, World, assert_writes, condition, status};

/// An account that may `get` Secrets and do nothing else with them.
async fn account(world: &World) -> Account {
    let mut rules = usual_rules();
    rules.push(secrets(&["get"]));
    world.account(json!(rules)).await
}

async fn world(secrets_watch: &'static str) -> (World, Account) {
    let flags = |setup: &mut crate::support::Setup| {
        setup.no_operator().flag("--secrets-watch", secrets_watch).flag("--resync-interval", "1s");
    };
    let mut world = World::with(|setup| {
        flags(setup);
        setup
    })
    .await;
    let account = account(&world).await;
    world.operator_setup.kubeconfig.clone_from(&account.kubeconfig);
    (world, account)
}

#[tokio::test]
async fn a_rotation_reaches_the_remote_at_the_next_resync_of_an_operator_that_may_neither_list_nor_watch_secrets() {
    let (mut world, account) = world("false").await;
    let file = Kubeconfig::read_from(&account.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let its_client = Client::try_from(config).unwrap();
    let all = Api::<Secret>::namespaced(its_client, &world.namespace).list(&ListParams::default()).await;
    assert!(matches!(all, Err(kube::Error::Api(status)) if status.code == 403), "it really may not");

    world.restart_operator().await;
    let first = world.rotate("receiver", &[("token", "one")]).await;
    let from = json!({ "secretKeyRef": { "name": "receiver", "key": "token" } });
    world.webhook("builds", json!({ "headers": [{ "name": "X-A", "valueFrom": from }] })).await;
    let object = world.wait_ready("builds").await;
    assert_eq!(status(&object).applied.unwrap().secrets["receiver"], first);
    let second = world.rotate("receiver", &[("token", "two")]).await;
    let applied = |s: &hookwright::api::project_webhook::ProjectWebhookStatus| {
        s.applied.as_ref().is_some_and(|applied| applied.secrets["receiver"] == second)
    };
    world.wait_status("builds", "the rotated Secret", applied).await;
    assert_eq!(world.only().headers["X-A"], "two");
    assert_writes(&world, &["POST", "PATCH headers"]);
    assert!(!world.operator().log().contains("WARN"), "nothing was refused: {}", world.operator().log());
}

#[tokio::test]
async fn a_connections_rotated_token_and_a_missing_one_are_seen_at_the_next_resync() {
    let (mut world, _account) = world("false").await;
    world.restart_operator().await;
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    let connections =
        Api::<hookwright::api::connection::Connection>::namespaced(world.client.clone(), &world.namespace);
    let says = |reason: &'static str| {
        move |connection: &hookwright::api::connection::Connection| {
            let conditions = connection.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            condition(conditions, "Ready").is_some_and(|ready| ready.reason == reason)
        }
    };
    world.secret("app-maker", &[("token", "revoked")]).await;
    world.wait_reason("builds", "CredentialsRejected").await;
    world.wait_for(connections.clone(), "app-maker", "the token is rejected", says("CredentialsRejected")).await;
    world.secret("app-maker", &[("token", TOKEN)]).await;
    world.wait_ready("builds").await;
    world.wait_for(connections.clone(), "app-maker", "the token is good", says("Configured")).await;
    world.delete_secret("app-maker").await;
    world.wait_for(connections, "app-maker", "the token is gone", says("SecretNotFound")).await;
}

#[tokio::test]
async fn with_the_watch_the_same_account_is_refused() {
    let (world, _account) = world("true").await;
    let operator = Operator::start(&world.operator_setup);
    operator.wait_logged("the watch of Secrets or ConfigMaps failed: the list failed").await;
}
