//! `hookwright check`, which the test pod runs: directly, since there is no kubelet to run the pod.

use std::net::SocketAddr;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use hookwright::ops::metrics::Metrics;
use hookwright::ops::server::{Health, Server};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::helm::{only, render, said};

async fn serve(health: &Health) -> SocketAddr {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), health.clone(), Arc::new(Metrics::new())).await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(std::future::pending()));
    address
}

/// The test pod's arguments, with another address for the Service's name, and another end of patience.
fn args(address: SocketAddr, timeout: &str) -> Vec<String> {
    let objects = render("hw", &json!({}));
    let args: Value = only(&objects, "Pod")["spec"]["containers"][0]["args"].clone();
    let service = only(&objects, "Service");
    let name = format!("{}.{}.svc", service["metadata"]["name"].as_str().unwrap(), "hw");
    let host = format!("{name}:{}", service["spec"]["ports"][0]["port"]);
    let args: Vec<String> = serde_json::from_value(args).unwrap();
    assert!(args.iter().any(|arg| arg.contains(&host)), "{args:?} asks no {host}");
    let args = args.iter().map(|arg| arg.replace(&host, &address.to_string()));
    args.map(|arg| if arg.starts_with("--timeout=") { format!("--timeout={timeout}") } else { arg }).collect()
}

async fn check(args: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hookwright")).args(args).kill_on_drop(true).output().await.unwrap()
}

#[tokio::test]
async fn the_command_of_the_test_pod_succeeds_when_the_operator_is_ready() {
    let address = serve(&Health::new(Duration::from_mins(1))).await;
    let output = check(&args(address, "60s")).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output), format!("http://{address}/readyz: ok\n"));
}

#[tokio::test]
async fn it_fails_with_the_reason_when_the_operator_is_not_ready() {
    let health = Health::new(Duration::from_mins(1));
    let _waiting = health.not_ready("waiting for CRD projectwebhooks.hookwright.dev: apply crds/");
    let address = serve(&health).await;
    let output = check(&args(address, "1s")).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    for shown in ["is not well after 1s", "503", "waiting for CRD projectwebhooks.hookwright.dev: apply crds/"] {
        assert!(said(&output).contains(shown), "{shown} is not in {}", said(&output));
    }
}

#[tokio::test]
async fn it_asks_again_until_the_operator_is_ready() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move || {
        let early = count.fetch_add(1, Ordering::SeqCst) < 2;
        std::future::ready(if early { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, Router::new().route("/readyz", get(answer))).await });
    let output = check(&args(address, "60s")).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn it_fails_when_nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let output = check(&args(address, "1s")).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("is not well after 1s"), "{}", said(&output));
}

#[tokio::test]
async fn it_says_which_url_it_wants() {
    let output = check(&["check".into(), "--url=localhost:8080".into()]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("write for example http://localhost:8080/readyz"), "{}", said(&output));
}
