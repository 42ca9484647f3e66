//! `TaskNotification`: the notification channels of one CodeArts Check task.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::condition::bounded_conditions;
use super::project_webhook::{ConnectionRef, Drift, never_observed};
use super::source::SecretSource;

/// The notification channels of one CodeArts Check task, as they should be.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[kube(
    group = "hookwright.dev",
    version = "v1alpha1",
    kind = "TaskNotification",
    shortname = "tn",
    namespaced,
    status = "TaskNotificationStatus",
    category = "hookwright",
    derive = "PartialEq",
    doc = "TaskNotification says what the notifications of one CodeArts Check task should be. The service has no API to \
           change them: the operator compares, and says truthfully what a person has to change at the console.",
    printcolumn = r#"{"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "REASON", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "TASK-ID", "type": "string", "jsonPath": ".spec.taskId"}"#,
    printcolumn = r#"{"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "WECOM", "type": "string", "jsonPath": ".status.channels[?(@.type==\"wecom\")].inSync", "priority": 1}"#,
    printcolumn = r#"{"name": "DINGTALK", "type": "string", "jsonPath": ".status.channels[?(@.type==\"dingtalk\")].inSync", "priority": 1}"#,
    printcolumn = r#"{"name": "LARK", "type": "string", "jsonPath": ".status.channels[?(@.type==\"lark\")].inSync", "priority": 1}"#,
    printcolumn = r#"{"name": "MESSAGE", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct TaskNotificationSpec {
    /// The connection through which the remote is reached: one with codeArts.
    pub connection_ref: ConnectionRef,
    /// The Check task, 1 to 32 letters, digits, - and _. Immutable.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,32}$"), length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]{1,32}$')")
        .message("taskId is 1 to 32 letters, digits, - and _, as in the console's address bar, for example \
                  ac26d65ef4ef45c2986611c0ffee00fa"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("taskId is immutable; create another TaskNotification and delete this one"))]
    pub task_id: String,
    /// The channels, one a type. One that is on at the remote and is not here is drift.
    #[schemars(length(min = 1, max = 3))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub channels: Vec<Channel>,
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

/// One notification channel. Fields that are left out are not compared.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.url) && has(self.urlFrom))")
    .message("set url or urlFrom of a channel, not both"))]
#[x_kube(validation = Rule::new("(has(self.enabled) && !self.enabled) || has(self.url) || has(self.urlFrom)")
    .message("a channel that is enabled needs url or urlFrom; set one of them, or enabled: false"))]
pub struct Channel {
    /// wecom, dingtalk or lark.
    #[serde(rename = "type")]
    pub type_: ChannelType,
    /// Whether the channel is switched on; true if it is left out.
    #[serde(default = "yes")]
    // Not a default of the schema: whoever applies by client-side merge replaces lists whole, so that what the API server
    // adds to an item would be a difference for ever. Argo CD would never be in sync.
    #[schemars(transform = without_default)]
    pub enabled: bool,
    /// The robot's URL, http or https. Anyone who may read this object can read it: its query usually is a credential, so
    /// prefer urlFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[^\\s/?#]+([/?#][^\\s]*)?$')")
        .message("url is an http or https URL with a host, for example https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=1"))]
    pub url: Option<String>,
    /// The robot's URL from a Secret of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<SecretSource>,
    /// The robot's signing secret from a Secret of this namespace. Where the remote masks it or does not show it, it is
    /// not compared, and the Ready condition says so; where it shows an empty one, that is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_from: Option<SecretSource>,
    /// The menu items that are told: jobResult, reviewResult, issues, linkUrl, executor, finishedTime. The vocabulary is
    /// the remote's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64), regex(pattern = r"^[^\s,;]+$")))]
    #[x_kube(validation = Rule::new(r"self.all(item, !item.matches('[\\s,;]'))")
        .message("a menu item holds no blanks, commas and semicolons; write one item each, for example jobResult"))]
    // Not a set to the API server: one that is empty, which says that nothing is told, could not be taken away by
    // server-side apply.
    pub notify: Option<Vec<String>>,
    /// The filter by gate result, as the console has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub review_result_filter: Option<String>,
    /// Ids of the users who are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 64), regex(pattern = r"^[^\s,;]+$")))]
    #[x_kube(validation = Rule::new(r"self.all(item, !item.matches('[\\s,;]'))")
        .message("a user id holds no blanks, commas and semicolons; write one id each"))]
    pub user_ids: Option<Vec<String>>,
}

/// The types of channel that the remote knows.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum ChannelType {
    /// WeCom.
    Wecom,
    /// DingTalk.
    Dingtalk,
    /// Feishu.
    Lark,
}

impl ChannelType {
    /// The type as the remote writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wecom => "wecom",
            Self::Dingtalk => "dingtalk",
            Self::Lark => "lark",
        }
    }
}

/// What the operator observed.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TaskNotificationStatus {
    /// The generation that the conditions speak of; -1 until the first look.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// `Ready` always; `Reconciling` and `Stalled` only while True (kstatus).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), transform = bounded_conditions)]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The channels as the remote last showed them: those that are declared, and those that are on without being
    /// declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = kube::core::ListMerge::Map(vec!["type".into()]))]
    pub channels: Vec<ChannelStatus>,
    /// Differences, while there are any: what to change at the console.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub drift: Vec<Drift>,
    /// Echo of annotation `hookwright.dev/reconcile-requested-at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 262144))]
    pub last_handled_reconcile_at: Option<String>,
}

impl Default for TaskNotificationStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: vec![],
            channels: vec![],
            drift: vec![],
            last_handled_reconcile_at: None,
        }
    }
}

/// A channel as the remote shows it, without anything secret.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ChannelStatus {
    /// Its type; `unknown` where the remote's can't be shown.
    #[serde(rename = "type")]
    #[schemars(length(max = 32))]
    pub type_: String,
    /// Whether it is as declared.
    pub in_sync: bool,
    /// Whether it is on.
    pub enabled: bool,
    /// Host of its URL; path and query are credentials and are not shown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub url_host: String,
    /// The menu items that it tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 512)))]
    pub notify: Vec<String>,
}

fn without_default(schema: &mut Schema) {
    schema.remove("default");
}

fn yes() -> bool {
    true
}
