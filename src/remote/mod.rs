//! HTTP to the remote services: bounded, paced, and with errors that tell apart what a caller has to tell apart.
//!
//! A call walks through these rooms in this order: [`app_maker`] or [`codearts`] says what is asked, [`caller`] takes it
//! through [`pace`], which says when, and [`gate`], whether it still may; [`http`] makes the call within its bounds, and
//! [`error`] is what came of it if nothing good did.

pub mod app_maker;
pub mod caller;
pub mod codearts;
mod endpoint;
pub mod error;
pub mod gate;
pub mod http;
pub mod pace;
pub mod refusal;
mod transport;
mod wire;
