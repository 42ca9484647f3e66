//! The language of the tables: accepted manifests, values with repetitions, and writing at a field.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The manifests of accepted.yaml, by name.
pub fn accepted() -> BTreeMap<String, Value> {
    let all: BTreeMap<String, Value> = serde_yaml::from_str(include_str!("accepted.yaml")).unwrap();
    all.into_iter().map(|(name, manifest)| (name, expand(manifest, 0))).collect()
}

/// `${a*3}` becomes `aaa`, `${i}` the count, and `{times: 3, item: x}` a list of three.
pub fn expand(value: Value, count: usize) -> Value {
    match value {
        Value::String(text) => Value::String(expand_text(&text, count)),
        Value::Array(items) => items.into_iter().map(|item| expand(item, count)).collect(),
        Value::Object(map) => match (map.get("times").and_then(Value::as_u64), map.get("item")) {
            (Some(times), Some(item)) => {
                (0..usize::try_from(times).unwrap()).map(|count| expand(item.clone(), count)).collect()
            }
            _ => Value::Object(map.into_iter().map(|(key, value)| (key, expand(value, count))).collect()),
        },
        other => other,
    }
}

fn expand_text(text: &str, count: usize) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        let (inner, after) = from.split_once('}').unwrap_or_else(|| panic!("{text}: no end of ${{"));
        expanded.push_str(before);
        match inner.split_once('*') {
            Some((what, times)) => expanded.push_str(&what.repeat(times.parse().unwrap())),
            None if inner == "i" => expanded.push_str(&format!("{count:04}")),
            None => panic!("{text}: ${{{inner}}} means nothing"),
        }
        rest = after;
    }
    expanded + rest
}

/// Writes a value at `spec.headers[].name`, or with `None` takes it away. `[]` is the first item, `{}` the entry `k`.
pub fn write(manifest: &mut Value, field: &str, value: Option<Value>) {
    let steps = field.replace("[]", ".0").replace("{}", ".k");
    let (path, last) = steps.rsplit_once('.').map_or((None, steps.as_str()), |(path, last)| (Some(path), last));
    let mut at = manifest;
    for step in path.into_iter().flat_map(|path| path.split('.')) {
        at = match at {
            Value::Array(items) => items.get_mut(step.parse::<usize>().unwrap()).expect("an item"),
            Value::Object(map) => map.entry(step).or_insert_with(|| Value::Object(Map::new())),
            other => panic!("{field}: there is {other} on the way"),
        };
    }
    match (at, value) {
        (Value::Array(items), Some(value)) => items[last.parse::<usize>().unwrap()] = value,
        (Value::Object(map), Some(value)) => drop(map.insert(last.into(), value)),
        (Value::Object(map), None) => assert!(map.remove(last).is_some(), "{field} is not there to be left out"),
        (other, value) => panic!("{field}: {value:?} can't be written into {other}"),
    }
}
