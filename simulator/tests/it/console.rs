//! A person at the console, through the handle.

use serde_json::json;
use simulator::{Behaviour, Fault, Missing, NewWebhook, WebhookEdit};

use crate::bench::{bench, bench_that};

const NOWHERE: &str = "64b0c0ffee00000000000001";

#[tokio::test]
async fn a_webhook_made_at_the_console_is_shown_by_the_api() {
    let bench = bench().await;
    let new = NewWebhook::new("by hand", "https://hand.example.com").header("X-Hookwright-Owner", "somebody");
    let made = bench.simulator.console_create(&bench.project.id, new).unwrap();
    let item = bench.get(&made.id).await;
    assert_eq!(item["name"], json!("by hand"));
    assert_eq!(item["headers"], json!({"X-Hookwright-Owner": "somebody"}));
    assert_eq!(bench.list().await, [item]);
}

#[tokio::test]
async fn every_field_can_be_edited_at_the_console() {
    let bench = bench().await;
    let project = &bench.project.id;
    let made = bench.simulator.console_create(project, NewWebhook::new("a", "https://a.example.com")).unwrap();
    let edit = WebhookEdit {
        name: Some("b".into()),
        url: Some("https://b.example.com".into()),
        headers: Some([("X-Team".to_owned(), "shop".to_owned())].into()),
        active: Some(false),
        events: Some(vec!["x".into()]),
    };
    bench.simulator.console_edit(project, &made.id, edit).unwrap();
    let item = bench.get(&made.id).await;
    assert_eq!(item["name"], json!("b"));
    assert_eq!(item["url"], json!("https://b.example.com"));
    assert_eq!(item["headers"], json!({"X-Team": "shop"}));
    assert_eq!(item["active"], json!(false));
    assert_eq!(item["events"], json!(["x"]));
    // An edit changes what it names, and LIST, which is rendered once, shows it.
    let edit = WebhookEdit { active: Some(true), ..WebhookEdit::default() };
    bench.simulator.console_edit(project, &made.id, edit).unwrap();
    let listed = bench.list().await;
    assert_eq!((&listed[0]["active"], &listed[0]["name"]), (&json!(true), &json!("b")));
}

#[tokio::test]
async fn a_webhook_deleted_at_the_console_is_gone() {
    let bench = bench().await;
    let project = &bench.project.id;
    let made = bench.simulator.console_create(project, NewWebhook::new("a", "https://a.example.com")).unwrap();
    assert_eq!(bench.list().await.len(), 1);
    bench.simulator.console_delete(project, &made.id).unwrap();
    assert!(bench.list().await.is_empty());
    assert_eq!(bench.simulator.console_delete(project, &made.id), Err(Missing::Webhook(made.id)));
}

#[tokio::test]
async fn the_console_neither_normalises_nor_fails_nor_is_recorded() {
    let bench = bench_that(Behaviour { trim_name: true, drop_headers: vec!["*".into()], ..Behaviour::default() }).await;
    bench.simulator.add_fault(Fault::status(500));
    let new = NewWebhook::new(" a ", "https://a.example.com").header("X-Team", "shop");
    bench.simulator.console_create(&bench.project.id, new).unwrap();
    let truth = bench.simulator.webhooks(&bench.project.id);
    assert_eq!((truth[0].name.as_str(), truth[0].headers.len()), (" a ", 1));
    assert!(bench.simulator.calls().is_empty());
}

#[tokio::test]
async fn the_console_knows_only_projects_that_there_are() {
    let bench = bench().await;
    let missing = Missing::Project(NOWHERE.to_owned());
    let new = NewWebhook::new("a", "https://a.example.com");
    assert_eq!(bench.simulator.console_create(NOWHERE, new), Err(missing.clone()));
    assert_eq!(bench.simulator.console_edit(NOWHERE, NOWHERE, WebhookEdit::default()), Err(missing.clone()));
    assert_eq!(bench.simulator.console_delete(NOWHERE, NOWHERE), Err(missing));
    assert!(bench.simulator.webhooks(NOWHERE).is_empty());
}

#[tokio::test]
async fn a_removed_project_is_gone_with_its_webhooks_even_if_it_comes_back() {
    let bench = bench().await;
    let project = &bench.project;
    bench.simulator.console_create(&project.id, NewWebhook::new("a", "https://a.example.com")).unwrap();
    assert!(bench.simulator.remove_project(&project.id));
    assert!(!bench.simulator.remove_project(&project.id));
    assert_eq!(bench.list_request().send().await.unwrap().status(), 404);
    bench.simulator.add_project(&project.organization, &project.id).unwrap();
    assert!(bench.list().await.is_empty());
}

#[tokio::test]
async fn a_project_is_added_once_and_under_ids_that_are_ids() {
    let bench = bench().await;
    let project = &bench.project;
    bench.simulator.console_create(&project.id, NewWebhook::new("a", "https://a.example.com")).unwrap();
    bench.simulator.add_project(&project.organization, &project.id).unwrap();
    assert_eq!(bench.truth(), 1, "it stays as it is");
    assert!(bench.simulator.add_project(NOWHERE, &project.id).is_err());
    assert!(bench.simulator.add_project("organization", NOWHERE).is_err());
}
