//! When to look again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Shortest delay after a failure.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// Longest delay after a failure.
pub const BACKOFF_LAST: Duration = Duration::from_secs(300);

/// The delay before the next try after so many failures in a row (at least one): doubling, spread by up to a fifth so
/// that objects that failed together do not come back together. `key` and `failures` decide the spread.
#[must_use]
pub fn backoff(failures: u32, key: impl Hash) -> Duration {
    let doubled = BACKOFF_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    spread(doubled.min(BACKOFF_LAST), (key, failures))
}

/// An interval, lengthened by up to a tenth, so that projects do not all come due together.
#[must_use]
pub fn jittered(interval: Duration, key: impl Hash) -> Duration {
    interval + interval.mul_f64(fraction(key) / 10.0)
}

/// The shortest interval in which so many looks can be made at half of a rate of calls a second; the other half stays for
/// writes and changed specs.
#[must_use]
pub fn least_interval(looks: usize, requests_per_second: u32) -> Duration {
    let looks = u32::try_from(looks).unwrap_or(u32::MAX);
    Duration::from_secs(2).saturating_mul(looks) / requests_per_second.max(1)
}

fn spread(delay: Duration, key: impl Hash) -> Duration {
    delay.mul_f64(0.8 + fraction(key) / 5.0)
}

/// A number from 0 to 1 that depends on the key alone.
fn fraction(key: impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    f64::from(u32::try_from(hasher.finish() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// Reads a duration as Kubernetes writes it, `1h30m` or `45s`; `None` if it is not one.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut number = String::new();
    let mut units = 0;
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let seconds = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        let count: u64 = number.parse().ok()?;
        total = total.checked_add(Duration::from_secs(count.checked_mul(seconds)?))?;
        number.clear();
        units += 1;
    }
    (units > 0 && number.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        assert_eq!(parse_duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("45s"), Some(Duration::from_secs(45)));
        for bad in ["", "10", "m", "1d", "-1s", "1.5m", "99999999999999999999h"] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn looks_take_half_of_the_rate() {
        assert_eq!(least_interval(4, 1), Duration::from_secs(8));
        assert_eq!(least_interval(10_000, 10), Duration::from_secs(2_000));
        assert_eq!(least_interval(0, 0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn backoff_stays_within_its_bounds(failures in 0_u32..1000, key: u64) {
            let delay = backoff(failures, key);
            prop_assert!(delay >= Duration::from_millis(800) && delay <= BACKOFF_LAST);
        }

        #[test]
        fn jitter_lengthens_by_at_most_a_tenth(seconds in 1_u64..86_400, key: u64) {
            let interval = Duration::from_secs(seconds);
            let due = jittered(interval, key);
            prop_assert!(due >= interval && due <= interval.mul_f64(1.1001));
        }
    }
}
