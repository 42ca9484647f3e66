//! The routes of the page, each as strict as the page is.
//!
//! A request is refused for the first of these that holds: no such path (404), no such method (405), no known token
//! (401), a token that is forbidden (403), an id that is none (400), no such project (404), no such webhook (404), no
//! JSON content type (415), a body that is not as documented (400). Known of the vendor are 400, 401 and 403; the rest
//! is what HTTP says.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use super::behaviour::{Behaviour, CreateResponse, UpdateResponse};
use super::fields::{Fields, required};
use super::store::Webhook;
use super::{Access, AppMaker, is_entity_id, view};
use crate::remote::{ApiRequest, Remote, Reply, Target};

/// A path of the page.
#[derive(Clone, Copy)]
struct Route<'a> {
    organization: &'a str,
    project: &'a str,
    webhook: Option<&'a str>,
}

impl<'a> Route<'a> {
    /// `/api/v1` is the base path of the vendor's endpoints; the rest is the page's.
    fn parse(path: &'a str) -> Option<Self> {
        let segments: Vec<_> = path.strip_prefix("/api/v1/")?.split('/').collect();
        if segments.contains(&"") {
            return None;
        }
        let (organization, project, webhook) = match segments.as_slice() {
            ["organizations", organization, "projects", project, "settings", "webhooks"] => {
                (organization, project, None)
            }
            ["organizations", organization, "projects", project, "settings", "webhooks", webhook] => {
                (organization, project, Some(*webhook))
            }
            _ => return None,
        };
        Some(Self { organization, project, webhook })
    }

    fn operation(&self, method: &Method) -> Option<&'static str> {
        match (self.webhook, method.as_str()) {
            (None, "GET") => Some("list"),
            (None, "POST") => Some("create"),
            (Some(_), "GET") => Some("get"),
            (Some(_), "PATCH") => Some("update"),
            (Some(_), "DELETE") => Some("delete"),
            _ => None,
        }
    }

    fn allowed(&self) -> HeaderValue {
        HeaderValue::from_static(if self.webhook.is_none() { "GET, POST" } else { "GET, PATCH, DELETE" })
    }
}

/// An answer that says no. Names and shape follow what is known of the vendor's errors (`facts.md`).
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    name: &'static str,
    message: String,
    allow: Option<HeaderValue>,
}

impl Refusal {
    fn new(status: StatusCode, name: &'static str, message: &str) -> Self {
        Self { status, name, message: message.to_owned(), allow: None }
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequestError", message)
    }

    pub(super) fn unsupported_media_type() -> Self {
        let message = "content-type must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaTypeError", message)
    }

    fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFoundError", &format!("{what} not found"))
    }

    fn method_not_allowed(allow: HeaderValue) -> Self {
        let message = "method not allowed";
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowedError", message);
        Self { allow: Some(allow), ..refusal }
    }

    fn into_reply(self) -> Reply {
        let body = json!({ "name": self.name, "message": self.message });
        let mut reply = Reply::json(self.status, Bytes::from(body.to_string()));
        reply.headers.extend(self.allow.map(|value| (header::ALLOW, value)));
        reply
    }
}

impl Remote for AppMaker {
    fn target(&self, request: &ApiRequest) -> Target {
        let token = request.bearer().and_then(|token| self.tokens.find(token)).map(|(position, _)| position);
        let body = request.json.clone();
        let Some(route) = Route::parse(&request.path) else {
            return Target { operation: "unknown", token, body, ..Target::default() };
        };
        Target {
            operation: route.operation(&request.method).unwrap_or("unknown"),
            organization: Some(route.organization.to_owned()),
            project: Some(route.project.to_owned()),
            resource: route.webhook.map(str::to_owned),
            token,
            body,
        }
    }

    fn answer(&mut self, request: &ApiRequest) -> Reply {
        self.route(request).unwrap_or_else(Refusal::into_reply)
    }

    fn failure(&self, _request: &ApiRequest, status: StatusCode) -> Reply {
        let name = status.canonical_reason().unwrap_or("Injected").replace(' ', "");
        let body = json!({ "name": format!("{name}Error"), "message": "injected by a fault" });
        Reply::json(status, Bytes::from(body.to_string()))
    }
}

impl AppMaker {
    fn route(&mut self, request: &ApiRequest) -> Result<Reply, Refusal> {
        let route = Route::parse(&request.path).ok_or_else(|| Refusal::not_found("path"))?;
        let operation = route.operation(&request.method).ok_or_else(|| Refusal::method_not_allowed(route.allowed()))?;
        self.authorize(request)?;
        for (what, id) in [
            ("organizationId", Some(route.organization)),
            ("projectId", Some(route.project)),
            ("webhookId", route.webhook),
        ] {
            if id.is_some_and(|id| !is_entity_id(id)) {
                return Err(Refusal::bad_request(&format!("{what} must match ^[0-9a-fA-F]{{24}}$")));
            }
        }
        let there = self
            .project(route.project)
            .is_ok_and(|project| project.id.organization.eq_ignore_ascii_case(route.organization));
        if !there {
            return Err(Refusal::not_found("project"));
        }
        let behaviour = self.behaviour(Some(route.project));
        match (operation, route.webhook) {
            ("create", _) => self.create(route.project, &behaviour, request),
            ("get", Some(id)) => self.get(route.project, &behaviour, id),
            ("update", Some(id)) => self.update(route.project, &behaviour, id, request),
            ("delete", Some(id)) => self.delete(route.project, id),
            _ => self.list(route.project, &behaviour),
        }
    }

    fn authorize(&self, request: &ApiRequest) -> Result<(), Refusal> {
        match request.bearer().and_then(|token| self.tokens.find(token)) {
            Some((_, Access::Allowed)) => Ok(()),
            Some((_, Access::Forbidden)) => {
                Err(Refusal::new(StatusCode::FORBIDDEN, "ForbiddenError", "the token may not do this"))
            }
            None => Err(Refusal::new(StatusCode::UNAUTHORIZED, "UnauthorizedError", "the token is missing or unknown")),
        }
    }

    /// LIST: a bare array, without pagination (`facts.md`).
    fn list(&mut self, project: &str, behaviour: &Arc<Behaviour>) -> Result<Reply, Refusal> {
        let rendering = self.behaviours_set;
        let project = self.project_mut(project).map_err(|_| Refusal::not_found("project"))?;
        Ok(Reply::json(StatusCode::OK, project.list(behaviour, rendering)))
    }

    /// POST: 201 "OK", with a Project as its body by the page.
    fn create(&mut self, project: &str, behaviour: &Behaviour, request: &ApiRequest) -> Result<Reply, Refusal> {
        let fields = Fields::read(request)?;
        let id = self.ids.next();
        let webhook = Webhook::new(
            id,
            behaviour.kept_name(required("name", fields.name)?),
            behaviour.kept_url(required("url", fields.url)?),
            behaviour.kept_headers(fields.headers.unwrap_or_default()),
            // The seed: "Webhook active status, Default: true".
            fields.active.unwrap_or(true),
            behaviour.kept_events(required("events", fields.events)?),
        );
        let project = self.project_mut(project).map_err(|_| Refusal::not_found("project"))?;
        let body = match behaviour.create_response {
            CreateResponse::Project => view::project(project),
            CreateResponse::Webhook => view::webhook(&webhook, behaviour),
        };
        project.insert(webhook);
        Ok(Reply::json(StatusCode::CREATED, Bytes::from(body)).with_effect())
    }

    fn get(&mut self, project: &str, behaviour: &Behaviour, id: &str) -> Result<Reply, Refusal> {
        let project = self.project_mut(project).map_err(|_| Refusal::not_found("project"))?;
        let webhook = project.get(id).ok_or_else(|| Refusal::not_found("webhook"))?;
        Ok(Reply::json(StatusCode::OK, Bytes::from(view::webhook(webhook, behaviour))))
    }

    /// PATCH: the given fields only; all of them are optional by the page, so `{}` is a request that changes nothing.
    fn update(
        &mut self,
        project: &str,
        behaviour: &Behaviour,
        id: &str,
        request: &ApiRequest,
    ) -> Result<Reply, Refusal> {
        let project = self.project_mut(project).map_err(|_| Refusal::not_found("project"))?;
        let before = project.get(id).ok_or_else(|| Refusal::not_found("webhook"))?;
        let fields = Fields::read(request)?;
        let webhook = before.patched(fields, behaviour);
        let changes = webhook.is_some();
        let body = match behaviour.update_response {
            UpdateResponse::Webhook => Some(view::webhook(webhook.as_ref().unwrap_or(before), behaviour)),
            UpdateResponse::Project => Some(view::project(project)),
            UpdateResponse::Empty => None,
        };
        if let Some(webhook) = webhook {
            project.replace(webhook);
        }
        Ok(Reply { status: StatusCode::OK, headers: Vec::new(), body: body.map(Bytes::from), effect: changes })
    }

    /// DELETE: 204 "No content".
    fn delete(&mut self, project: &str, id: &str) -> Result<Reply, Refusal> {
        let project = self.project_mut(project).map_err(|_| Refusal::not_found("project"))?;
        if !project.remove(id) {
            return Err(Refusal::not_found("webhook"));
        }
        Ok(Reply { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: None, effect: true })
    }
}
