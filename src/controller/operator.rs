//! The operator from start to stop: puts the rooms together, waits for what must be there, and drains at the end.

mod lead;
mod start;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures::channel::mpsc::unbounded;
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{ListParams, PostParams};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::events::{EventType, Reporter};
use kube::{Api, Client, Config, CustomResourceExt, Resource};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use self::lead::lead;
use self::start::{Notifications, Webhooks, start_connections, start_objects};
use super::clock::Clock;
use super::cluster::{config, identity};
use super::connections::Connections;
use super::context::{Context, LeaseSettings, Settings, Triggers};
use super::events::Events;
use super::fail_point::FailPoint;
use super::guarded::guarded;
use super::index::{ConnectionKey, Index};
use super::leader::{Election, RELEASE, Term};
use super::namespaces::follow_namespaces;
use super::project_webhook::ProjectWebhookKind;
use super::publish::event_on;
use super::refuse::kubernetes;
use super::snapshot::{SWEPT, Snapshots};
use super::sources::{SourceKind, Sources};
use super::task_notification::TaskNotificationKind;
use super::users::Users;
use super::wiring::{Watch, follow_sources, listed, lists, slim, slim_notification};
use crate::api::connection::{ClusterConnection, Connection};
use crate::api::project_webhook::{ConnectionKind, ProjectWebhook};
use crate::api::task_notification::TaskNotification;
use crate::domain::pattern::UrlPattern;
use crate::ops::metrics::Metrics;
use crate::ops::server::{Health, Server};
use crate::remote::gate::{Gate, Open, cut};

/// What was asked for on the command line.
#[derive(Debug)]
pub struct Asked {
    /// `--allowed-endpoint`.
    pub endpoints: Vec<UrlPattern>,
    /// `--allowed-receiver`.
    pub receivers: Vec<UrlPattern>,
    /// `--cluster-id`.
    pub cluster: Option<String>,
    /// `--ownership-marker`.
    pub marking: bool,
    /// `--settle-time`.
    pub settle: Option<Duration>,
    /// `--leader-elect`, `--lease-name` and `--lease-duration`.
    pub lease: Option<LeaseSettings>,
    /// `--watch-namespace`.
    pub watch_namespaces: Vec<String>,
    /// `--namespace`.
    pub namespace: Option<String>,
    /// `--resync-interval`.
    pub resync: Duration,
    /// `--max-concurrent`.
    pub max_concurrent: u16,
    /// `--http-addr`.
    pub http_addr: SocketAddr,
    /// `--stalled-after`.
    pub stalled_after: Duration,
    /// `--secrets-watch`.
    pub secrets_watch: bool,
}

/// How long passes under way may go on after a signal, before their calls are cut.
const DRAIN: Duration = Duration::from_millis(7500);
/// How long they may take to end after that; together with [`RELEASE`] less than the 10 seconds that are promised.
const CUT: Duration = Duration::from_millis(1500);
/// How often what is missing at the start is looked for.
const RETRY: Duration = Duration::from_secs(1);
/// Where Kubernetes tells a pod its namespace.
const POD_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// It can't start, or it led and does not lead any more.
pub async fn operate(asked: Asked) -> anyhow::Result<()> {
    let (stopping, stop) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping: no new pass begins");
        stopping.send_replace(true);
    });
    let health = Health::new(asked.stalled_after);
    let metrics = Arc::new(Metrics::new());
    let starting = health.not_ready("starting");
    let server = Server::bind(asked.http_addr, health.clone(), Arc::clone(&metrics))
        .await
        .with_context(|| format!("--http-addr {} can't be served", asked.http_addr))?;
    let server = tokio::spawn(server.serve(stopped(stop.clone())));
    tokio::select! {
        result = work(asked, health, metrics, stop.clone(), starting) => result?,
        // Before anything is under way there is nothing to drain.
        () = stopped_before_work(stop.clone()) => {}
    }
    server.abort();
    Ok(())
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the process waits for a signal.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// `work` ends by itself once it is under way; this bounds the whole drain.
async fn stopped_before_work(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    tokio::time::sleep(DRAIN + CUT + RELEASE).await;
}

async fn work(
    asked: Asked,
    health: Health,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
    starting: crate::ops::server::NotReady,
) -> anyhow::Result<()> {
    let config = config().await.context("no cluster: run in a pod, or set KUBECONFIG")?;
    let client = Client::try_from(config.clone()).context("no cluster: run in a pod, or set KUBECONFIG")?;
    let settings = tokio::select! {
        settings = settings(&client, asked) => settings?,
        () = stopped(stop.clone()) => return Ok(()),
    };
    tokio::select! {
        () = wait_for_crds(&client, &settings, &health) => {}
        () = stopped(stop.clone()) => return Ok(()),
    }
    drop(starting);
    lead(config, client, settings, health, metrics, stop).await
}

async fn settings(client: &Client, asked: Asked) -> anyhow::Result<Settings> {
    let cluster = identity(client, asked.cluster).await?;
    let namespaces = Api::<Namespace>::all(client.clone());
    let namespace = own_namespace(asked.namespace, std::fs::read_to_string(POD_NAMESPACE).ok());
    ensure_namespace(&namespaces, &namespace).await?;
    tracing::info!(cluster = cluster.0, namespace, "version {}", env!("CARGO_PKG_VERSION"));
    Ok(Settings {
        cluster,
        marking: asked.marking,
        settle: asked.settle,
        lease: asked.lease,
        resync: asked.resync,
        endpoints: asked.endpoints,
        receivers: asked.receivers,
        namespace,
        watch_namespaces: asked.watch_namespaces,
        max_concurrent: asked.max_concurrent,
        secrets_watch: asked.secrets_watch,
    })
}

/// The one that was asked for, else the pod's, else `hookwright`.
fn own_namespace(asked: Option<String>, of_pod: Option<String>) -> String {
    let of_pod = of_pod.map(|text| text.trim().to_owned()).filter(|name| !name.is_empty());
    asked.or(of_pod).unwrap_or_else(|| "hookwright".into())
}

/// Creates the operator's namespace if it is missing. Where that may not even be looked at, it is taken to be there:
/// the operator's own Role would be in it.
async fn ensure_namespace(namespaces: &Api<Namespace>, name: &str) -> anyhow::Result<()> {
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    match namespaces.get_metadata_opt(name).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => match FailPoint::Namespace.after(namespaces.create(&PostParams::default(), &namespace)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            Err(error) => {
                Err(anyhow::anyhow!(kubernetes(&error))).with_context(|| format!("namespace {name} can't be created"))
            }
        },
        Err(kube::Error::Api(status)) if status.code == 403 => {
            tracing::info!("namespace {name} may not be looked at; taking it to be there");
            Ok(())
        }
        Err(error) => {
            Err(anyhow::anyhow!(kubernetes(&error))).with_context(|| format!("namespace {name} can't be read"))
        }
    }
}

/// Waits for each kind to be served; `/readyz` says for which.
async fn wait_for_crds(client: &Client, settings: &Settings, health: &Health) {
    let namespace = settings.watch_namespaces.first().cloned();
    wait_for_crd::<ProjectWebhook>(scoped(client, namespace.as_deref()), health).await;
    wait_for_crd::<TaskNotification>(scoped(client, namespace.as_deref()), health).await;
    wait_for_crd::<Connection>(scoped(client, namespace.as_deref()), health).await;
    if namespace.is_none() {
        wait_for_crd::<ClusterConnection>(Api::all(client.clone()), health).await;
    }
}

async fn wait_for_crd<K>(api: Api<K>, health: &Health)
where
    K: Resource<DynamicType = ()> + CustomResourceExt + Clone + std::fmt::Debug + DeserializeOwned,
{
    let mut missing = None;
    loop {
        match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(error) => {
                let name = K::crd_name();
                let why = match &error {
                    kube::Error::Api(status) if status.code == 404 => format!("waiting for CRD {name}: apply crds/"),
                    error => format!("waiting for {name} to be served: {}", kubernetes(error)),
                };
                if missing.is_none() {
                    tracing::warn!("{why}");
                }
                missing = Some(health.not_ready(why));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Everything at work, until `stop` and the drain after it. Tells whether all of it has ended.
async fn serve(
    config: Config,
    settings: Settings,
    health: Health,
    metrics: Arc<Metrics>,
    led: Option<(&Election, &Term)>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<bool> {
    let gate: Arc<dyn Gate> = led.map_or_else(|| Arc::new(Open) as _, |(election, _)| election.gate());
    let client = guarded(config, Arc::clone(&gate))?;
    let scopes: Vec<Option<String>> = if settings.watch_namespaces.is_empty() {
        vec![None]
    } else {
        settings.watch_namespaces.iter().cloned().map(Some).collect()
    };
    let (cut_handle, cut) = cut();
    let mut connections: Vec<_> =
        scopes.iter().map(|scope| Watch::<Connection>::new(scoped(&client, scope.as_deref()), |_| {})).collect();
    let mut cluster = scopes[0].is_none().then(|| Watch::<ClusterConnection>::new(Api::all(client.clone()), |_| {}));
    let mut webhooks: Vec<_> =
        scopes.iter().map(|scope| Watch::<ProjectWebhook>::new(scoped(&client, scope.as_deref()), slim)).collect();
    let mut notifications: Vec<_> = scopes
        .iter()
        .map(|scope| Watch::<TaskNotification>::new(scoped(&client, scope.as_deref()), slim_notification))
        .collect();
    let listed =
        listed(vec![lists(&mut connections), lists(&mut cluster), lists(&mut webhooks), lists(&mut notifications)]);
    let (project_webhooks, requested_webhooks) = unbounded();
    let (task_notifications, requested_notifications) = unbounded();
    let (to_connections, requested_connections) = unbounded();
    let reporter = Reporter { controller: "hookwright.dev/operator".into(), instance: std::env::var("HOSTNAME").ok() };
    let context = Arc::new(Context {
        sources: Sources::new(client.clone()),
        connections: Connections::new(
            connections.iter().map(|watch| watch.store.clone()).collect(),
            cluster.as_ref().map(|watch| watch.store.clone()),
            cut,
            gate,
        ),
        clock: Clock::start(),
        snapshots: Snapshots::default(),
        listed,
        users: Users::default(),
        index: Arc::new(Index::new(settings.cluster.clone())),
        metrics,
        health,
        events: Events::new(client.clone(), reporter),
        triggers: Triggers { project_webhooks, task_notifications, connections: to_connections },
        settings,
        client,
    });
    if let Some((election, term)) = led {
        let (note, lease) = election.announcement(term);
        event_on(&context, &lease, EventType::Normal, "LeaderElection", note).await;
    }
    watch_sources(&context, &scopes);
    if context.connections.cluster.is_some() {
        tokio::spawn(follow_namespaces(Arc::clone(&context)));
    }
    tokio::spawn(sweep(Arc::clone(&context)));
    let mut running = vec![];
    let scoped = || scopes.iter().cloned();
    let route = start_objects::<ProjectWebhookKind, Webhooks>(&context, scoped().zip(webhooks), &stop, &mut running);
    tokio::spawn(route.forward(requested_webhooks));
    let route = start_objects::<TaskNotificationKind, Notifications>(
        &context,
        scoped().zip(notifications),
        &stop,
        &mut running,
    );
    tokio::spawn(route.forward(requested_notifications));
    let namespaced = start_connections(&context, scoped().zip(connections), &stop, &mut running);
    let clustered = start_connections(&context, cluster.into_iter().map(|watch| (None, watch)), &stop, &mut running);
    tokio::spawn(requested_connections.for_each(move |key: ConnectionKey| {
        match key.kind {
            ConnectionKind::Connection => namespaced.send(&key.key),
            ConnectionKind::ClusterConnection => clustered.send(&key.key),
        }
        std::future::ready(())
    }));
    tracing::info!("watching");
    let events = context.events.clone();
    let mut drained = Box::pin(join_all(running).then(|_| async move { events.flush().await }));
    tokio::select! {
        _ = &mut drained => return Ok(true),
        () = stopped(stop) => {}
    }
    if tokio::time::timeout(DRAIN, &mut drained).await.is_ok() {
        return Ok(true);
    }
    tracing::warn!("passes are still under way; cutting their calls");
    cut_handle.cut();
    Ok(tokio::time::timeout(CUT, drained).await.is_ok())
}

/// Gives memory back that nobody needs at rest.
async fn sweep(context: Arc<Context>) {
    loop {
        tokio::time::sleep(SWEPT).await;
        let members = |connection: &ConnectionKey, project| context.index.members(connection, project);
        context.snapshots.sweep(context.clock.now(), members);
    }
}

/// One watch of metadata per scope and kind; of Secrets only where that is wanted.
fn watch_sources(context: &Arc<Context>, scopes: &[Option<String>]) {
    if context.settings.secrets_watch {
        watch_kind::<Secret>(context, SourceKind::Secret, scopes);
    }
    watch_kind::<ConfigMap>(context, SourceKind::ConfigMap, scopes);
}

/// Nothing is kept until the watches of all scopes see every change.
fn watch_kind<S>(context: &Arc<Context>, kind: SourceKind, scopes: &[Option<String>])
where
    S: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + Send + Sync + 'static,
{
    let lists = Arc::new(AtomicUsize::new(scopes.len()));
    for scope in scopes {
        let ready = {
            let (context, lists) = (Arc::clone(context), Arc::clone(&lists));
            move || {
                if lists.fetch_sub(1, Ordering::AcqRel) == 1 {
                    context.sources.watched(kind);
                }
            }
        };
        let api: Api<PartialObjectMeta<S>> = scoped(&context.client, scope.as_deref());
        tokio::spawn(follow_sources(Arc::clone(context), kind, scope.clone(), api, ready));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_namespace_is_the_one_asked_for_else_the_pods_else_its_own() {
        let own =
            |asked: Option<&str>, of_pod: Option<&str>| own_namespace(asked.map(Into::into), of_pod.map(Into::into));
        assert_eq!(own(Some("asked"), Some("pod")), "asked");
        assert_eq!(own(None, Some("pod\n")), "pod");
        assert_eq!(own(None, Some("\n")), "hookwright");
        assert_eq!(own(None, None), "hookwright");
    }
}
