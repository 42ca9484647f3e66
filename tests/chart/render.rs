//! What is rendered, as the API server sees it.

use std::collections::BTreeSet;

use hookwright::api::crd_documents;
use serde_json::{Value, json};

use crate::cluster::{all_accepted, shared};
use crate::helm::{Values, chart, helm, only, render, required, root, said, template};
use crate::pages::pages;
use crate::support::{merge, random};

fn yaml(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn everything() -> Value {
    yaml("tests/chart/values/everything.yaml")
}

/// The blocks of values in README and docs: YAML that is no manifest.
fn documented() -> Vec<Value> {
    let blocks = pages().into_iter().flat_map(|page| page.yaml());
    blocks.flat_map(|block| block.documents()).filter(|document| document["apiVersion"].is_null()).collect()
}

#[test]
fn helm_lint_has_nothing_against_the_chart() {
    for values in [required(), everything()] {
        let values = Values::new(&values);
        let output = helm(["lint", "--strict", chart().to_str().unwrap(), &values.flag()]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(!said(&output).contains("[WARNING]"), "{}", said(&output));
    }
}

#[tokio::test]
async fn what_is_rendered_by_default_is_accepted_by_the_api_server() {
    let objects = render(&random("chart"), &json!({}));
    assert!(objects.len() > 8, "only {} objects", objects.len());
    all_accepted(&shared().await, "the defaults", &objects).await;
}

#[tokio::test]
async fn what_is_rendered_with_every_value_set_is_accepted_by_the_api_server() {
    let objects = render(&random("chart"), &everything());
    for kind in ["ServiceMonitor", "PrometheusRule", "NetworkPolicy", "ConfigMap"] {
        only(&objects, kind);
    }
    all_accepted(&shared().await, "everything", &objects).await;
}

#[tokio::test]
async fn the_values_that_the_docs_show_are_accepted_one_by_one_and_together() {
    let (client, blocks) = (shared().await, documented());
    assert!(blocks.len() >= 6, "only {} blocks of values in README and docs", blocks.len());
    let mut together = json!({});
    for block in &blocks {
        let mut values = block.clone();
        merge(&mut together, block.clone());
        merge(&mut values, required());
        all_accepted(&client, &block.to_string(), &render(&random("chart"), &values)).await;
    }
    all_accepted(&client, "all blocks", &render(&random("chart"), &together)).await;
}

/// Each value below, by its path; a list or a map of free names is one value.
fn leaves(path: &str, value: &Value, found: &mut BTreeSet<(String, String)>) {
    match value.as_object() {
        Some(map) if !FREE.contains(&path) => {
            let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            map.iter().for_each(|(name, value)| leaves(&inner(name), value, found));
        }
        _ => drop(found.insert((path.to_owned(), value.to_string()))),
    }
}

/// Maps whose keys are free.
const FREE: [&str; 11] = [
    "affinity",
    "crds.annotations",
    "metrics.dashboard.labels",
    "metrics.prometheusRule.labels",
    "metrics.serviceMonitor.labels",
    "nodeSelector",
    "podAnnotations",
    "podLabels",
    "resources.limits",
    "resources.requests",
    "serviceAccount.annotations",
];

#[test]
fn the_file_with_every_value_sets_every_value() {
    let (mut defaults, mut set) = (BTreeSet::new(), BTreeSet::new());
    leaves("", &yaml("charts/hookwright/values.yaml"), &mut defaults);
    leaves("", &everything(), &mut set);
    let same: Vec<_> = defaults.intersection(&set).collect();
    assert!(same.is_empty(), "as by default: {same:?}");
    let paths = |all: &BTreeSet<(String, String)>| all.iter().map(|(path, _)| path.clone()).collect::<BTreeSet<_>>();
    assert_eq!(paths(&defaults), paths(&set));
}

/// `value` at a path of names, in the place of what is there.
fn put(values: &mut Value, path: &str, value: &Value) {
    let place = path.split('.').fold(values, |place, name| &mut place[name]);
    *place = value.clone();
}

/// What is rendered, unless the values are refused.
fn rendered(values: &Value) -> Option<Vec<u8>> {
    let output = template("hw", values);
    output.status.success().then_some(output.stdout)
}

#[test]
fn each_value_changes_what_is_rendered() {
    let (defaults, everything) = (yaml("charts/hookwright/values.yaml"), everything());
    let least = json!({ "image": { "repository": "another.example.com/hookwright" } });
    let mut paths = BTreeSet::new();
    leaves("", &defaults, &mut paths);
    let at = |values: &Value, path: &str| path.split('.').fold(values.clone(), |value, name| value[name].clone());
    let (before, whole) = (rendered(&least).unwrap(), rendered(&everything).unwrap());
    // Set alone, or, where it needs another value, unset alone, or with one item less.
    let changes = |path: &str| {
        let differs = |values: &Value, value: &Value, from: &[u8]| {
            let mut values = values.clone();
            put(&mut values, path, value);
            rendered(&values).is_some_and(|text| text != from)
        };
        let value = at(&everything, path);
        let shorter = value.as_array().map(|items| json!(items[1..]));
        differs(&least, &value, &before)
            || differs(&everything, &at(&defaults, path), &whole)
            || shorter.is_some_and(|shorter| differs(&everything, &shorter, &whole))
    };
    assert_eq!(rendered(&everything).unwrap(), whole, "what is never the same twice would show any value");
    let without: Vec<_> = paths.iter().map(|(path, _)| path.as_str()).filter(|path| !changes(path)).collect();
    assert_eq!(without, [] as [&str; 0], "no object shows these values");
}

#[test]
fn by_default_pods_are_probed_bounded_and_spread_and_all_that_is_about_them_selects_them() {
    let objects = render("hw", &json!({ "networkPolicy": { "enabled": true } }));
    let template = &only(&objects, "Deployment")["spec"]["template"];
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"], json!({ "path": "/healthz", "port": "http" }));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({ "path": "/readyz", "port": "http" }));
    assert_eq!(container["ports"], json!([{ "name": "http", "containerPort": 8080 }]));
    for bound in ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"] {
        assert!(container.pointer(bound).is_some(), "{bound}");
    }
    let spread = &template["spec"]["topologySpreadConstraints"][0];
    assert_eq!(spread["topologyKey"], "kubernetes.io/hostname");
    let budget = &only(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    let policy = &only(&objects, "NetworkPolicy")["spec"];
    assert_eq!(policy["ingress"], json!([{ "ports": [{ "protocol": "TCP", "port": "http" }] }]));
    let ports: Vec<_> =
        policy["egress"][0]["ports"].as_array().unwrap().iter().map(|port| port["port"].clone()).collect();
    assert_eq!(ports, [53, 53, 443, 6443]);
    let labels = template["metadata"]["labels"].as_object().unwrap();
    let (service, deployment) = (&only(&objects, "Service")["spec"], &only(&objects, "Deployment")["spec"]);
    let selectors = [
        &deployment["selector"]["matchLabels"],
        &spread["labelSelector"]["matchLabels"],
        &budget["selector"]["matchLabels"],
        &policy["podSelector"]["matchLabels"],
        &service["selector"],
    ];
    for selector in selectors {
        assert_eq!(selector["app.kubernetes.io/component"], "operator", "not the test pod too");
        let selects = |(name, value): (&String, &Value)| labels.get(name) == Some(value);
        assert!(selector.as_object().unwrap().iter().all(selects), "{selector} selects no pod of {labels:?}");
    }
}

/// Every schema below, and where it is.
fn schemas<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    found.push((path.to_owned(), schema));
    for (name, property) in schema["properties"].as_object().into_iter().chain(schema["$defs"].as_object()).flatten() {
        schemas(&format!("{path}.{name}"), property, found);
    }
    if schema["items"].is_object() {
        schemas(&format!("{path}[]"), &schema["items"], found);
    }
}

#[test]
fn the_schema_knows_each_value_and_nothing_beyond() {
    let text = std::fs::read_to_string(chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let mut all = vec![];
    schemas("", &schema, &mut all);
    // A map of free names has the schema of its values there.
    let is_open = |schema: &Value| {
        let more = &schema["additionalProperties"];
        schema["type"] == "object" && !more.is_object() && *more != false
    };
    let open: BTreeSet<_> = all.iter().filter(|(_, schema)| is_open(schema)).map(|(path, _)| path.as_str()).collect();
    // Kubernetes' own, and what is not ours.
    let expected = [".affinity.nodeAffinity", ".affinity.podAffinity", ".affinity.podAntiAffinity", ".global"];
    assert_eq!(open, expected.into());
    let mut defaults = BTreeSet::new();
    leaves("", &yaml("charts/hookwright/values.yaml"), &mut defaults);
    for (path, _) in defaults {
        assert!(all.iter().any(|(known, _)| *known == format!(".{path}")), "{path} is not in values.schema.json");
    }
}

#[test]
fn the_definitions_are_those_of_the_types_kept_and_with_a_switch() {
    let objects = render("hw", &json!({}));
    let rendered: Vec<_> = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition").collect();
    let types = crd_documents().unwrap();
    assert_eq!(rendered.len(), types.len());
    for (plural, text) in types {
        let expected: Value = serde_yaml::from_str(&text).unwrap();
        let is_it = |crd: &&&Value| crd["metadata"]["name"] == expected["metadata"]["name"];
        let crd = rendered.iter().find(is_it).unwrap_or_else(|| panic!("{plural} is not rendered"));
        assert_eq!(crd["spec"], expected["spec"], "{plural}");
        assert_eq!(crd["metadata"]["annotations"], json!({ "helm.sh/resource-policy": "keep" }));
    }
    let without = render("hw", &json!({ "crds": { "install": false } }));
    assert!(without.iter().all(|object| object["kind"] != "CustomResourceDefinition"));
    assert_eq!(without.len(), objects.len() - rendered.len());
}

#[test]
fn the_chart_has_the_version_of_the_crate() {
    let about = yaml("charts/hookwright/Chart.yaml");
    for field in ["version", "appVersion"] {
        assert_eq!(about[field], env!("CARGO_PKG_VERSION"), "{field} in Chart.yaml");
    }
    let objects = render("hw", &json!({}));
    let image = &only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, concat!("registry.example.com/hookwright:", env!("CARGO_PKG_VERSION")));
    let digest = format!("sha256:{}", "0".repeat(64));
    let objects = render("hw", &json!({ "image": { "tag": "1.2.3", "digest": digest } }));
    let image = &only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("registry.example.com/hookwright:1.2.3@{digest}"));
}
