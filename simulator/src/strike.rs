//! What becomes of one request: the API's honest answer, or what a fault makes of it.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::body::{self, AnswerBody};
use crate::calls::Outcome;
use crate::faults::{FaultKind, RetryAfter, Shape, Silence};
use crate::remote::Reply;

/// How one exchange ends.
pub(crate) enum Ending {
    /// With this answer.
    Answer(Response<AnswerBody>),
    /// With RST.
    Reset,
    /// Not: the connection is held, for this time or until the client leaves.
    Hold(Option<Duration>),
}

impl Ending {
    /// How the record calls it.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Answer(response) => Outcome::Status(response.status().as_u16()),
            Self::Reset => Outcome::Reset,
            Self::Hold(_) => Outcome::Timeout,
        }
    }
}

/// When the request is to be carried out, seen from the moment the fault strikes.
pub(crate) enum Effect {
    Now,
    Never,
    /// After this time, or when late effects are released.
    Late(Option<Duration>),
}

/// Whether the fault lets the request be carried out.
pub(crate) fn effect(strike: Option<&FaultKind>) -> Effect {
    match strike {
        None => Effect::Now,
        Some(kind) => match kind {
            FaultKind::Status { applied, .. } | FaultKind::Reset { applied } | FaultKind::Timeout { applied, .. } => {
                if *applied {
                    Effect::Now
                } else {
                    Effect::Never
                }
            }
            FaultKind::LateEffect { after_ms, .. } => Effect::Late(after_ms.map(Duration::from_millis)),
            FaultKind::Redirect { .. } => Effect::Never,
            FaultKind::Latency { .. }
            | FaultKind::TruncatedBody
            | FaultKind::NotJson
            | FaultKind::WrongShape { .. }
            | FaultKind::EndlessBody
            | FaultKind::SlowBody { .. } => Effect::Now,
        },
    }
}

/// The end of the exchange. `reply` is the API's own, if the request was carried out by now; `failure` is what the API
/// says with a status.
pub(crate) fn ending(
    strike: Option<FaultKind>,
    reply: Option<Reply>,
    failure: impl FnOnce(StatusCode) -> Reply,
) -> Ending {
    let reply = reply.unwrap_or_else(|| Reply::json(StatusCode::OK, Bytes::new()));
    match strike {
        None | Some(FaultKind::Latency { .. }) => Ending::Answer(honest(reply)),
        Some(FaultKind::Status { code, body, retry_after, applied: _ }) => {
            // A code that HTTP does not know can only come from a test's own mistake; 500 shows it plainly.
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ending::Answer(failed(failure(status), body, retry_after.as_ref()))
        }
        Some(FaultKind::Reset { applied: _ }) => Ending::Reset,
        Some(FaultKind::Timeout { applied: _, hold_ms }) => Ending::Hold(hold_ms.map(Duration::from_millis)),
        Some(FaultKind::LateEffect { after_ms: _, silence }) => match silence {
            Silence::Held => Ending::Hold(None),
            Silence::Reset => Ending::Reset,
        },
        Some(FaultKind::Redirect { location, code }) => Ending::Answer(redirect(code, &location)),
        Some(FaultKind::NotJson) => {
            let html = Bytes::from_static(b"<html><body>Service is being updated</body></html>");
            Ending::Answer(distorted(reply, |_| body::whole(html)))
        }
        Some(FaultKind::WrongShape { shape }) => {
            Ending::Answer(distorted(reply, |bytes| body::whole(reshaped(shape, &bytes))))
        }
        Some(FaultKind::EndlessBody) => Ending::Answer(distorted(reply, |_| body::endless())),
        Some(FaultKind::SlowBody { ms_per_byte }) => {
            Ending::Answer(distorted(reply, |bytes| body::slow(bytes, Duration::from_millis(ms_per_byte))))
        }
        Some(FaultKind::TruncatedBody) => Ending::Answer(truncated(reply)),
    }
}

fn honest(reply: Reply) -> Response<AnswerBody> {
    let Reply { status, headers, body, effect: _ } = reply;
    let mut response = match body {
        None => Response::new(body::none()),
        Some(bytes) => json_response(body::whole(bytes)),
    };
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}

/// The honest answer with another body. An answer without a body (204) becomes a 200, or it could not carry one.
fn distorted(reply: Reply, distort: impl FnOnce(Bytes) -> AnswerBody) -> Response<AnswerBody> {
    let status = if reply.status == StatusCode::NO_CONTENT { StatusCode::OK } else { reply.status };
    let mut response = json_response(distort(reply.body.unwrap_or_else(|| Bytes::from_static(b"{}"))));
    *response.status_mut() = status;
    response.headers_mut().extend(reply.headers);
    response
}

fn truncated(reply: Reply) -> Response<AnswerBody> {
    let mut promised = 0;
    let mut response = distorted(reply, |bytes| {
        promised = bytes.len();
        body::truncated(&bytes)
    });
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(promised));
    response
}

fn reshaped(shape: Shape, body: &Bytes) -> Bytes {
    let value = match shape {
        Shape::Data => json!({ "data": serde_json::from_slice::<Value>(body).unwrap_or(Value::Null) }),
        Shape::Object => json!({}),
        Shape::Strings => json!(["not", "documented"]),
        Shape::Null => Value::Null,
    };
    Bytes::from(value.to_string())
}

/// The API's failure, with the body that the fault asks for in the place of its own.
fn failed(failure: Reply, body: Option<Value>, retry_after: Option<&RetryAfter>) -> Response<AnswerBody> {
    let mut response = match body {
        None => honest(failure),
        Some(Value::String(text)) => {
            let mut response = honest(Reply { body: Some(Bytes::from(text)), ..failure });
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            response
        }
        Some(value) => honest(Reply { body: Some(Bytes::from(value.to_string())), ..failure }),
    };
    if let Some(value) = retry_after.and_then(retry_after_value) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn retry_after_value(retry_after: &RetryAfter) -> Option<HeaderValue> {
    let text = match retry_after {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::DateInSeconds(seconds) => {
            let at = Timestamp::now().checked_add(SignedDuration::from_secs(*seconds)).ok()?;
            at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        }
        RetryAfter::Verbatim(text) => text.clone(),
    };
    HeaderValue::from_str(&text).ok()
}

fn redirect(code: u16, location: &str) -> Response<AnswerBody> {
    let mut response = Response::new(body::none());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::FOUND);
    if let Ok(value) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

fn json_response(body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}
