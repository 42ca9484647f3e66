//! The vocabulary of conditions: every reason the operator can give, and what each means to kstatus.

use std::fmt;

use schemars::Schema;
use serde_json::json;

use super::merge;

/// The condition that is always there.
pub const READY: &str = "Ready";
/// True while the operator itself is at work or mends something (kstatus).
pub const RECONCILING: &str = "Reconciling";
/// True while a person is needed (kstatus).
pub const STALLED: &str = "Stalled";

/// What a reason means for the object: it decides the status of all three conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `Ready=True`.
    Ready,
    /// `Ready=False`, `Reconciling=True`: it mends itself.
    Mending,
    /// `Ready=False`, `Stalled=True`: it needs a person.
    Stalled,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $class:ident,)*) => {
        /// Why an object is, or is not, Ready.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, for tables and tests.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The text of the condition's `reason`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it means for the object.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)* }
            }
        }
    };
}

reasons! {
    /// The remote was observed to equal the spec.
    Synced => Ready,
    /// Found, under `managementPolicy: Observe`.
    Observed => Ready,
    /// A connection whose references resolve and whose endpoint is allowed.
    Configured => Ready,
    /// Something has been started and is not yet seen to be done.
    Progressing => Mending,
    /// A Secret, or its key, is missing.
    SecretNotFound => Mending,
    /// A ConfigMap, or its key, is missing.
    ConfigMapNotFound => Mending,
    /// The connection named in `spec.connectionRef` is missing.
    ConnectionNotFound => Mending,
    /// The connection is there but not Ready.
    ConnectionNotReady => Mending,
    /// The remote answers 429.
    RateLimited => Mending,
    /// No usable answer: network, TLS, timeout, 5xx, or a body that is not what is documented.
    RemoteUnavailable => Mending,
    /// The spec, or a value it refers to, can't be used.
    InvalidSpec => Stalled,
    /// The ClusterConnection does not admit this namespace or project.
    ConnectionNotAllowed => Stalled,
    /// The endpoint matches no `--allowed-endpoint`.
    EndpointNotAllowed => Stalled,
    /// The receiver's URL matches no `--allowed-receiver`.
    ReceiverNotAllowed => Stalled,
    /// The remote answers 401.
    CredentialsRejected => Stalled,
    /// The remote answers 403.
    Forbidden => Stalled,
    /// The remote knows no such project.
    ProjectNotFound => Stalled,
    /// The remote knows no such Check task.
    TaskNotFound => Stalled,
    /// The remote knows no such webhook, and it may not be created.
    WebhookNotFound => Stalled,
    /// The remote answers 400 or 422.
    RemoteRejected => Stalled,
    /// A webhook that looks the same is there, and nobody said whose it is.
    AdoptionRequired => Stalled,
    /// The webhook belongs to another owner.
    Conflict => Stalled,
    /// A field comes back different after it was corrected, or the webhook is deleted after it was created.
    NotConverging => Stalled,
    /// The remote differs, and the policy is not to correct it.
    Drifted => Stalled,
    /// The remote differs, and only a person can change it there.
    ManualChangeRequired => Stalled,
    /// The deletion can't end without a person.
    DeletionBlocked => Stalled,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Kubernetes' own type has no bounds here; these are the ones that it has in Kubernetes' own definitions.
pub(super) fn bounded_conditions(schema: &mut Schema) {
    let bounds = json!({ "properties": {
        "message": { "maxLength": 32768 },
        "observedGeneration": { "minimum": 0 },
        "reason": { "minLength": 1, "maxLength": 1024 },
        "status": { "enum": ["True", "False", "Unknown"] },
        "type": { "maxLength": 316 },
    }});
    if let Some(items) = schema.get_mut("items") {
        merge(items, bounds);
    }
}
