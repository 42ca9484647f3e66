//! What the operator refuses or waits for: a row for each reason, with its message and what it cost at the remote.

mod case;

use std::collections::BTreeSet;

use futures::future::join_all;
use hookwright::api::condition::{Class, Reason};
use hookwright::api::connection::ClusterConnection;
use hookwright::api::task_notification::TaskNotification;
use hookwright::domain::desired::InvalidValue;
use hookwright::domain::notification::InvalidChannel;
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde::Deserialize;
use serde_json::{Value, json};
use simulator::{Behaviour, Fault};

use self::case::Case;
use super::rows::expand;
use crate::support::World;

/// A row; see stopped.yaml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Row {
    name: String,
    /// Needs an operator that watches all namespaces.
    #[serde(default)]
    wide: bool,
    #[serde(default)]
    secrets: Value,
    #[serde(default)]
    binary: Value,
    #[serde(default)]
    config_maps: Value,
    connection: Option<Value>,
    cluster_connection: Option<Value>,
    #[serde(default)]
    behaviour: Option<Behaviour>,
    console: Option<Value>,
    #[serde(default)]
    faults: Vec<Fault>,
    /// A row is about this or a notification.
    webhook: Option<Value>,
    notification: Option<Value>,
    #[serde(default)]
    delete: bool,
    reason: String,
    says: String,
    connection_reason: Option<String>,
    connection_says: Option<String>,
    calls: Option<Vec<String>>,
}

fn rows() -> Vec<Row> {
    let tables = [
        include_str!("stopped.yaml"),
        include_str!("stopped-by-remote.yaml"),
        include_str!("stopped-notifications.yaml"),
        include_str!("stopped-notifications-by-remote.yaml"),
    ];
    let rows = tables.into_iter().flat_map(|text| serde_yaml::from_str::<Vec<Value>>(text).unwrap());
    rows.map(|row| serde_json::from_value(expand(row, 0)).unwrap()).collect()
}

#[test]
fn each_reason_that_is_not_ready_has_a_row_with_its_message() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len(), "two rows have one name");
    for row in &rows {
        assert!(
            row.webhook.is_some() != row.notification.is_some(),
            "{} is about a webhook or a notification",
            row.name
        );
        let of_webhooks = row.behaviour.is_some() || row.delete;
        assert!(row.webhook.is_some() || !of_webhooks, "{}: behaviour and delete are of webhooks", row.name);
    }
    let with_row: BTreeSet<_> =
        rows.iter().flat_map(|row| [Some(&row.reason), row.connection_reason.as_ref()]).flatten().collect();
    let reasons = Reason::ALL.iter().filter(|reason| reason.class() != Class::Ready).map(|reason| reason.as_str());
    let without: Vec<_> = reasons.filter(|reason| !with_row.contains(&(*reason).to_owned())).collect();
    assert!(without.is_empty(), "no row of stopped*.yaml has these: {without:?}");
}

/// Which row tells of a value that can't be used.
fn row_of(variant: &str) -> Option<&'static str> {
    match variant {
        "ControlCharacter" => Some("control-character"),
        "OnlyAsterisks" => Some("only-asterisks"),
        "TooLong" => Some("too-long"),
        "NotAReceiver" => Some("url-of-secret-is-none"),
        "UrlTooLong" => Some("url-too-long"),
        // Names are never taken from Secrets: the API server refuses these already, see refused.yaml.
        "NotAToken" | "Reserved" | "Twice" => None,
        new => panic!("{new} needs a row in stopped.yaml, and its name here"),
    }
}

#[test]
fn each_value_that_can_not_be_used_has_a_row() {
    let rows = rows();
    for variant in InvalidValue::VARIANTS {
        let Some(row) = row_of(variant) else { continue };
        assert!(rows.iter().any(|other| other.name == row), "{variant}: {row}");
    }
}

/// The same of a channel.
fn row_of_channel(variant: &str) -> &'static str {
    match variant {
        "EmptySecret" => "sign-empty",
        "OnlyAsterisks" => "sign-only-asterisks",
        new => panic!("{new} needs a row in stopped-notifications.yaml, and its name here"),
    }
}

#[test]
fn each_channel_that_can_not_be_used_has_a_row() {
    let rows = rows();
    for variant in InvalidChannel::VARIANTS {
        let row = row_of_channel(variant);
        assert!(rows.iter().any(|other| other.name == row), "{variant}: {row}");
    }
}

#[tokio::test]
async fn each_reason_is_told_with_what_to_do_and_bad_input_costs_no_call() {
    let world = World::with(|setup| {
        // One receiver is allowed, so that others are not. IAM is another host than Check.
        setup
            .flag("--allowed-receiver", "https://hooks.example.com:*")
            .flag("--allowed-endpoint", "https://localhost:*")
    })
    .await;
    world.check_sources().await;
    world.check_connection("codearts", json!({})).await;
    let rows = rows().into_iter().filter(|row| !row.wide);
    let failures = join_all(rows.map(|row| Case::new(&world, row).judge())).await.concat();
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n\n"));
}

#[tokio::test]
async fn each_reason_about_cluster_connections_is_told_with_what_to_do_and_costs_no_call() {
    let world = World::with(|setup| setup.wide()).await;
    world.check_sources().await;
    let rows = rows().into_iter().filter(|row| row.wide);
    let failures = join_all(rows.map(|row| Case::new(&world, row).judge())).await.concat();
    remove_all(&world).await;
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n\n"));
}

/// The next operator that watches everything shall not find these.
async fn remove_all(world: &World) {
    let all = (&DeleteParams::default(), &ListParams::default());
    world.webhooks().delete_collection(all.0, all.1).await.unwrap();
    let notifications = Api::<TaskNotification>::namespaced(world.client.clone(), &world.namespace);
    notifications.delete_collection(all.0, all.1).await.unwrap();
    let api = Api::<ClusterConnection>::all(world.client.clone());
    for one in api.list(&ListParams::default()).await.unwrap() {
        let name = one.metadata.name.unwrap();
        if name.starts_with(&world.namespace) {
            api.delete(&name, all.0).await.unwrap();
        }
    }
}
