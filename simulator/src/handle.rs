//! The handle: start, look, change, wait, stop.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::service::service_fn;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app_maker::{Access, Behaviour, Missing, NewWebhook, ProjectRef, Webhook, WebhookEdit};
use crate::calls::{Call, Counts};
use crate::codearts::{self, CodeArts};
use crate::exchange::Exchange;
use crate::faults::Fault;
use crate::server::{self, Lifeline};
use crate::state::{Shared, State};
use crate::{admin, tls};

/// How a simulator starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the API listens without TLS.
    pub http: SocketAddr,
    /// Where the API listens with TLS.
    pub https: SocketAddr,
    /// Where the admin door listens.
    pub admin: SocketAddr,
    /// Tokens for App Maker that may do everything; the first has position 0 in the records.
    pub tokens: Vec<String>,
    /// App Maker's projects.
    pub projects: Vec<ProjectRef>,
    /// How App Maker behaves.
    pub behaviour: Behaviour,
    /// CodeArts Check and IAM.
    pub codearts: codearts::Setup,
    /// The faults in force.
    pub faults: Vec<Fault>,
    /// Seeds the generator that decides about faults with a rate.
    pub seed: u64,
    /// How many calls are kept, the newest. The counts know no such bound.
    pub calls_kept: usize,
}

impl Default for Options {
    /// Free ports on loopback, no token, no project, no fault.
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            http: any,
            https: any,
            admin: any,
            tokens: Vec::new(),
            projects: Vec::new(),
            behaviour: Behaviour::default(),
            codearts: codearts::Setup::default(),
            faults: Vec::new(),
            seed: 0,
            calls_kept: 100_000,
        }
    }
}

/// A running simulator. It stops when this is dropped.
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    stopped: watch::Sender<bool>,
    http: SocketAddr,
    https: SocketAddr,
    admin: SocketAddr,
    ca_pem: Arc<str>,
}

impl Simulator {
    /// Starts a simulator in the current tokio runtime; it listens when this returns.
    ///
    /// # Errors
    ///
    /// If an address can't be bound, or the id of a project or task is none.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { http, https, admin, tokens, projects, behaviour, codearts, faults, seed, calls_kept } = options;
        let mut state = State::new(CodeArts::new(codearts)?, seed, calls_kept);
        for token in &tokens {
            state.app_maker.tokens.set(token, Access::Allowed);
        }
        for project in &projects {
            state.app_maker.add_project(&project.organization, &project.id)?;
        }
        state.app_maker.set_behaviour(behaviour);
        for fault in faults {
            state.faults.add(fault);
        }
        let shared = Arc::new(Shared::new(state));
        let identity = tls::identity()?;
        let ca_pem: Arc<str> = identity.ca_pem.into();

        let http = bind(http).await?;
        let https = bind(https).await?;
        let admin_listener = bind(admin).await?;
        let addresses = (http.local_addr()?, https.local_addr()?, admin_listener.local_addr()?);

        let (stopped, lifeline) = Lifeline::new();
        let exchange = Exchange { shared: Arc::clone(&shared), lifeline: lifeline.clone() };
        for (listener, tls) in [(http, None), (https, Some(identity.acceptor))] {
            let exchange = exchange.clone();
            lifeline.spawn(server::accept(listener, tls, lifeline.clone(), move |fate| {
                let exchange = exchange.clone();
                service_fn(move |request| exchange.clone().serve(request, Arc::clone(&fate)))
            }));
        }
        let door = admin::router(Arc::clone(&shared), Arc::clone(&ca_pem));
        lifeline.spawn(server::accept(admin_listener, None, lifeline.clone(), move |_| {
            TowerToHyperService::new(door.clone())
        }));
        let (http, https, admin) = addresses;
        Ok(Self { shared, stopped, http, https, admin, ca_pem })
    }

    /// Stops, and returns once every port is closed and every task has ended.
    pub async fn stop(self) {
        self.stopped.send_replace(true);
        self.stopped.closed().await;
    }

    /// `http://127.0.0.1:<port>`, where the API answers without TLS.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// `https://127.0.0.1:<port>`, where the API answers with TLS.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.https)
    }

    /// `http://127.0.0.1:<port>` of the admin door.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// What goes into a Connection's `appMaker.endpoint`, without TLS: the base path included.
    pub fn http_endpoint(&self) -> String {
        format!("{}/api/v1", self.http_url())
    }

    /// What goes into a Connection's `appMaker.endpoint`: the base path included.
    pub fn https_endpoint(&self) -> String {
        format!("{}/api/v1", self.https_url())
    }

    /// The CA that signed the certificate, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Adds a project; one that is there already stays as it is.
    ///
    /// # Errors
    ///
    /// If an id is none, or the project is there in another organization.
    pub fn add_project(&self, organization: &str, project: &str) -> anyhow::Result<()> {
        self.shared.change(|state| state.app_maker.add_project(organization, project))
    }

    /// Adds a project under fresh ids.
    pub fn new_project(&self) -> ProjectRef {
        self.shared.change(|state| state.app_maker.new_project())
    }

    /// Removes a project with all that is in it; the API answers 404 from then on. Tells whether it was there.
    pub fn remove_project(&self, project: &str) -> bool {
        self.shared.change(|state| state.app_maker.remove_project(project))
    }

    /// Adds a token that may do everything (also one that was forbidden), and tells its position.
    pub fn add_token(&self, token: &str) -> usize {
        self.shared.change(|state| state.app_maker.tokens.set(token, Access::Allowed))
    }

    /// Adds or marks a token whose every request is answered with 403, and tells its position.
    pub fn forbid_token(&self, token: &str) -> usize {
        self.shared.change(|state| state.app_maker.tokens.set(token, Access::Forbidden))
    }

    /// Forgets a token: 401 from then on. Tells whether it was known.
    pub fn remove_token(&self, token: &str) -> bool {
        self.shared.change(|state| state.app_maker.tokens.remove(token))
    }

    /// The behaviour in force for projects without one of their own.
    pub fn behaviour(&self) -> Behaviour {
        self.shared.read(|state| (*state.app_maker.behaviour(None)).clone())
    }

    /// Sets the behaviour for projects without one of their own.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.shared.change(|state| state.app_maker.set_behaviour(behaviour));
    }

    /// Sets one project's own behaviour, or with `None` takes it away.
    ///
    /// # Errors
    ///
    /// If there is no such project.
    pub fn set_project_behaviour(&self, project: &str, behaviour: Option<Behaviour>) -> Result<(), Missing> {
        self.shared.change(|state| state.app_maker.set_project_behaviour(project, behaviour))
    }

    /// Puts a fault in force behind those that are, and tells its id. One with the same id is replaced.
    pub fn add_fault(&self, fault: Fault) -> String {
        self.shared.change(|state| state.faults.add(fault))
    }

    /// Lifts one fault. Tells whether it was in force.
    pub fn remove_fault(&self, id: &str) -> bool {
        self.shared.change(|state| state.faults.remove(id))
    }

    /// Lifts all faults. What they did stays counted, and effects that are late stay late.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// How often each fault was injected, by its id and, as `kind/<kind>`, by its kind.
    pub fn injected(&self) -> BTreeMap<String, u64> {
        self.shared.read(State::injected)
    }

    /// Lets every request that is held back by a late effect be carried out soon, whatever its time.
    /// [`Self::wait_until`] tells when it was: its call has `landed`.
    pub fn release_late_effects(&self) {
        self.shared.release_late_effects();
    }

    /// The recorded calls, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.read(|state| state.calls().cloned().collect())
    }

    /// The recorded calls to one project of App Maker, task of Check, or user of IAM, oldest first.
    pub fn calls_for(&self, scope: &str) -> Vec<Call> {
        self.shared.read(|state| state.calls_for(scope).cloned().collect())
    }

    /// The counts of all calls, or of those to one project of App Maker, task of Check, or user of IAM.
    pub fn counts(&self, scope: Option<&str>) -> Counts {
        self.shared.read(|state| state.counts(scope))
    }

    /// Forgets the calls and their counts.
    pub fn clear_calls(&self) {
        self.shared.change(|state| state.calls.clear());
    }

    /// The webhooks of a project in full truth, oldest first; empty if there is no such project.
    pub fn webhooks(&self, project: &str) -> Vec<Webhook> {
        self.shared.read(|state| state.webhooks(project))
    }

    /// Makes a webhook as a person at the console does.
    ///
    /// # Errors
    ///
    /// If there is no such project.
    pub fn console_create(&self, project: &str, webhook: NewWebhook) -> Result<Webhook, Missing> {
        self.shared.change(|state| state.app_maker.console_create(project, webhook))
    }

    /// Edits a webhook as a person at the console does.
    ///
    /// # Errors
    ///
    /// If there is no such project or webhook.
    pub fn console_edit(&self, project: &str, id: &str, edit: WebhookEdit) -> Result<Webhook, Missing> {
        self.shared.change(|state| state.app_maker.console_edit(project, id, edit))
    }

    /// Deletes a webhook as a person at the console does.
    ///
    /// # Errors
    ///
    /// If there is no such project or webhook.
    pub fn console_delete(&self, project: &str, id: &str) -> Result<(), Missing> {
        self.shared.change(|state| state.app_maker.console_delete(project, id))
    }

    /// Waits until the state is as wanted, looking at every change and never in between.
    ///
    /// # Errors
    ///
    /// If it did not become so in time; the error names `what` was waited for.
    pub async fn wait_until(
        &self,
        what: &str,
        timeout: Duration,
        is_so: impl Fn(&State) -> bool,
    ) -> anyhow::Result<()> {
        let mut changes = self.shared.changes();
        let wait = async {
            loop {
                // Marked as seen before looking: a change during the look is then another turn.
                changes.borrow_and_update();
                if self.shared.read(&is_so) {
                    return;
                }
                if changes.changed().await.is_err() {
                    // The sender lives as long as `self`.
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(timeout, wait)
            .await
            .with_context(|| format!("{what}: not so within {timeout:?}; {} calls came in", self.counts(None).total))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stopped.send_replace(true);
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))
}
