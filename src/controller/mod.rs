//! Kubernetes: what triggers passes, what they read and write there, and the order of their steps.

pub mod clock;
pub mod connect;
pub mod connection;
pub mod connections;
pub mod context;
pub mod credentials;
pub mod driver;
pub mod events;
pub mod fail_point;
pub mod gathering;
pub mod guarded;
pub mod index;
pub mod kind;
pub mod lanes;
pub mod leader;
pub mod operator;
pub mod project_webhook;
pub mod publish;
pub mod refuse;
pub mod snapshot;
pub mod sources;
pub mod wiring;
