//! What every test stands on.
#![allow(unused_imports, reason = "one door to the whole room, whatever the tests of the day need of it")]

mod calls;
mod cluster;
mod http;
mod operator;
mod remote;
mod wait;
mod world;

pub use calls::{assert_calls, assert_writes, render, rendered};
pub use cluster::{Manifest, admin_client, asset, kubeconfig};
pub use http::get;
pub use operator::{Operator, Setup as OperatorSetup};
pub use wait::{DEADLINE, condition, is_ready, ready_reason};
pub use world::{Setup, TOKEN, World};
