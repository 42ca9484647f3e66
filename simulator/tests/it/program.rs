//! The simulator as a program.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::bench::{PATIENCE, TOKEN, client};

const PROJECT: &str = "64b0c0ffee00000000000001/64b0c0ffee00000000000002";

struct Program {
    child: Child,
    addresses: Value,
}

async fn start(arguments: &[&str]) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--token", TOKEN, "--project", PROJECT])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).await.unwrap();
    Program { child, addresses: serde_json::from_str(&line).expect("one JSON line") }
}

impl Program {
    fn url(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap()
    }

    async fn ends_well(mut self) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
    }

    async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }
}

#[tokio::test]
async fn it_prints_its_addresses_writes_its_ca_and_serves_its_project() {
    let ca_out = std::env::temp_dir().join(format!("simulator-ca-{}.pem", std::process::id()));
    let mut program = start(&["--ca-out", ca_out.to_str().unwrap()]).await;
    let ca = std::fs::read_to_string(&ca_out).unwrap();
    std::fs::remove_file(&ca_out).unwrap();
    let client = client(&ca);
    let (organization, project) = PROJECT.split_once('/').unwrap();
    for base in [program.url("http"), program.url("https")] {
        let url = format!("{base}/api/v1/organizations/{organization}/projects/{project}/settings/webhooks");
        assert_eq!(client.get(url).bearer_auth(TOKEN).send().await.unwrap().status(), 200);
    }
    let fetched = client.get(format!("{}/ca", program.url("admin"))).send().await.unwrap();
    assert_eq!(fetched.text().await.unwrap(), ca);
    program.child.kill().await.unwrap();
}

#[tokio::test]
async fn it_plays_check_and_iam_with_the_credentials_and_tasks_it_is_given() {
    let ca_out = std::env::temp_dir().join(format!("simulator-ca-check-{}.pem", std::process::id()));
    let user = r#"{"domain": "d", "user": "u", "password": "p", "project": "r"}"#;
    let key = r#"{"access_key": "AK", "secret_key": "SK", "project_id": "p"}"#;
    let arguments = ["--ca-out", ca_out.to_str().unwrap(), "--check-token", "t", "--task", "own", "--iam-user", user];
    let mut program = start(&[arguments.as_slice(), &["--access-key", key]].concat()).await;
    let client = client(&std::fs::read_to_string(&ca_out).unwrap());
    std::fs::remove_file(&ca_out).unwrap();
    let ask = async |token: &str| {
        let url = format!("{}/v4/tasks/own/task-webhook-info", program.url("check"));
        client.get(url).header("X-Auth-Token", token).send().await.unwrap().status().as_u16()
    };
    let exchange = json!({"auth": {
        "identity": {"methods": ["password"],
            "password": {"user": {"name": "u", "password": "p", "domain": {"name": "d"}}}},
        "scope": {"project": {"name": "r"}}
    }});
    let answer = client.post(format!("{}/v3/auth/tokens", program.url("iam"))).json(&exchange).send().await.unwrap();
    let issued = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    assert_eq!((ask("t").await, ask(&issued).await, ask("x").await), (200, 200, 401));
    program.child.kill().await.unwrap();
}

#[tokio::test]
async fn it_refuses_credentials_that_are_none() {
    for argument in ["--access-key", "--iam-user"] {
        let output = Command::new(env!("CARGO_BIN_EXE_simulator")).args([argument, "{}"]).output().await.unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("missing field"));
    }
}

#[tokio::test]
async fn it_ends_well_on_sigterm_and_on_sigint() {
    for signal in ["-TERM", "-INT"] {
        let program = start(&[]).await;
        program.signal(signal).await;
        program.ends_well().await;
    }
}

#[tokio::test]
async fn it_ends_with_its_stdin_if_told_so() {
    let mut program = start(&["--exit-with-stdin"]).await;
    drop(program.child.stdin.take());
    program.ends_well().await;
}

#[tokio::test]
async fn it_ends_on_a_signal_although_stdin_is_still_open() {
    let mut program = start(&["--exit-with-stdin"]).await;
    // Kept: `wait` would close it.
    let _stdin = program.child.stdin.take();
    program.signal("-TERM").await;
    program.ends_well().await;
}

#[tokio::test]
async fn it_goes_on_without_stdin_if_not_told_otherwise() {
    let mut program = start(&[]).await;
    drop(program.child.stdin.take());
    let client = reqwest_client();
    assert_eq!(client.get(format!("{}/projects", program.url("admin"))).send().await.unwrap().status(), 200);
    program.signal("-TERM").await;
    program.ends_well().await;
}

#[tokio::test]
async fn it_refuses_a_project_that_is_none() {
    for project in ["x", "a/b", "64b0c0ffee00000000000001"] {
        let output = Command::new(env!("CARGO_BIN_EXE_simulator")).args(["--project", project]).output().await.unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("24 hexadecimal digits"));
    }
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}
