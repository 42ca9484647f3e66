//! An API server whose watches lag when a test says so: a proxy before the real one.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use kube::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The proxy. It ends with the test's runtime.
pub struct LaggingApiServer {
    held: watch::Sender<bool>,
    pub kubeconfig: PathBuf,
}

#[derive(Clone)]
struct Forward {
    client: Client,
    held: watch::Receiver<bool>,
}

impl LaggingApiServer {
    /// Starts one before the API server that a client talks to, with the client's rights.
    pub async fn start(client: Client) -> Self {
        let (held, receiver) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let kubeconfig = kubeconfig(listener.local_addr().expect("an address"));
        let router = Router::new().fallback(forward).with_state(Forward { client, held: receiver });
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { held, kubeconfig }
    }

    /// From now on changes and ends of ProjectWebhooks are not told; that there are new ones is.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Tells what was held back, and all that comes.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
}

impl Drop for LaggingApiServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

fn kubeconfig(address: SocketAddr) -> PathBuf {
    let path = std::env::temp_dir().join(super::random("hookwright-it-kubeconfig"));
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{ "name": "it", "cluster": { "server": format!("http://{address}") } }],
        "users": [{ "name": "it", "user": {} }],
        "contexts": [{ "name": "it", "context": { "cluster": "it", "user": "it" } }],
    });
    std::fs::write(&path, config.to_string()).expect("the kubeconfig can be written");
    path
}

async fn forward(State(Forward { client, held }): State<Forward>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let lags =
        parts.uri.path().ends_with("/projectwebhooks") && parts.uri.query().is_some_and(|q| q.contains("watch="));
    for name in [HOST, ACCEPT_ENCODING, CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    let body = to_bytes(body, usize::MAX).await.expect("the request's body").to_vec();
    let Ok(answer) = client.send(Request::from_parts(parts, body.into())).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (mut parts, body) = answer.into_parts();
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    let body = Body::new(body);
    if !lags {
        return Response::from_parts(parts, body);
    }
    let told = body.into_data_stream().then(move |chunk| {
        let mut held = held.clone();
        async move {
            let is_change =
                |bytes: &[u8]| bytes.windows(8).any(|window| window == b"MODIFIED" || window == b"DELETED\"");
            if chunk.as_ref().is_ok_and(|bytes| is_change(bytes)) {
                // The sender goes with the test.
                let _ = held.wait_for(|held| !held).await;
            }
            chunk
        }
    });
    Response::from_parts(parts, Body::from_stream(told))
}
