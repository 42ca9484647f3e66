//! Where values come from: keys of Secrets and ConfigMaps, always of one namespace that the reader knows.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One key of one Secret or ConfigMap. There is no namespace field on purpose: references never cross a namespace.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')")
        .message("a name is lower-case letters and digits, with - and . between them, for example app-maker"))]
    pub name: String,
    /// Key within its data.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("a key is letters, digits, -, _ and ., for example token"))]
    pub key: String,
}

/// A value taken from a Secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretSource {
    /// The Secret's key that holds the value. One trailing newline is stripped.
    pub secret_key_ref: KeyRef,
}

/// A value taken from a Secret, with an optional literal before it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrefixedSecretSource {
    /// Written before the Secret's value, for example `Bearer ` with its blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub prefix: Option<String>,
    /// The Secret's key that holds the value. One trailing newline is stripped.
    pub secret_key_ref: KeyRef,
}

/// A value taken from a ConfigMap.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// The ConfigMap's key that holds the value.
    pub config_map_key_ref: KeyRef,
}

/// One HTTP header that the remote service sends with each delivery.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.valueFrom)")
    .message("set exactly one of value and valueFrom for each header"))]
pub struct Header {
    /// Field name, an RFC 9110 token; unique without regard to case. `X-Hookwright-*` is reserved.
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new(r"self.matches('^[A-Za-z0-9!#$%&\'*+.^_`|~-]+$')")
        .message("a header name is an RFC 9110 token: letters, digits and !#$%&'*+-.^_`|~, for example X-Team"))]
    #[x_kube(validation = Rule::new("!self.lowerAscii().startsWith('x-hookwright-')")
        .message("header names that begin with X-Hookwright- are reserved for the operator; choose another name"))]
    pub name: String,
    /// Literal value, at most 2 KiB. Anyone who may read this object can read it: for a credential, use valueFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = Rule::new("!self.matches('[\\\\x00-\\\\x08\\\\x0a-\\\\x1f\\\\x7f]')")
        .message("a header value holds no line breaks or other control characters; remove them"))]
    #[x_kube(validation = Rule::new("!self.matches('^[*]+$')")
        .message("a header value of only * can't be told from a masked one; choose another value"))]
    pub value: Option<String>,
    /// Value from a Secret of this object's namespace, at most 2 KiB with its prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<PrefixedSecretSource>,
}
