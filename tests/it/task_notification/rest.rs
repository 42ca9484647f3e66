//! What costs nothing, what is only looked at, and who is held.

use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;

use super::stage::{Stage, from};
use crate::support::TOKEN as APP_MAKER_TOKEN;

#[tokio::test]
async fn at_rest_there_is_one_get_a_resync_and_no_write() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    let before = stage.notifications().get("checks").await.unwrap().resource_version();
    let asked = stage.asked().len();
    let looked = |state: &simulator::State| state.calls_for(&stage.task).count() >= asked + 3;
    stage.wait_remote("three more looks", looked).await;
    assert_eq!(stage.notifications().get("checks").await.unwrap().resource_version(), before);
    assert!(stage.asked().iter().all(|call| call == "GET 200"));
    stage
        .wait_metrics("late looks are counted", |text| {
            text.contains(r#"hookwright_resync_lag_seconds_count{kind="TaskNotification"}"#)
        })
        .await;
}

#[tokio::test]
async fn what_does_not_concern_a_task_makes_no_look() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    stage.connection_is("Configured").await;
    // The connection gains a user and its finalizer; a Secret that nobody names changes.
    let other = stage.sim.new_task();
    stage.notify("others", json!({ "taskId": other, "channels": [{ "type": "lark", "enabled": false }] })).await;
    stage.told("others", "Synced").await;
    stage.secret("unrelated", &[("key", "value")]).await;
    stage.look("others").await;
    assert_eq!(stage.asked(), ["GET 200"]);
}

#[tokio::test]
async fn an_interval_is_stretched_where_the_rate_of_the_connection_allows_no_more() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    let rate = json!({ "rateLimit": { "requestsPerSecond": 1, "burst": 100 } });
    stage.connect(json!({ "tokenFrom": from("codearts", "token") }), rate).await;
    for i in 0..4 {
        let name = format!("checks-{i}");
        let task = stage.sim.new_task();
        stage.notify(&name, json!({ "taskId": task, "channels": [{ "type": "lark", "enabled": false }] })).await;
    }
    for i in 0..4 {
        stage.told(&format!("checks-{i}"), "Synced").await;
    }
    // Four tasks at half of one call a second.
    let stretched = r#"hookwright_resync_stretch{kind="TaskNotification"} 8.0"#;
    stage.wait_metrics(stretched, |text| text.lines().any(|line| line == stretched)).await;
}

#[tokio::test]
async fn suspended_nothing_is_asked_and_the_conditions_stay_as_they_were() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    let channel = stage.console(|channel| channel);
    stage.notify("checks", json!({ "suspend": true })).await;
    stage.notify("others", json!({ "taskId": stage.sim.new_task() })).await;
    stage.told("others", "ManualChangeRequired").await;
    assert!(stage.asked().is_empty());
    let status = stage.notifications().get("checks").await.unwrap().status;
    assert_eq!(status.map(|status| (status.observed_generation, status.conditions)), Some((-1, vec![])));
    stage.notify("checks", json!({ "suspend": false })).await;
    stage.told("checks", "Synced").await;
    stage.notify("checks", json!({ "suspend": true })).await;
    stage.sim.console_switch_channel(&stage.task, &channel.id, false).unwrap();
    stage.look("others").await;
    let status = stage.notifications().get("checks").await.unwrap().status.unwrap();
    assert_eq!(status.conditions[0].reason, "Synced");
}

#[tokio::test]
async fn a_connection_is_held_by_its_users_whatever_their_kind_and_names_them() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    let held = |connection: &hookwright::api::connection::Connection| !connection.finalizers().is_empty();
    stage.wait_for(stage.connections(), "codearts", "held", held).await;
    stage.connections().delete("codearts", &DeleteParams::default()).await.unwrap();
    let told = stage.connection_is("DeletionBlocked").await;
    let expected = format!(
        "being deleted, but in use by TaskNotification {}/checks; delete them, or change their spec.connectionRef",
        stage.namespace
    );
    assert_eq!(told, expected);
    stage.remove("checks").await;
    let gone = kube::runtime::wait::await_condition(stage.connections(), "codearts", |connection: Option<&_>| {
        let connection: Option<&hookwright::api::connection::Connection> = connection;
        connection.is_none()
    });
    tokio::time::timeout(crate::support::DEADLINE, gone).await.expect("the connection goes").unwrap();
}

#[tokio::test]
async fn the_object_goes_at_once_although_the_remote_is_away() {
    let stage = Stage::start().await;
    stage.sim.add_fault(simulator::Fault::new(simulator::FaultKind::Timeout { applied: false, hold_ms: None }));
    stage.notify("checks", json!({})).await;
    stage.remove("checks").await;
}

#[tokio::test]
async fn a_connection_of_the_other_provider_is_told_and_costs_no_call() {
    let stage = Stage::start().await;
    stage.sim.add_token(APP_MAKER_TOKEN);
    stage.secret("app-maker", &[("token", APP_MAKER_TOKEN)]).await;
    stage.connection("app-maker", json!({})).await;
    stage.notify("checks", json!({ "connectionRef": { "name": "app-maker" } })).await;
    let told = "is one with appMaker, and a TaskNotification needs one with codeArts; correct spec.connectionRef";
    stage.told_that("checks", "InvalidSpec", told).await;
    stage.webhook("builds", json!({ "connectionRef": { "name": "codearts" } })).await;
    let object = stage.wait_reason("builds", "InvalidSpec").await;
    let told = "is one with codeArts, and a ProjectWebhook needs one with appMaker; correct spec.connectionRef";
    assert!(crate::support::message(&object).contains(told), "{}", crate::support::message(&object));
    assert_eq!(stage.sim.counts(None).total, 0);
}
