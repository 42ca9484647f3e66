//! What the vendor's pages leave open, as switches.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How Check and IAM behave where `seeds/check-task-webhook-info.txt` is silent. The default is the page's plainest
/// reading. Every switch acts at once, on what is shown; nothing that is kept changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// What stands between the items of `notificationMenu`.
    pub menu_separator: String,
    /// What stands between the ids of `userIds`.
    pub user_separator: String,
    /// How `status` is written. The page documents `on` and `off`.
    pub status_case: Case,
    /// Whether `secret` comes back.
    pub secret: SecretShown,
    /// Fields of a row that are left out, by the page's names.
    pub omit_fields: Vec<String>,
    /// Fields that each row has besides. One that is named like a documented field takes its place.
    pub extra_fields: Map<String, Value>,
    /// What `total` says.
    pub total: Total,
    /// The answer for a task that there is not.
    pub unknown_task: UnknownTask,
    /// The names of an error's fields. IAM has its own shape, whatever this says.
    pub error_shape: ErrorShape,
    /// Whether an error stands within `{"error": …}`.
    pub error_nested: bool,
    /// Who answers 401.
    pub unauthorized: Unauthorized,
    /// How long a token that IAM issues from now on lives; 24 hours by default. It may be zero.
    pub token_lifetime_seconds: u32,
    /// How far the service's clock is ahead of this machine's: it judges signatures and dates tokens by it.
    pub clock_offset_seconds: i32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            menu_separator: ",".to_owned(),
            user_separator: ",".to_owned(),
            status_case: Case::default(),
            secret: SecretShown::default(),
            omit_fields: Vec::new(),
            extra_fields: Map::new(),
            total: Total::default(),
            unknown_task: UnknownTask::default(),
            error_shape: ErrorShape::default(),
            error_nested: false,
            unauthorized: Unauthorized::default(),
            token_lifetime_seconds: 24 * 60 * 60,
            clock_offset_seconds: 0,
        }
    }
}

/// How a word is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// `on`
    #[default]
    Lower,
    /// `ON`
    Upper,
    /// `On`
    Capitalized,
}

/// Whether the key for signatures comes back. One that was never set is always the empty text, as on the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretShown {
    /// As it was entered.
    #[default]
    Plain,
    /// As `******`.
    Masked,
    /// As the empty text.
    Empty,
    /// Not even its field.
    Absent,
}

/// What `total` says about `data`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// How many rows there are.
    #[default]
    Counted,
    /// Nothing: the field is left out.
    Absent,
    /// This number, whatever there is.
    Says(i64),
}

/// The answer for a task that there is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownTask {
    /// 404, which the page does not document.
    NotFound,
    /// The page's 400.
    #[default]
    BadRequest,
}

/// The names of an error's code and message (`facts.md`: all three have been seen).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// `error_code`, `error_msg`: the page's.
    #[default]
    SnakeCase,
    /// `errorCode`, `errorMsg`.
    CamelCase,
    /// `code`, `message`.
    Plain,
}

/// Who refuses credentials that are no good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unauthorized {
    /// The service, with the page's `CC.00000003`.
    #[default]
    Service,
    /// The gateway before it, with `APIG.0301` and the id of the request. As the vendor's, its message repeats an access key
    /// that is unknown, and the headers of a request that is signed wrongly, a security token among them.
    Gateway,
}

impl Behaviour {
    /// What the service's clock shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + jiff::SignedDuration::from_secs(self.clock_offset_seconds.into())
    }
}
