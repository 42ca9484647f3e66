//! Why a pass can't go on, as it is told on the object.

use std::ops::RangeInclusive;
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
/// with any of the secrets, whatever their case. A secret shorter than that is looked for whole and as a word of its own:
/// `1` is in "1 is not valid" and not in "at most 100 events".
#[must_use]
pub fn reveal<'a>(message: &'a SecretText, secrets: &[SecretText]) -> Option<&'a str> {
    let shown = message.expose();
    let text = shown.to_lowercase();
    let leaks = secrets.iter().any(|secret| {
        let secret: Vec<char> = secret.expose().to_lowercase().chars().collect();
        match secret.len() {
            0 => false,
            1..SHARED => holds_word(&text, &secret.into_iter().collect::<String>()),
            _ => secret.windows(SHARED).any(|part| text.contains(&part.iter().collect::<String>())),
        }
    });
    (!leaks && !shown.is_empty()).then_some(shown)
}

/// Longest word of letters that [`is_plain`] takes for one of a language, and longest number.
const WORD: usize = 20;
const NUMBER: usize = 5;

/// Whether a text is made of words and short numbers only. Where not every secret is known that it may repeat, this is
/// what may be shown: no URL is, and no generated key, which mixes letters and digits or is longer than words are.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let parts = |c: char| c.is_whitespace() || ",;:.!?()[]'\"".contains(c);
    text.split(parts).all(|word| {
        let letters = word.chars().filter(char::is_ascii_alphabetic).count();
        let is_word = word.chars().all(char::is_alphabetic) && letters <= WORD;
        is_word || (word.len() <= NUMBER && word.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether a code has the vendor's form: capital letters, a number, and sometimes the status (facts: APIG.0301; seed
/// check-task-webhook-info: CC.00000003, CC.xxxxxxxx.400).
#[must_use]
pub fn is_vendors_code(code: &str) -> bool {
    let is_number = |text: &str, lengths: RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let mut parts = code.split('.');
    let service = parts.next().unwrap_or_default();
    let number = parts.next().is_some_and(|number| is_number(number, 4..=8));
    let status = parts.next().is_none_or(|status| is_number(status, 3..=3));
    let is_service = (2..=6).contains(&service.len()) && service.bytes().all(|b| b.is_ascii_uppercase());
    is_service && number && status && parts.next().is_none()
}

/// Whether a word is in a text without a letter or digit that would make it part of a longer one.
fn holds_word(text: &str, word: &str) -> bool {
    let joins = |edge: Option<char>, beside: Option<char>| {
        edge.is_some_and(char::is_alphanumeric) && beside.is_some_and(char::is_alphanumeric)
    };
    let ends = (word.chars().next(), word.chars().next_back());
    // Not `match_indices`, which passes by those that overlap.
    text.char_indices().any(|(at, _)| {
        let Some(after) = text[at..].strip_prefix(word) else { return false };
        !joins(ends.0, text[..at].chars().next_back()) && !joins(ends.1, after.chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, secrets: &[&str]) -> bool {
        let secrets: Vec<_> = secrets.iter().map(|secret| SecretText::new(*secret)).collect();
        reveal(&SecretText::new(text), &secrets).is_some()
    }

    #[test]
    fn a_message_that_repeats_part_of_a_secret_is_not_shown() {
        let secrets = ["Bearer hunter2-hunter2", "/T0KEN"];
        assert!(shown("events are not valid", &secrets));
        assert!(!shown("header value hunter2 is not valid", &secrets));
        assert!(!shown("header value HUNTER2 is not valid", &secrets));
        assert!(!shown("url /T0KEN is not valid", &secrets));
        assert!(shown("hunte is not valid", &secrets));
        assert!(!shown("", &[]));
    }

    #[test]
    fn a_short_secret_is_hidden_as_a_word_and_hides_no_longer_one() {
        assert!(!shown("1 is not valid", &["1"]) && !shown("not valid: '1'", &["1"]) && !shown("x=1", &["1"]));
        assert!(shown("at most 100 events", &["1"]));
        assert!(!shown("https://h.example.com/a is not valid", &["/a"]));
        assert!(shown("https://h.example.com/all is a URL", &["/a"]));
        assert!(!shown("--a-", &["-a-"]), "also where it overlaps itself");
        assert!(!shown("a-a-ab a-a", &["a-a"]));
    }

    #[test]
    fn words_and_short_numbers_are_plain_and_neither_urls_nor_keys_are() {
        for text in ["The operation is not allowed now.", "no more than 200 (tasks)", "任务不存在", "jobResult", ""]
        {
            assert!(is_plain(text), "{text}");
        }
        for text in [
            "see https://h.example.com/a",
            "key=abc",
            "Cr7Zn3vIw6Bj is not valid",
            "123456",
            "aaaaaaaaaaaaaaaaaaaaa",
            "a-b",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn a_vendors_code_has_its_form() {
        for code in ["CC.00000003", "APIG.0301", "CC.00000000.400"] {
            assert!(is_vendors_code(code), "{code}");
        }
        for other in [
            "UnauthorizedError",
            "hunter2.1234",
            "CC.",
            ".0301",
            "CC.03x1",
            "CC.000000031",
            "CC.00000000.40x",
            "CC.00000000.400.1",
            "401",
        ] {
            assert!(!is_vendors_code(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_message_that_is_shown_shares_six_characters_or_a_whole_short_secret(
            before in "[a-cA-C0-2 /.-]{0,12}",
            secret in "[a-cA-C0-2é/-]{1,14}",
            from in 0_usize..14,
            after in "[a-cA-C0-2 /.-]{0,12}",
        ) {
            let characters: Vec<char> = secret.chars().collect();
            let from = from.min(characters.len() - 1);
            let part: String = characters[from..].iter().collect();
            let message = format!("{before}{part}{after}");
            let lower = |text: &str| text.to_lowercase();
            let six = |text: &str| {
                let text: Vec<char> = lower(text).chars().collect();
                text.windows(6).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>()
            };
            let word = lower(&message).split(|c: char| !c.is_alphanumeric()).any(|word| word == lower(&secret));
            let shares = six(&secret).iter().any(|part| lower(&message).contains(part.as_str()));
            if shares || (characters.len() < 6 && word) {
                prop_assert!(!shown(&message, &["unrelated-secret", &secret]));
            } else if characters.len() >= 6 || !lower(&message).contains(&lower(&secret)) {
                prop_assert!(shown(&message, &["unrelated-secret", &secret]));
            }
        }

        #[test]
        fn a_secret_is_hidden_wherever_it_stands_and_what_shares_nothing_is_shown(
            before in "[a-z ]{0,20}",
            secret in "[A-Z0-9_]{1,20}",
            after in "[a-z ]{0,20}",
        ) {
            let quoting = format!("{before} {secret}'{after}");
            prop_assert!(!shown(&quoting, &[&secret]));
            let foreign: String = secret.chars().map(|_| '#').collect();
            let message = format!("{before} {foreign}'{after}");
            let shares = before.contains(&secret.to_lowercase()) || after.contains(&secret.to_lowercase());
            prop_assert!(shares || secret.chars().count() >= 6 || shown(&message, &[&secret]));
        }
    }
}
