#![allow(clippy::unwrap_used)]
use super::*;
use crate::api::condition::READY;

fn at(second: i64) -> Time {
    Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
}

fn differing(field: &str) -> Comparison {
    let difference = Difference { field: field.into(), desired: "(differs)".into(), actual: "(differs)".into() };
    let channel =
        Shown { kind: "wecom".into(), in_sync: false, enabled: true, url_host: "a.example".into(), notify: vec![] };
    Comparison { differences: vec![difference], channels: vec![channel], hidden_secrets: vec![] }
}

fn after(before: &TaskNotificationStatus, outcome: &Outcome) -> TaskNotificationStatus {
    next_status(before, outcome, 1, None, &at(9))
}

#[test]
fn a_difference_needs_a_person_and_says_where_to_change_what() {
    let status = after(&TaskNotificationStatus::default(), &outcome(differing("channels[wecom].url")));
    let ready = status.conditions.iter().find(|condition| condition.type_ == READY).unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "ManualChangeRequired"));
    assert!(ready.message.contains("channels[wecom].url") && ready.message.contains("console"), "{}", ready.message);
    assert_eq!(status.drift[0].field, "channels[wecom].url");
    assert!(!status.channels[0].in_sync);
}

#[test]
fn what_was_changed_at_the_console_is_no_drift_any_more() {
    let before = after(&TaskNotificationStatus::default(), &outcome(differing("channels[wecom].url")));
    let status = after(&before, &outcome(Comparison::default()));
    assert_eq!((status.drift, status.conditions[0].reason.as_str()), (vec![], "Synced"));
}

#[test]
fn an_unchanged_state_is_an_unchanged_status() {
    let before =
        next_status(&TaskNotificationStatus::default(), &outcome(differing("channels[lark]")), 1, None, &at(1));
    assert_eq!(after(&before, &outcome(differing("channels[lark]"))), before);
}

#[test]
fn a_secret_that_was_not_compared_is_told_while_all_else_is_equal() {
    let hidden = Comparison { hidden_secrets: vec!["wecom".into()], ..Comparison::default() };
    let outcome = outcome(hidden);
    assert_eq!(outcome.reason, Reason::Synced);
    assert!(outcome.message.contains("wecom, which was not compared"), "{}", outcome.message);
}

#[test]
fn a_secret_that_seems_to_be_missing_may_be_hidden_and_the_way_out_is_told() {
    assert!(outcome(differing("channels[wecom].secret")).message.contains("leave secretFrom out"));
}

#[test]
fn a_refusal_leaves_what_is_known_of_the_remote() {
    let before = after(&TaskNotificationStatus::default(), &outcome(differing("channels[wecom].url")));
    let refused = after(&before, &Refusal::mending(Reason::RateLimited, "429").into());
    assert_eq!((refused.drift, refused.channels), (before.drift, before.channels));
    assert_eq!(refused.conditions[0].reason, "RateLimited");
}

#[test]
fn a_request_is_echoed_and_stays() {
    let requested = Some("now".to_owned());
    let synced = outcome(Comparison::default());
    let status = next_status(&TaskNotificationStatus::default(), &synced, 1, requested.as_ref(), &at(1));
    assert_eq!(status.last_handled_reconcile_at, requested);
    assert_eq!(after(&status, &synced).last_handled_reconcile_at, requested);
}
