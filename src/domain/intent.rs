//! The intent to create, as it is kept on the object: the finalizer, and beside it, in the same patch, what was there
//! before the POST. After a crash it tells what may have happened.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::WebhookId;

/// The content of annotation `hookwright.dev/creating`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Creating {
    /// The webhook that was owned at the time: while it still is that, the creation is not yet known to have ended.
    pub after: Option<WebhookId>,
    /// The creation is to replace that one: it is still there, and to be deleted once the new one is known.
    pub replaces: bool,
    /// metadata.generation at the time: what a changed spec describes is not what that POST made.
    pub generation: i64,
    /// Webhooks that looked the same before the POST, so none of them is the one it made.
    pub candidates: BTreeSet<WebhookId>,
}

/// The annotation's form; ids as text, because JSON has no others.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    replaces: bool,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    candidates: Vec<String>,
}

impl Creating {
    /// The annotation's value.
    #[must_use]
    pub fn to_annotation(&self) -> String {
        let Self { after, replaces, generation, candidates } = self;
        let wire = Wire {
            after: after.map(|id| id.to_string()),
            replaces: *replaces,
            generation: *generation,
            candidates: candidates.iter().map(ToString::to_string).collect(),
        };
        // A struct of strings always has a JSON form; an empty text would only disable the fallback.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads the annotation; `None` if somebody changed it into something else.
    #[must_use]
    pub fn parse(annotation: &str) -> Option<Self> {
        let Wire { after, replaces, generation, candidates } = serde_json::from_str(annotation).ok()?;
        Some(Self {
            after: after.map(|id| id.parse()).transpose().ok()?,
            replaces,
            generation,
            candidates: candidates.iter().map(|id| id.parse()).collect::<Result<_, _>>().ok()?,
        })
    }
}

impl Creating {
    /// Whether nothing needs this any more, because status names what that creation, or a later one, came to.
    #[must_use]
    pub fn is_over(&self, recorded: Option<WebhookId>) -> bool {
        recorded.is_some() && self.after != recorded && !self.replaces
    }
}

/// What the object itself says about writes that may have happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// The finalizer is there: something may be at the remote.
    pub held: bool,
    /// The last creation that was begun, if it can be read.
    pub creating: Option<Creating>,
}

impl Intent {
    /// Whether a creation was begun of which no end is recorded.
    #[must_use]
    pub fn is_open(&self, recorded: Option<WebhookId>) -> bool {
        self.held && self.creating.as_ref().map_or(recorded.is_none(), |creating| creating.after == recorded)
    }

    /// Whether this is the webhook that the last creation is to replace: to see it says nothing of the new one.
    #[must_use]
    pub fn is_replaced(&self, id: WebhookId) -> bool {
        self.creating.as_ref().is_some_and(|creating| creating.replaces && creating.after == Some(id))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(n: u8) -> WebhookId {
        format!("{n:024x}").parse().unwrap()
    }

    #[test]
    fn an_intent_survives_its_annotation() {
        let creating =
            Creating { after: Some(id(1)), replaces: true, generation: 7, candidates: BTreeSet::from([id(2), id(3)]) };
        assert_eq!(Creating::parse(&creating.to_annotation()), Some(creating));
        assert_eq!(Creating::parse("yes"), None);
        assert_eq!(Creating::parse(r#"{"candidates":["../x"]}"#), None);
    }

    #[test]
    fn what_is_over_says_the_same_as_no_annotation() {
        for (after, replaces) in [(None, false), (Some(id(1)), false), (None, true), (Some(id(1)), true)] {
            let creating = Creating { after, replaces, ..Creating::default() };
            for recorded in [None, Some(id(1)), Some(id(2))] {
                let with = Intent { held: true, creating: Some(creating.clone()) };
                let without = Intent { held: true, creating: None };
                let same = with.is_open(recorded) == without.is_open(recorded)
                    && with.is_replaced(id(1)) == without.is_replaced(id(1));
                assert!(same || !creating.is_over(recorded), "{creating:?} {recorded:?}");
            }
        }
        assert!(Creating::default().is_over(Some(id(1))));
    }

    #[test]
    fn an_intent_is_open_until_status_names_another_webhook() {
        let creating = Some(Creating { after: Some(id(1)), ..Creating::default() });
        let intent = Intent { held: true, creating };
        assert!(intent.is_open(Some(id(1))));
        assert!(!intent.is_open(Some(id(2))));
        assert!(Intent { held: true, creating: None }.is_open(None));
        assert!(!Intent::default().is_open(None));
    }
}
