//! The admin door: what the handle does, over plain HTTP and JSON. It needs no credentials and belongs on loopback.

use std::sync::Arc;

use axum::extract::{Path, Query, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app_maker::{Access, Behaviour, Missing, NewWebhook, ProjectRef, WebhookEdit};
use crate::codearts;
use crate::faults::Fault;
use crate::state::Shared;

pub(crate) type Door = Extract<Arc<Shared>>;

/// An answer that says no.
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1 }))).into_response()
    }
}

impl From<Missing> for Refused {
    fn from(missing: Missing) -> Self {
        Self(StatusCode::NOT_FOUND, missing.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfProject {
    project: Option<String>,
}

/// The routes of the door.
pub(crate) fn router(shared: Arc<Shared>, ca_pem: Arc<str>) -> Router {
    Router::new()
        .route("/ca", get(move || std::future::ready(ca_pem.to_string())))
        .route("/calls", get(calls).delete(clear_calls))
        .route("/counts", get(counts))
        .route("/tokens", get(list_tokens).put(put_tokens))
        .route("/projects", get(list_projects).post(add_project))
        .route("/projects/{project}", delete(remove_project))
        .route("/projects/{project}/webhooks", get(list_webhooks).post(create_webhook))
        .route("/projects/{project}/webhooks/{id}", patch(edit_webhook).delete(delete_webhook))
        .route("/behaviour", get(get_behaviour).put(put_behaviour).delete(delete_behaviour))
        .route("/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/faults/release", post(release_late_effects))
        .route("/faults/{id}", delete(remove_fault))
        .route("/injected", get(injected))
        .merge(codearts::routes())
        .with_state(shared)
}

async fn calls(Extract(shared): Door, Query(of): Query<OfProject>) -> Response {
    shared.read(|state| match &of.project {
        None => Json(state.calls().collect::<Vec<_>>()).into_response(),
        Some(project) => Json(state.calls_for(project).collect::<Vec<_>>()).into_response(),
    })
}

async fn clear_calls(Extract(shared): Door) -> StatusCode {
    shared.change(|state| state.calls.clear());
    StatusCode::NO_CONTENT
}

async fn counts(Extract(shared): Door, Query(of): Query<OfProject>) -> Response {
    Json(shared.read(|state| state.counts(of.project.as_deref()))).into_response()
}

async fn injected(Extract(shared): Door) -> Response {
    Json(shared.read(|state| state.injected())).into_response()
}

/// Tokens by what shall become of them.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct TokenChanges {
    add: Vec<String>,
    forbid: Vec<String>,
    remove: Vec<String>,
}

async fn put_tokens(Extract(shared): Door, Json(changes): Json<TokenChanges>) -> Json<Value> {
    shared.change(|state| {
        let tokens = &mut state.app_maker.tokens;
        for token in &changes.remove {
            tokens.remove(token);
        }
        let mut set = |all: &[String], access| all.iter().map(|token| tokens.set(token, access)).collect::<Vec<_>>();
        let (added, forbidden) = (set(&changes.add, Access::Allowed), set(&changes.forbid, Access::Forbidden));
        Json(json!({ "add": added, "forbid": forbidden }))
    })
}

async fn list_tokens(Extract(shared): Door) -> Json<Value> {
    let known = shared.read(|state| state.app_maker.tokens.list());
    Json(known.into_iter().map(|(position, access)| json!({ "token": position, "access": access })).collect())
}

async fn list_projects(Extract(shared): Door) -> Response {
    Json(shared.read(|state| state.app_maker.projects())).into_response()
}

async fn add_project(Extract(shared): Door, Json(new): Json<ProjectRef>) -> Result<StatusCode, Refused> {
    shared
        .change(|state| state.app_maker.add_project(&new.organization, &new.id))
        .map(|()| StatusCode::CREATED)
        .map_err(|refused| Refused(StatusCode::BAD_REQUEST, refused.to_string()))
}

async fn remove_project(Extract(shared): Door, Path(project): Path<String>) -> Result<StatusCode, Refused> {
    match shared.change(|state| state.app_maker.remove_project(&project)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Missing::Project(project).into()),
    }
}

async fn list_webhooks(Extract(shared): Door, Path(project): Path<String>) -> Result<Response, Refused> {
    let webhooks = shared.read(|state| state.app_maker.console_list(&project))?;
    Ok(Json(webhooks).into_response())
}

async fn create_webhook(
    Extract(shared): Door,
    Path(project): Path<String>,
    Json(new): Json<NewWebhook>,
) -> Result<Response, Refused> {
    let webhook = shared.change(|state| state.app_maker.console_create(&project, new))?;
    Ok((StatusCode::CREATED, Json(webhook)).into_response())
}

async fn edit_webhook(
    Extract(shared): Door,
    Path((project, id)): Path<(String, String)>,
    Json(edit): Json<WebhookEdit>,
) -> Result<Response, Refused> {
    let webhook = shared.change(|state| state.app_maker.console_edit(&project, &id, edit))?;
    Ok(Json(webhook).into_response())
}

async fn delete_webhook(
    Extract(shared): Door,
    Path((project, id)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    shared.change(|state| state.app_maker.console_delete(&project, &id))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_behaviour(Extract(shared): Door, Query(of): Query<OfProject>) -> Response {
    let behaviour = shared.read(|state| state.app_maker.behaviour(of.project.as_deref()));
    Json(&*behaviour).into_response()
}

async fn put_behaviour(
    Extract(shared): Door,
    Query(of): Query<OfProject>,
    Json(behaviour): Json<Behaviour>,
) -> Result<StatusCode, Refused> {
    shared.change(|state| match &of.project {
        None => {
            state.app_maker.set_behaviour(behaviour);
            Ok(())
        }
        Some(project) => state.app_maker.set_project_behaviour(project, Some(behaviour)),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Back to the default; with a project, back to what holds for all.
async fn delete_behaviour(Extract(shared): Door, Query(of): Query<OfProject>) -> Result<StatusCode, Refused> {
    shared.change(|state| match &of.project {
        None => {
            state.app_maker.set_behaviour(Behaviour::default());
            Ok(())
        }
        Some(project) => state.app_maker.set_project_behaviour(project, None),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_faults(Extract(shared): Door) -> Response {
    Json(shared.read(|state| state.faults.list())).into_response()
}

async fn add_fault(Extract(shared): Door, Json(fault): Json<Fault>) -> Response {
    let id = shared.change(|state| state.faults.add(fault));
    (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
}

async fn remove_fault(Extract(shared): Door, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    match shared.change(|state| state.faults.remove(&id)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refused(StatusCode::NOT_FOUND, format!("there is no fault {id}"))),
    }
}

async fn clear_faults(Extract(shared): Door) -> StatusCode {
    shared.change(|state| state.faults.clear());
    StatusCode::NO_CONTENT
}

async fn release_late_effects(Extract(shared): Door) -> StatusCode {
    shared.release_late_effects();
    StatusCode::NO_CONTENT
}
