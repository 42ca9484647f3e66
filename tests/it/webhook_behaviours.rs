//! The life of a webhook under each behaviour that the vendor's page leaves open: created once, changed with what differs,
//! nothing at rest, deleted. What can't go so has tests of its own.

use hookwright::api::project_webhook::Ownership;
use serde_json::{Value, json};
use simulator::app_maker::{CreateResponse, EmptyHeaders, EventOrder, Field, Masking, PatchHeaders, UpdateResponse};
use simulator::{Behaviour, Fault, ProjectRef};

use crate::support::{World, assert_writes, is_ready, message, of_project, render, status};

/// Every switch of the simulator that leaves the webhook as it was asked for, alone, and some of them together.
fn behaviours() -> Vec<(&'static str, Behaviour)> {
    let usual = Behaviour::default;
    let extra = |value: Value| Behaviour { extra_fields: value.as_object().unwrap().clone(), ..usual() };
    let omit = |field| Behaviour { omit_fields: vec![field], ..usual() };
    let null = |field| Behaviour { null_fields: vec![field], ..usual() };
    let mut all = vec![
        ("usual", usual()),
        ("create-webhook", Behaviour { create_response: CreateResponse::Webhook, ..usual() }),
        ("update-project", Behaviour { update_response: UpdateResponse::Project, ..usual() }),
        ("update-empty", Behaviour { update_response: UpdateResponse::Empty, ..usual() }),
        ("merge", Behaviour { patch_headers: PatchHeaders::Merge, ..usual() }),
        ("masked", Behaviour { masking: Masking::HeaderValues, ..usual() }),
        ("empty-null", Behaviour { empty_headers: EmptyHeaders::Null, ..usual() }),
        ("empty-absent", Behaviour { empty_headers: EmptyHeaders::Absent, ..usual() }),
        ("no-created-at", omit(Field::CreatedAt)),
        ("no-updated-at", omit(Field::UpdatedAt)),
        ("no-active", omit(Field::Active)),
        ("null-active", null(Field::Active)),
        ("null-created-at", null(Field::CreatedAt)),
        ("null-updated-at", null(Field::UpdatedAt)),
        ("extra", extra(json!({ "owner": null, "headersCount": 3, "project": { "_id": "x" }, "tags": [] }))),
        ("reversed", Behaviour { event_order: EventOrder::Reversed, ..usual() }),
        ("sorted", Behaviour { event_order: EventOrder::Sorted, ..usual() }),
        ("lowercase-events", Behaviour { lowercase_events: true, ..usual() }),
        ("lowercase-headers", Behaviour { lowercase_header_names: true, ..usual() }),
        ("normalised-url", Behaviour { normalize_url: true, ..usual() }),
        ("trimmed", Behaviour { trim_name: true, ..usual() }),
        ("stale", Behaviour { list_stale_ms: Some(300), ..usual() }),
    ];
    let several = Behaviour {
        lowercase_events: true,
        lowercase_header_names: true,
        normalize_url: true,
        event_order: EventOrder::Reversed,
        create_response: CreateResponse::Webhook,
        update_response: UpdateResponse::Empty,
        list_stale_ms: Some(300),
        ..usual()
    };
    all.push(("masked-several", Behaviour { masking: Masking::HeaderValues, ..several.clone() }));
    all.push(("several", several));
    all
}

/// What a person knows a webhook by is not shown: it takes a marker to know one's own.
fn half_shown() -> Vec<(&'static str, Behaviour)> {
    use Field::{Events, Name, Url};
    let omit = |field| Behaviour { omit_fields: vec![field], ..Behaviour::default() };
    let null = |field| Behaviour { null_fields: vec![field], ..Behaviour::default() };
    let omits = [("omits-name", omit(Name)), ("omits-url", omit(Url)), ("omits-events", omit(Events))];
    let nulls = [("nulls-name", null(Name)), ("nulls-url", null(Url)), ("nulls-events", null(Events))];
    omits.into_iter().chain(nulls).collect()
}

/// The PATCH for another `active`: a new spec is sent with what nobody can see whether it is still there.
fn update(behaviour: &str, with_headers: bool) -> String {
    let hidden = behaviour.strip_prefix("omits-").or_else(|| behaviour.strip_prefix("nulls-"));
    let masked = if behaviour.starts_with("masked") && with_headers { Some("headers") } else { None };
    hidden.or(masked).map_or_else(|| "PATCH active".into(), |field| format!("PATCH active,{field}"))
}

/// One webhook under one behaviour.
struct Case {
    name: &'static str,
    project: ProjectRef,
    spec: Value,
}

fn cases(world: &World, behaviours: Vec<(&'static str, Behaviour)>, headers: &Value) -> Vec<Case> {
    let case = |(name, behaviour): (&'static str, Behaviour)| {
        let project = world.sim.new_project();
        world.sim.set_project_behaviour(&project.id, Some(behaviour)).unwrap();
        let mut spec = of_project(&project);
        let own = json!({
            "url": format!("https://HOOKS.example.com:443/{name}"),
            "events": ["deployment.build.failed", "Deployment.Build.Created"],
            "headers": headers,
        });
        crate::support::merge(&mut spec, own);
        Case { name, project, spec }
    };
    behaviours.into_iter().map(case).collect()
}

/// Lets all of them live, and gives what was written to each project.
async fn live(world: &World, cases: &[Case]) -> Vec<(&'static str, Vec<String>)> {
    world.create_all(cases.iter().map(|case| (case.name.to_owned(), case.spec.clone()))).await;
    for case in cases {
        let object = world.wait_ready(case.name).await;
        let there = world.sim.webhooks(&case.project.id);
        assert_eq!(there.len(), 1, "{}", case.name);
        let seen = status(&object);
        assert_eq!((seen.webhook_id.as_ref(), seen.ownership), (Some(&there[0].id), Some(Ownership::Created)));
    }
    for case in cases {
        let mut changed = case.spec.clone();
        changed["active"] = json!(false);
        world.webhook(case.name, changed).await;
    }
    for case in cases {
        world.wait_ready(case.name).await;
        assert!(!world.sim.webhooks(&case.project.id)[0].active, "{}", case.name);
        let before = world.get(case.name).await;
        let after = world.pass(case.name).await;
        assert!(is_ready(&after), "{}", case.name);
        let (mut before, mut after) = (status(&before), status(&after));
        (before.last_handled_reconcile_at, after.last_handled_reconcile_at) = (None, None);
        assert_eq!(before, after, "{}: nothing to tell at rest", case.name);
    }
    for case in cases {
        world.delete(case.name).await;
    }
    for case in cases {
        world.wait_gone(case.name).await;
        assert_eq!(world.sim.webhooks(&case.project.id).len(), 0, "{}", case.name);
    }
    let writes = |case: &Case| {
        let calls = world.sim.calls_for(&case.project.id);
        calls.iter().filter(|call| call.method != "GET").map(render).collect()
    };
    cases.iter().map(|case| (case.name, writes(case))).collect()
}

#[tokio::test]
async fn each_behaviour_lets_a_webhook_be_created_changed_and_deleted_with_one_write_each() {
    let world = World::start().await;
    let headers = json!([{ "name": "X-Team", "value": "shop" }, { "name": "x-Key", "value": "1" }]);
    let all = [behaviours(), half_shown()].concat();
    for (name, writes) in live(&world, &cases(&world, all, &headers)).await {
        assert_eq!(writes, ["POST", &update(name, true), "DELETE"], "{name}");
    }
}

#[tokio::test]
async fn the_same_holds_without_headers_whatever_becomes_of_the_marker() {
    let world = World::start().await;
    let drop = |name: &str| Behaviour { drop_headers: vec![name.into()], ..Behaviour::default() };
    let mut all = [behaviours(), half_shown()].concat();
    all.push(("drops-marker", drop("X-Hookwright-*")));
    all.push(("drops-all", drop("*")));
    all.push(("no-headers", Behaviour { omit_fields: vec![Field::Headers], ..Behaviour::default() }));
    all.push(("drops-shows-null", Behaviour { empty_headers: EmptyHeaders::Null, ..drop("*") }));
    for (name, writes) in live(&world, &cases(&world, all, &json!([]))).await {
        assert_eq!(writes, ["POST", &update(name, false), "DELETE"], "{name}");
    }
}

#[tokio::test]
async fn the_same_holds_with_headers_where_the_remote_drops_the_marker_alone() {
    let world = World::start().await;
    let drops = Behaviour { drop_headers: vec!["X-Hookwright-*".into()], ..Behaviour::default() };
    let headers = json!([{ "name": "X-Team", "value": "shop" }]);
    for (_, writes) in live(&world, &cases(&world, vec![("drops-marker", drops)], &headers)).await {
        assert_eq!(writes, ["POST", "PATCH active", "DELETE"]);
    }
}

#[tokio::test]
async fn a_change_of_what_is_not_shown_is_sent_until_the_remote_accepts_it_and_then_no_more() {
    let mut world = World::start().await;
    world.behave(Behaviour { null_fields: vec![Field::Active], ..Behaviour::default() });
    world.webhook("builds", json!({})).await;
    world.wait_ready("builds").await;
    world.sim.clear_calls();
    world.sim.add_fault(Fault::status(503).methods(["PATCH"]).count(2));
    world.webhook("builds", json!({ "active": false })).await;
    world.wait_reason("builds", "RemoteUnavailable").await;
    assert!(world.only().active);
    let object = world.wait_ready("builds").await;
    assert!(!world.only().active);
    assert_eq!(status(&object).remote.unwrap().active, None, "what is not shown is not told");
    world.restart_operator().await;
    assert!(is_ready(&world.pass("builds").await));
    assert_writes(&world, &["PATCH active", "PATCH active", "PATCH active"]);
}

#[tokio::test]
async fn what_shows_neither_marker_nor_name_is_never_guessed_and_a_pin_says_which_it_is() {
    let world = World::with(|setup| setup.flag("--ownership-marker", "off")).await;
    world.behave(Behaviour { omit_fields: vec![Field::Name], ..Behaviour::default() });
    world.webhook("builds", json!({ "adoptionPolicy": "CreateAnother" })).await;
    let object = world.wait_reason("builds", "AdoptionRequired").await;
    let id = world.only().id;
    assert!(message(&object).contains(&id), "{}", message(&object));
    world.webhook("builds", json!({ "webhookId": id })).await;
    world.wait_ready("builds").await;
    assert_writes(&world, &["POST", "PATCH name"]);
}

#[tokio::test]
async fn the_same_holds_with_the_marker_off() {
    let world = World::with(|setup| setup.flag("--ownership-marker", "off")).await;
    for (name, writes) in live(&world, &cases(&world, behaviours(), &json!([]))).await {
        assert_eq!(writes, ["POST", "PATCH active", "DELETE"], "{name}");
    }
}
