//! Alerts, dashboard and runbooks speak of metrics, labels and reasons that the operator has, and of one another.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use hookwright::api::condition::{Class, Reason};
use hookwright::ops::metrics::{Kind, Metrics, OrphanCause, PassResult, Provider, StatusClass};
use hookwright::remote::error::Call;
use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, LabelModifier, VectorSelector, parse};
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::{Value, json};

use crate::helm::{only, render, root};

/// What Prometheus adds to all that it scrapes.
const SCRAPED: [&str; 4] = ["instance", "job", "namespace", "pod"];

/// Each series that the operator can have: its labels, and the values of each.
type Series = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What `/metrics` says once everything that is counted has happened.
fn exposed_text() -> String {
    let metrics = Metrics::new();
    let call = Call { name: "list", method: "GET", target: "t", template: "/t" };
    metrics.leads(true);
    for provider in Provider::ALL {
        metrics.paced(*provider, Duration::ZERO);
        StatusClass::ALL.iter().for_each(|class| metrics.remote_call(*provider, call, *class, Duration::ZERO));
    }
    for kind in Kind::ALL {
        Reason::ALL.iter().for_each(|reason| metrics.object_reason(*kind, None, Some(*reason)));
        PassResult::ALL.iter().for_each(|result| metrics.passed(*kind, *result, Duration::ZERO));
        metrics.corrected(*kind);
        OrphanCause::ALL.iter().for_each(|cause| metrics.orphaned(*kind, *cause));
        metrics.duplicate_removed(*kind);
        metrics.resync_lag(*kind, Duration::ZERO);
        metrics.resync_stretch(*kind, 1.0);
    }
    metrics.encode()
}

/// The series in that.
fn exposed() -> Series {
    let mut series = Series::new();
    for line in exposed_text().lines().filter(|line| !line.starts_with('#')) {
        let Expr::VectorSelector(VectorSelector { name: Some(name), matchers, .. }) =
            parse(line.rsplit_once(' ').unwrap().0).unwrap_or_else(|error| panic!("{line}: {error}"))
        else {
            panic!("{line} is no sample")
        };
        let labels = series.entry(name).or_default();
        for Matcher { name, value, .. } in matchers.matchers {
            labels.entry(name).or_default().insert(value);
        }
    }
    series
}

/// What an expression asks for.
#[derive(Default)]
struct Asked {
    selectors: Vec<VectorSelector>,
    grouped: BTreeSet<String>,
}

impl ExprVisitor for Asked {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.selectors.push(selector.clone()),
            // The walk does not go into it by itself.
            Expr::MatrixSelector(matrix) => self.selectors.push(matrix.vs.clone()),
            Expr::Aggregate(aggregate) => {
                if let Some(LabelModifier::Include(labels) | LabelModifier::Exclude(labels)) = &aggregate.modifier {
                    self.grouped.extend(labels.labels.iter().cloned());
                }
            }
            _ => {}
        }
        Ok(true)
    }
}

fn asked(expr: &str) -> Asked {
    // Grafana's own variable for a duration.
    let parsed = parse(&expr.replace("$__rate_interval", "5m")).unwrap_or_else(|error| panic!("{expr}: {error}"));
    let mut asked = Asked::default();
    let Ok(_) = walk_expr(&mut asked, &parsed);
    assert!(!asked.selectors.is_empty(), "{expr} selects nothing");
    asked
}

/// Everything in an expression that the operator does not have.
fn unknown(expr: &str, series: &Series) -> Vec<String> {
    let Asked { selectors, grouped } = asked(expr);
    let (mut wrong, mut known) = (vec![], BTreeSet::from(SCRAPED));
    for selector in &selectors {
        let name = selector.name.as_deref().unwrap_or_default();
        let Some(labels) = series.get(name) else {
            wrong.push(format!("metric {name}"));
            continue;
        };
        known.extend(labels.keys().map(String::as_str));
        assert!(selector.matchers.or_matchers.is_empty(), "{expr}: say it with =~");
        for matcher in &selector.matchers.matchers {
            match labels.get(&matcher.name) {
                None if SCRAPED.contains(&matcher.name.as_str()) => {}
                None => wrong.push(format!("label {} of {name}", matcher.name)),
                Some(values) => {
                    let missing = matcher.value.split('|').filter(|value| !values.contains(*value));
                    wrong.extend(missing.map(|value| format!("{}={value} of {name}", matcher.name)));
                }
            }
        }
    }
    wrong.extend(grouped.iter().filter(|label| !known.contains(label.as_str())).map(|label| format!("label {label}")));
    wrong
}

fn rendered() -> Vec<Value> {
    let on = json!({ "enabled": true });
    render("hw", &json!({ "metrics": { "serviceMonitor": on, "prometheusRule": on, "dashboard": on } }))
}

/// The alerts, by name.
fn alerts() -> BTreeMap<String, Value> {
    let objects = rendered();
    let groups = only(&objects, "PrometheusRule")["spec"]["groups"].as_array().unwrap().clone();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
    rules.map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule)).collect()
}

fn expr(rule: &Value) -> &str {
    rule["expr"].as_str().unwrap()
}

fn dashboard() -> Value {
    let objects = rendered();
    serde_json::from_str(only(&objects, "ConfigMap")["data"]["hookwright.json"].as_str().unwrap()).unwrap()
}

#[test]
fn alerts_ask_only_for_metrics_labels_and_values_that_exist() {
    let (series, alerts) = (exposed(), alerts());
    assert!(alerts.len() >= 10, "only {} alerts", alerts.len());
    for (name, rule) in &alerts {
        assert_eq!(unknown(expr(rule), &series), Vec::<String>::new(), "{name}");
        for selector in asked(expr(rule)).selectors {
            // Or two releases would answer for each other.
            let of_release = |label: &str, value: &str| {
                selector.matchers.matchers.iter().any(|m| m.op == MatchOp::Equal && m.name == label && m.value == value)
            };
            assert!(of_release("job", "hookwright") && of_release("namespace", "hw"), "{name}: {selector}");
        }
    }
}

#[test]
fn the_dashboard_asks_only_for_metrics_labels_and_values_that_exist() {
    let (series, dashboard) = (exposed(), dashboard());
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(unknown(expr(target), &series), Vec::<String>::new(), "{}", panel["title"]);
            shown.extend(asked(expr(target)).selectors.into_iter().filter_map(|selector| selector.name));
        }
    }
    // `label_values(SELECTOR, LABEL)` is Grafana's.
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().filter(|v| v["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap();
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).expect(query);
        let (selector, label) = inner.rsplit_once(", ").expect(query);
        assert_eq!(unknown(selector, &series), Vec::<String>::new(), "{query}");
        assert!(SCRAPED.contains(&label), "{query}");
    }
    // Of each metric there is a panel; a histogram is shown by its buckets.
    let parts = ["_sum", "_count"];
    let missing: Vec<_> = series.keys().filter(|name| !parts.iter().any(|part| name.ends_with(part))).collect();
    let missing: Vec<_> = missing.into_iter().filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "on no panel of the dashboard: {missing:?}");
}

#[test]
fn what_does_not_exist_is_found() {
    let series = exposed();
    for (expr, wrong) in [
        ("hookwright_object", "metric hookwright_object"),
        ("rate(hookwright_passes[5m])", "metric hookwright_passes"),
        ("sum by (kind) (rate(hookwright_pass_duration_seconds[5m]))", "metric hookwright_pass_duration_seconds"),
        ("hookwright_objects{result=\"failed\"}", "label result of hookwright_objects"),
        ("hookwright_objects{reason=~\"Synced|Sinked\"}", "reason=Sinked of hookwright_objects"),
        ("hookwright_objects{reason!~\"Sinked\"}", "reason=Sinked of hookwright_objects"),
        ("sum by (provider) (hookwright_objects)", "label provider"),
    ] {
        assert!(unknown(expr, &series).contains(&wrong.to_owned()), "{expr}: {:?}", unknown(expr, &series));
    }
}

#[test]
fn each_reason_that_is_not_good_for_long_has_one_alert_and_no_good_one_has() {
    let alerts = alerts();
    for reason in Reason::ALL {
        let chooses = |selector: &VectorSelector| {
            selector.name.as_deref() == Some("hookwright_objects")
                && selector.matchers.matchers.iter().filter(|m| m.name == "reason").all(|m| m.is_match(reason.as_str()))
        };
        let of_it: Vec<_> = alerts.iter().filter(|(_, rule)| asked(expr(rule)).selectors.iter().any(chooses)).collect();
        let names: Vec<_> = of_it.iter().map(|(name, _)| name.as_str()).collect();
        // Where webhooks come and go all the time, some always are Progressing.
        let expected = usize::from(reason.class() != Class::Ready && *reason != Reason::Progressing);
        assert_eq!(names.len(), expected, "{reason}: {names:?}");
    }
}

/// The cells of the rows of a table in `docs/operations.md`, by the first, without backticks.
fn documented(header: &str) -> BTreeMap<String, Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let table = page.split(header).nth(1).unwrap_or_else(|| panic!("docs/operations.md has no table {header}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>();
    rows.map(cells).map(|cells| (cells[0].clone(), cells[1..].to_vec())).collect()
}

/// The words of a list in a cell, without what is explained of each.
fn words(cell: &str) -> BTreeSet<String> {
    cell.split(", ").map(|item| item.split(' ').next().unwrap().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[test]
fn the_tables_of_metrics_and_labels_are_those_that_the_operator_has() {
    let text = exposed_text();
    let types: BTreeMap<_, _> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let (mut metrics, mut labels) = (BTreeMap::new(), Series::new());
    for (name, of_it) in exposed() {
        let metric =
            types.keys().filter(|metric| name.starts_with(**metric)).max_by_key(|metric| metric.len()).unwrap();
        // As queries name it: a histogram without the endings of its parts.
        let name = if types[metric] == "histogram" { (*metric).to_owned() } else { name };
        let own: BTreeSet<_> = of_it.keys().filter(|label| *label != "le").cloned().collect();
        metrics.entry(name).or_insert((types[metric].to_owned(), BTreeSet::new())).1.extend(own);
        for (label, values) in of_it {
            labels.entry(label).or_default().entry(String::new()).or_default().extend(values);
        }
    }
    let rows = documented("| metric | type | labels | what it is |");
    let told: BTreeMap<_, _> =
        rows.into_iter().map(|(name, cells)| (name, (cells[0].clone(), words(&cells[1])))).collect();
    assert_eq!(told, metrics);
    let rows = documented("| label | values |");
    for label in ["provider", "status_class", "kind", "result", "cause"] {
        assert_eq!(words(&rows[label][0]), labels[label][""], "{label}");
    }
    let known: BTreeSet<_> = metrics.values().flat_map(|(_, labels)| labels).map(String::as_str).collect();
    let explained: BTreeSet<_> = rows.keys().map(String::as_str).chain(["version"]).collect();
    assert_eq!(known, explained);
}

#[test]
fn a_webhook_that_was_to_stay_alerts_nobody_and_is_not_on_the_dashboard_as_left_behind() {
    let (alerts, dashboard) = (alerts(), dashboard());
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let selectors: Vec<_> = alerts.values().chain(targets).flat_map(|rule| asked(expr(rule)).selectors).collect();
    let of_orphans: Vec<_> =
        selectors.iter().filter(|selector| selector.name.as_deref() == Some("hookwright_orphans_total")).collect();
    assert!(of_orphans.len() >= 4, "only {of_orphans:?}");
    for selector in of_orphans {
        let chooses = |cause: OrphanCause| {
            selector.matchers.matchers.iter().filter(|m| m.name == "cause").all(|m| m.is_match(cause.as_str()))
        };
        assert!(chooses(OrphanCause::Left) && !chooses(OrphanCause::Wanted), "{selector}");
    }
}

#[test]
fn each_alert_has_a_runbook_and_each_runbook_an_alert() {
    let page = std::fs::read_to_string(root().join("docs/runbooks.md")).unwrap();
    let sections: BTreeMap<_, _> =
        page.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    let alerts = alerts();
    assert_eq!(sections.keys().copied().collect::<Vec<_>>(), alerts.keys().map(String::as_str).collect::<Vec<_>>());
    for (name, rule) in &alerts {
        // As renderers of Markdown name a heading.
        let expected = format!("docs/runbooks.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook_url"], expected);
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|summary| summary.len() > 10), "{name}");
        assert!(["critical", "warning", "info"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for part in ["**Meaning.**", "**Impact.**", "**Look at**", "**Do.**"] {
            assert!(sections[name.as_str()].contains(part), "{name} has no {part} in docs/runbooks.md");
        }
    }
}

#[test]
fn what_prometheus_scrapes_is_the_port_that_the_operator_serves() {
    let objects = rendered();
    let (monitor, service) = (only(&objects, "ServiceMonitor"), only(&objects, "Service"));
    let labels = service["metadata"]["labels"].as_object().unwrap();
    for (name, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(labels.get(name), Some(value), "the Service's label {name}");
    }
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    let pod = &only(&objects, "Deployment")["spec"]["template"];
    for (name, value) in service["spec"]["selector"].as_object().unwrap() {
        assert_eq!(pod["metadata"]["labels"][name], *value, "the pod's label {name}");
    }
    let port = &pod["spec"]["containers"][0]["ports"][0];
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    let address = format!("--http-addr=0.0.0.0:{}", port["containerPort"]);
    assert!(pod["spec"]["containers"][0]["args"].as_array().unwrap().contains(&json!(address)));
}
