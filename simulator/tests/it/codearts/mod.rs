//! CodeArts Check and IAM.

mod auth;
mod behaviour;
mod check;
mod console;
mod door;
mod faults;
mod iam;
mod rig;
mod signed;
