//! Akinon App Maker's webhook API (seed project-webhook-api): the five calls, and what their answers mean.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::Value;
use url::Url;

use super::caller::{Ask, Caller};
use super::endpoint::{below, check_base};
use super::error::{Call, Fault, RemoteError};
use super::http::{Reply, SetupError};
use super::pace::Priority;
use super::wire;
use crate::domain::desired::{Changes, Desired};
use crate::domain::ids::{ProjectPath, WebhookId};
use crate::domain::marker::Marker;
use crate::domain::observed::{HeaderName, Webhook};
use crate::domain::secret::{ReceiverUrl, SecretText};
use crate::ops::metrics::Provider;

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

/// The API as one connection reaches it. Cheap to clone.
#[derive(Clone)]
pub struct AppMaker {
    base: Url,
    authorization: HeaderValue,
    caller: Caller,
}

impl fmt::Debug for AppMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppMaker").field("host", &self.base.host_str()).finish_non_exhaustive()
    }
}

/// The webhook that a call is about, or its project.
struct About<'a>(&'a ProjectPath, Option<WebhookId>);

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(project, webhook) = self;
        webhook.map_or(write!(f, "{project}"), |id| write!(f, "{project}/{id}"))
    }
}

impl AppMaker {
    /// The API at `base`, the endpoint with its version: `https://abp-api.akinon.net/api/v1`.
    ///
    /// # Errors
    /// The endpoint or the token can't be used.
    pub fn new(base: Url, token: &SecretText, caller: Caller) -> Result<Self, SetupError> {
        check_base(&base)?;
        let authorization = bearer(token)?;
        Ok(Self { base, authorization, caller })
    }

    /// All webhooks of a project.
    ///
    /// # Errors
    /// No usable answer. A body of another shape than the documented array is one, and never an empty list.
    pub async fn list(&self, project: &ProjectPath, priority: Priority) -> Result<Vec<Webhook>, RemoteError> {
        let read = |reply: Reply| wire::list(&reply.body?).map_err(Fault::Body);
        self.send(LIST, About(project, None), None, priority, read).await
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
        let read = |reply: Reply| wire::one(&reply.body?, id).map_err(Fault::Body);
        unless_unknown(self.send(GET, About(project, Some(id)), None, priority, read).await)
    }

    /// Asks for a new webhook. `Ok` means accepted: the 201 is documented with a project as its body, so that the
    /// webhook's id is known only once it was observed; for the same reason the body does not matter.
    ///
    /// # Errors
    /// Not accepted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn create(&self, project: &ProjectPath, webhook: &NewWebhook) -> Result<(), RemoteError> {
        let json = Some(wire::create(webhook));
        self.send(CREATE, About(project, None), json, Priority::Urgent, accepted).await
    }

    /// Asks for a change. `Ok` means accepted.
    ///
    /// # Errors
    /// Not accepted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn update(&self, project: &ProjectPath, id: WebhookId, changes: &Changes) -> Result<(), RemoteError> {
        let json = Some(wire::update(changes));
        self.send(UPDATE, About(project, Some(id)), json, Priority::Urgent, accepted).await
    }

    /// Deletes a webhook. One that the remote does not know (404) is deleted.
    ///
    /// # Errors
    /// Not deleted, or, if [`RemoteError::ambiguous`], not known.
    pub async fn delete(&self, project: &ProjectPath, id: WebhookId) -> Result<(), RemoteError> {
        unless_unknown(self.send(DELETE, About(project, Some(id)), None, Priority::Urgent, accepted).await).map(|_| ())
    }

    async fn send<T>(
        &self,
        call: Call,
        about: About<'_>,
        json: Option<Value>,
        priority: Priority,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, RemoteError> {
        let url = self.url(about.0, about.1);
        let ask = Ask { provider: Provider::AppMaker, call, url, about: &about, json, priority };
        let authorization = self.authorization.clone();
        self.caller.send(ask, |_| HeaderMap::from_iter([(AUTHORIZATION, authorization)]), read).await
    }

    /// Ids are hexadecimal digits by their type.
    fn url(&self, project: &ProjectPath, webhook: Option<WebhookId>) -> Option<Url> {
        let ProjectPath { organization, project } = project;
        let (organization, project) = (organization.to_string(), project.to_string());
        let webhook = webhook.map(|id| id.to_string());
        let segments = ["organizations", &organization, "projects", &project, "settings", "webhooks"];
        below(&self.base, segments.into_iter().chain(webhook.as_deref()))
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
