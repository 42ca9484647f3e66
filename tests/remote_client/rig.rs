//! A simulator and clients of it, all full of canaries: texts that must come out nowhere.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use hookwright::api::connection::RateLimit;
use hookwright::domain::desired::{Changes, Desired};
use hookwright::domain::ids::{ProjectPath, WebhookId};
use hookwright::domain::marker::{ClusterId, Marker};
use hookwright::domain::observed::HeaderName;
use hookwright::domain::secret::{ReceiverUrl, SecretText};
use hookwright::ops::metrics::Metrics;
use hookwright::ops::telemetry::{self, LogFormat};
use hookwright::remote::app_maker::{AppMaker, NewWebhook};
use hookwright::remote::caller::Caller;
use hookwright::remote::error::RemoteError;
use hookwright::remote::gate::{Cut, Gate, Open};
use hookwright::remote::http::{ClientOptions, HttpClient};
use hookwright::remote::pace::{Pace, Priority};
use simulator::{FaultKind, Options, ProjectRef, Simulator};
use url::Url;

/// In every secret of these tests, and in nothing else.
pub const CANARY: &str = "canary";
pub const TOKEN: &str = "canary-token";

/// Long enough that no honest call ends there, on however slow a machine.
pub const LONG: Duration = Duration::from_secs(120);
/// For calls that are to time out, and do so for certain.
pub const SHORT: Duration = Duration::from_secs(2);

/// The timeout under this fault: short only where the call is to end by it.
pub fn patience(kind: &FaultKind) -> Duration {
    if matches!(kind, FaultKind::Timeout { .. } | FaultKind::SlowBody { .. }) { SHORT } else { LONG }
}

pub struct Rig {
    pub simulator: Simulator,
    pub project: ProjectPath,
    pub id: String,
}

/// What a client is made of, where a test wants something else than usual.
pub struct Setup {
    pub base: String,
    pub token: &'static str,
    pub ca_pem: Option<Vec<u8>>,
    pub timeout: Duration,
    pub gate: Arc<dyn Gate>,
    pub cut: Cut,
    pub pace: Pace,
    pub metrics: Arc<Metrics>,
}

impl Rig {
    pub async fn start() -> Self {
        LazyLock::force(&LOG);
        let simulator = Simulator::start(Options { tokens: vec![TOKEN.into()], ..Options::default() }).await.unwrap();
        let ProjectRef { organization, id } = simulator.new_project();
        let project = ProjectPath { organization: organization.parse().unwrap(), project: id.parse().unwrap() };
        Self { simulator, project, id }
    }

    pub fn setup(&self) -> Setup {
        Setup {
            base: self.simulator.http_endpoint(),
            token: TOKEN,
            ca_pem: None,
            timeout: LONG,
            gate: Arc::new(Open),
            cut: Cut::never(),
            pace: Pace::new(RateLimit { requests_per_second: 10_000, burst: 10_000, max_in_flight: 256 }),
            metrics: Arc::default(),
        }
    }

    pub fn client(&self) -> AppMaker {
        self.setup().build()
    }

    /// Creates a webhook and gives its id.
    pub async fn created(&self) -> WebhookId {
        self.client().create(&self.project, &new_webhook()).await.unwrap();
        self.simulator.webhooks(&self.id).last().unwrap().id.parse().unwrap()
    }

    /// The calls so far: operation and outcome.
    pub fn calls(&self) -> Vec<String> {
        self.simulator.calls().iter().map(|call| format!("{} {}", call.operation, call.outcome)).collect()
    }
}

impl Setup {
    pub fn build(self) -> AppMaker {
        let Self { base, token, ca_pem, timeout, gate, cut, pace, metrics } = self;
        let client = HttpClient::new(&ClientOptions { ca_pem, timeout }).unwrap();
        let base = Url::parse(&base).unwrap();
        AppMaker::new(base, &SecretText::new(token), Caller { client, pace, metrics, gate, cut }).unwrap()
    }
}

pub fn marker() -> Marker {
    Marker::of(
        &ClusterId("c".into()),
        &hookwright::domain::ids::ObjectKey { namespace: "shop".into(), name: "builds".into() },
    )
}

pub fn new_webhook() -> NewWebhook {
    let desired = Desired {
        name: "Build alerts".into(),
        url: ReceiverUrl::new("https://hooks.example.com/canary-path?key=canary-query"),
        headers: [(HeaderName::new("X-Key"), SecretText::new("canary-header"))].into(),
        active: true,
        events: vec!["deployment.build.created".into()],
    };
    NewWebhook::new(&desired, Some(&marker()))
}

pub fn changes() -> Changes {
    let headers = [(HeaderName::new("X-Key"), SecretText::new("canary-header-2"))].into();
    Changes { headers: Some(headers), ..Changes::default() }
}

/// Makes each of the five calls once, all at the same time.
pub async fn all_five(client: &AppMaker, project: &ProjectPath, id: WebhookId) -> [Result<(), RemoteError>; 5] {
    let (webhook, changes) = (new_webhook(), changes());
    let (list, get, create, update, delete) = futures::join!(
        client.list(project, Priority::Urgent),
        client.get(project, id, Priority::Periodic),
        client.create(project, &webhook),
        client.update(project, id, &changes),
        client.delete(project, id),
    );
    [list.map(drop), get.map(drop), create, update, delete]
}

/// What this process logs, at the loudest filter there is, the simulator's libraries included. One for all tests, set
/// before the first line: a subscriber of one thread misses lines whose place in the code another thread came by first.
pub static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = telemetry::subscriber(LogFormat::Text, "trace,hyper=trace,reqwest=trace", move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.unwrap()).unwrap();
    log
});

/// Everything that was logged, as it would be written.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
