//! What `import` and `plan` have in common: the cluster as they see it, and the rules of the operator beside which they are.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use kube::Client;

use super::rules::{OnOff, Rules, namespace};
use crate::controller::cluster::{config, identity};
use crate::controller::context::Settings;
use crate::controller::outside::reader;

/// Flags of both.
#[derive(Debug, Args)]
pub struct Outlook {
    #[command(flatten)]
    rules: Rules,
    /// Namespace of what names none; that of the kubeconfig's context by default.
    #[arg(long, short = 'n', value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
    /// The operator's own namespace, where the Secrets of ClusterConnections are.
    #[arg(long, value_name = "NS", default_value = "hookwright", env = "HOOKWRIGHT_NAMESPACE", value_parser = namespace)]
    operator_namespace: String,
}

/// The cluster, seen by one who only reads.
pub struct Sight {
    /// Its writes fail, but for dry runs.
    pub client: Client,
    /// As the operator would have them.
    pub settings: Settings,
    /// Namespace of what names none.
    pub namespace: String,
}

impl Outlook {
    /// Connects to the cluster.
    ///
    /// # Errors
    /// There is none, or it does not say who it is.
    pub async fn sight(self) -> anyhow::Result<Sight> {
        let Self { rules, namespace, operator_namespace } = self;
        let Rules { allowed_endpoints, allowed_receivers, cluster_id, ownership_marker } = rules;
        let config = config().await.context("no cluster: set KUBECONFIG")?;
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = reader(config).context("no cluster: set KUBECONFIG")?;
        let settings = Settings {
            cluster: identity(&client, cluster_id).await?,
            marking: ownership_marker == OnOff::On,
            settle: None,
            lease: None,
            resync: Duration::from_mins(10),
            endpoints: allowed_endpoints,
            receivers: allowed_receivers,
            namespace: operator_namespace,
            watch_namespaces: vec![],
            max_concurrent: 1,
            secrets_watch: false,
        };
        Ok(Sight { client, settings, namespace })
    }
}
