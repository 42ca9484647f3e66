//! `GET /v4/tasks/{task_id}/task-webhook-info`: the notification channels of a task.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, Case, SecretShown, Total, UnknownTask};
use super::console::Channel;
use super::refusal::Refusal;
use super::{CodeArts, answer};
use crate::remote::{ApiRequest, Reply};

impl CodeArts {
    /// A request is refused for the first of these that holds: credentials that are no good (401), that may not do this
    /// (403), a parameter that the page does not have (400), no such task (400 or 404).
    pub(super) fn task_webhook_info(&self, request: &ApiRequest, task: &str) -> Result<Reply, Refusal> {
        self.credentials.authorize(request, &self.behaviour)?;
        // The page: "Request Parameters: None", and an id of "1 to 32 characters".
        if request.query.is_some() || task.len() > 32 {
            return Err(Refusal::BadRequest);
        }
        let channels = self.tasks.channels(task).map_err(|_| match self.behaviour.unknown_task {
            UnknownTask::NotFound => Refusal::NoSuchTask,
            UnknownTask::BadRequest => Refusal::BadRequest,
        })?;
        Ok(answer(StatusCode::OK, &shown(task, channels, &self.behaviour)))
    }
}

fn shown(task: &str, channels: &[Channel], behaviour: &Behaviour) -> Value {
    let data: Vec<_> = channels.iter().map(|channel| row(task, channel, behaviour)).collect();
    match behaviour.total {
        Total::Counted => json!({ "total": data.len(), "data": data }),
        Total::Absent => json!({ "data": data }),
        Total::Says(total) => json!({ "total": total, "data": data }),
    }
}

/// TaskWebhookInfo: ten fields, each a string.
fn row(task: &str, channel: &Channel, behaviour: &Behaviour) -> Value {
    let Channel { id, kind, enabled, url, notify, review_result_filter, user_ids, secret, created_at } = channel;
    let mut row = Map::new();
    let mut put = |name: &str, value: String| row.insert(name.to_owned(), Value::String(value));
    put("id", id.clone());
    put("taskId", task.to_owned());
    put("webhookUrl", url.clone());
    put("status", status(*enabled, behaviour.status_case));
    put("type", kind.clone());
    put("reviewResultFilter", review_result_filter.clone());
    // The page calls this the creation time; its example has whole seconds.
    put("now", format!("{created_at:.0}"));
    put("userIds", user_ids.join(&behaviour.user_separator));
    put("notificationMenu", notify.join(&behaviour.menu_separator));
    if let Some(secret) = shown_secret(secret, behaviour.secret) {
        put("secret", secret);
    }
    row.retain(|name, _| !behaviour.omit_fields.contains(name));
    row.extend(behaviour.extra_fields.clone());
    Value::Object(row)
}

fn status(enabled: bool, case: Case) -> String {
    match (case, enabled) {
        (Case::Lower, true) => "on",
        (Case::Lower, false) => "off",
        (Case::Upper, true) => "ON",
        (Case::Upper, false) => "OFF",
        (Case::Capitalized, true) => "On",
        (Case::Capitalized, false) => "Off",
    }
    .to_owned()
}

fn shown_secret(secret: &str, shown: SecretShown) -> Option<String> {
    match shown {
        SecretShown::Absent => None,
        SecretShown::Masked if !secret.is_empty() => Some("******".to_owned()),
        SecretShown::Empty => Some(String::new()),
        SecretShown::Plain | SecretShown::Masked => Some(secret.to_owned()),
    }
}
