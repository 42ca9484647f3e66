//! The way of every call, whichever service it is to: it waits for its turn, asks whether it still may be made, is made
//! within its bounds, and metrics and pace are told how it went.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::error::{Call, Fault, NotSent, RemoteError};
use super::gate::{Cut, Gate};
use super::http::{HttpClient, Reply, Request};
use super::pace::{Feedback, Pace, Priority};
use crate::ops::metrics::{Metrics, Provider, StatusClass};

/// What the calls of one connection share. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    /// The HTTP client with the connection's trust roots and timeout.
    pub client: HttpClient,
    /// The connection's pace, shared by all who use it.
    pub pace: Pace,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Whether calls may be made.
    pub gate: Arc<dyn Gate>,
    /// What ends calls at once.
    pub cut: Cut,
}

/// One call with its place and body. Without `Debug`: URL and body are not for showing.
pub(super) struct Ask<'a> {
    /// Whose API it is.
    pub provider: Provider,
    /// What it is.
    pub call: Call,
    /// Where it goes; `None` if that can't be put together.
    pub url: Option<Url>,
    /// Which thing it is about, for the log: ids, and nothing else.
    pub about: &'a (dyn Display + Sync),
    /// The JSON body.
    pub json: Option<Value>,
    /// Whether it goes before others.
    pub priority: Priority,
}

impl Caller {
    /// Makes a call. `credentials` makes its headers right before it is sent: a signature is dated.
    pub(super) async fn send<T>(
        &self,
        ask: Ask<'_>,
        credentials: impl FnOnce(&Url) -> HeaderMap,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, RemoteError> {
        let Ask { provider, call, url, about, json, priority } = ask;
        let permit = tokio::select! {
            biased;
            () = self.cut.wait() => return Err(RemoteError::new(call, Fault::Draining)),
            permit = self.pace.acquire(priority) => permit,
        };
        self.metrics.paced(provider, permit.waited());
        // Asked after the wait: while it lasted, another one may have become the leader.
        let Ok(deadline) = self.gate.may_call() else {
            permit.unused();
            return Err(RemoteError::new(call, Fault::Draining));
        };
        let Some(url) = url else {
            permit.unused();
            return Err(RemoteError::new(call, Fault::NotSent(NotSent::Internal)));
        };
        let headers = credentials(&url);
        let begun = Instant::now();
        let request = Request { call, url, headers, json: json.as_ref(), deadline, cut: &self.cut };
        let reply = self.client.call(request).await;
        let result = reply.and_then(|reply| read(reply).map_err(|fault| RemoteError::new(call, fault)));
        let (took, class) = (begun.elapsed(), StatusClass::of(result.as_ref().err()));
        permit.done(Feedback::of(result.as_ref().err()));
        self.metrics.remote_call(provider, call, class, took);
        tracing::debug!(
            method = call.method,
            path = call.template,
            %about,
            status = class.as_str(),
            milliseconds = took.as_millis(),
            "remote call"
        );
        result
    }
}
