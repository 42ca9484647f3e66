//! What a person at the vendor's console does: no token, no validation, no normalisation, no faults, nothing recorded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AppMaker;
use super::store::Webhook;

/// What the console does not find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such project.
    #[error("there is no project {0}")]
    Project(String),
    /// No such webhook in the project.
    #[error("there is no webhook {0}")]
    Webhook(String),
}

/// A webhook to be made at the console.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// The display name.
    pub name: String,
    /// The receiver.
    pub url: String,
    /// The headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether it delivers.
    #[serde(default = "yes")]
    pub active: bool,
    /// What it delivers.
    pub events: Vec<String>,
}

fn yes() -> bool {
    true
}

impl NewWebhook {
    /// An active webhook for one event, without headers.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            headers: BTreeMap::new(),
            active: true,
            events: vec!["deployment.build.created".to_owned()],
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}

/// An edit at the console: the fields that are given take the place of the old ones, headers as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookEdit {
    /// The new display name.
    pub name: Option<String>,
    /// The new receiver.
    pub url: Option<String>,
    /// The new headers.
    pub headers: Option<BTreeMap<String, String>>,
    /// Whether it delivers from now on.
    pub active: Option<bool>,
    /// What it delivers from now on.
    pub events: Option<Vec<String>>,
}

impl AppMaker {
    pub(crate) fn console_list(&self, project: &str) -> Result<Vec<Webhook>, Missing> {
        Ok(self.project(project)?.webhooks().cloned().collect())
    }

    pub(crate) fn webhook_count(&self, project: &str) -> usize {
        self.project(project).map_or(0, |project| project.webhooks().len())
    }

    pub(crate) fn console_create(&mut self, project: &str, new: NewWebhook) -> Result<Webhook, Missing> {
        let NewWebhook { name, url, headers, active, events } = new;
        let id = self.ids.next();
        let webhook = Webhook::new(id, name, url, headers, active, events);
        self.project_mut(project)?.insert(webhook.clone());
        Ok(webhook)
    }

    pub(crate) fn console_edit(&mut self, project: &str, id: &str, edit: WebhookEdit) -> Result<Webhook, Missing> {
        let project = self.project_mut(project)?;
        let old = project.get(id).ok_or_else(|| Missing::Webhook(id.to_owned()))?;
        let WebhookEdit { name, url, headers, active, events } = edit;
        let new = Webhook {
            id: old.id.clone(),
            name: name.unwrap_or_else(|| old.name.clone()),
            url: url.unwrap_or_else(|| old.url.clone()),
            headers: headers.unwrap_or_else(|| old.headers.clone()),
            active: active.unwrap_or(old.active),
            events: events.unwrap_or_else(|| old.events.clone()),
            created_at: old.created_at,
            updated_at: Timestamp::now(),
        };
        project.replace(new.clone());
        Ok(new)
    }

    pub(crate) fn console_delete(&mut self, project: &str, id: &str) -> Result<(), Missing> {
        if self.project_mut(project)?.remove(id) { Ok(()) } else { Err(Missing::Webhook(id.to_owned())) }
    }
}
