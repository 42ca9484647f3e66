//! What is generated and committed is what the types yield now, and what it says is fit for `kubectl explain`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hookwright::api::crd_documents;
use serde_json::Value;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crds")
}

#[test]
fn the_definitions_in_crds_are_what_the_types_yield() {
    let generated: Vec<_> = crd_documents().unwrap();
    let names: BTreeSet<_> = generated.iter().map(|(plural, _)| format!("{plural}.yaml")).collect();
    let there: BTreeSet<_> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, names, "the files in crds/: run `cargo xtask codegen`, and delete what is no longer generated");
    for (plural, yaml) in generated {
        let committed = std::fs::read_to_string(directory().join(format!("{plural}.yaml"))).unwrap();
        let same = committed == yaml;
        assert!(
            same,
            "crds/{plural}.yaml is stale: run `cargo xtask codegen`, and apply it to the clusters you test on"
        );
    }
}

#[test]
fn each_kind_has_a_health_script_for_argo_cd_and_all_are_the_one_that_is_maintained() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/argocd");
    let read =
        |path: &str| std::fs::read_to_string(directory.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let script = read("health.lua");
    let scripts = directory.join("resource_customizations/hookwright.dev");
    let kinds = std::fs::read_dir(scripts).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kinds: BTreeSet<_> = kinds.collect();
    for (_, crd) in crds() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        assert!(kinds.contains(kind), "examples/argocd/resource_customizations/hookwright.dev has nothing for {kind}");
    }
    let argocd_cm: Value = serde_yaml::from_str(&read("argocd-cm.yaml")).unwrap();
    let mut data = argocd_cm["data"].as_object().unwrap().clone();
    for kind in kinds {
        let copy = read(&format!("resource_customizations/hookwright.dev/{kind}/health.lua"));
        assert!(copy == script, "the copy for {kind} is stale: run `cargo xtask codegen`");
        let key = format!("resource.customizations.health.hookwright.dev_{kind}");
        let same = data.remove(&key) == Some(Value::from(script.as_str()));
        assert!(same, "{key} in argocd-cm.yaml is stale: run `cargo xtask codegen`");
    }
    assert!(data.is_empty(), "argocd-cm.yaml holds more than scripts of kinds: {data:#?}");
}

/// One schema below `spec` or `status`, and where it is.
struct Field<'a> {
    at: String,
    schema: &'a Value,
}

/// Every schema below `spec` and `status` of every kind: the fields, the items of lists and the values of maps.
fn fields(crds: &[(String, Value)]) -> Vec<Field<'_>> {
    let mut found = vec![];
    for (plural, crd) in crds {
        for part in ["spec", "status"] {
            let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
            walk(format!("{plural}: {part}"), schema, &mut found);
        }
    }
    assert!(found.len() > 50, "only {} fields were found", found.len());
    found
}

fn walk<'a>(at: String, schema: &'a Value, found: &mut Vec<Field<'a>>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(format!("{at}.{name}"), property, found);
    }
    for (parts, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[parts].is_object() {
            walk(format!("{at}{sign}"), &schema[parts], found);
        }
    }
    found.push(Field { at, schema });
}

fn crds() -> Vec<(String, Value)> {
    crd_documents().unwrap().into_iter().map(|(plural, yaml)| (plural, serde_yaml::from_str(&yaml).unwrap())).collect()
}

#[test]
fn every_field_is_described() {
    let crds = crds();
    // What stands in a list or map is described by the list or map.
    let named = |field: &&Field| !field.at.ends_with(['[', ']', '{', '}']);
    let silent = |field: &&Field| field.schema["description"].as_str().is_none_or(|text| text.trim().len() < 5);
    let silent: Vec<_> = fields(&crds).iter().filter(named).filter(silent).map(|field| field.at.clone()).collect();
    assert!(silent.is_empty(), "without a description (a doc comment in src/api): {silent:#?}");
}

#[test]
fn every_field_is_bounded() {
    let crds = crds();
    let is_bounded = |field: &&Field| {
        let has = |bound: &str| field.schema.get(bound).is_some();
        match field.schema["type"].as_str().unwrap() {
            "boolean" => true,
            // A date-time has a form of its own.
            "string" => has("enum") || has("maxLength") || field.schema["format"] == "date-time",
            "array" => has("maxItems"),
            // Of numbers in a status, the type is the bound: they count what Kubernetes and the operator count.
            "integer" | "number" if field.at.contains(": status") => {
                has("minimum") && (has("maximum") || has("format"))
            }
            "integer" | "number" => has("minimum") && has("maximum"),
            // One with fields is bounded by them; one with free names by their number.
            "object" => has("properties") || has("maxProperties"),
            other => panic!("{}: what bounds a {other}?", field.at),
        }
    };
    let all = fields(&crds);
    let unbounded: Vec<_> = all.iter().filter(|field| !is_bounded(field)).map(|field| field.at.clone()).collect();
    assert!(unbounded.is_empty(), "without a bound (#[schemars(…)] in src/api): {unbounded:#?}");
}

#[test]
fn nothing_in_a_list_has_a_default() {
    // Whoever applies a manifest by a JSON merge patch, as `kubectl apply` and Argo CD do, replaces lists whole: a value that
    // the API server adds to an item would be a difference to Git for ever.
    let crds = crds();
    for field in fields(&crds).iter().filter(|field| field.at.contains("[]")) {
        assert!(field.schema.get("default").is_none(), "{} is in a list and has a default", field.at);
    }
}

#[test]
fn every_rule_has_a_plain_message() {
    let crds = crds();
    let mut rules = 0;
    for field in fields(&crds) {
        for rule in field.schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            // A message that quotes its rule is for programmers.
            let plain = message.len() > 20 && !message.contains("self.") && !message.contains("()");
            assert!(plain, "{}: rule {} has no plain message: {message:?}", field.at, rule["rule"]);
            rules += 1;
        }
    }
    assert!(rules > 10, "only {rules} rules were found");
}

#[test]
fn every_pattern_is_said_in_words_by_a_rule_beside_it() {
    // "should match '^[0-9a-fA-F]{24}$'" tells nobody what to write. The pattern is for tools that know no CEL.
    let crds = crds();
    for field in fields(&crds).iter().filter(|field| field.schema.get("pattern").is_some()) {
        let holder = field.at.trim_end_matches("[]");
        let said = fields(&crds).iter().any(|other| {
            (other.at == field.at || other.at == holder) && other.schema.get("x-kubernetes-validations").is_some()
        });
        assert!(said, "{} has a pattern and no rule with a message", field.at);
    }
}
