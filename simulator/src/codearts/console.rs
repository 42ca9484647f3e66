//! What a person at the console does to the notification channels of a task: no credentials, no faults, nothing
//! recorded. It is the only way to change them: the vendor publishes no call that does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::new_id;

/// A notification channel as it is kept: the full truth, nothing masked or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Channel {
    /// The row's primary key.
    pub id: String,
    /// `wecom`, `dingtalk`, `lark`, or a type that the page does not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// The robot's URL.
    pub url: String,
    /// What is told: `jobResult`, `reviewResult`, `issues`, `linkUrl`, `executor`, `finishedTime`.
    pub notify: Vec<String>,
    /// The filter by gate result.
    pub review_result_filter: String,
    /// Who is told.
    pub user_ids: Vec<String>,
    /// The key for signatures.
    pub secret: String,
    /// When the row was made.
    pub created_at: Timestamp,
}

/// A channel to be entered at the console.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is switched on.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The robot's URL.
    #[serde(default)]
    pub url: String,
    /// What is told.
    #[serde(default)]
    pub notify: Vec<String>,
    /// The filter by gate result.
    #[serde(default)]
    pub review_result_filter: String,
    /// Who is told.
    #[serde(default)]
    pub user_ids: Vec<String>,
    /// The key for signatures.
    #[serde(default)]
    pub secret: String,
}

fn yes() -> bool {
    true
}

impl NewChannel {
    /// A channel that is on and tells the check's result, without a key.
    pub fn new(kind: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            enabled: true,
            url: url.into(),
            notify: vec!["jobResult".to_owned()],
            review_result_filter: String::new(),
            user_ids: Vec::new(),
            secret: String::new(),
        }
    }

    /// A channel that is off and that nobody has filled in: the row of the page's example.
    pub fn blank(kind: impl Into<String>) -> Self {
        Self { enabled: false, notify: Vec::new(), ..Self::new(kind, "") }
    }

    /// Sets what is told.
    pub fn notify<S: Into<String>>(self, items: impl IntoIterator<Item = S>) -> Self {
        Self { notify: items.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets who is told.
    pub fn user_ids<S: Into<String>>(self, ids: impl IntoIterator<Item = S>) -> Self {
        Self { user_ids: ids.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets the key for signatures.
    pub fn secret(self, secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), ..self }
    }

    fn row(self, id: String, created_at: Timestamp) -> Channel {
        let Self { kind, enabled, url, notify, review_result_filter, user_ids, secret } = self;
        Channel { id, kind, enabled, url, notify, review_result_filter, user_ids, secret, created_at }
    }
}

/// An edit at the console: the fields that are given take the place of the old ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelEdit {
    /// Whether it is switched on from now on.
    pub enabled: Option<bool>,
    /// The robot's new URL.
    pub url: Option<String>,
    /// What is told from now on.
    pub notify: Option<Vec<String>>,
    /// The new filter by gate result.
    pub review_result_filter: Option<String>,
    /// Who is told from now on.
    pub user_ids: Option<Vec<String>>,
    /// The new key for signatures.
    pub secret: Option<String>,
}

/// What the console does not find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No such task.
    #[error("there is no task {0}")]
    Task(String),
    /// No such channel in the task.
    #[error("there is no channel {0}")]
    Channel(String),
}

/// The tasks and their channels, oldest first.
#[derive(Default)]
pub(crate) struct Tasks(BTreeMap<String, Vec<Channel>>);

impl Tasks {
    /// Adds a task; one that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// If the id is none: the page allows 1 to 32 characters, of which the operator takes letters, digits, `_` and `-`.
    pub(crate) fn add(&mut self, task: &str) -> anyhow::Result<()> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        anyhow::ensure!(
            (1..=32).contains(&task.len()) && task.bytes().all(fits),
            "{task:?} is no task id: it must match ^[A-Za-z0-9_-]{{1,32}}$"
        );
        self.0.entry(task.to_owned()).or_default();
        Ok(())
    }

    /// Adds a task under a fresh id.
    pub(crate) fn add_new(&mut self) -> String {
        let id = new_id();
        self.0.insert(id.clone(), Vec::new());
        id
    }

    pub(crate) fn remove(&mut self, task: &str) -> bool {
        self.0.remove(task).is_some()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn channels(&self, task: &str) -> Result<&[Channel], Missing> {
        self.0.get(task).map(Vec::as_slice).ok_or_else(|| Missing::Task(task.to_owned()))
    }

    fn channels_mut(&mut self, task: &str) -> Result<&mut Vec<Channel>, Missing> {
        self.0.get_mut(task).ok_or_else(|| Missing::Task(task.to_owned()))
    }

    /// Adds a row, whatever rows of its type there are.
    pub(crate) fn add_channel(&mut self, task: &str, new: NewChannel) -> Result<Channel, Missing> {
        let channels = self.channels_mut(task)?;
        let channel = new.row(new_id(), Timestamp::now());
        channels.push(channel.clone());
        Ok(channel)
    }

    /// Makes this the only row of its type: over the first one that is there, else as a new one.
    pub(crate) fn set_channel(&mut self, task: &str, new: NewChannel) -> Result<Channel, Missing> {
        let channels = self.channels_mut(task)?;
        let Some(at) = channels.iter().position(|old| old.kind == new.kind) else {
            return self.add_channel(task, new);
        };
        let channel = new.row(channels[at].id.clone(), channels[at].created_at);
        channels[at] = channel.clone();
        let mut first = true;
        channels.retain(|one| one.kind != channel.kind || std::mem::take(&mut first));
        Ok(channel)
    }

    pub(crate) fn edit_channel(&mut self, task: &str, id: &str, edit: ChannelEdit) -> Result<Channel, Missing> {
        let channels = self.channels_mut(task)?;
        let channel = channels.iter_mut().find(|one| one.id == id).ok_or_else(|| Missing::Channel(id.to_owned()))?;
        let ChannelEdit { enabled, url, notify, review_result_filter, user_ids, secret } = edit;
        let old = channel.clone();
        *channel = Channel {
            enabled: enabled.unwrap_or(old.enabled),
            url: url.unwrap_or(old.url),
            notify: notify.unwrap_or(old.notify),
            review_result_filter: review_result_filter.unwrap_or(old.review_result_filter),
            user_ids: user_ids.unwrap_or(old.user_ids),
            secret: secret.unwrap_or(old.secret),
            id: old.id,
            kind: old.kind,
            created_at: old.created_at,
        };
        Ok(channel.clone())
    }

    pub(crate) fn remove_channel(&mut self, task: &str, id: &str) -> Result<(), Missing> {
        let channels = self.channels_mut(task)?;
        let before = channels.len();
        channels.retain(|one| one.id != id);
        if channels.len() < before { Ok(()) } else { Err(Missing::Channel(id.to_owned())) }
    }
}
