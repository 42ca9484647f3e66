//! IO: the cluster that a command works with, and how it calls itself there.

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, ResourceExt};
use reqwest::header::{HeaderValue, USER_AGENT};

use super::refuse::kubernetes;
use crate::domain::marker::ClusterId;

/// The cluster of the pod, or of `KUBECONFIG`. The client says who it is: else what it writes is `unknown`'s in managedFields
/// and nobody's in an audit log.
///
/// # Errors
/// There is none.
pub async fn config() -> anyhow::Result<Config> {
    let mut config = Config::infer().await.map_err(kube::Error::InferConfig)?;
    let name = HeaderValue::from_static(concat!("hookwright/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, name));
    Ok(config)
}

/// Identity of the cluster: `--cluster-id`, or the UID of kube-system.
///
/// # Errors
/// It is not told, and can't be read.
pub async fn identity(client: &Client, asked: Option<String>) -> anyhow::Result<ClusterId> {
    if let Some(id) = asked {
        return Ok(ClusterId(id));
    }
    let namespaces = Api::<Namespace>::all(client.clone());
    let system = namespaces.get_metadata("kube-system").await.map_err(|error| anyhow::anyhow!(kubernetes(&error)));
    let system = system.context("the UID of namespace kube-system can't be read; set --cluster-id")?;
    Ok(ClusterId(system.uid().context("namespace kube-system has no UID; set --cluster-id")?))
}
