//! What every test stands on.
#![allow(unused_imports, reason = "one door to the whole room, whatever the tests of the day need of it")]

pub mod account;
mod calls;
mod check;
mod cluster;
mod crowd;
mod http;
mod lagging;
mod operator;
mod plane;
mod recording;
mod remote;
mod states;
mod wait;
mod world;

pub use calls::{assert_calls, assert_calls_after_look, assert_writes, render, rendered};
pub use cluster::{Manifest, admin_client, apply_definitions, asset, kubeconfig, random};
pub use crowd::of_project;
pub use http::get;
pub use lagging::LaggingApiServer;
pub use operator::{Operator, Setup as OperatorSetup};
pub use plane::Plane;
pub use recording::Recording;
pub use states::watch as watch_states;
pub use wait::{DEADLINE, condition, is_ready, message, passes, ready_reason, status};
pub use world::{MARKER, Setup, TOKEN, World, merge};
