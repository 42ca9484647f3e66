//! The admin door.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::bench::{Bench, TOKEN, bench, webhook};

const NOWHERE: &str = "64b0c0ffee00000000000001";

async fn door(bench: &Bench, method: Method, path: &str, body: Option<Value>) -> Response {
    let request = bench.client.request(method, format!("{}{path}", bench.simulator.admin_url()));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.unwrap()
}

async fn look(bench: &Bench, path: &str) -> Value {
    let answer = door(bench, Method::GET, path, None).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

async fn act(bench: &Bench, method: Method, path: &str, body: Value, status: u16) {
    let body = (!body.is_null()).then_some(body);
    let answer = door(bench, method, path, body).await;
    assert_eq!(answer.status(), status, "{path}: {}", answer.text().await.unwrap());
}

#[tokio::test]
async fn the_ca_can_be_fetched() {
    let bench = bench().await;
    let answer = door(&bench, Method::GET, "/ca", None).await;
    assert_eq!(answer.text().await.unwrap(), bench.simulator.ca_pem());
}

#[tokio::test]
async fn calls_and_counts_can_be_read_by_project_and_cleared() {
    let bench = bench().await;
    bench.created(&webhook("a")).await;
    bench.request(Method::GET, "/nowhere").send().await.unwrap();
    let project = &bench.project.id;
    assert_eq!(look(&bench, "/calls").await.as_array().unwrap().len(), 2);
    let own = look(&bench, &format!("/calls?project={project}")).await;
    let [call] = own.as_array().unwrap().as_slice() else { panic!("{own}") };
    assert_eq!(call["method"], json!("POST"));
    assert_eq!(call["operation"], json!("create"));
    assert_eq!(call["status"], json!(201));
    assert_eq!(call["effect"], json!(true));
    assert_eq!(call["token"], json!(0));
    assert_eq!(call["body"], webhook("a"));
    assert!(call["sequence"].is_u64() && call["at"].is_string());
    assert_eq!(look(&bench, "/counts").await["total"], json!(2));
    let counts = look(&bench, &format!("/counts?project={project}")).await;
    assert_eq!(counts["by_status"], json!({"201": 1}));
    act(&bench, Method::DELETE, "/calls", Value::Null, 204).await;
    assert_eq!(look(&bench, "/calls").await, json!([]));
}

#[tokio::test]
async fn calls_without_an_answer_are_recorded_by_what_the_client_saw() {
    let bench = bench().await;
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "reset"}, "count": 1}), 201).await;
    bench.list_request().send().await.expect_err("no answer");
    assert_eq!(look(&bench, "/calls").await[0]["status"], json!("reset"));
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "timeout", "hold_ms": 1}, "count": 1}), 201).await;
    bench.list_request().send().await.expect_err("no answer");
    assert_eq!(look(&bench, "/calls").await[1]["status"], json!("timeout"));
}

#[tokio::test]
async fn projects_can_be_added_listed_and_removed() {
    let bench = bench().await;
    let own = json!({"organization": bench.project.organization, "project": bench.project.id});
    assert_eq!(look(&bench, "/projects").await, json!([own]));
    act(&bench, Method::DELETE, &format!("/projects/{}", bench.project.id), Value::Null, 204).await;
    assert_eq!(bench.list_request().send().await.unwrap().status(), 404);
    act(&bench, Method::POST, "/projects", own, 201).await;
    assert!(bench.list().await.is_empty());
    act(&bench, Method::POST, "/projects", json!({"organization": "x", "project": NOWHERE}), 400).await;
    act(&bench, Method::DELETE, &format!("/projects/{NOWHERE}"), Value::Null, 404).await;
}

#[tokio::test]
async fn tokens_can_be_added_forbidden_and_removed() {
    let bench = bench().await;
    let status = async || bench.list_request().send().await.unwrap().status().as_u16();
    let answer = door(&bench, Method::PUT, "/tokens", Some(json!({"forbid": [TOKEN], "add": ["other"]}))).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"add": [1], "forbid": [0]}));
    assert_eq!(status().await, 403);
    let known = json!([{"token": 0, "access": "forbidden"}, {"token": 1, "access": "allowed"}]);
    assert_eq!(look(&bench, "/tokens").await, known, "by position, never by value");
    act(&bench, Method::PUT, "/tokens", json!({"remove": [TOKEN]}), 200).await;
    assert_eq!(status().await, 401);
    act(&bench, Method::PUT, "/tokens", json!({"add": [TOKEN]}), 200).await;
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn webhooks_can_be_made_edited_listed_and_deleted_as_at_the_console() {
    let bench = bench().await;
    let path = format!("/projects/{}/webhooks", bench.project.id);
    act(&bench, Method::PUT, "/behaviour", json!({"masking": "header_values"}), 204).await;
    let new = json!({"name": "a", "url": "https://a.example.com", "headers": {"X-Team": "shop"}, "events": ["e"]});
    let answer = door(&bench, Method::POST, &path, Some(new)).await;
    assert_eq!(answer.status(), 201);
    let made: Value = answer.json().await.unwrap();
    let item = format!("{path}/{}", made["_id"].as_str().unwrap());
    assert_eq!(bench.list().await[0]["headers"], json!({"X-Team": "********"}));
    assert_eq!(look(&bench, &path).await, json!([made]), "in full truth");
    act(&bench, Method::PATCH, &item, json!({"active": false}), 200).await;
    assert_eq!(bench.list().await[0]["active"], json!(false));
    act(&bench, Method::DELETE, &item, Value::Null, 204).await;
    assert!(bench.list().await.is_empty());
    act(&bench, Method::DELETE, &item, Value::Null, 404).await;
    act(&bench, Method::PATCH, &item, json!({}), 404).await;
    act(&bench, Method::GET, &format!("/projects/{NOWHERE}/webhooks"), Value::Null, 404).await;
}

#[tokio::test]
async fn behaviour_can_be_set_read_and_reset_for_all_and_for_one_project() {
    let bench = bench().await;
    let own = format!("/behaviour?project={}", bench.project.id);
    let everything = json!({
        "create_response": "webhook", "update_response": "empty", "patch_headers": "merge", "masking": "header_values",
        "drop_headers": ["X-*"], "empty_headers": "null", "omit_fields": ["active", "createdAt"],
        "null_fields": ["events"],
        "extra_fields": {"__v": 0}, "event_order": "reversed", "lowercase_events": true,
        "lowercase_header_names": true, "normalize_url": true, "trim_name": true, "truncate_name": 10, "list_cap": 5,
        "list_stale_ms": 1
    });
    act(&bench, Method::PUT, "/behaviour", everything.clone(), 204).await;
    assert_eq!(look(&bench, "/behaviour").await, everything);
    assert_eq!(look(&bench, &own).await, everything);
    act(&bench, Method::PUT, &own, json!({"list_cap": 1}), 204).await;
    assert_eq!(look(&bench, &own).await["list_cap"], json!(1));
    assert_eq!(look(&bench, "/behaviour").await["list_cap"], json!(5));
    act(&bench, Method::DELETE, &own, Value::Null, 204).await;
    assert_eq!(look(&bench, &own).await, everything);
    act(&bench, Method::DELETE, "/behaviour", Value::Null, 204).await;
    assert_eq!(look(&bench, "/behaviour").await, json!(simulator::Behaviour::default()));
    act(&bench, Method::PUT, &format!("/behaviour?project={NOWHERE}"), json!({}), 404).await;
}

#[tokio::test]
async fn a_behaviour_or_fault_with_a_misspelt_name_is_refused() {
    let bench = bench().await;
    act(&bench, Method::PUT, "/behaviour", json!({"list_cup": 5}), 422).await;
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "reset"}, "cuont": 1}), 422).await;
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "reset", "aplied": true}}), 422).await;
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "erset"}}), 422).await;
    act(&bench, Method::GET, "/calls?porject=x", Value::Null, 400).await;
}

#[tokio::test]
async fn every_kind_of_fault_can_be_set() {
    let bench = bench().await;
    for kind in [
        json!({"type": "latency", "ms": 1, "applied": true}),
        json!({"type": "status", "code": 503, "body": {"a": 1}, "retry_after": {"seconds": 3}, "applied": true}),
        json!({"type": "status", "code": 503, "body": null, "retry_after": {"date_in_seconds": -3}, "applied": false}),
        json!({"type": "reset", "applied": true}),
        json!({"type": "timeout", "applied": true, "hold_ms": 5}),
        json!({"type": "late_effect", "after_ms": 5, "silence": "reset"}),
        json!({"type": "truncated_body"}),
        json!({"type": "not_json"}),
        json!({"type": "wrong_shape", "shape": "data"}),
        json!({"type": "endless_body"}),
        json!({"type": "slow_body", "ms_per_byte": 1}),
        json!({"type": "redirect", "location": "http://example.com", "code": 307}),
    ] {
        let fault = json!({"id": "f", "methods": ["GET"], "operations": ["list"], "path_contains": "x",
            "project": NOWHERE, "token": 1, "skip": 1, "count": 1, "rate": 0.5, "kind": kind});
        act(&bench, Method::POST, "/faults", fault.clone(), 201).await;
        assert_eq!(look(&bench, "/faults").await, json!([fault]));
    }
}

#[tokio::test]
async fn faults_can_be_added_counted_and_lifted() {
    let bench = bench().await;
    let status = async || bench.list_request().send().await.unwrap().status().as_u16();
    let answer = door(&bench, Method::POST, "/faults", Some(json!({"kind": {"type": "status", "code": 503}}))).await;
    let id = answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(status().await, 503);
    assert_eq!(look(&bench, "/injected").await, json!({ id.clone(): 1, "kind/status": 1 }));
    act(&bench, Method::DELETE, &format!("/faults/{id}"), Value::Null, 204).await;
    act(&bench, Method::DELETE, &format!("/faults/{id}"), Value::Null, 404).await;
    assert_eq!(status().await, 200);
    act(&bench, Method::POST, "/faults", json!({"kind": {"type": "status", "code": 503}}), 201).await;
    act(&bench, Method::DELETE, "/faults", Value::Null, 204).await;
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn late_effects_can_be_released() {
    let bench = bench().await;
    let fault = json!({"count": 1, "kind": {"type": "late_effect", "silence": "reset"}});
    act(&bench, Method::POST, "/faults", fault, 201).await;
    bench.create_request(&webhook("a")).send().await.expect_err("no answer");
    act(&bench, Method::POST, "/faults/release", Value::Null, 204).await;
    let project = bench.project.id.clone();
    bench.wait("the late webhook", |state| state.webhook_count(&project) == 1).await;
}
