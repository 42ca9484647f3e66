//! TaskNotifications and the connections they are looked at through.

mod auth;
mod canary;
mod compare;
mod errors;
mod rest;
mod stage;
