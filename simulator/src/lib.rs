//! The remote webhook APIs that Hookwright talks to, played over real HTTP and real TLS on loopback.
//!
//! The simulator answers strictly as the vendors' pages say (`seeds/project-webhook-api.txt`,
//! `seeds/check-task-webhook-info.txt`), and what a page leaves open is a [`Behaviour`] or [`codearts::Behaviour`] that a
//! test sets while it runs. It shares no type with the operator: what the two agree on is only what went over the wire.
//!
//! A request walks through these rooms once, in this order. Everything but [`app_maker`] and [`codearts`] is independent
//! of the API that is played: those implement `remote::Remote`, and `state` finds the one that a path belongs to.
//!
//! | room | holds |
//! |---|---|
//! | `server`, `tls`, `socket` | the listeners, the CA made at start, and a stream that can be reset |
//! | `exchange` | one request: recorded, struck by faults, answered |
//! | [`faults`], `strike`, `body` | which fault hits which request, and what it does to the answer |
//! | [`calls`] | the record of every call |
//! | `remote` | the seam between all of that and an API that is played |
//! | [`app_maker`] | Akinon App Maker: `routes`, `fields`, `store`, [`Behaviour`], `view` |
//! | [`codearts`] | CodeArts Check and the IAM before it: `credentials`, `signature`, `check`, `iam`, [`codearts::Behaviour`] |
//! | [`state`] | all of it under one lock, so that a look is consistent, and a signal at every change |
//! | `admin` | the admin door: the same as the handle, over HTTP |
//! | `handle` | [`Simulator`]: start, look, change, wait, stop |
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use simulator::{Fault, FaultKind, Options, Simulator};
//!
//! let simulator = Simulator::start(Options { tokens: vec!["token".into()], ..Options::default() }).await?;
//! let project = simulator.new_project();
//! simulator.add_fault(Fault::new(FaultKind::Reset { applied: true }).methods(["POST"]).once());
//! // ... point a client at simulator.https_endpoint(), trusting simulator.ca_pem() ...
//! let id = project.id.clone();
//! simulator
//!     .wait_until("one webhook", std::time::Duration::from_secs(10), move |state| state.webhooks(&id).len() == 1)
//!     .await?;
//! assert_eq!(simulator.calls_for(&project.id).len(), 1);
//! # Ok(())
//! # }
//! ```

mod admin;
pub mod app_maker;
mod body;
pub mod calls;
pub mod codearts;
mod exchange;
pub mod faults;
mod handle;
mod remote;
mod server;
mod socket;
pub mod state;
mod strike;
mod tls;

pub use app_maker::{Behaviour, Missing, NewWebhook, ProjectRef, Webhook, WebhookEdit};
pub use calls::{Call, Counts, Outcome};
pub use faults::{Fault, FaultKind, RetryAfter, Shape, Silence};
pub use handle::{Options, Simulator};
pub use state::State;
