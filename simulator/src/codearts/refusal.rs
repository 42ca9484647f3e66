//! Answers that say no, in the shapes of the service, of the gateway before it, and of IAM.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, ErrorShape, Unauthorized};
use super::{answer, new_id};
use crate::remote::Reply;

/// Why Check refuses a request.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No such path, or no such method of it.
    NoSuchApi,
    /// Credentials that are no good, and what the gateway says about them.
    Unauthorized(String),
    /// Good credentials that may not do this.
    Forbidden,
    /// A parameter that is none.
    BadRequest,
    /// No such task, where that is told apart from a parameter that is none.
    NoSuchTask,
}

impl Refusal {
    pub(super) fn into_reply(self, behaviour: &Behaviour) -> Reply {
        match self {
            Self::NoSuchApi => gateway(
                behaviour,
                StatusCode::NOT_FOUND,
                "APIG.0101",
                "The API does not exist or has not been published in the environment.",
            ),
            Self::Unauthorized(reason) => match behaviour.unauthorized {
                // The page's example: one code and one message, whatever the reason is.
                Unauthorized::Service => {
                    let message = "Authentication information expired.";
                    service(behaviour, StatusCode::UNAUTHORIZED, "CC.00000003", message)
                }
                Unauthorized::Gateway => {
                    let message = format!("Incorrect IAM authentication information: {reason}");
                    gateway(behaviour, StatusCode::UNAUTHORIZED, "APIG.0301", &message)
                }
            },
            Self::Forbidden => {
                undocumented(behaviour, StatusCode::FORBIDDEN, "no permission for codeartscheck:task:get")
            }
            Self::BadRequest => {
                let message = "Verify request parameter failed. Check whether the request parameters are correct.";
                undocumented(behaviour, StatusCode::BAD_REQUEST, message)
            }
            Self::NoSuchTask => undocumented(behaviour, StatusCode::NOT_FOUND, "The task does not exist."),
        }
    }
}

/// What Check says with a status that a fault asks for.
pub(super) fn check_failure(behaviour: &Behaviour, status: StatusCode) -> Reply {
    match status {
        StatusCode::UNAUTHORIZED => Refusal::Unauthorized("injected by a fault".to_owned()).into_reply(behaviour),
        StatusCode::FORBIDDEN => Refusal::Forbidden.into_reply(behaviour),
        StatusCode::BAD_REQUEST => Refusal::BadRequest.into_reply(behaviour),
        StatusCode::TOO_MANY_REQUESTS => {
            gateway(behaviour, status, "APIG.0308", "The throttling threshold has been reached")
        }
        _ => undocumented(behaviour, status, "injected by a fault"),
    }
}

/// What IAM says: OpenStack Keystone's error, always nested, with a number as its code.
pub(super) fn iam(status: StatusCode, message: &str) -> Reply {
    let title = status.canonical_reason().unwrap_or("Injected");
    let body = json!({ "error": { "code": status.as_u16(), "message": message, "title": title } });
    answer(status, &body)
}

/// An error whose code no page tells. The page hides most of its own (`CC.xxxxxxxx.400`), so zeros stand in.
fn undocumented(behaviour: &Behaviour, status: StatusCode, message: &str) -> Reply {
    service(behaviour, status, &format!("CC.00000000.{}", status.as_u16()), message)
}

fn service(behaviour: &Behaviour, status: StatusCode, code: &str, message: &str) -> Reply {
    answer(status, &shaped(behaviour, code, message))
}

/// The gateway puts the id of the request into the body as well.
fn gateway(behaviour: &Behaviour, status: StatusCode, code: &str, message: &str) -> Reply {
    let id = new_id();
    let mut error = shaped(behaviour, code, message);
    error["request_id"] = Value::String(id);
    answer(status, &error)
}

fn shaped(behaviour: &Behaviour, code: &str, message: &str) -> Value {
    let error = match behaviour.error_shape {
        ErrorShape::SnakeCase => json!({ "error_code": code, "error_msg": message }),
        ErrorShape::CamelCase => json!({ "errorCode": code, "errorMsg": message }),
        ErrorShape::Plain => json!({ "code": code, "message": message }),
    };
    if behaviour.error_nested { json!({ "error": error }) } else { error }
}
