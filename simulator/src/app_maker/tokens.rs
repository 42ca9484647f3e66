//! Bearer tokens and what they may do.

use std::collections::HashMap;

use serde::Serialize;

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// Everything.
    Allowed,
    /// Nothing: it is known, and every request is answered with 403.
    Forbidden,
}

/// The known tokens. Each keeps the position at which it was added, which is how records name it.
#[derive(Default)]
pub(crate) struct Tokens {
    known: HashMap<String, (usize, Access)>,
    added: usize,
}

impl Tokens {
    /// Adds a token, or changes what a known one may do; tells its position.
    pub(crate) fn set(&mut self, token: &str, access: Access) -> usize {
        let next = self.added;
        let (position, known_access) = self.known.entry(token.to_owned()).or_insert((next, access));
        *known_access = access;
        if *position == next {
            self.added += 1;
        }
        *position
    }

    /// Forgets a token: it is answered with 401 from then on. Its position is not given to another.
    pub(crate) fn remove(&mut self, token: &str) -> bool {
        self.known.remove(token).is_some()
    }

    pub(crate) fn find(&self, token: &str) -> Option<(usize, Access)> {
        self.known.get(token).copied()
    }

    /// The positions in force and their access, never the tokens.
    pub(crate) fn list(&self) -> Vec<(usize, Access)> {
        let mut all: Vec<_> = self.known.values().copied().collect();
        all.sort_by_key(|(position, _)| *position);
        all
    }
}
