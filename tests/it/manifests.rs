//! Manifests that must not work, in tables: what the API server refuses (refused*.yaml), and what the operator refuses
//! (stopped*.yaml), each with the message that says what to write instead.

mod bounds;
mod defaults;
mod rows;
mod stopped;
