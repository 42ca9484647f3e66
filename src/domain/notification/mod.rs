//! A Check task's notifications: what the spec wants, what the remote shows, in what the two differ, and what is said of
//! it. The remote publishes no call that writes them, so there is no plan: a person carries it out at the console.

mod compare;
mod desired;
mod observed;
mod status;

pub use compare::{Comparison, Difference, compare};
pub use desired::{Desired, DesiredChannel, InvalidChannel, secret};
pub use observed::{Channel, SeenSecret, Switch, names};
pub use status::{Outcome, next_status, outcome};
