//! The pods: Pod Security before the API server's own admission, and the arguments before the operator's own parser.

use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cluster::{apply, namespace, shared};
use crate::helm::{only, render};
use crate::support::merge;

/// The Deployment's pod, as its ReplicaSet would make it, and the test pod.
fn pods(objects: &[Value]) -> [Value; 2] {
    let template = &only(objects, "Deployment")["spec"]["template"];
    let mut operator = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "operator" } });
    merge(&mut operator, template.clone());
    let mut test = only(objects, "Pod").clone();
    test["metadata"]["name"] = json!("test");
    [operator, test]
}

/// Asks the API server, its admission included, whether the pod may be.
async fn admitted(client: &Client, namespace: &str, pod: &Value) -> Result<Pod, kube::Error> {
    let mut pod = pod.clone();
    pod["metadata"]["namespace"] = json!(namespace);
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    Api::namespaced(client.clone(), namespace).create(&params, &pod).await
}

async fn restricted(client: &Client) -> String {
    let label = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    namespace(client, label).await
}

#[tokio::test]
async fn the_pods_are_admitted_where_pod_security_is_restricted() {
    let client = shared().await;
    let namespace = restricted(&client).await;
    let objects = render(&namespace, &json!({}));
    apply(&client, only(&objects, "ServiceAccount")).await.unwrap();
    for pod in pods(&objects) {
        let admitted = admitted(&client, &namespace, &pod).await;
        let admitted = admitted.unwrap_or_else(|error| panic!("{}: {error}", pod["metadata"]["name"]));
        let container = &admitted.spec.unwrap().containers[0];
        // What `restricted` does not ask for.
        assert_eq!(container.security_context.as_ref().unwrap().read_only_root_filesystem, Some(true));
        assert_eq!(pod["spec"]["securityContext"]["runAsUser"], 65532);
    }
}

#[tokio::test]
async fn a_pod_that_may_more_is_refused_there() {
    let client = shared().await;
    let namespace = restricted(&client).await;
    let objects = render(&namespace, &json!({}));
    apply(&client, only(&objects, "ServiceAccount")).await.unwrap();
    let broken = [
        ("privileged", json!({ "privileged": true, "allowPrivilegeEscalation": true })),
        ("allowPrivilegeEscalation != false", json!({ "allowPrivilegeEscalation": null })),
        ("unrestricted capabilities", json!({ "capabilities": null })),
        ("runAsNonRoot != true", json!({ "runAsNonRoot": false })),
        ("seccompProfile", json!({ "seccompProfile": { "type": "Unconfined" } })),
    ];
    for pod in pods(&objects) {
        for (why, change) in &broken {
            let mut pod = pod.clone();
            merge(&mut pod["spec"]["containers"][0]["securityContext"], change.clone());
            let error = admitted(&client, &namespace, &pod).await.map(drop).expect_err(why).to_string();
            assert!(error.contains("violates PodSecurity") && error.contains(why), "{why}: {error}");
        }
    }
}

/// Whether the operator takes these arguments: help comes after all of them were read.
fn parsed(args: &[String]) -> (bool, String) {
    let mut operator = Command::new(env!("CARGO_BIN_EXE_hookwright"));
    let output = operator.args(args).arg("--help").output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn args(values: &Value) -> Vec<String> {
    let objects = render("hw", values);
    let args = &only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
    serde_json::from_value(args.clone()).unwrap()
}

#[test]
fn every_argument_is_one_that_the_operator_takes() {
    let everything: Value = serde_yaml::from_str(include_str!("values/everything.yaml")).unwrap();
    for values in [json!({}), everything] {
        let args = args(&values);
        let (taken, said) = parsed(&args);
        assert!(taken, "{args:?}: {said}");
        for wrong in ["--resync-intervall=10m", "--resync-interval=ten"] {
            let mut args = args.clone();
            args.push(wrong.into());
            assert!(!parsed(&args).0, "{wrong} is taken: this test can't fail");
        }
    }
}

#[test]
fn each_value_that_is_an_argument_reaches_it() {
    let everything: Value = serde_yaml::from_str(include_str!("values/everything.yaml")).unwrap();
    let expected = [
        "run",
        "--http-addr=0.0.0.0:8080",
        "--namespace=hw",
        "--leader-elect=true",
        "--lease-name=webhooks",
        "--lease-duration=30s",
        "--resync-interval=1h30m",
        "--max-concurrent=8",
        "--ownership-marker=off",
        "--secrets-watch=false",
        "--log-format=text",
        "--settle-time=45s",
        "--cluster-id=shops-of-cluster-a",
        "--watch-namespace=shop",
        "--watch-namespace=checkout",
        "--allowed-endpoint=abp-api.akinon.net",
        "--allowed-endpoint=http://127.0.0.1:*",
        "--allowed-receiver=*.hooks.example.com",
    ];
    assert_eq!(args(&everything), expected);
}
