//! Names of the objects that an import makes: from the webhook's own name, valid, bounded, and none that is taken.

use std::collections::BTreeSet;
use std::fmt::Display;

/// What a Secret's name adds to its object's.
const SECRET: &str = "-webhook";
/// Longest name, with which the Secret's is still a DNS label (RFC 1123: 63 characters).
const MAX_NAME: usize = 63 - SECRET.len();

/// The names of a namespace that are taken.
#[derive(Clone, Debug, Default)]
pub struct Names {
    objects: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

impl Names {
    /// These are taken by objects of the kind, and by Secrets.
    #[must_use]
    pub const fn taken(objects: BTreeSet<String>, secrets: BTreeSet<String>) -> Self {
        Self { objects, secrets }
    }

    /// Takes a name for an object and one for its Secret, after how a person calls it, or with `id` where that is taken or
    /// no name at all.
    pub fn take(&mut self, called: &str, kind: &str, id: &impl Display) -> (String, String) {
        let plain = slug(called, MAX_NAME);
        let mut name = plain.clone();
        if name.is_empty() || self.is_taken(&name) {
            let id = slug(&id.to_string(), MAX_NAME - kind.len() - 1);
            let front = if plain.is_empty() { kind } else { &plain };
            // Of an id without a letter or digit nothing is left.
            name = slug(&format!("{}-{id}", slug(front, MAX_NAME - id.len() - 1)), MAX_NAME);
        }
        // An id that somebody has in a name of his own.
        let numbered = name.clone();
        let mut number = 1;
        while self.is_taken(&name) {
            number += 1;
            let number = number.to_string();
            name = format!("{}-{number}", slug(&numbered, MAX_NAME - number.len() - 1));
        }
        let secret = format!("{name}{SECRET}");
        self.objects.insert(name.clone());
        self.secrets.insert(secret.clone());
        (name, secret)
    }

    fn is_taken(&self, name: &str) -> bool {
        self.objects.contains(name) || self.secrets.contains(&format!("{name}{SECRET}"))
    }
}

/// Lower-case letters and digits with single dashes between them, at most so many.
fn slug(text: &str, longest: usize) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(longest);
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "66b0c0ffee00000000000001";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_is_what_a_person_calls_it_as_far_as_it_can_be_one() {
        let mut names = Names::default();
        assert_eq!(names.take("Build alerts (EU)", "webhook", &ID).0, "build-alerts-eu");
        assert_eq!(names.take("通知", "webhook", &ID).0, format!("webhook-{ID}"));
        assert_eq!(names.take("build-alerts", "webhook", &ID), ("build-alerts".into(), "build-alerts-webhook".into()));
    }

    #[test]
    fn what_is_taken_gets_its_id_and_then_a_number() {
        let mut names = Names::taken(set(&["builds"]), set(&["alerts-webhook"]));
        assert_eq!(names.take("builds", "webhook", &ID).0, format!("builds-{ID}"));
        assert_eq!(names.take("alerts", "webhook", &ID).0, format!("alerts-{ID}"));
        assert_eq!(names.take("builds", "webhook", &ID).0, format!("builds-{ID}-2"));
    }

    proptest! {
        #[test]
        fn every_name_is_a_dns_label_with_its_secrets_and_none_is_taken_twice(
            called in prop::collection::vec("\\PC{0,80}|[a-c]{1,2}|[a-z-]{50,70}", 1..12),
        ) {
            let mut names = Names::default();
            let mut seen = BTreeSet::new();
            for text in &called {
                let (name, secret) = names.take(text, "webhook", &ID);
                for label in [&name, &secret] {
                    prop_assert!((1..=63).contains(&label.len()), "{label}");
                    prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
                    prop_assert!(!label.starts_with('-') && !label.ends_with('-'), "{label}");
                }
                prop_assert!(seen.insert(name));
            }
        }
    }
}
