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
