//! Each route, as strict as the vendor's page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, bench, webhook};

async fn refusal(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("an error in JSON");
    assert!(body["message"].is_string(), "{body}");
    (status, body["name"].as_str().expect("a name").to_owned())
}

fn refused(status: u16, name: &str) -> (u16, String) {
    (status, name.to_owned())
}

async fn create_is_refused(bench: &Bench, body: Value) {
    let answer = refusal(bench.create(&body).await).await;
    assert_eq!(answer, refused(400, "BadRequestError"), "{body}");
    assert_eq!(bench.truth(), 0, "{body}");
}

#[tokio::test]
async fn list_is_a_bare_array_of_webhooks_with_the_documented_fields() {
    let bench = bench().await;
    assert!(bench.list().await.is_empty());
    let id = bench.created(&webhook("a")).await;
    let listed = bench.list().await;
    let [item] = listed.as_slice() else { panic!("{listed:?}") };
    let mut fields: Vec<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["_id", "active", "createdAt", "events", "headers", "name", "updatedAt", "url"]);
    assert_eq!(item["_id"], json!(id));
    assert_eq!(item["active"], json!(true), "active is true by default");
    assert_eq!(item["headers"], json!({}));
    assert_eq!(item["events"], json!(["deployment.build.created"]));
}

#[tokio::test]
async fn list_shows_webhooks_in_the_order_of_their_creation() {
    let bench = bench().await;
    for name in ["c", "a", "b"] {
        bench.created(&webhook(name)).await;
    }
    let names: Vec<_> = bench.list().await.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["c", "a", "b"]);
}

#[tokio::test]
async fn times_are_rfc_3339_with_milliseconds() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let item = bench.get(&id).await;
    for field in ["createdAt", "updatedAt"] {
        let text = item[field].as_str().unwrap();
        let at: jiff::Timestamp = text.parse().unwrap();
        assert_eq!(format!("{at:.3}"), text);
        let (_, fraction) = text.split_once('.').unwrap();
        assert_eq!(fraction.len(), "123Z".len(), "{text}");
    }
}

#[tokio::test]
async fn create_answers_201_with_the_project_and_not_the_webhook() {
    let bench = bench().await;
    let answer = bench.create(&webhook("a")).await;
    assert_eq!(answer.status(), 201);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["_id"], json!(bench.project.id));
    assert_eq!(body["organization"], json!(bench.project.organization));
    assert_eq!(body["status"], json!("draft"));
    let slug = body["slug"].as_str().unwrap();
    assert!(
        (2..=100).contains(&slug.len())
            && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    );
    assert!(body["name"].is_string() && body["createdAt"].is_string() && body["updatedAt"].is_string());
    assert!(body.get("url").is_none() && body.get("events").is_none());
}

#[tokio::test]
async fn create_keeps_every_documented_field() {
    let bench = bench().await;
    let body = json!({"name": "a", "url": "HTTPS://Hooks.Example.com", "headers": {"X-Team": "shop"}, "active": false,
        "events": ["b", "a"]});
    let id = bench.created(&body).await;
    let item = bench.get(&id).await;
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&item[field], value, "{field} comes back as it was sent");
    }
}

#[tokio::test]
async fn create_refuses_a_body_without_name_url_or_events() {
    let bench = bench().await;
    for field in ["name", "url", "events"] {
        let mut body = webhook("a");
        body.as_object_mut().unwrap().remove(field);
        create_is_refused(&bench, body).await;
    }
}

#[tokio::test]
async fn create_refuses_fields_of_the_wrong_type() {
    let bench = bench().await;
    for (field, value) in [
        ("name", json!(1)),
        ("name", json!("")),
        ("name", json!(null)),
        ("url", json!({})),
        ("url", json!("")),
        ("events", json!([])),
        ("events", json!("a")),
        ("events", json!([1])),
        ("events", json!([""])),
        ("active", json!("true")),
        ("active", json!(null)),
        ("headers", json!(null)),
        ("headers", json!([])),
        ("headers", json!({"X-Team": 1})),
        ("headers", json!({"X-Team": null})),
    ] {
        let mut body = webhook("a");
        body[field] = value;
        create_is_refused(&bench, body).await;
    }
}

#[tokio::test]
async fn create_refuses_fields_that_are_not_documented() {
    let bench = bench().await;
    for field in ["_id", "createdAt", "secret", "Name"] {
        let mut body = webhook("a");
        body[field] = json!("x");
        create_is_refused(&bench, body).await;
    }
}

#[tokio::test]
async fn create_and_update_refuse_bodies_that_are_no_json_object() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    for body in ["", "{", "[]", "null", "\"text\""] {
        for request in [bench.request(Method::POST, &bench.path()), bench.item_request(Method::PATCH, &id)] {
            let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
            assert_eq!(refusal(answer).await, refused(400, "BadRequestError"), "{body:?}");
        }
    }
}

#[tokio::test]
async fn create_and_update_take_only_json_by_content_type() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let body = webhook("b").to_string();
    for request in [bench.request(Method::POST, &bench.path()), bench.item_request(Method::PATCH, &id)] {
        let none = request.try_clone().unwrap().body(body.clone()).send().await.unwrap();
        assert_eq!(refusal(none).await, refused(415, "UnsupportedMediaTypeError"));
        let text = request.header("content-type", "text/plain").body(body.clone()).send().await.unwrap();
        assert_eq!(refusal(text).await, refused(415, "UnsupportedMediaTypeError"));
    }
    let with_charset =
        bench.request(Method::POST, &bench.path()).header("content-type", "application/json; charset=utf-8");
    assert_eq!(with_charset.body(body).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn names_and_urls_need_not_be_unique() {
    let bench = bench().await;
    let first = bench.created(&webhook("a")).await;
    let second = bench.created(&webhook("a")).await;
    assert_ne!(first, second);
    assert_eq!(bench.list().await.len(), 2);
}

#[tokio::test]
async fn ids_are_24_hexadecimal_digits_and_never_used_again() {
    let bench = bench().await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let id = bench.created(&webhook("a")).await;
        assert!(simulator::app_maker::is_entity_id(&id), "{id}");
        assert_eq!(bench.delete(&id).await.status(), 204);
        assert!(seen.insert(id));
    }
}

#[tokio::test]
async fn update_changes_the_given_fields_only_and_answers_with_the_webhook() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let before = bench.get(&id).await;
    for (field, value) in [
        ("name", json!("b")),
        ("url", json!("https://other.example.com/")),
        ("active", json!(false)),
        ("events", json!(["x", "y"])),
        ("headers", json!({"X-Team": "shop"})),
    ] {
        let answer = bench.patch(&id, &json!({ field: value })).await;
        assert_eq!(answer.status(), 200);
        let after: Value = answer.json().await.unwrap();
        assert_eq!(after[field], value);
        assert_eq!(after, bench.get(&id).await);
        // Back again, so that every round starts from the same.
        assert_eq!(bench.patch(&id, &json!({ field: before[field] })).await.status(), 200);
        let mut again = bench.get(&id).await;
        again["updatedAt"] = before["updatedAt"].clone();
        assert_eq!(again, before, "{field} alone was changed");
    }
}

#[tokio::test]
async fn update_refuses_what_create_refuses() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let before = bench.get(&id).await;
    for body in [
        json!({"name": ""}),
        json!({"events": []}),
        json!({"headers": null}),
        json!({"active": 1}),
        json!({"_id": id}),
        json!({"name": "b", "updatedAt": "2026-01-01T00:00:00.000Z"}),
    ] {
        assert_eq!(refusal(bench.patch(&id, &body).await).await, refused(400, "BadRequestError"), "{body}");
    }
    assert_eq!(bench.get(&id).await, before);
}

#[tokio::test]
async fn an_update_without_fields_changes_nothing() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let before = bench.get(&id).await;
    let answer = bench.patch(&id, &json!({})).await;
    assert_eq!(answer.status(), 200);
    assert!(!bench.last_call().effect);
    assert_eq!(bench.get(&id).await, before);
}

#[tokio::test]
async fn delete_answers_204_without_a_body_and_404_the_next_time() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let answer = bench.delete(&id).await;
    assert_eq!(answer.status(), 204);
    assert!(answer.bytes().await.unwrap().is_empty());
    assert!(bench.list().await.is_empty());
    for method in [Method::DELETE, Method::GET] {
        let gone = bench.item_request(method, &id).send().await.unwrap();
        assert_eq!(refusal(gone).await, refused(404, "NotFoundError"));
    }
    assert_eq!(refusal(bench.patch(&id, &json!({"name": "b"})).await).await, refused(404, "NotFoundError"));
}

#[tokio::test]
async fn a_missing_or_unknown_token_is_answered_with_401() {
    let bench = bench().await;
    let url = format!("{}{}", bench.simulator.http_url(), bench.path());
    for request in [
        bench.client.get(&url),
        bench.client.get(&url).bearer_auth("unknown"),
        bench.client.get(&url).header("authorization", crate::bench::TOKEN),
        bench.client.get(&url).basic_auth(crate::bench::TOKEN, None::<&str>),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, refused(401, "UnauthorizedError"));
        assert_eq!(bench.last_call().token, None);
    }
}

#[tokio::test]
async fn a_forbidden_token_is_answered_with_403_and_a_removed_one_with_401() {
    let bench = bench().await;
    bench.simulator.forbid_token(crate::bench::TOKEN);
    let answer = bench.list_request().send().await.unwrap();
    assert_eq!(refusal(answer).await, refused(403, "ForbiddenError"));
    bench.simulator.remove_token(crate::bench::TOKEN);
    let answer = bench.list_request().send().await.unwrap();
    assert_eq!(refusal(answer).await, refused(401, "UnauthorizedError"));
    bench.simulator.add_token(crate::bench::TOKEN);
    assert!(bench.list().await.is_empty());
}

#[tokio::test]
async fn ids_that_do_not_match_the_pattern_are_answered_with_400() {
    let bench = bench().await;
    let (organization, project) = (&bench.project.organization, &bench.project.id);
    for id in
        ["1", "64b0c0ffee0000000000000g", "64b0c0ffee000000000000012", "..%2f..%2f", "64b0c0ffee00000000000001%20"]
    {
        for path in [
            format!("/api/v1/organizations/{id}/projects/{project}/settings/webhooks"),
            format!("/api/v1/organizations/{organization}/projects/{id}/settings/webhooks"),
            format!("/api/v1/organizations/{organization}/projects/{project}/settings/webhooks/{id}"),
        ] {
            let answer = bench.request(Method::GET, &path).send().await.unwrap();
            assert_eq!(refusal(answer).await, refused(400, "BadRequestError"), "{path}");
        }
    }
}

#[tokio::test]
async fn ids_are_the_same_in_upper_case() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let answer = bench.item_request(Method::GET, &id.to_uppercase()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn an_unknown_project_is_answered_with_404_also_in_another_organization() {
    let bench = bench().await;
    let (organization, project) = (&bench.project.organization, &bench.project.id);
    let unknown = "64b0c0ffee00000000000001";
    for (organization, project) in [(organization.as_str(), unknown), (unknown, project.as_str())] {
        let path = format!("/api/v1/organizations/{organization}/projects/{project}/settings/webhooks");
        let answer = bench.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(refusal(answer).await, refused(404, "NotFoundError"));
    }
}

#[tokio::test]
async fn a_webhook_is_found_in_its_own_project_only() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let other = bench.simulator.new_project();
    let path = format!("/api/v1/organizations/{}/projects/{}/settings/webhooks/{id}", other.organization, other.id);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(bench.request(method, &path).send().await.unwrap().status(), 404);
    }
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_answered_with_405() {
    let bench = bench().await;
    let id = bench.created(&webhook("a")).await;
    let item = format!("{}/{id}", bench.path());
    for (method, path, allow) in [
        (Method::PUT, &bench.path(), "GET, POST"),
        (Method::PATCH, &bench.path(), "GET, POST"),
        (Method::DELETE, &bench.path(), "GET, POST"),
        (Method::POST, &item, "GET, PATCH, DELETE"),
        (Method::PUT, &item, "GET, PATCH, DELETE"),
    ] {
        let answer = bench.request(method.clone(), path).json(&webhook("b")).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allow);
        assert_eq!(refusal(answer).await, refused(405, "MethodNotAllowedError"), "{method} {path}");
    }
    assert_eq!(bench.truth(), 1);
}

#[tokio::test]
async fn paths_that_are_not_documented_are_answered_with_404() {
    let bench = bench().await;
    let (path, bare) = (bench.path(), bench.path().replace("/api/v1", ""));
    for path in [format!("{path}/"), path.replace("/settings", ""), bare, format!("{path}/x/y"), "/".to_owned()] {
        let answer = bench.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(refusal(answer).await, refused(404, "NotFoundError"), "{path}");
    }
}
