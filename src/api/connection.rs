//! `Connection` and `ClusterConnection`: how a remote service is reached, with which credentials and how fast.

mod code_arts;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::code_arts::{AccessKeyAuth, CodeArts, CodeArtsAuth, PasswordAuth};
use super::condition::bounded_conditions;
use super::merge;
use super::source::{ConfigMapSource, SecretSource};

/// The App Maker production API (facts: Akinon App Maker's open API).
pub const APP_MAKER_ENDPOINT: &str = "https://abp-api.akinon.net/api/v1";

/// How to reach a remote service from this namespace.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "Connection",
    namespaced,
    status = "ConnectionStatus",
    category = "hookwright",
    derive = "PartialEq",
    doc = "Connection says how a remote service is reached: endpoint, credentials, trust and rate. \
           Its references are to Secrets and ConfigMaps of its own namespace.",
    printcolumn = r#"{"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "REASON", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "MESSAGE", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.appMaker) != has(self.codeArts)")
    .message("set exactly one of spec.appMaker and spec.codeArts"))]
#[x_kube(validation = Rule::new("has(self.appMaker) == has(oldSelf.appMaker)")
    .message("the provider is immutable; create another connection and point spec.connectionRef of its users to it"))]
pub struct ConnectionSpec {
    /// Akinon App Maker, for ProjectWebhooks. Provider and endpoint are immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_maker: Option<AppMaker>,
    /// Huawei Cloud CodeArts Check, for TaskNotifications. Provider and endpoint are immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_arts: Option<CodeArts>,
    /// Extra trust roots in PEM, beside the system's. TLS verification is never switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_from: Option<ConfigMapSource>,
    /// How fast the remote may be called by all users of this connection together.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// Total time for one call, in seconds.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u16,
}

/// How to reach a remote service, for chosen namespaces and projects.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "ClusterConnection",
    status = "ConnectionStatus",
    category = "hookwright",
    derive = "PartialEq",
    doc = "ClusterConnection is a Connection that objects of chosen namespaces may use. Its references are to \
           Secrets and ConfigMaps of the operator's namespace.",
    printcolumn = r#"{"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "REASON", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "MESSAGE", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.appMaker) != has(self.codeArts)")
    .message("set exactly one of spec.appMaker and spec.codeArts"))]
#[x_kube(validation = Rule::new("has(self.appMaker) == has(oldSelf.appMaker)")
    .message("the provider is immutable; create another connection and point spec.connectionRef of its users to it"))]
#[x_kube(validation = Rule::new("!(has(self.codeArts) && has(self.allowedProjects))")
    .message("spec.allowedProjects is about App Maker's projects, and a Check task names none; leave it out beside \
              spec.codeArts"))]
pub struct ClusterConnectionSpec {
    /// Akinon App Maker, for ProjectWebhooks. Provider and endpoint are immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_maker: Option<AppMaker>,
    /// Huawei Cloud CodeArts Check, for TaskNotifications. Provider and endpoint are immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_arts: Option<CodeArts>,
    /// Extra trust roots in PEM, beside the system's. TLS verification is never switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_from: Option<ConfigMapSource>,
    /// How fast the remote may be called by all users of this connection together.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// Total time for one call, in seconds.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u16,
    /// Namespaces whose objects may use this connection; absent = none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// Projects that may be managed through this connection, as `organization/project`; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(max = 64), regex(pattern = r"^[0-9a-fA-F]{24}/[0-9a-fA-F]{24}$")))]
    #[x_kube(validation = Rule::new("self.all(project, project.matches('^[0-9a-fA-F]{24}/[0-9a-fA-F]{24}$'))")
        .message("an allowed project is its organization's id, a slash and its own id, both 24 hexadecimal digits, for \
                  example 64b0c0ffee00000000000001/64b0c0ffee00000000000002"))]
    pub allowed_projects: Option<Vec<String>>,
}

/// Akinon App Maker's API.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AppMaker {
    /// Base URL of the API, with its version. It must match the operator's --allowed-endpoint patterns. Immutable.
    #[serde(default = "default_app_maker_endpoint")]
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("endpoint is immutable; create another connection and point spec.connectionRef of its users to it"))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')")
        .message("endpoint is an http or https URL without user, query and fragment, for example https://abp-api.akinon.net/api/v1"))]
    pub endpoint: String,
    /// The bearer token.
    pub token_from: SecretSource,
}

/// Which namespaces; the two fields are ORed.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AllowedNamespaces {
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 1000),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(validation = Rule::new("self.all(name, name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'))")
        .message("a namespace is lower-case letters and digits, with - between them, for example team-a; for a group of \
                  namespaces use selector"))]
    pub names: Vec<String>,
    /// By label, which may change; an empty selector matches every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = bounded_selector)]
    pub selector: Option<LabelSelector>,
}

/// The rate of one connection, shared by all its users.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Calls a second, over time.
    #[serde(default = "default_requests_per_second")]
    #[schemars(range(min = 1, max = 10000))]
    pub requests_per_second: u32,
    /// Calls that may be made at once after a pause.
    #[serde(default = "default_burst")]
    #[schemars(range(min = 1, max = 10000))]
    pub burst: u32,
    /// Calls under way at the same time.
    #[serde(default = "default_max_in_flight")]
    #[schemars(range(min = 1, max = 256))]
    pub max_in_flight: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            requests_per_second: default_requests_per_second(),
            burst: default_burst(),
            max_in_flight: default_max_in_flight(),
        }
    }
}

/// What the operator says of a connection.
#[derive(Clone, Debug, Default, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The generation that the conditions speak of; -1 until the first look.
    #[serde(default = "super::project_webhook::never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// `Ready` always; `Reconciling` and `Stalled` only while True (kstatus).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = bounded_conditions)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Kubernetes' own type has no bounds: a custom resource's labels, keys and operators are not checked for it.
fn bounded_selector(schema: &mut Schema) {
    let expression = json!({
        "key": { "minLength": 1, "maxLength": 317 },
        "operator": { "enum": ["In", "NotIn", "Exists", "DoesNotExist"] },
        "values": { "maxItems": 100, "items": { "maxLength": 63 } },
    });
    let rule = json!({
        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
        "message": "operators In and NotIn need values; Exists and DoesNotExist have none",
    });
    let bounds = json!({
        "matchExpressions": {
            "maxItems": 32,
            "items": { "properties": expression, "x-kubernetes-validations": [rule] },
        },
        "matchLabels": { "maxProperties": 32, "additionalProperties": { "maxLength": 63 } },
    });
    if let Some(properties) = schema.get_mut("properties") {
        merge(properties, bounds);
    }
}

fn default_app_maker_endpoint() -> String {
    APP_MAKER_ENDPOINT.into()
}
fn default_timeout() -> u16 {
    30
}
fn default_requests_per_second() -> u32 {
    10
}
fn default_burst() -> u32 {
    20
}
fn default_max_in_flight() -> u32 {
    8
}

impl From<&ClusterConnectionSpec> for ConnectionSpec {
    /// The part that both kinds of connection share.
    fn from(spec: &ClusterConnectionSpec) -> Self {
        let ClusterConnectionSpec {
            app_maker,
            code_arts,
            ca_from,
            rate_limit,
            timeout_seconds,
            allowed_namespaces: _,
            allowed_projects: _,
        } = spec.clone();
        Self { app_maker, code_arts, ca_from, rate_limit, timeout_seconds }
    }
}
