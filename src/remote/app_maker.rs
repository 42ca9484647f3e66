//! Akinon App Maker's webhook API (seed project-webhook-api): the five calls, and what their answers mean.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::error::{Call, Fault, NotSent, RemoteError};
use super::gate::{Cut, Gate};
use super::http::{HttpClient, Reply, Request, SetupError};
use super::pace::{Feedback, Pace, Priority};
use super::wire;
use crate::domain::desired::{Changes, Desired};
use crate::domain::ids::{ProjectPath, WebhookId};
use crate::domain::marker::Marker;
use crate::domain::observed::{HeaderName, Webhook};
use crate::domain::secret::{ReceiverUrl, SecretText};
use crate::ops::metrics::{Metrics, Provider, StatusClass};

macro_rules! calls {
    ($($name:ident = $label:literal $method:literal $target:literal $template:literal;)*) => {
        $(const $name: Call = Call {
            name: $label,
            method: $method,
            target: $target,
            template: concat!("/organizations/{organizationId}/projects/{projectId}/settings/webhooks", $template),
        };)*
    };
}

calls! {
    LIST = "list" "GET" "the project's webhooks" "";
    GET = "get" "GET" "the webhook" "/{webhookId}";
    CREATE = "create" "POST" "the webhook" "";
    UPDATE = "update" "PATCH" "the webhook" "/{webhookId}";
    DELETE = "delete" "DELETE" "the webhook" "/{webhookId}";
}

/// A webhook to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Display name.
    pub name: String,
    /// Receiver.
    pub url: ReceiverUrl,
    /// All headers, the marker included.
    pub headers: BTreeMap<HeaderName, SecretText>,
    /// Whether the remote delivers.
    pub active: bool,
    /// Events.
    pub events: Vec<String>,
}

impl NewWebhook {
    /// What is desired, marked as its owner's.
    #[must_use]
    pub fn new(desired: &Desired, marker: Option<&Marker>) -> Self {
        let Desired { name, url, headers: _, active, events } = desired;
        let headers = desired.header_map(marker);
        Self { name: name.clone(), url: url.clone(), headers, active: *active, events: events.clone() }
    }
}

/// What an [`AppMaker`] is put together from.
pub struct Parts {
    /// The endpoint, with the version: `https://abp-api.akinon.net/api/v1`.
    pub base: Url,
    /// The HTTP client with the connection's trust roots and timeout.
    pub client: HttpClient,
    /// The bearer token.
    pub token: SecretText,
    /// The connection's pace, shared by all who use it.
    pub pace: Pace,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Whether calls may be made.
    pub gate: Arc<dyn Gate>,
    /// What ends calls at once.
    pub cut: Cut,
}

/// The API as one connection reaches it. Cheap to clone.
#[derive(Clone)]
pub struct AppMaker {
    base: Url,
    client: HttpClient,
    authorization: HeaderValue,
    pace: Pace,
    metrics: Arc<Metrics>,
    gate: Arc<dyn Gate>,
    cut: Cut,
}

impl fmt::Debug for AppMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppMaker").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

/// One call with its path and body.
struct Ask<'a> {
    call: Call,
    project: &'a ProjectPath,
    webhook: Option<WebhookId>,
    json: Option<Value>,
    priority: Priority,
}

impl AppMaker {
    /// Puts the API together.
    ///
    /// # Errors
    /// The endpoint or the token can't be used.
    pub fn new(parts: Parts) -> Result<Self, SetupError> {
        let Parts { base, client, token, pace, metrics, gate, cut } = parts;
        let plain = base.username().is_empty() && base.password().is_none();
        let nothing_more = base.query().is_none() && base.fragment().is_none();
        if !matches!(base.scheme(), "http" | "https") || !plain || !nothing_more {
            return Err(SetupError::BadEndpoint);
        }
        let authorization = bearer(&token)?;
        Ok(Self { base, client, authorization, pace, metrics, gate, cut })
    }

    /// All webhooks of a project.
    ///
    /// # Errors
    /// No usable answer. A body of another shape than the documented array is one, and never an empty list.
    pub async fn list(&self, project: &ProjectPath, priority: Priority) -> Result<Vec<Webhook>, RemoteError> {
        let ask = Ask { call: LIST, project, webhook: None, json: None, priority };
        self.send(ask, |reply| wire::list(&reply.body?).map_err(Fault::Body)).await
    }

    /// One webhook; `None` if the remote does not know it (404).
    ///
    /// # Errors
    /// No usable answer.
    pub async fn get(
        &self,
        project: &ProjectPath,
        id: WebhookId,
        priority: Priority,
    ) -> Result<Option<Webhook>, RemoteError> {
        let ask = Ask { call: GET, project, webhook: Some(id), json: None, priority };
        unless_unknown(self.send(ask, |reply| wire::one(&reply.body?, id).map_err(Fault::Body)).await)
    }

    /// Asks for a new webhook. `Ok` means accepted: the 201 is documented with a project as its body, so that the
    /// webhook's id is known only once it was observed; for the same reason the body does not matter.
    ///
    /// # Errors
    /// Not accepted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn create(&self, project: &ProjectPath, webhook: &NewWebhook) -> Result<(), RemoteError> {
        let json = Some(wire::create(webhook));
        self.send(Ask { call: CREATE, project, webhook: None, json, priority: Priority::Urgent }, accepted).await
    }

    /// Asks for a change. `Ok` means accepted.
    ///
    /// # Errors
    /// Not accepted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn update(&self, project: &ProjectPath, id: WebhookId, changes: &Changes) -> Result<(), RemoteError> {
        let json = Some(wire::update(changes));
        self.send(Ask { call: UPDATE, project, webhook: Some(id), json, priority: Priority::Urgent }, accepted).await
    }

    /// Deletes a webhook. One that the remote does not know (404) is deleted.
    ///
    /// # Errors
    /// Not deleted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn delete(&self, project: &ProjectPath, id: WebhookId) -> Result<(), RemoteError> {
        let ask = Ask { call: DELETE, project, webhook: Some(id), json: None, priority: Priority::Urgent };
        unless_unknown(self.send(ask, accepted).await).map(|_| ())
    }

    /// Waits for the call's turn, makes it, reads the answer, and tells metrics and pace how it went.
    async fn send<T>(&self, ask: Ask<'_>, read: impl FnOnce(Reply) -> Result<T, Fault>) -> Result<T, RemoteError> {
        let Ask { call, project, webhook, json, priority } = ask;
        let permit = tokio::select! {
            biased;
            () = self.cut.wait() => return Err(RemoteError::new(call, Fault::Draining)),
            permit = self.pace.acquire(priority) => permit,
        };
        self.metrics.paced(Provider::AppMaker, permit.waited());
        // Asked after the wait: while it lasted, another one may have become the leader.
        let Ok(deadline) = self.gate.may_call() else {
            permit.unused();
            return Err(RemoteError::new(call, Fault::Draining));
        };
        let Some(url) = self.url(project, webhook) else {
            permit.unused();
            return Err(RemoteError::new(call, Fault::NotSent(NotSent::Internal)));
        };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.authorization.clone())]);
        let begun = Instant::now();
        let request = Request { call, url, headers, json: json.as_ref(), deadline, cut: &self.cut };
        let reply = self.client.call(request).await;
        let result = reply.and_then(|reply| read(reply).map_err(|fault| RemoteError::new(call, fault)));
        let (took, class) = (begun.elapsed(), StatusClass::of(result.as_ref().err()));
        permit.done(Feedback::of(result.as_ref().err()));
        self.metrics.remote_call(Provider::AppMaker, call, class, took);
        tracing::debug!(
            method = call.method,
            path = call.template,
            organization = %project.organization,
            project = %project.project,
            webhook = webhook.map(tracing::field::display),
            status = class.as_str(),
            milliseconds = took.as_millis(),
            "remote call"
        );
        result
    }

    /// Path segments are pushed one by one onto the endpoint's own; ids are hexadecimal digits by their type.
    fn url(&self, project: &ProjectPath, webhook: Option<WebhookId>) -> Option<Url> {
        let ProjectPath { organization, project } = project;
        let mut url = self.base.clone();
        let mut path = url.path_segments_mut().ok()?;
        path.pop_if_empty().extend(["organizations", &organization.to_string(), "projects", &project.to_string()]);
        path.extend(["settings", "webhooks"]).extend(webhook.map(|id| id.to_string()));
        drop(path);
        Some(url)
    }
}

fn bearer(token: &SecretText) -> Result<HeaderValue, SetupError> {
    let token = token.expose();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SetupError::BadToken);
    }
    let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| SetupError::BadToken)?;
    header.set_sensitive(true);
    Ok(header)
}

fn accepted(_: Reply) -> Result<(), Fault> {
    Ok(())
}

fn unless_unknown<T>(result: Result<T, RemoteError>) -> Result<Option<T>, RemoteError> {
    match result {
        Err(RemoteError { fault: Fault::NotFound(_), .. }) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests;
