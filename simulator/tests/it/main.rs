//! The simulator as its clients see it: over sockets, through the public handle and the admin door.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
mod bench;
mod codearts;
mod console;
mod faults_body;
mod faults_connection;
mod faults_plan;
mod kept;
mod lifecycle;
mod program;
mod record;
mod routes;
mod shown;
