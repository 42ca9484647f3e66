//! The seam between the machinery (listeners, faults, call record) and an API that is played.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

/// Larger than any webhook; it only keeps a runaway client from filling the memory.
const REQUEST_BODY_LIMIT: usize = 1024 * 1024;

/// One request, read to its end. Path, query and body are the bytes that were sent: a signature covers those.
#[derive(Clone)]
pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body, if it is JSON.
    pub(crate) json: Option<Value>,
}

impl ApiRequest {
    /// Reads a request; `None` if the client left before its end or went beyond the limit.
    pub(crate) async fn read(request: Request<Incoming>) -> Option<Self> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, REQUEST_BODY_LIMIT).collect().await.ok()?.to_bytes();
        let json = serde_json::from_slice(&body).ok();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().map(str::to_owned));
        Some(Self { method: head.method, path, query, headers: head.headers, body, json })
    }

    /// Whether the body is said to be JSON.
    pub(crate) fn says_json(&self) -> bool {
        let essence = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next());
        essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
    }

    /// The token of `Authorization: Bearer <token>` (the seed: "Bearer authentication header of the form Bearer
    /// <token>"; the scheme's case does not matter, RFC 9110 §11.1).
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }
}

/// What a request is aimed at, as far as it can be read from its head: the terms in which calls are recorded and faults
/// are filtered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// What is asked for in the API's own terms; `unknown` for no route.
    pub(crate) operation: &'static str,
    pub(crate) organization: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) resource: Option<String>,
    /// The position at which the credential was added. The credential itself is never recorded.
    pub(crate) token: Option<usize>,
    /// The body as it may be recorded: the request's own JSON, without a password.
    pub(crate) body: Option<Value>,
}

impl Target {
    /// What the request is counted under: its project, or where the API knows none, its resource.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.project.as_deref().or(self.resource.as_deref())
    }
}

/// What an API answers to one request when nothing goes wrong on the way.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// JSON text; `None` sends no body.
    pub(crate) body: Option<Bytes>,
    /// Whether the request changed anything.
    pub(crate) effect: bool,
}

impl Reply {
    /// An answer with a JSON body that changed nothing.
    pub(crate) fn json(status: StatusCode, body: Bytes) -> Self {
        Self { status, headers: Vec::new(), body: Some(body), effect: false }
    }

    /// Marks that the request changed something.
    pub(crate) fn with_effect(self) -> Self {
        Self { effect: true, ..self }
    }
}

/// An API that is played. It knows nothing of connections, faults or the record.
pub(crate) trait Remote {
    /// What the request is aimed at. Changes nothing.
    fn target(&self, request: &ApiRequest) -> Target;

    /// Carries the request out, and answers.
    fn answer(&mut self, request: &ApiRequest) -> Reply;

    /// What the API says with a status that a fault asks for, in its own error shape.
    fn failure(&self, request: &ApiRequest, status: StatusCode) -> Reply;
}
