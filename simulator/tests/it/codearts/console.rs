//! A person at the console, through the handle.

use serde_json::json;
use simulator::codearts::{ChannelEdit, Missing, NewChannel};

use super::rig::{ROBOT, rig};
use crate::bench::PATIENCE;

#[tokio::test]
async fn every_field_can_be_edited_and_what_is_not_named_stays() {
    let rig = rig().await;
    let made = rig.simulator.console_set_channel(&rig.task, NewChannel::new("lark", ROBOT).secret("key")).unwrap();
    let edit = ChannelEdit {
        enabled: Some(false),
        url: Some("https://open.feishu.cn/hook".into()),
        notify: Some(vec!["linkUrl".into()]),
        review_result_filter: Some("failed".into()),
        user_ids: Some(vec!["u9".into()]),
        secret: Some("other".into()),
    };
    rig.simulator.console_edit_channel(&rig.task, &made.id, edit).unwrap();
    let shown = json!({
        "id": made.id, "notificationMenu": "linkUrl", "now": format!("{:.0}", made.created_at),
        "reviewResultFilter": "failed", "secret": "other", "status": "off", "taskId": rig.task, "type": "lark",
        "userIds": "u9", "webhookUrl": "https://open.feishu.cn/hook"
    });
    assert_eq!(rig.row().await, shown);
    rig.simulator.console_edit_channel(&rig.task, &made.id, ChannelEdit::default()).unwrap();
    assert_eq!(rig.row().await, shown);
    rig.simulator.console_switch_channel(&rig.task, &made.id, true).unwrap();
    assert_eq!(rig.row().await["status"], json!("on"));
    assert_eq!(rig.row().await["webhookUrl"], shown["webhookUrl"]);
}

#[tokio::test]
async fn setting_a_channel_makes_it_the_only_one_of_its_type() {
    let rig = rig().await;
    let (task, console) = (&rig.task, &rig.simulator);
    let first = console.console_set_channel(task, NewChannel::new("wecom", "a")).unwrap();
    console.console_add_channel(task, NewChannel::new("lark", "b")).unwrap();
    console.console_add_channel(task, NewChannel::new("wecom", "c")).unwrap();
    let set = console.console_set_channel(task, NewChannel::new("wecom", "d")).unwrap();
    assert_eq!((&set.id, set.created_at), (&first.id, first.created_at));
    let channels = console.channels(task);
    let seen: Vec<_> = channels.iter().map(|channel| (channel.kind.as_str(), channel.url.as_str())).collect();
    assert_eq!(seen, [("wecom", "d"), ("lark", "b")]);
}

#[tokio::test]
async fn one_of_several_rows_of_a_type_can_be_removed() {
    let rig = rig().await;
    let (task, console) = (&rig.task, &rig.simulator);
    let first = console.console_add_channel(task, NewChannel::new("wecom", "a")).unwrap();
    let second = console.console_add_channel(task, NewChannel::new("wecom", "b")).unwrap();
    console.console_remove_channel(task, &first.id).unwrap();
    assert_eq!(console.channels(task), [second]);
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let rig = rig().await;
    let (task, console) = (rig.task.as_str(), &rig.simulator);
    let no_task = Err(Missing::Task("nobody".into()));
    assert_eq!(console.console_set_channel("nobody", NewChannel::blank("lark")), no_task);
    assert_eq!(console.console_add_channel("nobody", NewChannel::blank("lark")), no_task);
    assert_eq!(console.console_switch_channel("nobody", "x", true), no_task);
    assert_eq!(console.console_switch_channel(task, "x", true), Err(Missing::Channel("x".into())));
    assert_eq!(console.console_remove_channel(task, "x"), Err(Missing::Channel("x".into())));
    assert_eq!(console.channels("nobody"), []);
}

#[tokio::test]
async fn ids_of_tasks_are_the_ones_that_fit_a_path() {
    let rig = rig().await;
    for id in ["", "a/b", "a%62", "..", "a b", "é", &"x".repeat(33)] {
        assert!(rig.simulator.add_task(id).is_err(), "{id:?}");
    }
    rig.simulator.add_task("A_z-0").unwrap();
    rig.simulator.console_set_channel("A_z-0", NewChannel::blank("lark")).unwrap();
    rig.simulator.add_task("A_z-0").unwrap();
    assert_eq!(rig.simulator.channels("A_z-0").len(), 1, "it stays as it is");
    assert_eq!(rig.simulator.channels("a_z-0").len(), 0, "case matters");
}

#[tokio::test]
async fn waiting_sees_what_a_person_does_and_nothing_is_recorded() {
    let rig = rig().await;
    let task = rig.task.clone();
    let wait = rig.simulator.wait_until("a channel", PATIENCE, |state| state.channels(&task).len() == 1);
    let enter = async {
        rig.simulator.console_set_channel(&rig.task, NewChannel::blank("lark")).unwrap();
    };
    let (waited, ()) = tokio::join!(wait, enter);
    waited.unwrap();
    assert!(rig.simulator.calls().is_empty());
}
