//! What each watch tells the others, and the passes that it triggers.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::stopped;
use crate::api::project_webhook::ProjectWebhook;
use crate::controller::connection::{self, ConnectionObject};
use crate::controller::context::Context;
use crate::controller::driver::Driver;
use crate::controller::index::{Affected, object_key};
use crate::controller::kind::Kind;
use crate::controller::project_webhook::ProjectWebhookKind;
use crate::controller::wiring::{Observer, Router, Watch, follow, queue, run};

struct Webhooks(Arc<Driver<ProjectWebhookKind>>);

impl Observer<ProjectWebhook> for Webhooks {
    fn applied(&self, object: &ProjectWebhook) {
        let context = self.0.context();
        self.trigger(context.index.applied(object, context.clock.now()));
    }

    fn deleted(&self, object: &ProjectWebhook) {
        let context = self.0.context();
        self.trigger(context.index.deleted(&object_key(object), context.clock.now()));
        self.0.gone(object);
    }
}

impl Webhooks {
    fn trigger(&self, affected: Affected) {
        let triggers = &self.0.context().triggers;
        let Affected { connections, conflicted } = affected;
        for connection in connections {
            triggers.connection(connection);
        }
        for key in conflicted {
            triggers.project_webhook(key);
        }
    }
}

/// Passes over the ProjectWebhooks of these scopes.
pub(super) fn start_webhooks(
    context: &Arc<Context>,
    scopes: impl Iterator<Item = (Option<String>, Watch<ProjectWebhook>)>,
    concurrency: u16,
    stop: &watch::Receiver<bool>,
    running: &mut Vec<JoinHandle<()>>,
) -> Router<<ProjectWebhookKind as Kind>::Object> {
    let driver = Arc::new(Driver::<ProjectWebhookKind>::new(Arc::clone(context)));
    let (mut routes, listed) = (vec![], &context.listed);
    for (scope, watch) in scopes {
        let (sender, receiver) = queue();
        routes.push((scope, sender.clone()));
        let store = watch.store.clone();
        tokio::spawn(follow(watch, Arc::new(Webhooks(Arc::clone(&driver))), sender));
        let driver = Arc::clone(&driver);
        let pass = move |object| {
            let driver = Arc::clone(&driver);
            async move { driver.reconcile(object).await }
        };
        running.push(tokio::spawn(run(store, listed.clone(), receiver, concurrency, stopped(stop.clone()), pass)));
    }
    Router::new(routes)
}

struct ConnectionUsers(Arc<Context>);

impl<K: ConnectionObject> Observer<K> for ConnectionUsers {
    fn applied(&self, object: &K) {
        // Users wait for a connection that is missing, or follow one that changes.
        for user in self.0.index.users_of(&object.connection_key()) {
            self.0.triggers.project_webhook(user);
        }
    }

    fn deleted(&self, object: &K) {
        connection::forget::<K>(&self.0, &object.connection_key());
    }
}

/// Passes over the connections of these scopes.
pub(super) fn start_connections<K: ConnectionObject>(
    context: &Arc<Context>,
    scopes: impl Iterator<Item = (Option<String>, Watch<K>)>,
    stop: &watch::Receiver<bool>,
    running: &mut Vec<JoinHandle<()>>,
) -> Router<K> {
    const CONCURRENCY: u16 = 8;
    let mut routes = vec![];
    for (scope, watch) in scopes {
        let (sender, receiver) = queue();
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
