//! The one clock of the process; decisions get its moments as values.

use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{Timestamp, Unit};

use crate::domain::time::Moment;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::since_start(self.0.elapsed())
    }

    /// The time of day, for timestamps in status.
    #[must_use]
    pub fn time() -> Time {
        Time(Timestamp::now().round(Unit::Second).unwrap_or_else(|_| Timestamp::now()))
    }
}
