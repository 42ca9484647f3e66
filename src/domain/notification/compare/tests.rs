#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::super::observed::names;
use super::*;
use crate::api::task_notification::ChannelType;

const URL: &str = "https://qyapi.example.com/send?key=canary-key";

fn wanted() -> DesiredChannel {
    DesiredChannel {
        kind: ChannelType::Wecom,
        enabled: true,
        url: Some(ReceiverUrl::new(URL)),
        secret: Some(SecretText::new("canary-secret")),
        notify: Some(names("jobResult issues")),
        review_result_filter: Some("failed".into()),
        user_ids: Some(names("u1 u2")),
    }
}

fn seen() -> Channel {
    Channel {
        kind: "wecom".into(),
        switch: Switch::On,
        url: ReceiverUrl::new("https://QYAPI.example.com:443/send?key=canary-key"),
        notify: names("issues,JOBRESULT"),
        review_result_filter: "failed".into(),
        user_ids: names("u2;u1"),
        secret: SeenSecret::Shown(SecretText::new("canary-secret")),
    }
}

fn secrets() -> Vec<SecretText> {
    vec![SecretText::new("send?key=canary-key"), SecretText::new("canary-secret")]
}

fn fields(desired: &[DesiredChannel], seen: &[Channel]) -> Vec<(String, String, String)> {
    let found = compare(desired, seen, &secrets()).differences;
    found.into_iter().map(|d| (d.field, d.desired, d.actual)).collect()
}

fn one(field: &str, desired: &str, actual: &str) -> Vec<(String, String, String)> {
    vec![(format!("channels[wecom]{field}"), desired.into(), actual.into())]
}

#[test]
fn sets_case_and_ways_to_write_a_url_are_no_differences() {
    assert_eq!(fields(&[wanted()], &[seen()]), []);
    let found = compare(&[wanted()], &[seen()], &secrets());
    assert!(found.channels[0].in_sync && found.channels[0].enabled);
    assert_eq!(found.channels[0].url_host, "qyapi.example.com");
}

#[test]
fn each_field_that_differs_is_told_and_neither_url_nor_secret_is_shown() {
    let url = |text: &str| Channel { url: ReceiverUrl::new(text), ..seen() };
    let secret = |secret| Channel { secret, ..seen() };
    let cases = [
        (Channel { switch: Switch::Off, ..seen() }, one(".enabled", "true", "false")),
        (Channel { switch: Switch::Unknown, ..seen() }, one(".enabled", "true", "(unknown)")),
        (url("https://qyapi.example.com/send?key=other"), one(".url", "(differs)", "(differs)")),
        (url(""), one(".url", "(present)", "(absent)")),
        (secret(SeenSecret::Shown(SecretText::new("x"))), one(".secret", "(differs)", "(differs)")),
        (secret(SeenSecret::Empty), one(".secret", "(present)", "(absent)")),
        (Channel { notify: names("issues"), ..seen() }, one(".notify", "[issues,jobResult]", "[issues]")),
        (Channel { review_result_filter: String::new(), ..seen() }, one(".reviewResultFilter", "\"failed\"", "\"\"")),
        (Channel { user_ids: names("u3"), ..seen() }, one(".userIds", "[u1,u2]", "[u3]")),
    ];
    for (seen, expected) in cases {
        assert_eq!(fields(&[wanted()], &[seen]), expected);
    }
}

#[test]
fn what_is_left_out_is_not_compared() {
    let nothing = DesiredChannel {
        url: None,
        secret: None,
        notify: None,
        review_result_filter: None,
        user_ids: None,
        ..wanted()
    };
    assert_eq!(fields(&[nothing], &[seen()]), []);
}

#[test]
fn a_secret_that_is_masked_or_not_shown_is_not_compared_and_that_is_told() {
    for secret in [SeenSecret::Masked, SeenSecret::Hidden] {
        let found = compare(&[wanted()], &[Channel { secret, ..seen() }], &secrets());
        assert!(found.differences.is_empty());
        assert_eq!(found.hidden_secrets, ["wecom"]);
    }
}

#[test]
fn a_channel_that_is_not_there_is_one_difference_if_it_should_be_on_and_is_off_otherwise() {
    assert_eq!(fields(&[wanted()], &[]), one("", "(present)", "(absent)"));
    let off = DesiredChannel {
        enabled: false,
        url: None,
        secret: None,
        notify: Some(BTreeSet::new()),
        review_result_filter: Some(String::new()),
        user_ids: None,
        ..wanted()
    };
    assert_eq!(fields(&[off], &[]), []);
}

#[test]
fn a_channel_that_is_not_declared_is_a_difference_only_while_it_is_on() {
    let other = |switch| Channel { kind: "lark".into(), switch, ..seen() };
    assert_eq!(fields(&[wanted()], &[seen(), other(Switch::Off)]), []);
    let expected = vec![("channels[lark].enabled".to_owned(), "false".to_owned(), "true".to_owned())];
    assert_eq!(fields(&[wanted()], &[seen(), other(Switch::On)]), expected);
    let found = compare(&[wanted()], &[seen(), Channel { kind: "a b".into(), ..other(Switch::On) }], &secrets());
    assert_eq!(found.differences[0].field, "channels[unknown].enabled");
    assert_eq!(
        found.channels.iter().map(|c| (c.kind.as_str(), c.in_sync)).collect::<Vec<_>>(),
        [("wecom", true), ("unknown", false)]
    );
}

#[test]
fn of_several_rows_of_a_type_the_one_that_fits_counts_and_more_that_are_on_are_told() {
    let off = Channel { switch: Switch::Off, ..seen() };
    assert_eq!(fields(&[wanted()], &[off.clone(), seen(), off]), []);
    assert_eq!(fields(&[wanted()], &[seen(), seen()]), one("", "one", "1 more that are on"));
}

#[test]
fn a_text_of_the_remote_that_repeats_a_secret_is_not_shown() {
    let pasted = Channel {
        review_result_filter: "canary-secret".into(),
        notify: names("x-canary-secret"),
        user_ids: names("canary-key"),
        ..seen()
    };
    let found = compare(&[wanted()], &[pasted], &secrets());
    assert_eq!(found.differences.len(), 3);
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
}

#[test]
fn nor_is_one_that_repeats_what_the_remote_holds_or_may_hold() {
    let theirs = Channel {
        url: ReceiverUrl::new("https://qyapi.example.com/send?key=theirs99"),
        secret: SeenSecret::Shown(SecretText::new("Signing99")),
        review_result_filter: "Signing99".into(),
        notify: names("theirs99 issues"),
        ..seen()
    };
    let actual = |row: &Channel, field: &str| {
        let found = compare(&[wanted()], std::slice::from_ref(row), &secrets()).differences;
        found.into_iter().find(|difference| difference.field.ends_with(field)).map(|difference| difference.actual)
    };
    assert_eq!(actual(&theirs, "Filter").as_deref(), Some("\"(differs)\""));
    assert_eq!(actual(&theirs, "notify").as_deref(), Some("[issues,(differs)]"));
    for secret in [SeenSecret::Masked, SeenSecret::Hidden] {
        let hides = Channel { secret, user_ids: names("u3 somebody"), ..theirs.clone() };
        assert_eq!(actual(&hides, "Filter").as_deref(), Some("\"(differs)\""), "it may be the key");
        assert_eq!(actual(&hides, "userIds").as_deref(), Some("[somebody,(differs)]"));
    }
}

fn any_channel() -> impl Strategy<Value = Channel> {
    let text = "[a-z,;* ]{0,8}|canary-secret";
    (prop::sample::select(vec!["wecom", "lark", "dingtalk", "x y", ""]), 0_usize..3, text, text, text, text).prop_map(
        |(kind, switch, url, notify, filter, secret)| Channel {
            kind: kind.into(),
            switch: [Switch::On, Switch::Off, Switch::Unknown][switch],
            url: ReceiverUrl::new(format!("https://host.example/{url}")),
            notify: names(&notify),
            review_result_filter: filter,
            user_ids: names(&notify),
            secret: SeenSecret::read(secret),
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_remote_shows_types_are_told_once_nothing_secret_is_shown_and_sync_means_no_difference(
        rows in prop::collection::vec(any_channel(), 0..6),
    ) {
        let found = compare(&[wanted()], &rows, &secrets());
        let kinds: BTreeSet<_> = found.channels.iter().map(|channel| channel.kind.clone()).collect();
        prop_assert_eq!(kinds.len(), found.channels.len(), "the list of the status has its type for a key");
        let shown = format!("{found:?}");
        prop_assert!(!shown.contains("canary"), "{}", shown);
        prop_assert_eq!(found.channels.iter().all(|channel| channel.in_sync), found.differences.is_empty());
    }
}
