//! Tests of `charts/hookwright` with the real Helm, on a real API server. No pod runs there: there is no kubelet.
//!
//! | room | holds |
//! |---|---|
//! | `alerts` | alerts, dashboard and runbooks against the metrics that the operator has |
//! | `check` | the command of the test pod |
//! | `cluster` | what all of these do with the API server |
//! | `helm` | what all of these do with Helm |
//! | `lifecycle` | install, upgrade, uninstall |
//! | `pages` | README and docs, as all tests of them read them |
//! | `pods` | Pod Security, and the arguments |
//! | `privilege` | the operator with the chart's rights, and no other |
//! | `receivers` | the ValidatingAdmissionPolicy |
//! | `refused` | values that are wrong |
//! | `render` | each documented set of values, rendered and taken by the API server |
//! | `rights` | Roles |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(clippy::print_stderr, reason = "a failed test tells what the operator logged")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

mod alerts;
mod check;
mod cluster;
mod helm;
mod lifecycle;
#[path = "../pages/mod.rs"]
#[allow(dead_code, reason = "a part of what all tests of pages stand on")]
mod pages;
mod pods;
mod privilege;
mod receivers;
mod refused;
mod render;
mod rights;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "the chart needs a part of what all tests stand on")]
mod support;
