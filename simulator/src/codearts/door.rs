//! The admin door's part for Check and IAM, below `/codearts`.

use std::sync::Arc;

use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::console::{ChannelEdit, Missing, NewChannel};
use super::credentials::{AccessKey, IamUser};
use crate::admin::{Door, Refused};
use crate::state::Shared;

/// The routes of this part.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    let routes = Router::new()
        .route("/tasks", get(list_tasks).post(add_task))
        .route("/tasks/{task}", delete(remove_task))
        .route("/tasks/{task}/channels", get(list_channels).post(add_channel).put(set_channel))
        .route("/tasks/{task}/channels/{id}", patch(edit_channel).delete(remove_channel))
        .route("/behaviour", get(get_behaviour).put(put_behaviour).delete(delete_behaviour))
        .route("/tokens", put(put_tokens))
        .route("/tokens/revoke-issued", post(revoke_issued))
        .route("/users", put(put_users))
        .route("/access-keys", put(put_access_keys));
    Router::new().nest("/codearts", routes)
}

impl From<Missing> for Refused {
    fn from(missing: Missing) -> Self {
        Self(StatusCode::NOT_FOUND, missing.to_string())
    }
}

/// A task to be added, with what is to be entered in it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTask {
    task: Option<String>,
    #[serde(default)]
    channels: Vec<NewChannel>,
}

async fn list_tasks(Extract(shared): Door) -> Response {
    Json(shared.read(|state| state.codearts.tasks.ids().map(str::to_owned).collect::<Vec<_>>())).into_response()
}

async fn add_task(Extract(shared): Door, Json(new): Json<NewTask>) -> Result<Response, Refused> {
    let task = shared.change(|state| {
        let tasks = &mut state.codearts.tasks;
        let task = match new.task {
            None => tasks.add_new(),
            Some(id) => {
                tasks.add(&id).map_err(|refused| Refused(StatusCode::BAD_REQUEST, refused.to_string()))?;
                id
            }
        };
        for channel in new.channels {
            tasks.add_channel(&task, channel)?;
        }
        Ok::<_, Refused>(task)
    })?;
    Ok((StatusCode::CREATED, Json(json!({ "task": task }))).into_response())
}

async fn remove_task(Extract(shared): Door, Path(task): Path<String>) -> Result<StatusCode, Refused> {
    match shared.change(|state| state.codearts.tasks.remove(&task)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Missing::Task(task).into()),
    }
}

async fn list_channels(Extract(shared): Door, Path(task): Path<String>) -> Result<Response, Refused> {
    let channels = shared.read(|state| state.codearts.tasks.channels(&task).map(<[_]>::to_vec))?;
    Ok(Json(channels).into_response())
}

async fn add_channel(
    Extract(shared): Door,
    Path(task): Path<String>,
    Json(new): Json<NewChannel>,
) -> Result<Response, Refused> {
    let channel = shared.change(|state| state.codearts.tasks.add_channel(&task, new))?;
    Ok((StatusCode::CREATED, Json(channel)).into_response())
}

async fn set_channel(
    Extract(shared): Door,
    Path(task): Path<String>,
    Json(new): Json<NewChannel>,
) -> Result<Response, Refused> {
    let channel = shared.change(|state| state.codearts.tasks.set_channel(&task, new))?;
    Ok(Json(channel).into_response())
}

async fn edit_channel(
    Extract(shared): Door,
    Path((task, id)): Path<(String, String)>,
    Json(edit): Json<ChannelEdit>,
) -> Result<Response, Refused> {
    let channel = shared.change(|state| state.codearts.tasks.edit_channel(&task, &id, edit))?;
    Ok(Json(channel).into_response())
}

async fn remove_channel(
    Extract(shared): Door,
    Path((task, id)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    shared.change(|state| state.codearts.tasks.remove_channel(&task, &id))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn get_behaviour(Extract(shared): Door) -> Response {
    Json(shared.read(|state| state.codearts.behaviour.clone())).into_response()
}

async fn put_behaviour(Extract(shared): Door, Json(behaviour): Json<Behaviour>) -> StatusCode {
    shared.change(|state| state.codearts.behaviour = behaviour);
    StatusCode::NO_CONTENT
}

async fn delete_behaviour(Extract(shared): Door) -> StatusCode {
    shared.change(|state| state.codearts.behaviour = Behaviour::default());
    StatusCode::NO_CONTENT
}

/// Tokens by what shall become of them.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TokenChanges {
    add: Vec<String>,
    forbid: Vec<String>,
    remove: Vec<String>,
}

async fn put_tokens(Extract(shared): Door, Json(changes): Json<TokenChanges>) -> Json<Value> {
    shared.change(|state| {
        let credentials = &mut state.codearts.credentials;
        for token in &changes.remove {
            credentials.remove_token(token);
        }
        let added: Vec<_> = changes.add.iter().map(|token| credentials.set_token(token, false)).collect();
        let forbidden: Vec<_> = changes.forbid.iter().map(|token| credentials.set_token(token, true)).collect();
        Json(json!({ "add": added, "forbid": forbidden }))
    })
}

async fn revoke_issued(Extract(shared): Door) -> Json<Value> {
    Json(json!({ "revoked": shared.change(|state| state.codearts.credentials.revoke_issued()) }))
}

/// Users by what shall become of them.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct UserChanges {
    set: Vec<IamUser>,
    allow: Vec<UserName>,
    forbid: Vec<UserName>,
    remove: Vec<UserName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserName {
    domain: String,
    user: String,
}

async fn put_users(Extract(shared): Door, Json(changes): Json<UserChanges>) -> StatusCode {
    shared.change(|state| {
        let credentials = &mut state.codearts.credentials;
        for name in &changes.remove {
            credentials.remove_user(&name.domain, &name.user);
        }
        for user in changes.set {
            credentials.set_user(user);
        }
        for (names, forbidden) in [(&changes.allow, false), (&changes.forbid, true)] {
            for name in names {
                credentials.forbid_user(&name.domain, &name.user, forbidden);
            }
        }
    });
    StatusCode::NO_CONTENT
}

/// Access keys by what shall become of them; those that are known by their public half.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct KeyChanges {
    set: Vec<AccessKey>,
    forbid: Vec<String>,
    remove: Vec<String>,
}

async fn put_access_keys(Extract(shared): Door, Json(changes): Json<KeyChanges>) -> Json<Value> {
    shared.change(|state| {
        let credentials = &mut state.codearts.credentials;
        for key in &changes.remove {
            credentials.remove_key(key);
        }
        let set: Vec<_> = changes.set.into_iter().map(|key| credentials.set_key(key)).collect();
        for key in &changes.forbid {
            credentials.forbid_key(key);
        }
        Json(json!({ "set": set }))
    })
}
