//! Huawei Cloud CodeArts: the services behind a `codeArts` connection. [`check`] is the one that is asked; [`auth`] says
//! how a request shows who asks, with what [`iam`] issued for a password or what [`signer`] makes of an access key.

pub mod auth;
pub mod check;
pub mod iam;
pub mod signer;
mod wire;
