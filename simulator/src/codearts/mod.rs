//! CodeArts Check's one call on notifications, as `seeds/check-task-webhook-info.txt` documents it, and the call of IAM
//! that issues tokens for it (`facts.md`).
//!
//! A request to Check goes `credentials` (with `signature`, where it is signed) → `check`, which renders what `console`
//! keeps; one to IAM goes to `iam`. What the pages leave open is decided by [`Behaviour`]. `refusal` says no.

mod behaviour;
mod check;
mod console;
mod credentials;
mod door;
mod handle;
mod iam;
mod refusal;
mod signature;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use behaviour::{Behaviour, Case, ErrorShape, SecretShown, Total, Unauthorized, UnknownTask};
pub use console::{Channel, ChannelEdit, Missing, NewChannel};
pub use credentials::{AccessKey, IamUser};

use console::Tasks;
use credentials::Credentials;
pub(crate) use door::routes;
use refusal::Refusal;

use crate::remote::{ApiRequest, Remote, Reply, Target};

/// How Check and IAM start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    /// How they behave.
    pub behaviour: Behaviour,
    /// Tokens that may do everything and never expire; the first has position 0 in the records.
    pub tokens: Vec<String>,
    /// Access keys that may do everything; their positions follow those of the tokens.
    pub access_keys: Vec<AccessKey>,
    /// The users of IAM.
    pub users: Vec<IamUser>,
    /// The tasks that there are, by id.
    pub tasks: Vec<String>,
}

/// Check and IAM: the tasks, who may look at them, and how the two behave.
#[derive(Default)]
pub(crate) struct CodeArts {
    pub(crate) tasks: Tasks,
    pub(crate) credentials: Credentials,
    pub(crate) behaviour: Behaviour,
}

impl CodeArts {
    /// The services as they start.
    ///
    /// # Errors
    ///
    /// If the id of a task is none.
    pub(crate) fn new(setup: Setup) -> anyhow::Result<Self> {
        let Setup { behaviour, tokens, access_keys, users, tasks } = setup;
        let mut codearts = Self { behaviour, ..Self::default() };
        for token in &tokens {
            codearts.credentials.set_token(token, false);
        }
        for key in access_keys {
            codearts.credentials.set_key(key);
        }
        for user in users {
            codearts.credentials.set_user(user);
        }
        for task in &tasks {
            codearts.tasks.add(task)?;
        }
        Ok(codearts)
    }
}

/// Whether a path belongs here: Check's begin with `/v4/`, IAM's with `/v3/`, and App Maker's with neither.
pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/v4/") || path.starts_with("/v3/")
}

/// A call of the two services.
enum Route<'a> {
    /// `GET /v4/tasks/{task_id}/task-webhook-info`
    TaskWebhookInfo(&'a str),
    /// `POST /v3/auth/tokens`
    IssueToken,
}

impl<'a> Route<'a> {
    fn parse(method: &Method, path: &'a str) -> Option<Self> {
        let segments: Vec<_> = path.strip_prefix('/')?.split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["v4", "tasks", task, "task-webhook-info"]) if !task.is_empty() => {
                Some(Self::TaskWebhookInfo(task))
            }
            ("POST", ["v3", "auth", "tokens"]) => Some(Self::IssueToken),
            _ => None,
        }
    }
}

impl Remote for CodeArts {
    fn target(&self, request: &ApiRequest) -> Target {
        let token = self.credentials.position(request);
        match Route::parse(&request.method, &request.path) {
            Some(Route::TaskWebhookInfo(task)) => Target {
                operation: "task_webhook_info",
                resource: Some(task.to_owned()),
                token,
                body: request.json.clone(),
                ..Target::default()
            },
            Some(Route::IssueToken) => Target {
                operation: "issue_token",
                resource: iam::user_name(request).map(str::to_owned),
                body: iam::recorded(request),
                ..Target::default()
            },
            None => Target { operation: "unknown", token, body: iam::recorded(request), ..Target::default() },
        }
    }

    fn answer(&mut self, request: &ApiRequest) -> Reply {
        match Route::parse(&request.method, &request.path) {
            Some(Route::IssueToken) => self.issue_token(request),
            Some(Route::TaskWebhookInfo(task)) => {
                self.task_webhook_info(request, task).unwrap_or_else(|refusal| refusal.into_reply(&self.behaviour))
            }
            None => Refusal::NoSuchApi.into_reply(&self.behaviour),
        }
    }

    fn failure(&self, request: &ApiRequest, status: StatusCode) -> Reply {
        match Route::parse(&request.method, &request.path) {
            Some(Route::IssueToken) => refusal::iam(status, "injected by a fault"),
            Some(Route::TaskWebhookInfo(_)) | None => refusal::check_failure(&self.behaviour, status),
        }
    }
}

/// An answer of the two services: each names its request (`facts.md`).
fn answer(status: StatusCode, body: &Value) -> Reply {
    let mut reply = Reply::json(status, Bytes::from(body.to_string()));
    if let Ok(id) = HeaderValue::from_str(&new_id()) {
        reply.headers.push((HeaderName::from_static("x-request-id"), id));
    }
    reply
}

/// A UUID in the vendor's form: 32 hexadecimal digits.
fn new_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}
