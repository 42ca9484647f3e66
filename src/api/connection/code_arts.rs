//! The `codeArts` part of a connection: Huawei Cloud CodeArts Check, and how its requests are authenticated.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::source::SecretSource;

/// Huawei Cloud CodeArts Check.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CodeArts {
    /// Base URL of the service; it differs by region and has no default. It must match the operator's --allowed-endpoint
    /// patterns. Immutable.
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("endpoint is immutable; create another connection and point spec.connectionRef of its users to it"))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')")
        .message("endpoint is an http or https URL without user, query and fragment, for example \
                  https://codearts-check.ap-southeast-3.myhuaweicloud.com"))]
    pub endpoint: String,
    /// How requests are authenticated.
    pub auth: CodeArtsAuth,
}

/// The ways to authenticate, of which one is set.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.tokenFrom), has(self.password), has(self.accessKey)].filter(x, x).size() == 1")
    .message("set exactly one of tokenFrom, password and accessKey"))]
pub struct CodeArtsAuth {
    /// An IAM token, sent as X-Auth-Token. It lives for a day: somebody has to put a new one into the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_from: Option<SecretSource>,
    /// An IAM user's password, exchanged for tokens that are renewed in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordAuth>,
    /// An access key, with which each request is signed (SDK-HMAC-SHA256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<AccessKeyAuth>,
}

/// An IAM user and its password.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PasswordAuth {
    /// Base URL of IAM. It must match the operator's --allowed-endpoint patterns.
    #[schemars(length(min = 8, max = 2048))]
    #[x_kube(validation = Rule::new(r"self.matches('^https?://[^/?#@\\s]+(/[^?#\\s]*)?$')")
        .message("iamEndpoint is an http or https URL without user, query and fragment, for example \
                  https://iam.myhuaweicloud.com"))]
    pub iam_endpoint: String,
    /// The account's name, which IAM calls a domain.
    #[schemars(length(min = 1, max = 128))]
    pub domain: String,
    /// The IAM user's name.
    #[schemars(length(min = 1, max = 128))]
    pub user: String,
    /// The project that tokens are for: a region, such as ap-southeast-3.
    #[schemars(length(min = 1, max = 128))]
    pub project: String,
    /// The password.
    pub password_from: SecretSource,
}

/// An access key.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccessKeyAuth {
    /// The id of the project that requests are for, sent as X-Project-Id.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]+$')")
        .message("projectId is letters, digits, - and _, as the console shows it under My Credentials"))]
    pub project_id: String,
    /// The access key id (AK).
    pub access_key_from: SecretSource,
    /// The secret access key (SK).
    pub secret_key_from: SecretSource,
    /// The security token of a temporary access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_token_from: Option<SecretSource>,
}
