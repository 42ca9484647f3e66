//! The ownership marker: one header that says which object of which cluster created a webhook.
//!
//! It makes creation idempotent: after a crash, a timeout or a restore, the LIST shows our own webhook.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::ids::ObjectKey;

/// Name of the header that carries the marker. Names that begin with `X-Hookwright-` are refused in specs.
pub const MARKER_HEADER: &str = "X-Hookwright-Owner";

/// Prefix of the header names that are the operator's own.
pub const RESERVED_PREFIX: &str = "x-hookwright-";

/// Identity of a cluster: `--cluster-id`, or the UID of kube-system. A restored cluster sets the old one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterId(pub String);

/// A keyless hash of cluster id, namespace and name. It is no secret: it names an owner, it proves nothing. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marker(Arc<str>);

impl Marker {
    /// The marker of an object of this cluster.
    #[must_use]
    pub fn of(cluster: &ClusterId, object: &ObjectKey) -> Self {
        let mut hash = Sha256::new();
        // Length prefixes: without them `a` + `bc` and `ab` + `c` would be one owner.
        for part in [cluster.0.as_str(), &object.namespace, &object.name] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        Self(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// A marker as a remote shows it.
    #[must_use]
    pub fn shown(text: &str) -> Self {
        Self(text.into())
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a remote webhook says of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SeenMarker {
    /// No marker: made by a person, adopted, or the remote drops such headers.
    Absent,
    /// A marker whose value the remote masks: made by an operator, but not known which.
    Masked,
    /// A marker.
    Shown(Marker),
}

impl SeenMarker {
    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, marker: &Marker) -> bool {
        matches!(self, Self::Shown(seen) if seen == marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(cluster: &str, namespace: &str, name: &str) -> Marker {
        Marker::of(&ClusterId(cluster.into()), &ObjectKey { namespace: namespace.into(), name: name.into() })
    }

    #[test]
    fn a_marker_is_the_same_in_every_release() {
        // Changing the hash would orphan every webhook ever created.
        assert_eq!(marker("c", "shop", "builds").as_str(), "03260748bdb054df0476f534052e8872");
    }

    #[test]
    fn no_two_objects_share_a_marker_by_moving_letters() {
        assert_ne!(marker("c", "ab", "c"), marker("c", "a", "bc"));
        assert_ne!(marker("ca", "b", "c"), marker("c", "ab", "c"));
    }
}
