//! Manifests that the API server itself refuses: each bound and each rule of the schemas has at least one.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use hookwright::api::crd_documents;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde::Deserialize;
use serde_json::Value;

use super::rows::{accepted, expand, write};
use crate::support::World;

/// A row of refused*.yaml; see refused.yaml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    at: OneOrMore,
    /// The field that the message is about, if it is not the one that is written.
    of: Option<String>,
    #[serde(default)]
    write: Value,
    #[serde(default)]
    leave_out: bool,
    #[serde(default)]
    as_update: bool,
    breaks: OneOrMore,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn each(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// One thing that refuses: kind, field, and the bound's name or the rule's message.
type Guard = (String, String, String);

/// One manifest that is to be refused.
#[derive(Debug)]
struct Bad {
    manifest: Value,
    /// The accepted one that becomes the bad one, where only an update is refused.
    update_of: Option<Value>,
    kind: String,
    field: String,
    breaks: Vec<String>,
}

fn bad_manifests() -> Vec<Bad> {
    let accepted = accepted();
    let tables = [
        include_str!("refused.yaml"),
        include_str!("refused-references.yaml"),
        include_str!("refused-connections.yaml"),
        include_str!("refused-code-arts.yaml"),
        include_str!("refused-task-notifications.yaml"),
    ];
    let rows: Vec<Row> = tables.iter().flat_map(|text| serde_yaml::from_str::<Vec<Row>>(text).unwrap()).collect();
    let one = |row: &Row, at: &String| {
        let (base, field) = at.split_once(' ').unwrap_or_else(|| panic!("{at}: write a manifest's name and a field"));
        let base = accepted.get(base).unwrap_or_else(|| panic!("{base} is not in accepted.yaml"));
        let mut manifest = base.clone();
        let value = (!row.leave_out).then(|| expand(row.write.clone(), 0));
        write(&mut manifest, field, value);
        Bad {
            manifest,
            update_of: row.as_update.then(|| base.clone()),
            kind: base["kind"].as_str().unwrap().to_owned(),
            field: row.of.clone().unwrap_or_else(|| field.to_owned()),
            breaks: row.breaks.each().to_vec(),
        }
    };
    rows.iter().flat_map(|row| row.at.each().iter().map(move |at| one(row, at))).collect()
}

/// Everything in the schemas that can refuse a manifest, with what the API server then says.
fn guards() -> BTreeMap<Guard, String> {
    let mut found = BTreeMap::new();
    for (_, yaml) in crd_documents().unwrap() {
        let crd: Value = serde_yaml::from_str(&yaml).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for name in schema["required"].as_array().unwrap() {
            found.insert((kind.into(), name.as_str().unwrap().into(), "required".into()), "Required value".into());
        }
        walk(kind, "spec", &schema["properties"]["spec"], &mut found);
    }
    found
}

fn walk(kind: &str, at: &str, schema: &Value, found: &mut BTreeMap<Guard, String>) {
    let mut add = |at: &str, bound: &str, says: String| found.insert((kind.into(), at.into(), bound.into()), says);
    for name in schema["required"].as_array().into_iter().flatten() {
        add(&format!("{at}.{}", name.as_str().unwrap()), "required", "Required value".into());
    }
    for (bound, says) in bounds(schema) {
        add(at, bound, says);
    }
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let message = rule["message"].as_str().unwrap();
        add(at, message, message.into());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(kind, &format!("{at}.{name}"), property, found);
    }
    for (parts, sign) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[parts].is_object() {
            walk(kind, &format!("{at}{sign}"), &schema[parts], found);
        }
    }
}

/// The bounds of one schema, and the essential part of what the API server says of each.
fn bounds(schema: &Value) -> Vec<(&'static str, String)> {
    let number = |bound: &Value| bound.as_f64().unwrap_or_default();
    let mut found = vec![];
    for (name, bound) in schema.as_object().into_iter().flatten() {
        found.push(match name.as_str() {
            "pattern" => ("pattern", format!("should match '{}'", bound.as_str().unwrap())),
            "minLength" => ("minLength", format!("should be at least {} chars long", number(bound))),
            "maxLength" => ("maxLength", format!("may not be more than {} bytes", number(bound))),
            "minItems" => ("minItems", format!("should have at least {} items", number(bound))),
            "maxItems" => ("maxItems", format!("must have at most {} items", number(bound))),
            "maxProperties" => ("maxProperties", format!("must have at most {} items", number(bound))),
            "minimum" => ("minimum", format!("should be greater than or equal to {}", number(bound))),
            "maximum" => ("maximum", format!("should be less than or equal to {}", number(bound))),
            "enum" => {
                let values: Vec<_> = bound.as_array().unwrap().iter().map(Value::to_string).collect();
                ("enum", format!("supported values: {}", values.join(", ")))
            }
            "x-kubernetes-list-type" if bound != "atomic" => ("unique", "Duplicate value".into()),
            // Everything else that a schema may say, and that refuses nothing by itself or is walked elsewhere.
            "type"
            | "description"
            | "default"
            | "properties"
            | "items"
            | "additionalProperties"
            | "required"
            | "x-kubernetes-list-type"
            | "x-kubernetes-list-map-keys"
            | "x-kubernetes-validations" => continue,
            other => panic!("{other} is new in a schema: say here what the API server says of it"),
        });
    }
    found
}

#[test]
fn each_bound_and_rule_of_the_schemas_has_a_manifest_that_breaks_it() {
    let guards: BTreeSet<Guard> = guards().into_keys().collect();
    let broken: BTreeSet<Guard> = bad_manifests()
        .into_iter()
        .flat_map(|bad| {
            let guard = move |breaks: String| (bad.kind.clone(), bad.field.clone(), breaks);
            bad.breaks.into_iter().map(guard).collect::<Vec<_>>()
        })
        .collect();
    let without: Vec<_> = guards.difference(&broken).collect();
    assert!(without.is_empty(), "no row of refused*.yaml breaks these: {without:#?}");
    let unknown: Vec<_> = broken.difference(&guards).collect();
    assert!(unknown.is_empty(), "rows of refused*.yaml break what is not in the schemas: {unknown:#?}");
}

/// A world of definitions only.
async fn api_server() -> World {
    World::with(|setup| setup.no_operator().no_connection()).await
}

#[tokio::test]
async fn the_api_server_accepts_what_is_within_every_bound() {
    let world = api_server().await;
    for (name, manifest) in accepted() {
        dry(&world, &manifest).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test]
async fn the_api_server_refuses_each_bad_manifest_with_the_message_that_says_why() {
    let world = api_server().await;
    let guards = guards();
    let failures: Vec<Vec<String>> =
        stream::iter(bad_manifests()).map(|bad| judge(&world, &guards, bad)).buffer_unordered(8).collect().await;
    let failures = failures.concat();
    assert!(failures.is_empty(), "{} rows:\n{}", failures.len(), failures.join("\n\n"));
}

/// What is wrong with how a bad manifest is refused; nothing, if it is refused as its row says.
async fn judge(world: &World, guards: &BTreeMap<Guard, String>, bad: Bad) -> Vec<String> {
    let manifest = &bad.manifest;
    let refused = match &bad.update_of {
        None => dry(world, manifest).await,
        Some(before) => update(world, before, manifest).await,
    };
    let shown = || serde_json::to_string(manifest).unwrap().chars().take(600).collect::<String>();
    let status = match refused {
        Err(kube::Error::Api(status)) => status,
        other => return vec![format!("not refused, but {other:?}: {}", shown())],
    };
    let causes = status.details.as_ref().map(|details| details.causes.clone()).unwrap_or_default();
    let mut wrong = vec![];
    for breaks in &bad.breaks {
        let Some(says) = guards.get(&(bad.kind.clone(), bad.field.clone(), breaks.clone())) else { continue };
        // Of two that are the same, the API server names the second.
        let of = if breaks == "unique" { format!("{}[]", bad.field) } else { bad.field.replace("{}", ".k") };
        let said =
            causes.iter().any(|cause| without_indexes(&cause.field) == of && cause.message.contains(says.as_str()));
        if !said {
            wrong.push(format!("{} {}: not {says:?} but {causes:#?}: {}", bad.kind, bad.field, shown()));
        }
    }
    wrong
}

fn without_indexes(field: &str) -> String {
    field.split('[').map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join("[")
}

/// Server-side dry run: validated as ever, and not kept.
async fn dry(world: &World, manifest: &Value) -> Result<DynamicObject, kube::Error> {
    let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    world.dynamic(&object).create(&params, &object).await
}

/// Creates an object, and asks what an update of it would do. Under a name of its own: cluster-scoped ones are shared.
async fn update(world: &World, before: &Value, after: &Value) -> Result<DynamicObject, kube::Error> {
    let mut object: DynamicObject = serde_json::from_value(before.clone()).unwrap();
    object.metadata.name = None;
    object.metadata.generate_name = Some("update-".into());
    let api = world.dynamic(&object);
    let name = api.create(&PostParams::default(), &object).await.unwrap().metadata.name.unwrap();
    let spec = serde_json::json!({ "spec": after["spec"] });
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    let result = api.patch(&name, &params, &Patch::Merge(spec)).await;
    api.delete(&name, &DeleteParams::default()).await.unwrap();
    result
}
