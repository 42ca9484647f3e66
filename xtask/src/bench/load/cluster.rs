//! A plain client of the API server: HTTP/1.1 with kept connections, as the operator's.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Certificate, Client, Identity, RequestBuilder, Response, StatusCode};
use serde_json::Value;

/// What of the object a write answers.
#[derive(Clone, Copy)]
pub enum Answer {
    Metadata,
    Whole,
}

pub struct Cluster {
    client: Client,
    server: String,
}

impl Cluster {
    pub fn from_kubeconfig(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let config: Value = serde_yaml::from_str(&text)?;
        let field = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).context("an unusual kubeconfig");
        let data =
            |pointer: &str| Ok::<_, anyhow::Error>(base64::engine::general_purpose::STANDARD.decode(field(pointer)?)?);
        let mut identity = data("/users/0/user/client-certificate-data")?;
        identity.extend(data("/users/0/user/client-key-data")?);
        let ca = Certificate::from_pem(&data("/clusters/0/cluster/certificate-authority-data")?)?;
        let client =
            Client::builder().no_proxy().http1_only().tls_certs_only([ca]).identity(Identity::from_pem(&identity)?);
        Ok(Self {
            client: client.build()?,
            server: field("/clusters/0/cluster/server")?.trim_end_matches('/').to_owned(),
        })
    }

    pub async fn create(&self, collection: &str, object: &Value) -> Result<Value> {
        send(self.client.post(format!("{}{collection}", self.server)).json(object)).await
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        send(self.client.get(format!("{}{path}", self.server))).await
    }

    /// A JSON merge patch.
    pub async fn patch(&self, path: &str, patch: &Value, answer: Answer) -> Result<Value> {
        let accept = match answer {
            Answer::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Answer::Whole => "application/json",
        };
        let request = self.client.patch(format!("{}{path}", self.server)).header(ACCEPT, accept);
        send(request.body(patch.to_string()).header(CONTENT_TYPE, "application/merge-patch+json")).await
    }

    /// An answer that goes on for ever, in pieces. An API server that has just begun to serve a kind puts watches off.
    pub async fn stream(&self, path: &str) -> Result<Response> {
        for _ in 0..30 {
            let answer = self.client.get(format!("{}{path}", self.server)).send().await?;
            if answer.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer.error_for_status()?);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!("the API server puts {path} off");
    }
}

/// Sends a request and reads the JSON it is answered with.
pub async fn send(request: RequestBuilder) -> Result<Value> {
    let answer = request.send().await?;
    let (status, url) = (answer.status(), answer.url().clone());
    let body = answer.bytes().await?;
    if !status.is_success() {
        bail!("{url} answers {status}: {}", String::from_utf8_lossy(&body));
    }
    if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) }
}
