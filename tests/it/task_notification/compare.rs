//! What is compared, and what is said of it.

use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};
use simulator::codearts::{Behaviour, Case, ChannelEdit, NewChannel, SecretShown, Total};
use simulator::{Fault, FaultKind};

use super::stage::{SIGN, Stage, URL, from, says};
use hookwright::api::task_notification::TaskNotificationStatus;

fn drift(status: &TaskNotificationStatus) -> Vec<(String, String, String)> {
    status.drift.iter().map(|d| (d.field.clone(), d.desired.clone(), d.actual.clone())).collect()
}

fn one(field: &str, desired: &str, actual: &str) -> Vec<(String, String, String)> {
    vec![(field.into(), desired.into(), actual.into())]
}

#[tokio::test]
async fn a_task_that_equals_the_spec_is_synced_after_one_look() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    let status = stage.told("checks", "Synced").await;
    assert_eq!(says(&status), "the task's notifications equal the spec");
    let channels = json!(status.channels);
    let expected = json!([{
        "type": "wecom", "inSync": true, "enabled": true, "urlHost": "robots.example.com",
        "notify": ["issues", "jobResult"],
    }]);
    assert_eq!((channels, status.drift.len()), (expected, 0));
    assert_eq!(stage.asked(), ["GET 200"]);
    let object = stage.notifications().get("checks").await.unwrap();
    assert_eq!(object.metadata.finalizers, None, "nothing of it is at the remote");
}

#[tokio::test]
async fn a_difference_is_told_field_by_field_until_a_person_has_mended_it() {
    let stage = Stage::with(|setup| setup.flag("--resync-interval", "1s")).await;
    let channel = stage.console(|channel| NewChannel { enabled: false, ..channel }.notify(["executor"]).secret("x"));
    stage.notify("checks", json!({})).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    let expected = [
        ("channels[wecom].enabled", "true", "false"),
        ("channels[wecom].secret", "(differs)", "(differs)"),
        ("channels[wecom].notify", "[issues,jobResult]", "[executor]"),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(drift(&status), expected);
    assert!(says(&status).contains("at the console of CodeArts Check as status.drift says"), "{}", says(&status));
    let edit = ChannelEdit {
        enabled: Some(true),
        notify: Some(vec!["issues".into(), "jobResult".into()]),
        secret: Some(SIGN.into()),
        ..ChannelEdit::default()
    };
    stage.sim.console_edit_channel(&stage.task, &channel.id, edit).unwrap();
    let status = stage.told("checks", "Synced").await;
    assert!(status.drift.is_empty() && status.channels[0].in_sync);
    assert!(stage.asked().iter().all(|call| call == "GET 200"), "there is no call that writes: {:?}", stage.asked());
}

#[tokio::test]
async fn each_declared_field_is_compared_and_what_is_left_out_is_not() {
    let stage = Stage::start().await;
    stage.console(|channel| NewChannel { review_result_filter: "failed".into(), ..channel }.user_ids(["u1", "u2"]));
    let only = |field: &str, value: Value| {
        let mut channel = json!({ "type": "wecom", "urlFrom": from("robots", "url") });
        channel[field] = value;
        json!({ "channels": [channel] })
    };
    let cases = [
        (only("notify", json!([])), one("channels[wecom].notify", "[]", "[issues,jobResult]")),
        (only("reviewResultFilter", json!("")), one("channels[wecom].reviewResultFilter", "\"\"", "\"failed\"")),
        (only("userIds", json!(["u1"])), one("channels[wecom].userIds", "[u1]", "[u1,u2]")),
        (only("enabled", json!(false)), one("channels[wecom].enabled", "false", "true")),
    ];
    for (spec, expected) in cases {
        stage.notify("checks", spec).await;
        assert_eq!(drift(&stage.told("checks", "ManualChangeRequired").await), expected);
        stage.notify("checks", only("enabled", json!(true))).await;
        stage.told("checks", "Synced").await;
    }
    let literal = json!({ "channels": [{ "type": "wecom", "url": "https://robots.example.com/other" }] });
    stage.notify("checks", literal).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(drift(&status), one("channels[wecom].url", "(differs)", "(differs)"));
}

#[tokio::test]
async fn a_channel_that_is_not_declared_is_drift_while_it_is_on() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    let other = stage.sim.console_add_channel(&stage.task, NewChannel::new("dingtalk", URL)).unwrap();
    stage.notify("checks", json!({})).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(drift(&status), one("channels[dingtalk].enabled", "false", "true"));
    let seen: Vec<_> = status.channels.iter().map(|channel| (channel.type_.as_str(), channel.in_sync)).collect();
    assert_eq!(seen, [("wecom", true), ("dingtalk", false)]);
    stage.sim.console_switch_channel(&stage.task, &other.id, false).unwrap();
    assert!(stage.look("checks").await.drift.is_empty());
    stage.told("checks", "Synced").await;
}

#[tokio::test]
async fn a_channel_that_is_missing_is_drift_and_one_that_is_off_may_be_missing() {
    let stage = Stage::start().await;
    stage.notify("checks", json!({})).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(drift(&status), one("channels[wecom]", "(present)", "(absent)"));
    stage.notify("checks", json!({ "channels": [{ "type": "wecom", "enabled": false }] })).await;
    stage.told("checks", "Synced").await;
    stage.sim.console_set_channel(&stage.task, NewChannel::blank("wecom")).unwrap();
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
}

#[tokio::test]
async fn of_several_rows_of_one_type_only_one_may_be_on() {
    let stage = Stage::start().await;
    let first = stage.console(|channel| channel);
    stage.sim.console_add_channel(&stage.task, NewChannel::new("wecom", "https://robots.example.com/old")).unwrap();
    stage.notify("checks", json!({})).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(drift(&status), one("channels[wecom]", "one", "1 more that are on"));
    stage.sim.console_remove_channel(&stage.task, &first.id).unwrap();
    stage.look("checks").await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(status.drift[0].field, "channels[wecom].url", "{:?}", status.drift);
}

#[tokio::test]
async fn what_the_page_leaves_open_makes_no_drift() {
    let stage = Stage::start().await;
    stage.console(|channel| channel.user_ids(["u1", "u2"]));
    let channel = json!({
        "type": "wecom", "urlFrom": from("robots", "url"), "secretFrom": from("robots", "sign"),
        "notify": ["jobResult", "issues"], "userIds": ["u2", "u1"],
    });
    stage.notify("checks", json!({ "channels": [channel] })).await;
    stage.told("checks", "Synced").await;
    let mut more = Map::new();
    more.insert("colour".into(), json!({ "red": [1, null] }));
    for behaviour in [
        Behaviour { menu_separator: ";".into(), user_separator: " ".into(), ..Behaviour::default() },
        Behaviour { menu_separator: " , ".into(), ..Behaviour::default() },
        Behaviour { status_case: Case::Upper, ..Behaviour::default() },
        Behaviour { extra_fields: more, ..Behaviour::default() },
        Behaviour { total: Total::Absent, ..Behaviour::default() },
        Behaviour { total: Total::Says(-3), ..Behaviour::default() },
        Behaviour { omit_fields: vec!["now".into(), "id".into(), "taskId".into()], ..Behaviour::default() },
    ] {
        let shown = format!("{behaviour:?}");
        stage.behave(behaviour);
        let status = stage.look("checks").await;
        assert_eq!((status.drift.len(), status.conditions[0].reason.as_str()), (0, "Synced"), "{shown}");
    }
}

#[tokio::test]
async fn a_secret_that_is_not_shown_is_not_compared_and_an_empty_one_is_drift() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    for secret in [SecretShown::Masked, SecretShown::Absent] {
        stage.behave(Behaviour { secret, ..Behaviour::default() });
        stage.look("checks").await;
        let text = "the remote does not show the secret of wecom, which was not compared";
        assert!(stage.told_that("checks", "Synced", text).await.drift.is_empty(), "{secret:?}");
    }
    stage.behave(Behaviour { secret: SecretShown::Empty, ..Behaviour::default() });
    stage.look("checks").await;
    let way_out = "where the service hides a secret that is set, leave secretFrom out";
    let status = stage.told_that("checks", "ManualChangeRequired", way_out).await;
    assert_eq!(drift(&status), one("channels[wecom].secret", "(present)", "(absent)"));
    stage.notify("checks", json!({ "channels": [{ "type": "wecom", "urlFrom": from("robots", "url") }] })).await;
    stage.told("checks", "Synced").await;
}

#[tokio::test]
async fn a_rotated_secret_is_compared_within_seconds() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    let new = "https://robots.example.com/send?key=new";
    stage.secret("robots", &[("url", new), ("sign", SIGN)]).await;
    let status = stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(drift(&status), one("channels[wecom].url", "(differs)", "(differs)"));
    stage.console(|channel| NewChannel { url: new.into(), ..channel });
    stage.look("checks").await;
    stage.told("checks", "Synced").await;
}

#[tokio::test]
async fn what_was_seen_is_told_although_somebody_wrote_the_object_in_between() {
    let stage = Stage::start().await;
    stage.console(|channel| channel);
    stage.notify("checks", json!({})).await;
    stage.told("checks", "Synced").await;
    let asked = stage.asked().len();
    stage
        .sim
        .add_fault(Fault::new(FaultKind::Latency { ms: 2000, applied: true }).operations(["task_webhook_info"]).once());
    stage.secret("robots", &[("url", "https://robots.example.com/send?key=new"), ("sign", SIGN)]).await;
    let looks = |state: &simulator::State| state.calls_for(&stage.task).count() > asked;
    stage.wait_remote("a look is under way", looks).await;
    // From now on the status that follows is one of an older object.
    let patch = Patch::Merge(json!({ "metadata": { "labels": { "by": "somebody" } } }));
    stage.notifications().patch_metadata("checks", &PatchParams::default(), &patch).await.unwrap();
    stage.told("checks", "ManualChangeRequired").await;
    assert_eq!(stage.asked().len(), asked + 2, "what could not be told is looked at again");
}
