//! Values that are wrong are refused before anything is installed, with what to write instead: refused.yaml.

use hookwright::domain::pattern::UrlPattern;
use hookwright::ops::telemetry::LogFormat;
use serde_json::{Value, json};

use crate::helm::{required, said, template};
use crate::support::merge;

#[test]
fn wrong_values_are_refused_with_what_to_write_instead() {
    let rows: Vec<Value> = serde_yaml::from_str(include_str!("refused.yaml")).unwrap();
    assert!(rows.len() > 50, "only {} rows", rows.len());
    let mut wrong = vec![];
    for row in rows {
        let mut values = required();
        merge(&mut values, row["values"].clone());
        let output = template("hw", &values);
        let (said, says) = (said(&output), row["says"].as_str().unwrap());
        if output.status.success() {
            wrong.push(format!("{} is taken", row["values"]));
        } else if !said.contains(says) {
            wrong.push(format!("{}\n  should say {says}\n  but says   {said}", row["values"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The bounds of the flag: `hookwright run` is held to the same ones by its own tests.
#[test]
fn a_lease_of_a_second_and_one_of_ten_minutes_are_taken_however_they_are_written() {
    for lease in ["1s", "01s", "10m", "600s", "9m60s", "0h10m0s"] {
        let mut values = required();
        merge(&mut values, json!({ "leaderElection": { "leaseDuration": lease } }));
        let output = template("hw", &values);
        assert!(output.status.success(), "{lease}: {}", said(&output));
    }
}

/// What the chart takes and the operator refuses would be a pod that never starts.
#[test]
fn the_patterns_and_filters_that_the_chart_takes_are_those_that_the_operator_takes() {
    let is_taken = |values: Value| {
        let mut all = required();
        merge(&mut all, values);
        template("hw", &all).status.success()
    };
    let good = [
        "a.example.com",
        "a.example.com.",
        "bücher.example",
        "HTTP://*.example.com:*",
        "*.*.example.com:65535",
        "https://[::1]:8443",
        "10.0.0.1:80",
    ];
    let bad = [
        "*.example.com.",
        "a^b.example",
        "a|b",
        "a\\b",
        "a*.example.com",
        "a.example.com:",
        "a..example.com",
        "ftp://a",
        "a:b",
        "a:65536",
        "a.example.com/p",
        "[::1",
        "",
    ];
    for pattern in good.into_iter().chain(bad) {
        let expected = good.contains(&pattern);
        assert_eq!(pattern.parse::<UrlPattern>().is_ok(), expected, "the operator: {pattern:?}");
        assert_eq!(is_taken(json!({ "allowedReceivers": [pattern] })), expected, "the chart: {pattern:?}");
    }
    let good =
        ["debug", "WARN", "info,hookwright=debug", "off,hookwright::controller=5", "info,hookwright[pass]=trace"];
    let bad = ["hookwright=loud", "info,=x=y", "hookwright=6"];
    for filter in good.into_iter().chain(bad) {
        let expected = good.contains(&filter);
        let operator = hookwright::ops::telemetry::subscriber(LogFormat::Json, filter, std::io::sink).is_ok();
        assert_eq!(operator, expected, "the operator: {filter:?}");
        assert_eq!(is_taken(json!({ "logLevel": filter })), expected, "the chart: {filter:?}");
    }
}

#[test]
fn values_that_a_parent_chart_hands_down_are_taken() {
    let mut values = required();
    merge(&mut values, json!({ "global": { "imageRegistry": "registry.example.com" } }));
    let output = template("hw", &values);
    assert!(output.status.success(), "{}", said(&output));
}
