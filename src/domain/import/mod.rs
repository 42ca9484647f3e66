//! What a remote holds already, as manifests that take it over without a change there: specs that equal what is seen, with
//! everything secret in a Secret. What can't be said so is refused, never guessed.

mod names;
mod task;
mod webhook;

use std::collections::BTreeMap;

use super::compare::Field;
use super::desired::InvalidValue;
use super::ids::WebhookId;
use super::notification::InvalidChannel;
use super::observed::HeaderName;
use super::secret::SecretText;
use super::write::field_list;

pub use names::Names;
pub use task::task_notification;
pub use webhook::{owner, project_webhook};

/// One object and its Secret.
#[derive(Clone, Debug)]
pub struct Imported<S> {
    /// metadata.name.
    pub name: String,
    /// Its spec.
    pub spec: S,
    /// Name of the Secret.
    pub secret_name: String,
    /// What the Secret holds, by key; empty where none is needed.
    pub secret: BTreeMap<String, SecretText>,
}

/// Why nothing can be written that would change nothing. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The remote does not show a field.
    #[error(
        "the remote does not show its {0}; declare it by hand, with spec.webhookId: {1} and what it should be: the operator then \
         writes it once"
    )]
    NotShown(&'static str, WebhookId),
    /// The remote masks a header's value.
    #[error(
        "the remote masks the value of header {0}; declare it by hand, with spec.webhookId: {1} and the real value in a Secret: \
         the operator then writes the headers once"
    )]
    Masked(HeaderName, WebhookId),
    /// A value can't be used.
    #[error("{0} (change it at the console, or leave it unmanaged)")]
    Value(#[from] InvalidValue),
    /// A channel can't be used.
    #[error("{0} (change it at the console)")]
    Channel(#[from] InvalidChannel),
    /// The name is none that a spec can have.
    #[error(
        "its name is {0}, and spec.name has 1 to 253 characters without blanks at its ends; rename it at the console"
    )]
    Name(&'static str),
    /// There are no events.
    #[error(
        "it has no events, and spec.events needs at least one; subscribe it to one at the console, or delete it there"
    )]
    NoEvents,
    /// The events are none that a spec can have.
    #[error("{0}; correct its events at the console, or leave it unmanaged")]
    Events(&'static str),
    /// There are too many headers.
    #[error("it has {0} headers, and at most 64 are possible; remove some at the console")]
    TooManyHeaders(usize),
    /// A header's name is too long.
    #[error("a header's name has {0} characters, and at most 128 are possible; remove it at the console")]
    LongHeaderName(usize),
    /// A channel's type can't be declared, and it is on.
    #[error(
        "a channel is on whose type is none of wecom, dingtalk and lark, so that it can't be declared; switch it off at the console"
    )]
    UnknownType,
    /// Several channels of one type are on.
    #[error("several channels of type {0} are on, and one can be declared; switch the others off at the console")]
    SeveralOn(&'static str),
    /// It can't be told whether a channel is on.
    #[error("the remote does not say whether channel {0} is on or off; set it at the console")]
    UnknownSwitch(&'static str),
    /// A channel has more of something than a spec can have.
    #[error("channel {0} has {1} that spec.channels can't have; correct it at the console")]
    Bounds(&'static str, &'static str),
    /// What was written would not equal what is there.
    #[error("it can't be declared so that nothing changes: {} would differ", field_list(.0))]
    Differs(Vec<Field>),
    /// The same for a task.
    #[error("it can't be declared so that nothing differs: {0} would")]
    ChannelsDiffer(String),
}
