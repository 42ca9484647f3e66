use std::time::Duration;

use serde_json::json;

use super::*;

fn object(name: &str, connection: &str, reason: &str) -> ProjectWebhook {
    let project = "64b0c0ffee00000000000001";
    serde_json::from_value(json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook",
        "metadata": { "namespace": "shop", "name": name, "uid": name, "generation": 1 },
        "spec": {
            "connectionRef": { "name": connection }, "organizationId": project, "projectId": project,
            "url": "https://hooks.example.com/a", "events": ["a"], "webhookId": "66b0c0ffee00000000000001",
        },
        "status": {
            "observedGeneration": 1,
            "conditions": [{
                "type": "Ready", "status": "False", "reason": reason, "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    }))
    .unwrap()
}

#[test]
fn who_goes_to_another_connection_frees_what_he_held_for_those_who_wait() {
    let index = Index::new(ClusterId("c".into()));
    let at = |second| Moment::since_start(Duration::from_secs(second));
    let applied = |name: &str, connection: &str, reason: &str, second| {
        let object = object(name, connection, reason);
        index.applied(&object_key(&object), &object, ConnectionKey::of(&object.spec.connection_ref, "shop"), at(second))
    };
    applied("holder", "one", "Synced", 1);
    applied("waits", "one", "Conflict", 1);
    assert!(applied("holder", "one", "Synced", 2).is_empty(), "nothing changed");
    let moved = applied("holder", "another", "Synced", 3);
    let waits = object_key(&object("waits", "one", "Conflict"));
    assert_eq!(moved, std::slice::from_ref(&waits));
    assert_eq!(index.since(&waits), at(3), "what the remote showed before says nothing");
}

#[test]
fn the_members_of_a_project_are_those_that_use_the_connection_now() {
    let index = Index::new(ClusterId("c".into()));
    let project = "64b0c0ffee00000000000001".parse().unwrap();
    let connection = |name: &str| ConnectionKey::of(&object("any", name, "Synced").spec.connection_ref, "shop");
    let applied = |name: &str, to: &str| {
        let object = object(name, to, "Synced");
        index.applied(&object_key(&object), &object, connection(to), Moment::default())
    };
    let members = || ["one", "another"].map(|name| index.members(&connection(name), project));
    ["a", "b", "b"].into_iter().for_each(|name| drop(applied(name, "one")));
    assert_eq!(members(), [2, 0]);
    applied("a", "another");
    assert_eq!(members(), [1, 1]);
    index.deleted(&object_key(&object("a", "another", "Synced")), Moment::default());
    assert_eq!(members(), [1, 0]);
}
