//! Values that are wrong are refused before anything is installed, with what to write instead: refused.yaml.

use serde_json::Value;

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
        merge(&mut values, serde_json::json!({ "leaderElection": { "leaseDuration": lease } }));
        let output = template("hw", &values);
        assert!(output.status.success(), "{lease}: {}", said(&output));
    }
}

#[test]
fn values_that_a_parent_chart_hands_down_are_taken() {
    let mut values = required();
    merge(&mut values, serde_json::json!({ "global": { "imageRegistry": "registry.example.com" } }));
    let output = template("hw", &values);
    assert!(output.status.success(), "{}", said(&output));
}
