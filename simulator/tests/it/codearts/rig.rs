//! A simulator with a task, and a client that asks for it.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulator::codearts::{AccessKey, Behaviour, IamUser, NewChannel, Setup};
use simulator::{Call, Options, Simulator};

use crate::bench::client;

pub const TOKEN: &str = "token-for-check";
pub const ROBOT: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=robot";

pub struct Rig {
    pub simulator: Simulator,
    pub client: Client,
    pub task: String,
}

pub async fn rig() -> Rig {
    let codearts = Setup { tokens: vec![TOKEN.into()], ..Setup::default() };
    let simulator = Simulator::start(Options { codearts, ..Options::default() }).await.unwrap();
    let task = simulator.new_task();
    Rig { client: client(simulator.ca_pem()), task, simulator }
}

/// A rig whose task has one channel that is filled in.
pub async fn rig_that(behaviour: Behaviour) -> Rig {
    let rig = rig().await;
    let channel = NewChannel::new("wecom", ROBOT)
        .notify(["jobResult", "issues", "executor"])
        .user_ids(["u1", "u2"])
        .secret("signing-key");
    rig.simulator.console_set_channel(&rig.task, channel).unwrap();
    rig.simulator.set_check_behaviour(behaviour);
    rig
}

/// An answer's status and body; it must name its request.
pub async fn read(answer: Response) -> (u16, Value) {
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The seed's 401.
pub fn expired() -> (u16, Value) {
    (401, json!({"error_code": "CC.00000003", "error_msg": "Authentication information expired."}))
}

impl Rig {
    pub fn path(&self) -> String {
        format!("/v4/tasks/{}/task-webhook-info", self.task)
    }

    pub fn url(&self) -> String {
        format!("{}{}", self.simulator.check_endpoint(), self.path())
    }

    /// Asks for the task without credentials.
    pub fn request(&self) -> RequestBuilder {
        self.client.get(self.url())
    }

    pub async fn with_token(&self, token: &str) -> (u16, Value) {
        read(self.request().header("X-Auth-Token", token).send().await.unwrap()).await
    }

    pub async fn ask(&self) -> (u16, Value) {
        self.with_token(TOKEN).await
    }

    /// The only row of the task, as it is shown.
    pub async fn row(&self) -> Value {
        let (status, body) = self.ask().await;
        assert_eq!(status, 200, "{body}");
        let [row] = body["data"].as_array().unwrap().as_slice() else { panic!("{body}") };
        row.clone()
    }

    pub fn last_call(&self) -> Call {
        self.simulator.calls().pop().unwrap()
    }

    /// Asks IAM for a token.
    pub async fn exchange(&self, user: &IamUser) -> Response {
        self.exchange_body(&exchange(user)).await
    }

    pub async fn exchange_body(&self, body: &Value) -> Response {
        let url = format!("{}/v3/auth/tokens", self.simulator.iam_endpoint());
        self.client.post(url).json(body).send().await.unwrap()
    }

    pub async fn issued(&self, user: &IamUser) -> String {
        let answer = self.exchange(user).await;
        assert_eq!(answer.status(), 201);
        answer.headers()["x-subject-token"].to_str().unwrap().to_owned()
    }
}

pub fn exchange(user: &IamUser) -> Value {
    let IamUser { domain, user, password, project } = user;
    json!({"auth": {
        "identity": {"methods": ["password"],
            "password": {"user": {"name": user, "password": password, "domain": {"name": domain}}}},
        "scope": {"project": {"name": project}}
    }})
}

/// A request for the task as a signer makes it. It is written down once more here, and not taken from the simulator, so
/// that the two can disagree; the vendor's vectors stand beside the verifier.
pub struct Signer {
    pub key: AccessKey,
    pub date: String,
    /// Sent and signed, by their names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Signer {
    pub fn new(key: &AccessKey) -> Self {
        let mut headers = vec![("x-project-id".to_owned(), key.project_id.clone())];
        headers.extend(key.security_token.clone().map(|token| ("x-security-token".to_owned(), token)));
        Self { key: key.clone(), date: date(0), headers }
    }

    pub fn authorization(&self, path: &str) -> String {
        let mut headers = self.headers.clone();
        headers.push(("x-sdk-date".to_owned(), self.date.clone()));
        headers.sort();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("GET\n{path}/\n\n{lines}\n{names}\n{:x}", Sha256::digest(""));
        let text = format!("SDK-HMAC-SHA256\n{}\n{:x}", self.date, Sha256::digest(canonical));
        let mac = Hmac::<Sha256>::new_from_slice(self.key.secret_key.as_bytes()).unwrap().chain_update(text);
        let access_key = &self.key.access_key;
        format!(
            "SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={names}, Signature={:x}",
            mac.finalize().into_bytes()
        )
    }

    pub fn sign(&self, rig: &Rig) -> RequestBuilder {
        let request = rig.request().header("X-Sdk-Date", &self.date);
        let request = request.header("Authorization", self.authorization(&rig.path()));
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    pub async fn send(&self, rig: &Rig) -> (u16, Value) {
        read(self.sign(rig).send().await.unwrap()).await
    }
}

/// `X-Sdk-Date`, that many seconds from now.
pub fn date(seconds: i64) -> String {
    let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}
