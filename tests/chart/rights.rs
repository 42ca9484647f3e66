//! What the operator is granted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::helm::render;

/// `verb resource` for everything that a Role or ClusterRole grants, the group written where it is not ours or the core's.
fn granted(role: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for rule in role["rules"].as_array().unwrap() {
        let named = if rule["resourceNames"].is_array() { " by name" } else { "" };
        for (verb, resource) in texts(&rule["verbs"]).iter().flat_map(|verb| {
            texts(&rule["resources"]).into_iter().map(move |resource| (verb.clone(), resource)).collect::<Vec<_>>()
        }) {
            found.insert(format!("{verb} {resource}{named}"));
        }
    }
    found
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn namespaced(more: Value) -> Value {
    let mut values = json!({ "watchNamespaces": ["shop", "checkout"], "clusterId": "a" });
    crate::support::merge(&mut values, more);
    values
}

#[test]
fn namespaced_mode_has_a_role_for_each_namespace_and_nothing_in_the_cluster() {
    let objects = render("hw", &namespaced(json!({})));
    assert!(of_kind(&objects, "ClusterRole").is_empty() && of_kind(&objects, "ClusterRoleBinding").is_empty());
    for kind in ["Role", "RoleBinding"] {
        let namespaces: Vec<_> = of_kind(&objects, kind).iter().map(|o| o["metadata"]["namespace"].clone()).collect();
        assert_eq!(namespaces, ["shop", "checkout", "hw"], "{kind}");
    }
    for binding in of_kind(&objects, "RoleBinding") {
        let expected = json!([{ "kind": "ServiceAccount", "name": "hookwright", "namespace": "hw" }]);
        assert_eq!(binding["subjects"], expected);
        assert_eq!(binding["roleRef"]["name"], binding["metadata"]["name"]);
    }
    // Those of its own namespace are not those of the ones that it serves: no Secret of it is read.
    let own = granted(of_kind(&objects, "Role")[2]);
    assert!(own.iter().all(|right| !right.contains("secrets") && !right.contains("connections")), "{own:?}");
}

#[test]
fn namespaced_mode_knows_no_cluster_connection() {
    for role in of_kind(&render("hw", &namespaced(json!({}))), "Role") {
        let rights = granted(role);
        assert!(!rights.iter().any(|right| right.contains("clusterconnections")), "{rights:?}");
    }
}

#[test]
fn without_the_watch_secrets_may_be_neither_listed_nor_watched() {
    for values in [json!({}), namespaced(json!({}))] {
        let of_secrets = |values: &Value| -> BTreeSet<String> {
            let objects = render("hw", values);
            let roles = of_kind(&objects, "Role").into_iter().chain(of_kind(&objects, "ClusterRole"));
            roles.flat_map(granted).filter(|right| right.contains("secrets")).collect()
        };
        let set = |rights: &[&str]| rights.iter().map(|right| (*right).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(of_secrets(&values), set(&["get secrets", "list secrets", "watch secrets"]));
        let mut unwatched = values.clone();
        crate::support::merge(&mut unwatched, json!({ "secrets": { "watch": false } }));
        assert_eq!(of_secrets(&unwatched), set(&["get secrets"]));
    }
}

#[test]
fn nothing_is_granted_that_nobody_thought_of() {
    let objects = render("hw", &json!({}));
    let [cluster] = of_kind(&objects, "ClusterRole")[..] else { panic!("one ClusterRole") };
    let [own] = of_kind(&objects, "Role")[..] else { panic!("one Role") };
    let expected = [
        "create events",
        "get configmaps",
        "get namespaces",
        "get secrets",
        "list clusterconnections",
        "list configmaps",
        "list connections",
        "list namespaces",
        "list projectwebhooks",
        "list secrets",
        "list tasknotifications",
        "patch clusterconnections",
        "patch clusterconnections/status",
        "patch connections",
        "patch connections/status",
        "patch events",
        "patch projectwebhooks",
        "patch projectwebhooks/status",
        "patch tasknotifications",
        "patch tasknotifications/status",
        "watch clusterconnections",
        "watch configmaps",
        "watch connections",
        "watch namespaces",
        "watch projectwebhooks",
        "watch secrets",
        "watch tasknotifications",
    ];
    assert_eq!(granted(cluster).iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let expected = ["create leases", "get leases by name", "update leases by name"];
    assert_eq!(granted(own).iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
