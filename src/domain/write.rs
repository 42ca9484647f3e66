//! One write to the remote, as a value. Its text serves logs, Events and `hookwright plan`.

use std::fmt;

use super::compare::Field;
use super::desired::Changes;
use super::ids::WebhookId;
use super::marker::MARKER_HEADER;
use crate::api::project_webhook::Ownership;

/// One write to the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// POST a webhook. `replaces` is the one that will be superseded, because a header could not be removed from it.
    Create {
        /// Display name, for the text.
        name: String,
        /// Receiver's host, for the text.
        host: String,
        /// The webhook that this one replaces.
        replaces: Option<WebhookId>,
    },
    /// PATCH the fields that differ.
    Update {
        /// Which webhook.
        id: WebhookId,
        /// What to send.
        changes: Changes,
        /// Why: the fields that differ.
        fields: Vec<Field>,
        /// It is a person's, and status does not record it yet: see [`super::identify::intent_to_adopt`].
        adopts: bool,
    },
    /// DELETE a webhook that we created too often, or that was replaced.
    RemoveDuplicate {
        /// Which webhook.
        id: WebhookId,
        /// The one that stays.
        keep: WebhookId,
        /// How the object came by the one that stays, if status has to name it before the other is deleted: a crash in
        /// between must not leave a status that points to nothing. Where the spec names it, that can't happen, and
        /// status goes on naming the other until it is deleted.
        record: Option<Ownership>,
    },
    /// DELETE the object's webhook.
    Delete {
        /// Which webhook.
        id: WebhookId,
    },
    /// PATCH the headers without our marker: the webhook is left to others.
    Unmark {
        /// Which webhook.
        id: WebhookId,
        /// What to send.
        changes: Changes,
    },
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, host, replaces: None } => write!(f, "create webhook {name:?} for {host}"),
            Self::Create { name, host, replaces: Some(old) } => {
                write!(f, "create webhook {name:?} for {host} in place of {old}, which keeps a removed header")
            }
            Self::Update { id, changes: _, fields, adopts: _ } => {
                write!(f, "update webhook {id}: {}", field_list(fields))
            }
            Self::RemoveDuplicate { id, keep, record: _ } => write!(f, "delete duplicate webhook {id}, keep {keep}"),
            Self::Delete { id } => write!(f, "delete webhook {id}"),
            Self::Unmark { id, changes: _ } => write!(f, "remove header {MARKER_HEADER} from webhook {id}"),
        }
    }
}

/// The fields by name, as many as a person would read.
#[must_use]
pub fn field_list(fields: &[Field]) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = fields.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = if fields.len() > SHOWN { format!(" and {} more", fields.len() - SHOWN) } else { String::new() };
    names.join(", ") + &more
}
