//! IO: the rooms of the operator for a command beside it, which reads the cluster once, watches nothing, and writes nothing.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::channel::mpsc::unbounded;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::runtime::events::Reporter;
use kube::runtime::reflector::{Store, store};
use kube::runtime::watcher::Event;
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

use super::clock::Clock;
use super::connect::allowed_endpoint_of;
use super::connections::Connections;
use super::context::{Context, Settings, Triggers};
use super::events::Events;
use super::guarded::guarded;
use super::index::{ConnectionKey, Index, object_key};
use super::refuse::kubernetes;
use super::snapshot::Snapshots;
use super::sources::{SourceKind, Sources};
use super::users::Users;
use crate::api::connection::{ClusterConnection, Connection, ConnectionSpec};
use crate::api::project_webhook::ProjectWebhook;
use crate::api::task_notification::TaskNotification;
use crate::domain::pattern::EndpointPlace;
use crate::ops::metrics::Metrics;
use crate::ops::server::Health;
use crate::remote::gate::{Cut, Open, Shut};

/// Objects in one answer of a list.
const PAGE: u32 = 500;

/// Our objects of the cluster, as they are, or as they would be.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connections.
    pub connections: Vec<Connection>,
    /// ClusterConnections.
    pub cluster_connections: Vec<ClusterConnection>,
    /// ProjectWebhooks.
    pub webhooks: Vec<ProjectWebhook>,
    /// TaskNotifications.
    pub notifications: Vec<TaskNotification>,
    /// What could not be read, in words for the one who asked.
    pub unread: Vec<String>,
}

/// A client whose writes fail, but for dry runs.
///
/// # Errors
/// The configuration can't be used.
pub fn reader(config: Config) -> Result<Client, kube::Error> {
    guarded(config, Arc::new(Shut))
}

impl Seen {
    /// Reads them. Who may not read those of all namespaces gets those of the ones that are named.
    ///
    /// # Errors
    /// They can't be read.
    pub async fn read(client: &Client, namespaces: &BTreeSet<String>) -> anyhow::Result<Self> {
        let mut unread = vec![];
        Ok(Self {
            connections: everywhere(client, namespaces, &mut unread).await?,
            cluster_connections: match list(&Api::all(client.clone())).await {
                Err(error) if is_forbidden(&error) => {
                    unread.push("ClusterConnections may not be read, and count as if there were none".into());
                    vec![]
                }
                other => other.map_err(|error| unreadable(&error, "ClusterConnection"))?,
            },
            webhooks: everywhere(client, namespaces, &mut unread).await?,
            notifications: everywhere(client, namespaces, &mut unread).await?,
            unread,
        })
    }
}

async fn everywhere<K>(
    client: &Client,
    namespaces: &BTreeSet<String>,
    unread: &mut Vec<String>,
) -> anyhow::Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let kind = K::kind(&());
    match list(&Api::all(client.clone())).await {
        Err(error) if is_forbidden(&error) => {}
        other => return other.map_err(|error| unreadable(&error, &kind)),
    }
    unread.push(format!("{kind}s of other namespaces may not be read, and count as if there were none"));
    let mut found = vec![];
    for namespace in namespaces {
        let here: Result<Vec<K>, _> = list(&Api::namespaced(client.clone(), namespace)).await;
        found.extend(here.map_err(|error| unreadable(&error, &kind))?);
    }
    Ok(found)
}

async fn list<K: Clone + Debug + DeserializeOwned>(api: &Api<K>) -> Result<Vec<K>, kube::Error> {
    let mut params = ListParams::default().limit(PAGE);
    let mut found = vec![];
    loop {
        let page = api.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

fn unreadable(error: &kube::Error, kind: &str) -> anyhow::Error {
    match error {
        kube::Error::Api(status) if status.code == 404 => {
            anyhow::anyhow!("this cluster does not know {kind}s: apply crds/ first")
        }
        error => anyhow::anyhow!("{kind}s can't be read: {}", kubernetes(error)),
    }
}

/// The rooms, with what was seen in them. Nothing is undecided there: nobody waits for others.
#[must_use]
pub fn context(client: Client, settings: Settings, seen: &Seen) -> Arc<Context> {
    // Nobody follows these up: there is one look, and no pass comes after it.
    let (project_webhooks, task_notifications, connections) = (unbounded().0, unbounded().0, unbounded().0);
    let context = Context {
        clock: Clock::start(),
        sources: Sources::new(client.clone()),
        connections: Connections::new(
            vec![filled(&seen.connections)],
            Some(filled(&seen.cluster_connections)),
            Cut::never(),
            Arc::new(Open),
        ),
        snapshots: Snapshots::default(),
        listed: futures::future::ready(()).boxed().shared(),
        users: Users::default(),
        index: Arc::new(Index::new(settings.cluster.clone())),
        metrics: Arc::new(Metrics::new()),
        health: Health::new(Duration::MAX),
        events: Events::new(client.clone(), Reporter { controller: "hookwright.dev/command".into(), instance: None }),
        triggers: Triggers { project_webhooks, task_notifications, connections },
        settings,
        client,
    };
    // One look sees each Secret once, and so as it is at one moment.
    context.sources.watched(SourceKind::Secret);
    context.sources.watched(SourceKind::ConfigMap);
    for connection in &seen.connections {
        note_endpoint(&context, &ConnectionKey::from(connection), &connection.spec);
    }
    for connection in &seen.cluster_connections {
        note_endpoint(&context, &ConnectionKey::from(connection), &ConnectionSpec::from(&connection.spec));
    }
    for object in &seen.webhooks {
        let key = object_key(object);
        let connection = ConnectionKey::of(&object.spec.connection_ref, &key.namespace);
        context.index.applied(&key, object, connection, context.clock.now());
        context.index.decided(&key);
    }
    Arc::new(context)
}

/// Claims count per endpoint; one that may not be called here counts as any.
fn note_endpoint(context: &Context, key: &ConnectionKey, spec: &ConnectionSpec) {
    if let Some(endpoint) = allowed_endpoint_of(context, spec) {
        context.index.endpoint(key, EndpointPlace::of(&endpoint));
    }
}

fn filled<K: Resource<DynamicType = ()> + Clone>(objects: &[K]) -> Store<K> {
    let (store, mut writer) = store();
    for object in objects {
        writer.apply_watcher_event(&Event::Apply(object.clone()));
    }
    store
}
