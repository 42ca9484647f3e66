//! Ids of remote things, as types: what is not 24 hexadecimal digits can't become one, so no `..`, `/` or `%` reaches a
//! URL path, and an organization can't stand where a project should.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The text is not 24 hexadecimal digits (seed project-webhook-api: `^[0-9a-fA-F]{24}$`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 24 hexadecimal digits")]
pub struct NotAnId;

macro_rules! entity_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 12]);

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

entity_id!(
    /// An App Maker organization.
    OrganizationId
);
entity_id!(
    /// An App Maker project.
    ProjectId
);
entity_id!(
    /// A webhook of an App Maker project.
    WebhookId
);

fn parse(text: &str) -> Result<[u8; 12], NotAnId> {
    let digits = text.as_bytes();
    if digits.len() != 24 {
        return Err(NotAnId);
    }
    let mut id = [0; 12];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Ok(id)
}

fn nibble(digit: u8) -> Result<u8, NotAnId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(NotAnId),
    }
}

/// A project within its organization: what a LIST is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectPath {
    /// The organization.
    pub organization: OrganizationId,
    /// The project.
    pub project: ProjectId,
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organization, self.project)
    }
}

/// The text is no id of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 1 to 32 letters, digits, - and _")]
pub struct NotATaskId;

/// A CodeArts Check task: 1 to 32 characters (seed check-task-webhook-info), of `[A-Za-z0-9_-]`, so that it is one
/// segment of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(Box<str>);

impl FromStr for TaskId {
    type Err = NotATaskId;

    fn from_str(text: &str) -> Result<Self, NotATaskId> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let is_id = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
        if is_id { Ok(Self(text.into())) } else { Err(NotATaskId) }
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Namespace and name of an object of this cluster. Cheap to clone: a handful of maps hold each key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_shown_in_lower_case_whatever_case_it_was_written_in() {
        assert_eq!("64B0C0FFEE00000000000001".parse::<WebhookId>().unwrap().to_string(), "64b0c0ffee00000000000001");
    }

    proptest! {
        #[test]
        fn only_24_hexadecimal_digits_are_an_id(text in "\\PC{0,30}|[0-9a-fA-F]{22,26}") {
            let is_hex = text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit());
            prop_assert_eq!(text.parse::<ProjectId>().is_ok(), is_hex);
        }

        #[test]
        fn only_1_to_32_letters_digits_dashes_and_underscores_are_a_task(text in "\\PC{0,34}|[A-Za-z0-9_-]{0,34}") {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            let is_id = (1..=32).contains(&text.chars().count()) && text.chars().all(allowed);
            prop_assert_eq!(text.parse::<TaskId>().is_ok(), is_id);
        }
    }
}
