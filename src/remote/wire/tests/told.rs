//! What a remote answers ends in a status that the API server takes, and that shows nothing secret.

use std::collections::BTreeMap;

use proptest::sample::select;

use super::*;
use crate::api::project_webhook::{ManagementPolicy, Ownership, ProjectWebhookStatus};
use crate::domain::case::Case;
use crate::domain::compare::{Masked, differences};
use crate::domain::fixture::{Others, TIMING, at, basis, case, desired, view};
use crate::domain::memory::Memory;
use crate::domain::plan::{Plan, Rest, plan};
use crate::domain::status::{Finding, Outcome, Requests, next_status};

/// Far below what etcd takes, 1.5 MiB, with room for spec, Events and other writers' fields.
const MAX_STATUS: usize = 256 * 1024;

/// Short or long, of letters that take one to four bytes, or two in JSON.
fn text() -> impl Strategy<Value = String> {
    let letter = select(&["a", "é", "\u{1f980}", "\"", "\\", "\n", "\u{7f}"][..]);
    (letter, prop_oneof![2 => 0_usize..8, 2 => 200_usize..400, 1 => Just(20_000)]).prop_map(|(c, n)| c.repeat(n))
}

/// How many.
fn count() -> impl Strategy<Value = usize> {
    prop_oneof![1 => 0_usize..8, 1 => Just(1000)]
}

/// Not longer than this, so that all of them together stay below the 4 MiB of an answer.
fn many(start: &str, count: usize) -> impl Iterator<Item = String> {
    let start: String = start.chars().take(300).collect();
    (0..count).map(move |n| format!("{start}{n}"))
}

/// A webhook that is large in everything, with a canary wherever nothing may be shown.
fn large() -> impl Strategy<Value = Value> {
    let header = (text(), count(), any::<bool>());
    (text(), 0_usize..20_000, text(), count(), header, text()).prop_map(
        |(name, host, event, events, (header, headers, masked), time)| {
            let value = if masked { "****" } else { "canary" };
            let headers: Map<_, _> = many(&header, headers).map(|name| (name, json!(value))).collect();
            let url = format!("https://canary:canary@{}.example/canary?canary#canary", "h".repeat(host + 1));
            json!({"_id": ID, "name": name, "url": url, "active": false, "headers": headers,
                "events": many(&event, events).collect::<Vec<_>>(), "createdAt": time, "updatedAt": time})
        },
    )
}

/// Any JSON, but with an id.
fn any_webhook() -> impl Strategy<Value = Value> {
    any_json().prop_map(|mut json| {
        if let Value::Object(fields) = &mut json {
            fields.insert("_id".into(), ID.into());
        }
        json
    })
}

/// The status after a look at these webhooks, the first of which is the object's. Every field was corrected too often.
fn told(webhooks: &[Webhook], management: ManagementPolicy) -> ProjectWebhookStatus {
    let case =
        Case { management, recorded: Some((webhooks[0].id, Ownership::Adopted)), applied: Some(basis(1)), ..case() };
    let differing = differences(&desired(), &webhooks[0], Masked::Unknown);
    let corrections: BTreeMap<_, _> = differing.into_iter().map(|difference| (difference.field, 2)).collect();
    let mut memory = Memory::first_met(at(0), false, corrections, basis(1));
    let planned = plan(&case, &desired(), &view(webhooks, at(1)), &Others::default(), &mut memory, TIMING);
    let Plan::Rest(Rest { reason, message, webhook, differences, .. }) = planned else { panic!("{planned:?}") };
    let finding = webhook.map_or(Finding::Absent, |(webhook, ownership)| Finding::Present {
        webhook: Box::new(webhook.clone()),
        ownership,
        differences,
    });
    let recurring = Some(memory.recurring());
    let outcome = Outcome { reason, message, finding, basis: Some(basis(1)), recurring, wrote: true };
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    next_status(&ProjectWebhookStatus::default(), &outcome, 1, &Requests::default(), &now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_the_remote_answers_the_status_is_small_and_shows_nothing_secret(
        item in prop_oneof![large(), any_webhook()],
    ) {
        let Ok(webhooks) = read(&json!([item])) else { return Ok(()) };
        for management in [ManagementPolicy::Enforce, ManagementPolicy::ReportDrift, ManagementPolicy::Observe] {
            let status = serde_json::to_string(&told(&webhooks, management)).unwrap();
            prop_assert!(status.len() <= MAX_STATUS, "{} bytes", status.len());
            prop_assert!(!status.contains("canary"));
        }
    }
}
