//! Helm itself, and what it renders.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::support::merge;

/// What every rendering needs: the one value without a default.
pub fn required() -> Value {
    json!({ "image": { "repository": "registry.example.com/hookwright" } })
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn chart() -> PathBuf {
    root().join("charts/hookwright")
}

/// Runs Helm. Without a cluster unless one is named: nobody's real one may be reached.
pub fn helm<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Output {
    let Some(program) = std::env::var_os("HOOKWRIGHT_TEST_HELM") else {
        panic!("HOOKWRIGHT_TEST_HELM is not set: run `cargo xtask test`, or set it to what `cargo xtask helm` prints")
    };
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    let mut command = std::process::Command::new(program);
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, &home);
    }
    command.env("KUBECONFIG", home.join("none")).args(args).output().expect("helm runs")
}

/// What it printed on both streams.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A file of values, gone with this.
pub struct Values(PathBuf);

impl Values {
    pub fn new(values: &Value) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::random("values"));
        std::fs::write(&path, values.to_string()).unwrap();
        Self(path)
    }

    pub fn flag(&self) -> String {
        format!("--values={}", self.0.display())
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `helm VERB hookwright` in namespace `hw` of a cluster, with these values and those that are required, if the verb takes
/// values; what it said, and whether it succeeded.
pub fn release(kubeconfig: &Path, verb: &str, values: Option<Value>, flags: &[&str]) -> (bool, String) {
    let mut args = vec![verb.to_owned(), "hookwright".into()];
    let values = values.map(|more| {
        let mut all = required();
        merge(&mut all, more);
        Values::new(&all)
    });
    if let Some(values) = &values {
        args.extend([chart().display().to_string(), values.flag()]);
    }
    args.extend(["--namespace=hw".into(), format!("--kubeconfig={}", kubeconfig.display())]);
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let output = helm(&args);
    (output.status.success(), said(&output))
}

/// `helm template` of release `hookwright`, with these values and no others.
pub fn template(namespace: &str, values: &Value) -> Output {
    let values = Values::new(values);
    let chart = chart();
    helm(["template", "hookwright", chart.to_str().unwrap(), "--namespace", namespace, &values.flag()])
}

/// The objects that are rendered with these values and those that are required.
pub fn render(namespace: &str, values: &Value) -> Vec<Value> {
    let mut all = required();
    merge(&mut all, values.clone());
    let output = template(namespace, &all);
    assert!(output.status.success(), "{values}: {}", said(&output));
    documents(&String::from_utf8(output.stdout).unwrap())
}

/// The documents of a YAML text that are something.
pub fn documents(text: &str) -> Vec<Value> {
    let documents = format!("\n{text}");
    let documents = documents.split("\n---").map(|document| serde_yaml::from_str::<Value>(document).expect(document));
    documents.filter(|document| !document.is_null()).collect()
}

/// The only object of a kind.
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} is rendered"));
    assert!(found.next().is_none(), "more than one {kind} is rendered");
    object
}

/// `Kind name`, for messages.
pub fn title(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}
