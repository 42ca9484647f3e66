//! What every pass shares: settings, the clock, and the handles of the rooms that hold state.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::future::{BoxFuture, Shared};
use kube::Client;

use super::clock::Clock;
use super::connections::Connections;
use super::events::Events;
use super::index::{ConnectionKey, Index, User};
use super::snapshot::Snapshots;
use super::sources::Sources;
use super::users::Users;
use crate::domain::ids::ObjectKey;
use crate::domain::marker::ClusterId;
use crate::domain::pattern::UrlPattern;
use crate::ops::metrics::Metrics;
use crate::ops::server::Health;

/// What `hookwright run` was told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--cluster-id`, or the UID of kube-system.
    pub cluster: ClusterId,
    /// `--ownership-marker`.
    pub marking: bool,
    /// `--settle-time`; without it, the longest of the connection's timeout, the lease and [`MIN_SETTLE`].
    pub settle: Option<Duration>,
    /// `--leader-elect`.
    pub lease: Option<LeaseSettings>,
    /// `--resync-interval`.
    pub resync: Duration,
    /// `--allowed-endpoint`.
    pub endpoints: Vec<UrlPattern>,
    /// `--allowed-receiver`.
    pub receivers: Vec<UrlPattern>,
    /// `--namespace`: the operator's own.
    pub namespace: String,
    /// `--watch-namespace`; empty = all.
    pub watch_namespaces: Vec<String>,
    /// `--max-concurrent`.
    pub max_concurrent: u16,
    /// `--secrets-watch`.
    pub secrets_watch: bool,
}

/// The Lease that says which replica works.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// `--lease-name`.
    pub name: String,
    /// `--lease-duration`, whole seconds.
    pub duration: Duration,
}

/// Shortest default of `--settle-time`.
pub const MIN_SETTLE: Duration = Duration::from_secs(30);

impl Settings {
    /// How long a creation through a connection with this timeout may still take effect.
    #[must_use]
    pub fn settle_for(&self, timeout: Duration) -> Duration {
        let lease = self.lease.as_ref().map_or(Duration::ZERO, |lease| lease.duration);
        self.settle.unwrap_or(timeout.max(lease).max(MIN_SETTLE))
    }
}

/// Ends once the first list of every watch is complete.
pub type Listed = Shared<BoxFuture<'static, ()>>;

/// See the module.
pub struct Context {
    /// To Kubernetes.
    pub client: Client,
    /// What was asked for.
    pub settings: Settings,
    /// The clock.
    pub clock: Clock,
    /// Secrets and ConfigMaps.
    pub sources: Sources,
    /// Connections as they can be used.
    pub connections: Connections,
    /// LISTs, shared.
    pub snapshots: Snapshots,
    /// Until then no pass begins.
    pub listed: Listed,
    /// Who uses which connection.
    pub users: Users,
    /// Who claims what.
    pub index: Arc<Index>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// For `/healthz` and `/readyz`.
    pub health: Health,
    /// Kubernetes Events.
    pub events: Events,
    /// For asking for passes.
    pub triggers: Triggers,
}

/// Asks for passes over objects that did not change themselves.
#[derive(Clone)]
pub struct Triggers {
    /// Over ProjectWebhooks.
    pub project_webhooks: UnboundedSender<ObjectKey>,
    /// Over TaskNotifications.
    pub task_notifications: UnboundedSender<ObjectKey>,
    /// Over connections.
    pub connections: UnboundedSender<ConnectionKey>,
}

impl Triggers {
    /// Asks for a pass over a user of something that changed.
    pub fn user(&self, user: User) {
        match user {
            User::ProjectWebhook(key) => self.project_webhook(key),
            // The receiver is gone only when the process is stopping.
            User::TaskNotification(key) => drop(self.task_notifications.unbounded_send(key)),
            User::Connection(key) => self.connection(key),
        }
    }

    /// Asks for a pass over a ProjectWebhook.
    pub fn project_webhook(&self, key: ObjectKey) {
        // The receiver is gone only when the process is stopping.
        let _ = self.project_webhooks.unbounded_send(key);
    }

    /// Asks for a pass over a connection.
    pub fn connection(&self, key: ConnectionKey) {
        let _ = self.connections.unbounded_send(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(settle: Option<Duration>) -> Settings {
        Settings {
            cluster: ClusterId("c".into()),
            marking: true,
            settle,
            lease: None,
            secrets_watch: true,
            resync: Duration::from_secs(600),
            endpoints: vec![],
            receivers: vec![],
            namespace: "hookwright".into(),
            watch_namespaces: vec![],
            max_concurrent: 1,
        }
    }

    #[test]
    fn a_creation_settles_within_the_longest_of_timeout_lease_and_half_a_minute_unless_told_otherwise() {
        let settles = |settle, timeout| settings(settle).settle_for(Duration::from_secs(timeout));
        assert_eq!(settles(None, 5), MIN_SETTLE);
        assert_eq!(settles(None, 300), Duration::from_secs(300));
        let told = Duration::from_secs(2);
        assert_eq!(settles(Some(told), 300), told);
        let lease = Some(LeaseSettings { name: "l".into(), duration: Duration::from_secs(60) });
        let led = Settings { lease, ..settings(None) };
        assert_eq!(led.settle_for(Duration::from_secs(5)), Duration::from_secs(60));
    }
}
