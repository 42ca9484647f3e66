//! The decisions: no async, no client, no clock. Time comes in as [`time::Moment`], everything else as values.

pub mod case;
pub mod claim;
pub mod compare;
pub mod deletion;
pub mod desired;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
pub(crate) mod fixture;
pub mod identify;
pub mod ids;
pub mod import;
pub mod intent;
pub mod marker;
pub mod memory;
pub mod notification;
pub mod observed;
pub mod pattern;
pub mod plan;
pub mod refusal;
pub mod schedule;
pub mod secret;
pub mod status;
pub mod text;
pub mod time;
pub mod write;
