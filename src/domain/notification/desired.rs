//! The channels as the spec and its Secrets want them, checked.

use std::collections::BTreeSet;

use crate::api::task_notification::ChannelType;
use crate::domain::desired::{invalid_values, strip_newline};
use crate::domain::observed::is_mask;
use crate::domain::secret::{ReceiverUrl, SecretText};

/// A task's channels as they should be, one a type.
pub type Desired = Vec<DesiredChannel>;

/// A channel as it should be. What is `None` is not compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredChannel {
    /// Its type.
    pub kind: ChannelType,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Where notifications are sent.
    pub url: Option<ReceiverUrl>,
    /// The key for signatures.
    pub secret: Option<SecretText>,
    /// The menu items that are told, as a set.
    pub notify: Option<BTreeSet<String>>,
    /// The filter by gate result.
    pub review_result_filter: Option<String>,
    /// Who is told, as a set.
    pub user_ids: Option<BTreeSet<String>>,
}

invalid_values! {
    /// Why a channel can't be used. Never holds a value.
    InvalidChannel {
        /// Its key for signatures is empty.
        #[error("{0} is empty, and a signing secret is not; correct it, or leave secretFrom out")]
        EmptySecret(String),
        /// Its key for signatures can't be told from a masked one.
        #[error("{0} is only *, which can't be told from a masked secret; use another one")]
        OnlyAsterisks(String),
    }
}

/// Checks a signing secret. `field` names where it came from, for the message.
///
/// # Errors
/// It is empty, or only asterisks.
pub fn secret(text: &str, field: &str) -> Result<SecretText, InvalidChannel> {
    match strip_newline(text) {
        "" => Err(InvalidChannel::EmptySecret(field.to_owned())),
        text if is_mask(text) => Err(InvalidChannel::OnlyAsterisks(field.to_owned())),
        text => Ok(SecretText::new(text)),
    }
}
