//! Behaviours of what is shown: they change answers, and the truth stays.

use reqwest::Method;
use serde_json::{Value, json};
use simulator::Behaviour;
use simulator::app_maker::{CreateResponse, EmptyHeaders, EventOrder, Field, Masking, UpdateResponse};

use crate::bench::{Bench, bench, bench_that, webhook};

/// An hour: no test lasts as long, so LIST stays as it was when this was set.
const LONG_AGO: Option<u64> = Some(3_600_000);

async fn with_secret(bench: &Bench) -> String {
    let mut body = webhook("a");
    body["headers"] = json!({"Authorization": "Bearer secret"});
    bench.created(&body).await
}

#[tokio::test]
async fn creation_can_answer_with_the_webhook() {
    let bench = bench_that(Behaviour { create_response: CreateResponse::Webhook, ..Behaviour::default() }).await;
    let body: Value = bench.create(&webhook("a")).await.json().await.unwrap();
    assert_eq!(body, bench.list().await[0]);
}

#[tokio::test]
async fn updates_can_answer_with_a_project_or_with_nothing() {
    let bench = bench_that(Behaviour { update_response: UpdateResponse::Project, ..Behaviour::default() }).await;
    let id = bench.created(&webhook("a")).await;
    let body: Value = bench.patch(&id, &json!({"name": "b"})).await.json().await.unwrap();
    assert_eq!(body["_id"], json!(bench.project.id));
    bench.simulator.set_behaviour(Behaviour { update_response: UpdateResponse::Empty, ..Behaviour::default() });
    let answer = bench.patch(&id, &json!({"name": "c"})).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.unwrap().is_empty());
    assert_eq!(bench.get(&id).await["name"], json!("c"));
}

#[tokio::test]
async fn header_values_can_be_masked_while_the_real_ones_are_kept() {
    let bench = bench_that(Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() }).await;
    let id = with_secret(&bench).await;
    let masked = json!({"Authorization": "********"});
    assert_eq!(bench.list().await[0]["headers"], masked);
    assert_eq!(bench.get(&id).await["headers"], masked);
    let answer: Value =
        bench.patch(&id, &json!({"headers": {"Authorization": "Bearer new"}})).await.json().await.unwrap();
    assert_eq!(answer["headers"], masked);
    assert_eq!(answer["url"], json!("https://hooks.example.com/builds"), "only header values are masked");
    assert_eq!(bench.simulator.webhooks(&bench.project.id)[0].headers["Authorization"], "Bearer new");
}

#[tokio::test]
async fn no_headers_can_be_shown_as_null_or_not_at_all() {
    let bench = bench_that(Behaviour { empty_headers: EmptyHeaders::Null, ..Behaviour::default() }).await;
    bench.created(&webhook("bare")).await;
    with_secret(&bench).await;
    assert_eq!(bench.list().await[0].get("headers"), Some(&Value::Null));
    bench.simulator.set_behaviour(Behaviour { empty_headers: EmptyHeaders::Absent, ..Behaviour::default() });
    let listed = bench.list().await;
    assert_eq!(listed[0].get("headers"), None);
    assert_eq!(listed[1]["headers"], json!({"Authorization": "Bearer secret"}), "those that there are stay");
}

#[tokio::test]
async fn any_field_but_the_id_can_be_left_out_or_null() {
    let bench = bench().await;
    let id = with_secret(&bench).await;
    let truth = bench.simulator.webhooks(&bench.project.id);
    for (field, name) in FIELDS {
        let omit_fields = vec![field];
        bench.simulator.set_behaviour(Behaviour { omit_fields: omit_fields.clone(), ..Behaviour::default() });
        for item in [bench.list().await.remove(0), bench.get(&id).await] {
            assert_eq!(item.as_object().unwrap().len(), 7, "{item}");
            assert!(item.get(name).is_none(), "{item}");
        }
        let null_fields = vec![field];
        bench.simulator.set_behaviour(Behaviour { null_fields: null_fields.clone(), ..Behaviour::default() });
        for item in [bench.list().await.remove(0), bench.get(&id).await] {
            assert_eq!(item.as_object().unwrap().len(), 8, "{item}");
            assert_eq!(item.get(name), Some(&Value::Null), "{item}");
        }
        bench.simulator.set_behaviour(Behaviour { omit_fields, null_fields, ..Behaviour::default() });
        assert!(bench.list().await[0].get(name).is_none(), "left out goes before null");
    }
    assert_eq!(bench.simulator.webhooks(&bench.project.id), truth, "the truth stays");
}

const FIELDS: [(Field, &str); 7] = [
    (Field::Name, "name"),
    (Field::Url, "url"),
    (Field::Events, "events"),
    (Field::Active, "active"),
    (Field::Headers, "headers"),
    (Field::CreatedAt, "createdAt"),
    (Field::UpdatedAt, "updatedAt"),
];

#[tokio::test]
async fn null_fields_are_set_by_their_wire_names_at_the_admin_door() {
    let names: Vec<_> = FIELDS.iter().map(|(_, name)| *name).collect();
    let read: Behaviour = serde_json::from_value(json!({ "null_fields": names, "omit_fields": names })).unwrap();
    let fields: Vec<_> = FIELDS.iter().map(|(field, _)| *field).collect();
    assert_eq!((&read.null_fields, &read.omit_fields), (&fields, &fields));
}

#[tokio::test]
async fn unknown_fields_can_be_added() {
    let extra = json!({"__v": 0, "delivery": {"retries": [1, 2]}});
    let extra_fields = extra.as_object().unwrap().clone();
    let bench = bench_that(Behaviour { extra_fields, ..Behaviour::default() }).await;
    let id = bench.created(&webhook("a")).await;
    for item in [bench.list().await.remove(0), bench.get(&id).await] {
        assert_eq!((&item["__v"], &item["delivery"]), (&extra["__v"], &extra["delivery"]));
        assert_eq!(item["name"], json!("a"));
    }
}

#[tokio::test]
async fn events_can_come_in_another_order() {
    let bench = bench().await;
    let mut body = webhook("a");
    body["events"] = json!(["b", "c", "a"]);
    let id = bench.created(&body).await;
    for (event_order, shown) in [
        (EventOrder::Reversed, json!(["a", "c", "b"])),
        (EventOrder::Sorted, json!(["a", "b", "c"])),
        (EventOrder::AsSent, json!(["b", "c", "a"])),
    ] {
        bench.simulator.set_behaviour(Behaviour { event_order, ..Behaviour::default() });
        assert_eq!(bench.list().await[0]["events"], shown);
        assert_eq!(bench.get(&id).await["events"], shown);
    }
}

#[tokio::test]
async fn list_can_be_capped_at_the_oldest_while_get_still_finds_the_rest() {
    let bench = bench_that(Behaviour { list_cap: Some(2), ..Behaviour::default() }).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(bench.created(&webhook(name)).await);
    }
    let listed: Vec<_> = bench.list().await.iter().map(|item| item["_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids[..2]);
    assert_eq!(bench.get(&ids[2]).await["name"], json!("c"));
    assert_eq!(bench.truth(), 3);
}

#[tokio::test]
async fn list_can_show_how_things_were_while_get_shows_how_they_are() {
    let bench = bench().await;
    let changed = bench.created(&webhook("changed")).await;
    let deleted = bench.created(&webhook("deleted")).await;
    let before = bench.list().await;
    bench.simulator.set_behaviour(Behaviour { list_stale_ms: LONG_AGO, ..Behaviour::default() });
    bench.patch(&changed, &json!({"name": "once"})).await;
    bench.patch(&changed, &json!({"name": "twice"})).await;
    bench.delete(&deleted).await;
    let created = bench.created(&webhook("created")).await;
    assert_eq!(bench.list().await, before);
    assert_eq!(bench.get(&changed).await["name"], json!("twice"));
    assert_eq!(bench.get(&created).await["name"], json!("created"));
    assert_eq!(bench.item_request(Method::GET, &deleted).send().await.unwrap().status(), 404);

    bench.simulator.set_behaviour(Behaviour::default());
    let names: Vec<_> = bench.list().await.iter().map(|item| item["name"].clone()).collect();
    assert_eq!(names, ["twice", "created"]);
}

#[tokio::test]
async fn a_stale_list_of_a_project_added_later_starts_empty() {
    let bench = bench_that(Behaviour { list_stale_ms: LONG_AGO, ..Behaviour::default() }).await;
    let (organization, project) = ("64b0c0ffee00000000000001", "64b0c0ffee00000000000002");
    bench.simulator.add_project(organization, project).unwrap();
    let path = format!("/api/v1/organizations/{organization}/projects/{project}/settings/webhooks");
    assert_eq!(bench.request(Method::POST, &path).json(&webhook("a")).send().await.unwrap().status(), 201);
    let listed: Value = bench.request(Method::GET, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed, json!([]));
}

#[tokio::test]
async fn a_stale_list_shows_what_is_old_enough() {
    // Every change is at least no milliseconds old.
    let bench = bench_that(Behaviour { list_stale_ms: Some(0), ..Behaviour::default() }).await;
    bench.created(&webhook("a")).await;
    assert_eq!(bench.list().await.len(), 1);
}

#[tokio::test]
async fn a_project_can_have_a_behaviour_of_its_own() {
    let bench = bench_that(Behaviour { event_order: EventOrder::Sorted, ..Behaviour::default() }).await;
    let project = &bench.project.id;
    with_secret(&bench).await;
    let own = Behaviour { masking: Masking::HeaderValues, ..Behaviour::default() };
    bench.simulator.set_project_behaviour(project, Some(own)).unwrap();
    assert_eq!(bench.list().await[0]["headers"], json!({"Authorization": "********"}));
    // What is set for all does not reach it.
    bench.simulator.set_behaviour(Behaviour { list_cap: Some(0), ..Behaviour::default() });
    assert_eq!(bench.list().await.len(), 1);
    bench.simulator.set_project_behaviour(project, None).unwrap();
    assert_eq!(bench.list().await.len(), 0);
    assert!(bench.simulator.set_project_behaviour("64b0c0ffee00000000000001", None).is_err());
}
