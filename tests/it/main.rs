//! Tests of the operator against a real API server: its process, a control plane, and the simulator as the remote.
//!
//! Each test has a [`support::World`] of its own: a namespace with a random name on the shared control plane, a
//! simulator in this process, and an operator process that watches only that namespace. So all of them run in parallel.
//! `cargo xtask test` starts what they need and tells them by environment where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(clippy::print_stderr, reason = "a failed test tells what the operator logged")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

#[path = "../pages/mod.rs"]
#[allow(dead_code, reason = "a part of what all tests of pages stand on")]
mod pages;
mod support;

mod brownfield;
mod canary;
mod claims;
mod connections;
mod crash;
mod examples;
mod gitops;
mod kubectl;
mod leader;
mod lifecycle;
mod manifests;
mod metrics;
mod own_writes;
mod pressure;
mod restore;
mod scopes;
mod secrets_unwatched;
mod task_notification;
mod tenancy;
mod webhook_adoption;
mod webhook_behaviours;
mod webhook_connection;
mod webhook_converge;
mod webhook_creation;
mod webhook_deletion;
mod webhook_drift;
mod webhook_errors;
mod webhook_faults;
mod webhook_fields;
mod webhook_rest;
mod webhook_secrets;
