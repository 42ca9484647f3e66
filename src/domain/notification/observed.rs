//! A notification channel as the remote shows it.

use std::collections::BTreeSet;

use crate::domain::observed::is_mask;
use crate::domain::secret::{ReceiverUrl, SecretText, hidden_parts};

/// One row of a task's configuration (seed check-task-webhook-info, table 3).
#[derive(Clone, Debug)]
pub struct Channel {
    /// `wecom`, `dingtalk`, `lark`, or what the page does not know; in lower case.
    pub kind: String,
    /// The notification switch.
    pub switch: Switch,
    /// Where notifications are sent.
    pub url: ReceiverUrl,
    /// The menu items that are told.
    pub notify: BTreeSet<String>,
    /// The filter by gate result.
    pub review_result_filter: String,
    /// Who is told.
    pub user_ids: BTreeSet<String>,
    /// The key for signatures.
    pub secret: SeenSecret,
}

impl Channel {
    /// What of it must not be shown: of its URL all but the host, and its key.
    pub fn hidden(&self) -> impl Iterator<Item = SecretText> {
        let secret = match &self.secret {
            SeenSecret::Shown(secret) => Some(secret.clone()),
            SeenSecret::Masked | SeenSecret::Empty | SeenSecret::Hidden => None,
        };
        hidden_parts(self.url.expose()).into_iter().chain(secret)
    }
}

/// The notification switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// `on`.
    On,
    /// `off`.
    Off,
    /// Neither.
    Unknown,
}

impl Switch {
    /// Reads it without regard to case and blanks.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "on" => Self::On,
            "off" => Self::Off,
            _ => Self::Unknown,
        }
    }
}

/// The key for signatures, as far as the remote shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenSecret {
    /// As it was entered.
    Shown(SecretText),
    /// Only asterisks: one is set, and which is not shown.
    Masked,
    /// The empty text: none is set, as far as the remote says.
    Empty,
    /// There is no such field: nothing is said of it.
    Hidden,
}

impl SeenSecret {
    /// Whether there may be one that is not shown.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Masked | Self::Hidden)
    }

    /// Reads a value.
    #[must_use]
    pub fn read(text: String) -> Self {
        if text.is_empty() {
            Self::Empty
        } else if is_mask(&text) {
            Self::Masked
        } else {
            Self::Shown(SecretText::new(text))
        }
    }
}

/// The items of a text. What stands between them is not documented: commas, semicolons and blanks do.
#[must_use]
pub fn names(text: &str) -> BTreeSet<String> {
    let separates = |c: char| c.is_whitespace() || ",;".contains(c);
    text.split(separates).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
