//! Why a pass can't go on, as it is told on the object.

use std::time::Duration;

use super::secret::SecretText;
use crate::api::condition::Reason;

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// With growing delays: it may mend itself.
    Backoff,
    /// After this time.
    After(Duration),
    /// At the next resync, or when something it depends on changes: a person is needed.
    OnChange,
}

/// The end of a pass that reached nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of the conditions.
    pub reason: Reason,
    /// Stable text that says what to do.
    pub message: String,
    /// When to try again.
    pub retry: Retry,
}

impl Refusal {
    /// A refusal that a person has to mend.
    #[must_use]
    pub fn person(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: Retry::OnChange }
    }

    /// A refusal that may mend itself.
    #[must_use]
    pub fn mending(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: Retry::Backoff }
    }
}

/// Characters in a row that make a text share something with a secret.
const SHARED: usize = 6;

/// The remote's message, if it may be shown: bounded by who read it, and only if it shares no six characters in a row
/// with any of the secrets. A secret shorter than that is looked for whole.
#[must_use]
pub fn reveal<'a>(message: &'a SecretText, secrets: &[SecretText]) -> Option<&'a str> {
    let message = message.expose();
    let leaks = secrets.iter().map(SecretText::expose).filter(|secret| !secret.is_empty()).any(|secret| {
        let characters: Vec<char> = secret.chars().collect();
        let window = characters.len().min(SHARED);
        characters.windows(window).any(|part| message.contains(&part.iter().collect::<String>()))
    });
    (!leaks && !message.is_empty()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_repeats_part_of_a_secret_is_not_shown() {
        let secrets = [SecretText::new("Bearer hunter2-hunter2"), SecretText::new("/T0KEN")];
        let shown = |text: &str| reveal(&SecretText::new(text), &secrets).is_some();
        assert!(shown("events are not valid"));
        assert!(!shown("header value hunter2 is not valid"));
        assert!(!shown("url /T0KEN is not valid"));
        assert!(shown("hunte is not valid"));
    }
}
