//! How the operator is watched: metrics, probes and logs.

pub mod metrics;
pub mod server;
pub mod telemetry;
