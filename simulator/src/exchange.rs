//! One exchange: the request is read, recorded, struck by faults, carried out, and answered.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::body::AnswerBody;
use crate::calls::Ticket;
use crate::remote::ApiRequest;
use crate::server::Lifeline;
use crate::socket::Fate;
use crate::state::Shared;
use crate::strike::{self, Effect, Ending};

/// What every exchange needs.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lifeline: Lifeline,
}

impl Exchange {
    /// Serves one request. An error ends the connection with a reset and no answer.
    pub(crate) async fn serve(self, request: Request<Incoming>, fate: Arc<Fate>) -> io::Result<Response<AnswerBody>> {
        let reset = || {
            fate.reset();
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        };
        let Some(request) = ApiRequest::read(request).await else { return reset() };
        // In a task of its own: hyper drops this future when the client leaves, and a server that has a request carries
        // it out all the same.
        let lifeline = self.lifeline.clone();
        match lifeline.spawn(self.carry_out(request)).await {
            Ok(Some(Ending::Answer(response))) => Ok(response),
            Ok(Some(Ending::Hold(None))) => std::future::pending().await,
            Ok(Some(Ending::Hold(Some(time)))) => {
                tokio::time::sleep(time).await;
                reset()
            }
            Ok(Some(Ending::Reset) | None) | Err(_) => reset(),
        }
    }

    async fn carry_out(self, request: ApiRequest) -> Ending {
        let (ticket, verdict) = self.shared.change(|state| state.admit(&request));
        if !verdict.before.is_zero() {
            tokio::time::sleep(verdict.before).await;
        }
        let reply = match strike::effect(verdict.strike.as_ref()) {
            Effect::Now => Some(self.shared.change(|state| state.apply(&ticket, &request))),
            Effect::Never => None,
            Effect::Late(after) => {
                self.apply_late(after, ticket.clone(), request.clone());
                None
            }
        };
        if !verdict.after.is_zero() {
            tokio::time::sleep(verdict.after).await;
        }
        let failure = |status| self.shared.read(|state| state.failure(&request, status));
        let ending = strike::ending(verdict.strike, reply, failure);
        // Before the answer is sent: whoever has it can rely on the record.
        self.shared.change(|state| state.finish(&ticket, ending.outcome()));
        ending
    }

    fn apply_late(&self, after: Option<Duration>, ticket: Ticket, request: ApiRequest) {
        let shared = Arc::clone(&self.shared);
        // Subscribed before the client can know that its request is late, so that no release is missed.
        let mut releases = shared.releases();
        self.lifeline.spawn(async move {
            let time = async {
                match after {
                    Some(time) => tokio::time::sleep(time).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = time => {}
                _ = releases.changed() => {}
            }
            shared.change(|state| state.apply_late(&ticket, &request));
        });
    }
}
