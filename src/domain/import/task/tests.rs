use super::*;
use crate::api::project_webhook::ConnectionKind;
use crate::domain::notification::names;
use crate::domain::secret::ReceiverUrl;

fn row(kind: &str, switch: Switch) -> Channel {
    Channel {
        kind: kind.into(),
        switch,
        url: ReceiverUrl::new("https://robots.example.com/send?key=canary-url"),
        notify: names("jobResult,issues"),
        review_result_filter: "failed".into(),
        user_ids: names("u1"),
        secret: SeenSecret::Shown(SecretText::new("canary-sign")),
    }
}

fn import(seen: &[Channel]) -> Result<Option<Imported<TaskNotificationSpec>>, Refused> {
    let through = ConnectionRef { kind: ConnectionKind::Connection, name: "codearts".into() };
    let task: TaskId = "Task_1".parse().unwrap();
    task_notification(&task, seen, &through, &mut Names::default())
}

#[test]
fn channels_are_declared_as_they_are_and_what_is_secret_is_in_the_secret() {
    let off = Channel { url: ReceiverUrl::new(""), secret: SeenSecret::Empty, ..row("lark", Switch::Off) };
    let imported = import(&[off, row("wecom", Switch::On)]).unwrap().unwrap();
    assert_eq!(imported.name, "task-task-1");
    assert_eq!(imported.secret.keys().collect::<Vec<_>>(), ["wecom.secret", "wecom.url"]);
    let spec = serde_json::to_string(&imported.spec).unwrap();
    assert!(!spec.contains("canary"), "{spec}");
    let [wecom, lark] = imported.spec.channels.as_slice() else { unreachable!("two channels") };
    assert!(wecom.enabled && wecom.url_from.is_some() && wecom.secret_from.is_some());
    assert!(!lark.enabled && lark.url_from.is_none() && lark.secret_from.is_none());
    assert_eq!(lark.notify.as_ref().unwrap(), &["issues", "jobResult"]);
}

#[test]
fn a_secret_that_is_masked_or_hidden_is_left_out() {
    for secret in [SeenSecret::Masked, SeenSecret::Hidden, SeenSecret::Empty] {
        let imported = import(&[Channel { secret, ..row("wecom", Switch::On) }]).unwrap().unwrap();
        assert_eq!(imported.spec.channels[0].secret_from, None);
    }
}

#[test]
fn a_task_without_channels_has_nothing_to_declare_and_an_unknown_type_that_is_off_does_not_matter() {
    assert!(import(&[]).unwrap().is_none());
    assert!(import(&[row("smoke", Switch::Off)]).unwrap().is_none());
    assert_eq!(import(&[row("wecom", Switch::On), row("smoke", Switch::Off)]).unwrap().unwrap().spec.channels.len(), 1);
}

#[test]
fn what_a_spec_cant_say_is_refused_and_not_shown() {
    let on = || row("wecom", Switch::On);
    let many: String = (0..33).map(|n| format!("item{n},")).collect();
    for (seen, what) in [
        (vec![row("smoke", Switch::On)], "none of wecom"),
        (vec![on(), on()], "several channels of type wecom"),
        (vec![row("wecom", Switch::Unknown)], "on or off"),
        (vec![Channel { url: ReceiverUrl::new("ftp://canary"), ..on() }], "not an http or https URL"),
        (vec![Channel { notify: names(&many), ..on() }], "menu items"),
        (vec![Channel { user_ids: names(&"u".repeat(65)), ..on() }], "user ids"),
        (vec![Channel { review_result_filter: "f".repeat(257), ..on() }], "a filter"),
        (vec![Channel { secret: SeenSecret::Shown(SecretText::new("canary\n")), ..on() }], "line break"),
    ] {
        let text = import(&seen).unwrap_err().to_string();
        assert!(text.contains(what) && !text.contains("canary"), "{what}: {text}");
    }
}
