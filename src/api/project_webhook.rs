//! `ProjectWebhook`: one webhook of one App Maker project.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::condition::bounded_conditions;
use super::merge;
use super::source::{Header, SecretSource};

/// One webhook of one App Maker project, as it should be.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "ProjectWebhook",
    shortname = "pwh",
    namespaced,
    status = "ProjectWebhookStatus",
    category = "hookwright",
    derive = "PartialEq",
    doc = "ProjectWebhook is one webhook of one App Maker project: the operator creates it, keeps it as declared and \
           says truthfully whether it is.",
    printcolumn = r#"{"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "REASON", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "ACTIVE", "type": "boolean", "jsonPath": ".status.remote.active"}"#,
    printcolumn = r#"{"name": "REMOTE-ID", "type": "string", "jsonPath": ".status.webhookId"}"#,
    printcolumn = r#"{"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "HOST", "type": "string", "jsonPath": ".status.remote.urlHost", "priority": 1}"#,
    printcolumn = r#"{"name": "EVENTS", "type": "string", "jsonPath": ".spec.events", "priority": 1}"#,
    printcolumn = r#"{"name": "MESSAGE", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.url) != has(self.urlFrom)").message("set exactly one of spec.url and spec.urlFrom"))]
pub struct ProjectWebhookSpec {
    /// The connection through which the remote is reached.
    pub connection_ref: ConnectionRef,
    /// The App Maker organization, 24 hexadecimal digits. Immutable.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{24}$"), length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{24}$')")
        .message("organizationId is 24 hexadecimal digits, as in the console's address bar, for example 64b0c0ffee00000000000001"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("organizationId is immutable; create another ProjectWebhook and delete this one"))]
    pub organization_id: String,
    /// The App Maker project, 24 hexadecimal digits. Immutable.
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{24}$"), length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{24}$')")
        .message("projectId is 24 hexadecimal digits, as in the console's address bar, for example 64b0c0ffee00000000000002"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("projectId is immutable; create another ProjectWebhook and delete this one"))]
    pub project_id: String,
    /// Display name at the remote; metadata.name if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.trim() == self")
        .message("name has no blanks at its ends; remove them"))]
    pub name: Option<String>,
    /// The receiver's URL, http or https. Anyone who may read this object can read it: if its path or query is a
    /// credential, use urlFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[^\\s/?#]+([/?#][^\\s]*)?$')")
        .message("url is an http or https URL with a host, for example https://hooks.example.com/builds"))]
    pub url: Option<String>,
    /// The receiver's URL from a Secret of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // Boxed, because few have it: without its room an object in the cache takes 1 KiB and not the allocator's next size.
    pub url_from: Option<Box<SecretSource>>,
    /// HTTP headers of each delivery; names are unique without regard to case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.all(h, self.exists_one(o, o.name.lowerAscii() == h.name.lowerAscii()))")
        .message("header names are unique without regard to case; keep one of them"))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<Header>,
    /// Whether the remote delivers.
    #[serde(default = "yes")]
    pub active: bool,
    /// The events that are delivered, for example `deployment.build.created`. The vocabulary is the remote's.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 128), regex(pattern = r"^[^\s]+$")))]
    #[x_kube(validation = Rule::new(r"self.all(event, !event.matches('\\s'))")
        .message("an event name holds no blanks; write one event an item, for example deployment.build.created"))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Set)]
    pub events: Vec<String>,
    /// What the operator does about differences.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
    /// What happens when the remote already holds an unclaimed webhook with this name and URL.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What happens to the remote webhook when this object is deleted. Without it: Delete what was created, Orphan what
    /// was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Hands over exactly this remote webhook, 24 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{24}$"), length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9a-fA-F]{24}$')")
        .message("webhookId is 24 hexadecimal digits, as kubectl and the operator's messages show it, for example 66b0c0ffee00000000000001"))]
    pub webhook_id: Option<String>,
    /// How often the remote is looked at, 30s to 24h; the operator's --resync-interval if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^([0-9]{1,5}(s|m|h))+$"))]
    // The bound of digits keeps `duration` from overflowing: an overflow would hide the message.
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}(s|m|h))+$') && duration(self) >= duration('30s') \
                                     && duration(self) <= duration('24h')")
        .message("resyncInterval is between 30s and 24h, in s, m and h, for example 10m or 1h30m"))]
    pub resync_interval: Option<String>,
    /// Stops everything but deletion; conditions stay as they were.
    #[serde(default)]
    pub suspend: bool,
}

/// A reference to a Connection of the same namespace, or to a ClusterConnection.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRef {
    /// Connection (of this namespace) or ClusterConnection.
    #[serde(default)]
    pub kind: ConnectionKind,
    /// Name of the connection.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')")
        .message("a name is lower-case letters and digits, with - and . between them, for example app-maker"))]
    pub name: String,
}

/// The two kinds of connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectionKind {
    /// Of the object's namespace.
    #[default]
    Connection,
    /// Of the cluster, where it admits the namespace.
    ClusterConnection,
}

impl ConnectionKind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::ClusterConnection => "ClusterConnection",
        }
    }
}

/// What the operator does about differences.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ManagementPolicy {
    /// Correct every difference.
    #[default]
    Enforce,
    /// Apply a changed spec or Secret; report every other difference and leave it.
    ReportDrift,
    /// Never write, claim or delete.
    Observe,
}

/// What happens when the remote already holds an unclaimed webhook with this name and URL.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum AdoptionPolicy {
    /// Create nothing, and say which ids there are.
    #[default]
    Refuse,
    /// Take it, if it is a single one.
    Adopt,
    /// Create another one beside it.
    CreateAnother,
}

/// What happens to the remote webhook when the object is deleted.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Delete it too.
    Delete,
    /// Leave it at the remote.
    Orphan,
}

/// What the operator observed.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ProjectWebhookStatus {
    /// The generation that the conditions speak of; -1 until the first look.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// `Ready` always; `Reconciling` and `Stalled` only while True (kstatus).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = bounded_conditions)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Id of the remote webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub webhook_id: Option<String>,
    /// How this object came by that webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<Ownership>,
    /// What the remote was last observed to equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// The remote webhook as last observed; written only together with another change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
    /// Differences, while there are any; at most 100 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub drift: Vec<Drift>,
    /// Fields that keep coming back different after a correction; `webhook` if it is the webhook that keeps being deleted, or
    /// is never listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub corrections: Vec<Correction>,
    /// When the remote was last written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_applied_time: Option<Time>,
    /// Echo of annotation `hookwright.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262144))]
    pub last_handled_reconcile_at: Option<String>,
    /// Echo of annotation `hookwright.dev/correct-drift-requested-at`, so that each request corrects once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262144))]
    pub last_handled_correct_drift_at: Option<String>,
}

impl Default for ProjectWebhookStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: vec![],
            webhook_id: None,
            ownership: None,
            applied: None,
            remote: None,
            drift: vec![],
            corrections: vec![],
            last_applied_time: None,
            last_handled_reconcile_at: None,
            last_handled_correct_drift_at: None,
        }
    }
}

/// How an object came by its webhook.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum Ownership {
    /// The operator created it.
    Created,
    /// It was there, and was handed over.
    Adopted,
    /// It is only looked at.
    Observed,
}

/// The spec and Secrets that the remote was last observed to equal.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// metadata.generation of the spec.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// The connection through which, as `Kind/name`: an id that is not found through another one is not taken for deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub connection: Option<String>,
    /// resourceVersion of each Secret used, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = bounded_versions)]
    pub secrets: BTreeMap<String, String>,
}

/// The remote webhook as last observed, without anything secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    /// Display name, cut to 256 bytes, as the other texts of the remote are; empty if the remote does not show it.
    #[schemars(length(max = 257))]
    pub name: String,
    /// Host of its URL; path and query may be credentials and are not shown. Empty if the remote does not show the URL.
    #[schemars(length(max = 257))]
    pub url_host: String,
    /// Whether it delivers; absent if the remote does not show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Its events; at most 100 of them, and none if the remote does not show them.
    #[schemars(length(max = 100), inner(length(max = 257)))]
    pub events: Vec<String>,
    /// Names of its headers, without the operator's own; at most 100 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 257)))]
    pub header_names: Vec<String>,
    /// As the remote says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 257))]
    pub created_at: Option<String>,
    /// As the remote says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 257))]
    pub updated_at: Option<String>,
}

/// One field that differs. URL and header values are never shown.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The field, for example `events` or `headers[X-Team]`.
    #[schemars(length(max = 300))]
    pub field: String,
    /// What the spec says.
    #[schemars(length(max = 257))]
    pub desired: String,
    /// What the remote says.
    #[schemars(length(max = 257))]
    pub actual: String,
}

/// How often a field was corrected and came back different.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Correction {
    /// The field.
    #[schemars(length(max = 300))]
    pub field: String,
    /// Corrections of the same spec and Secrets.
    #[schemars(range(min = 1, max = u32::MAX))]
    pub count: u32,
}

/// `observedGeneration` before the first look (kstatus reads a missing one as current).
#[must_use]
pub fn never_observed() -> i64 {
    -1
}

/// One for the URL, and one for each of 64 headers.
fn bounded_versions(schema: &mut Schema) {
    schema.insert("maxProperties".into(), json!(65));
    if let Some(versions) = schema.get_mut("additionalProperties") {
        merge(versions, json!({ "maxLength": 253 }));
    }
}

fn yes() -> bool {
    true
}
