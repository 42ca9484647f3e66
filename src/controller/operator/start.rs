//! What each watch tells the others, and the passes that it triggers.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stopped;
use crate::api::project_webhook::ProjectWebhook;
use crate::api::task_notification::TaskNotification;
use crate::controller::connection::{self, ConnectionObject};
use crate::controller::context::Context;
use crate::controller::driver::Driver;
use crate::controller::index::ConnectionKey;
use crate::controller::kind::Kind;
use crate::controller::project_webhook::ProjectWebhookKind;
use crate::controller::task_notification::TaskNotificationKind;
use crate::controller::users::Used;
use crate::controller::wiring::{Observer, Router, Watch, follow};
use crate::controller::workqueue::{requests, run};
use crate::domain::ids::ObjectKey;

/// Feeds the indexes with ProjectWebhooks.
pub(super) struct Webhooks(Arc<Driver<ProjectWebhookKind>>);

impl From<Arc<Driver<ProjectWebhookKind>>> for Webhooks {
    fn from(driver: Arc<Driver<ProjectWebhookKind>>) -> Self {
        Self(driver)
    }
}

impl Observer<ProjectWebhook> for Webhooks {
    fn applied(&self, key: &ObjectKey, object: &ProjectWebhook, _: bool) {
        let context = self.0.context();
        let connection = used(&self.0, key, object);
        let conflicted = context.index.applied(key, object, connection, context.clock.now());
        conflicted.into_iter().for_each(|key| context.triggers.project_webhook(key));
    }

    fn deleted(&self, key: &ObjectKey, object: &ProjectWebhook) {
        let context = self.0.context();
        unused::<ProjectWebhookKind>(context, key);
        let conflicted = context.index.deleted(key, context.clock.now());
        conflicted.into_iter().for_each(|key| context.triggers.project_webhook(key));
        self.0.gone(object);
    }
}

/// Feeds the index of users with TaskNotifications.
pub(super) struct Notifications(Arc<Driver<TaskNotificationKind>>);

impl From<Arc<Driver<TaskNotificationKind>>> for Notifications {
    fn from(driver: Arc<Driver<TaskNotificationKind>>) -> Self {
        Self(driver)
    }
}

impl Observer<TaskNotification> for Notifications {
    fn applied(&self, key: &ObjectKey, object: &TaskNotification, _: bool) {
        used(&self.0, key, object);
    }

    fn deleted(&self, key: &ObjectKey, object: &TaskNotification) {
        unused::<TaskNotificationKind>(self.0.context(), key);
        self.0.gone(object);
    }
}

/// Notes the connection that an object uses, and tells those that gained their first user or lost one.
fn used<K: Kind>(driver: &Driver<K>, key: &ObjectKey, object: &K::Object) -> ConnectionKey {
    let context = driver.context();
    let Used { connection, affected, before } = context.users.applied(K::user(key.clone()), K::connection(object));
    if let Some(before) = before {
        driver.left(&before, key);
    }
    affected.into_iter().for_each(|connection| context.triggers.connection(connection));
    connection
}

fn unused<K: Kind>(context: &Context, key: &ObjectKey) {
    if let Some(connection) = context.users.deleted(&K::user(key.clone())) {
        context.triggers.connection(connection);
    }
}

/// Passes over the objects of one kind in these scopes; `O` is told of them first.
pub(super) fn start_objects<K: Kind, O>(
    context: &Arc<Context>,
    scopes: impl Iterator<Item = (Option<String>, Watch<K::Object>)>,
    stop: &watch::Receiver<bool>,
    running: &mut Vec<JoinHandle<()>>,
) -> Router
where
    O: Observer<K::Object> + From<Arc<Driver<K>>>,
{
    let driver = Arc::new(Driver::<K>::new(Arc::clone(context)));
    let observer = Arc::new(O::from(Arc::clone(&driver)));
    let caller = Arc::clone(&driver);
    tokio::spawn(async move { caller.call_those_due().await });
    let (mut routes, listed) = (vec![], &context.listed);
    for (scope, watch) in scopes {
        let (sender, receiver) = requests();
        routes.push((scope, sender.clone()));
        let store = watch.store.clone();
        tokio::spawn(follow(watch, Arc::clone(&observer), sender));
        let driver = Arc::clone(&driver);
        let pass = move |object| {
            let driver = Arc::clone(&driver);
            async move { driver.reconcile(object).await }
        };
        // Far above what the driver's lanes hand out. If it were the same, a few dead connections would take all places of this
        // limit, and those that the lanes keep for healthy ones would be worth nothing.
        let most = context.settings.max_concurrent.saturating_mul(4);
        running.push(tokio::spawn(run(store, listed.clone(), receiver, most, stopped(stop.clone()), pass)));
    }
    Router::new(routes)
}

struct ConnectionUsers(Arc<Context>);

impl<K: ConnectionObject> Observer<K> for ConnectionUsers {
    fn applied(&self, _: &ObjectKey, object: &K, changed: bool) {
        // Users wait for a connection that is missing, or follow one that changes; what its status says they are told by
        // who writes it.
        if !changed {
            return;
        }
        for user in self.0.users.of(&object.connection_key()) {
            self.0.triggers.user(user);
        }
    }

    fn deleted(&self, _: &ObjectKey, object: &K) {
        connection::forget::<K>(&self.0, &object.connection_key());
    }
}

/// Passes over the connections of these scopes.
pub(super) fn start_connections<K: ConnectionObject>(
    context: &Arc<Context>,
    scopes: impl Iterator<Item = (Option<String>, Watch<K>)>,
    stop: &watch::Receiver<bool>,
    running: &mut Vec<JoinHandle<()>>,
) -> Router {
    const CONCURRENCY: u16 = 8;
    let mut routes = vec![];
    for (scope, watch) in scopes {
        let (sender, receiver) = requests();
        routes.push((scope, sender.clone()));
        let store = watch.store.clone();
        tokio::spawn(follow(watch, Arc::new(ConnectionUsers(Arc::clone(context))), sender));
        let (context, listed) = (Arc::clone(context), context.listed.clone());
        let pass = move |object: Arc<K>| {
            let context = Arc::clone(&context);
            async move { connection::reconcile(&context, object.as_ref()).await }
        };
        running.push(tokio::spawn(run(store, listed, receiver, CONCURRENCY, stopped(stop.clone()), pass)));
    }
    Router::new(routes)
}
