//! A simulator with a project, and a client that talks to it.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use simulator::{Behaviour, Call, Options, ProjectRef, Simulator, State};

/// Longer than any machine needs; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const TOKEN: &str = "token-of-the-operator";

pub struct Bench {
    pub simulator: Simulator,
    pub client: Client,
    pub project: ProjectRef,
}

pub async fn bench() -> Bench {
    let simulator =
        Simulator::start(Options { tokens: vec![TOKEN.into()], ..Options::default() }).await.expect("it starts");
    let project = simulator.new_project();
    Bench { client: client(simulator.ca_pem()), project, simulator }
}

pub async fn bench_that(behaviour: Behaviour) -> Bench {
    let bench = bench().await;
    bench.simulator.set_behaviour(behaviour);
    bench
}

/// A client that trusts only this CA, follows no redirect and asks no proxy.
pub fn client(ca_pem: &str) -> Client {
    // Fails if another test was first, with the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).expect("the CA is a certificate");
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).tls_certs_only([ca]);
    client.build().expect("a client")
}

pub fn webhook(name: &str) -> Value {
    json!({ "name": name, "url": "https://hooks.example.com/builds", "events": ["deployment.build.created"] })
}

impl Bench {
    /// The path of the project's webhooks.
    pub fn path(&self) -> String {
        format!("/api/v1/organizations/{}/projects/{}/settings/webhooks", self.project.organization, self.project.id)
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.simulator.http_url())).bearer_auth(TOKEN)
    }

    pub fn list_request(&self) -> RequestBuilder {
        self.request(Method::GET, &self.path())
    }

    pub fn create_request(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, &self.path()).json(body)
    }

    pub fn item_request(&self, method: Method, id: &str) -> RequestBuilder {
        self.request(method, &format!("{}/{id}", self.path()))
    }

    pub async fn list(&self) -> Vec<Value> {
        let answer = self.list_request().send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("a bare array")
    }

    pub async fn create(&self, body: &Value) -> Response {
        self.create_request(body).send().await.expect("an answer")
    }

    /// Creates a webhook through the API and finds its id as a client must: the answer does not tell it.
    pub async fn created(&self, body: &Value) -> String {
        assert_eq!(self.create(body).await.status(), 201);
        self.simulator.webhooks(&self.project.id).last().expect("a webhook").id.clone()
    }

    pub async fn get(&self, id: &str) -> Value {
        let answer = self.item_request(Method::GET, id).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("a webhook")
    }

    pub async fn patch(&self, id: &str, body: &Value) -> Response {
        self.item_request(Method::PATCH, id).json(body).send().await.expect("an answer")
    }

    pub async fn delete(&self, id: &str) -> Response {
        self.item_request(Method::DELETE, id).send().await.expect("an answer")
    }

    /// How many webhooks there truly are.
    pub fn truth(&self) -> usize {
        self.simulator.webhooks(&self.project.id).len()
    }

    pub fn last_call(&self) -> Call {
        self.simulator.calls_for(&self.project.id).pop().expect("a call")
    }

    pub async fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        self.simulator.wait_until(what, PATIENCE, is_so).await.unwrap();
    }
}
