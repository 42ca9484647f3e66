//! Behaviours of what is kept: they change what a write leaves behind.

use serde_json::json;
use simulator::Behaviour;
use simulator::app_maker::PatchHeaders;

use crate::bench::{Bench, bench, bench_that, webhook};

async fn with_headers(bench: &Bench) -> String {
    let mut body = webhook("a");
    body["headers"] = json!({"X-Old": "1", "X-Both": "1"});
    bench.created(&body).await
}

#[tokio::test]
async fn update_replaces_headers_by_default() {
    let bench = bench().await;
    let id = with_headers(&bench).await;
    bench.patch(&id, &json!({"headers": {"X-Both": "2", "X-New": "2"}})).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"X-Both": "2", "X-New": "2"}));
}

#[tokio::test]
async fn update_can_merge_headers_so_that_none_can_be_removed() {
    let bench = bench_that(Behaviour { patch_headers: PatchHeaders::Merge, ..Behaviour::default() }).await;
    let id = with_headers(&bench).await;
    bench.patch(&id, &json!({"headers": {"X-Both": "2", "X-New": "2"}})).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"X-Old": "1", "X-Both": "2", "X-New": "2"}));
    bench.patch(&id, &json!({"headers": {}})).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"X-Old": "1", "X-Both": "2", "X-New": "2"}));
}

#[tokio::test]
async fn header_names_can_be_lower_cased() {
    let bench = bench_that(Behaviour { lowercase_header_names: true, ..Behaviour::default() }).await;
    let id = with_headers(&bench).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"x-old": "1", "x-both": "1"}));
    bench.patch(&id, &json!({"headers": {"X-NEW": "V"}})).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"x-new": "V"}));
}

#[tokio::test]
async fn headers_can_be_dropped_by_name_or_by_the_start_of_it() {
    let drop_headers = vec!["x-hookwright-*".to_owned(), "X-Secret".to_owned()];
    let bench = bench_that(Behaviour { drop_headers, ..Behaviour::default() }).await;
    let mut body = webhook("a");
    body["headers"] = json!({"X-Hookwright-Owner": "o", "x-secret": "s", "X-Secretary": "kept"});
    let id = bench.created(&body).await;
    assert_eq!(bench.get(&id).await["headers"], json!({"X-Secretary": "kept"}));
    // Not kept either: it does not come back when the behaviour goes.
    bench.simulator.set_behaviour(Behaviour::default());
    assert_eq!(bench.get(&id).await["headers"], json!({"X-Secretary": "kept"}));
}

#[tokio::test]
async fn dropped_headers_of_webhooks_that_were_there_before_are_not_shown() {
    let bench = bench().await;
    let id = with_headers(&bench).await;
    bench.simulator.set_behaviour(Behaviour { drop_headers: vec!["X-*".into()], ..Behaviour::default() });
    assert_eq!(bench.get(&id).await["headers"], json!({}));
    assert_eq!(bench.list().await[0]["headers"], json!({}));
}

#[tokio::test]
async fn events_can_be_lower_cased() {
    let bench = bench_that(Behaviour { lowercase_events: true, ..Behaviour::default() }).await;
    let mut body = webhook("a");
    body["events"] = json!(["Deployment.Build.Created"]);
    let id = bench.created(&body).await;
    assert_eq!(bench.get(&id).await["events"], json!(["deployment.build.created"]));
    bench.patch(&id, &json!({"events": ["A", "b"]})).await;
    assert_eq!(bench.get(&id).await["events"], json!(["a", "b"]));
}

#[tokio::test]
async fn urls_can_be_normalised() {
    let bench = bench_that(Behaviour { normalize_url: true, ..Behaviour::default() }).await;
    for (sent, kept) in [
        ("https://Hooks.Example.com", "https://hooks.example.com/"),
        ("HTTPS://hooks.example.com:443/Path?Q=1", "https://hooks.example.com/Path?Q=1"),
        ("not a url", "not a url"),
    ] {
        let mut body = webhook("a");
        body["url"] = json!(sent);
        let id = bench.created(&body).await;
        assert_eq!(bench.get(&id).await["url"], json!(kept));
        bench.patch(&id, &json!({"url": sent})).await;
        assert_eq!(bench.get(&id).await["url"], json!(kept));
    }
}

#[tokio::test]
async fn names_can_be_trimmed_and_cut() {
    let bench = bench_that(Behaviour { trim_name: true, truncate_name: Some(3), ..Behaviour::default() }).await;
    let id = bench.created(&webhook("  äöüß ")).await;
    assert_eq!(bench.get(&id).await["name"], json!("äöü"));
    bench.patch(&id, &json!({"name": " ab "})).await;
    assert_eq!(bench.get(&id).await["name"], json!("ab"));
}
