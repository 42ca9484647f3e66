//! Hookwright keeps webhook registrations on remote services as declared in Git.
pub mod api;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod ops;
pub mod remote;
