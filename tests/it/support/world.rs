//! One test's world: a namespace, a remote, an operator.

use std::path::{Path, PathBuf};
use std::process::Output;

use hookwright::api::project_webhook::ProjectWebhook;
use hookwright::domain::ids::ObjectKey;
use hookwright::domain::marker::{ClusterId, Marker};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use simulator::{Call, Options, ProjectRef, Simulator};
use tokio::sync::{Mutex, MutexGuard};

use super::cluster::{self, Manifest, SHARED, WIDE};
use super::operator::{self, Operator};

/// The bearer token that the remote takes, in Secret `app-maker`, key `token`.
pub const TOKEN: &str = "token-of-the-tests";

/// The header that marks a webhook as ours.
pub const MARKER: &str = "X-Hookwright-Owner";

/// What a test wants different from the usual.
#[derive(Debug)]
pub struct Setup {
    flags: Vec<(String, String)>,
    env: Vec<(String, String)>,
    operator: bool,
    connection: bool,
    wide: bool,
}

impl Setup {
    /// Sets a flag of the operator, in place of the usual value if there is one.
    pub fn flag(&mut self, name: &str, value: &str) -> &mut Self {
        self.flags.retain(|(known, _)| known != name || REPEATABLE.contains(&name));
        self.flags.push((name.into(), value.into()));
        self
    }

    /// Takes a flag away.
    pub fn without_flag(&mut self, name: &str) -> &mut Self {
        self.flags.retain(|(known, _)| known != name);
        self
    }

    /// Sets a variable of the operator's environment.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Tells everything by environment, and nothing by flags.
    pub fn by_environment(&mut self) -> &mut Self {
        let mut variables: Vec<(String, String)> = vec![];
        for (flag, value) in self.flags.drain(..) {
            let name = format!("HOOKWRIGHT_{}", flag.trim_start_matches("--").replace('-', "_").to_uppercase());
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some((_, list)) => *list = format!("{list},{value}"),
                None => variables.push((name, value)),
            }
        }
        self.env.extend(variables);
        self
    }

    /// Starts no operator; `world.restart_operator()` does later.
    pub fn no_operator(&mut self) -> &mut Self {
        self.operator = false;
        self
    }

    /// Makes neither the Secret nor the Connection `app-maker`.
    pub fn no_connection(&mut self) -> &mut Self {
        self.connection = false;
        self
    }

    /// Watches all namespaces and cluster-scoped objects, on a control plane for that; one test at a time in a process.
    pub fn wide(&mut self) -> &mut Self {
        self.wide = true;
        self.without_flag("--watch-namespace")
    }
}

const REPEATABLE: [&str; 3] = ["--allowed-endpoint", "--allowed-receiver", "--watch-namespace"];

/// Held by the one test whose operator watches everything.
static WIDE_TURN: Mutex<()> = Mutex::const_new(());

/// See the module.
pub struct World {
    pub client: Client,
    pub namespace: String,
    pub sim: Simulator,
    pub project: ProjectRef,
    /// There from the start, unless `no_operator` was asked for.
    pub operator: Option<Operator>,
    pub operator_setup: operator::Setup,
    kubeconfig: PathBuf,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl World {
    /// The usual world: Secret and Connection `app-maker`, and an operator.
    pub async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    /// A world that differs from the usual.
    pub async fn with(change: impl FnOnce(&mut Setup) -> &mut Setup) -> Self {
        let namespace = cluster::random("it");
        let mut setup = usual(&namespace);
        change(&mut setup);
        let variable = if setup.wide { WIDE } else { SHARED };
        let turn = if setup.wide { Some(WIDE_TURN.lock().await) } else { None };
        let kubeconfig = cluster::kubeconfig(variable);
        cluster::definitions(&cluster::admin_client(&kubeconfig).await, variable).await;
        let mut world = Self::on(&kubeconfig, &namespace).await;
        world._turn = turn;
        world.operator_setup.args =
            setup.flags.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
        world.operator_setup.env.clone_from(&setup.env);
        if setup.operator {
            world.operator = Some(Operator::start(&world.operator_setup));
        }
        if setup.connection {
            world.app_maker().await;
        }
        world
    }

    /// A new namespace of a control plane where our definitions are, and a remote; nothing else.
    pub async fn on(kubeconfig: &Path, namespace: &str) -> Self {
        let client = cluster::admin_client(kubeconfig).await;
        let sim = Simulator::start(Options { tokens: vec![TOKEN.into()], ..Options::default() }).await.unwrap();
        let project = sim.new_project();
        let kubeconfig = kubeconfig.to_owned();
        let operator_setup = operator::Setup::new(kubeconfig.clone());
        let namespace = namespace.to_owned();
        let world = Self { client, namespace, sim, project, operator: None, operator_setup, kubeconfig, _turn: None };
        world.create_namespace(&world.namespace).await;
        world
    }

    /// Secret and Connection `app-maker`.
    pub async fn app_maker(&self) {
        self.secret("app-maker", &[("token", TOKEN)]).await;
        self.connection("app-maker", json!({})).await;
    }

    /// Creates a namespace.
    pub async fn create_namespace(&self, name: &str) {
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
        let api = Api::<Namespace>::all(self.client.clone());
        api.create(&PostParams::default(), &namespace).await.expect("the namespace can be created");
    }

    /// The operator.
    #[track_caller]
    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().expect("an operator was started")
    }

    /// SIGKILL.
    pub fn kill_operator(&mut self) {
        self.operator = None;
    }

    /// SIGKILL for the one that runs, if one does, and a new one.
    pub async fn restart_operator(&mut self) {
        self.kill_operator();
        self.operator = Some(Operator::start(&self.operator_setup));
    }

    /// What the next operator is told instead, whatever this one was.
    pub fn reflag(&mut self, flag: &str, value: &str) {
        let args = &mut self.operator_setup.args;
        while let Some(at) = args.iter().position(|arg| arg == flag) {
            args.drain(at..=at + 1);
        }
        args.extend([flag.into(), value.into()]);
    }

    /// Goes on in another cluster, which has nothing but the namespace: what a restore begins with. The operator is killed,
    /// and one that is started runs there. One test at a time in a process, as with `wide`.
    pub async fn change_cluster(&mut self) {
        self.kill_operator();
        self._turn = Some(WIDE_TURN.lock().await);
        self.kubeconfig = cluster::kubeconfig(WIDE);
        self.operator_setup.kubeconfig.clone_from(&self.kubeconfig);
        self.client = cluster::admin_client(&self.kubeconfig).await;
        cluster::definitions(&self.client, WIDE).await;
        self.create_namespace(&self.namespace).await;
    }

    /// The operator's metrics.
    pub async fn metrics(&self) -> String {
        self.operator().get("/metrics").await.1
    }

    /// Applies one object in the world's namespace, unless its kind has none. Fails as the API server says.
    pub async fn apply(&self, manifest: impl Manifest) -> Result<DynamicObject, kube::Error> {
        let object = manifest.object();
        let name = object.metadata.name.clone().expect("a name");
        let params = PatchParams::apply("tests").force();
        self.dynamic(&object).patch(&name, &params, &Patch::Apply(&object)).await
    }

    /// The API for an object's kind.
    pub fn dynamic(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let types = object.types.as_ref().expect("apiVersion and kind");
        let kind = GroupVersionKind::try_from(types).expect("apiVersion and kind");
        let resource = ApiResource::from_gvk(&kind);
        let of_the_cluster = [
            "ClusterConnection",
            "Namespace",
            "ClusterRole",
            "ClusterRoleBinding",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ];
        if of_the_cluster.contains(&types.kind.as_str()) {
            return Api::all_with(self.client.clone(), &resource);
        }
        let namespace = object.metadata.namespace.as_deref().unwrap_or(&self.namespace);
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    /// Applies a Secret.
    pub async fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: serde_json::Map<_, _> = data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data,
        });
        self.apply(secret).await.unwrap_or_else(|error| panic!("Secret {name}: {error}"));
    }

    /// Changes a Secret, and tells its new resourceVersion.
    pub async fn rotate(&self, secret: &str, data: &[(&str, &str)]) -> String {
        self.secret(secret, data).await;
        let api = Api::<Secret>::namespaced(self.client.clone(), &self.namespace);
        api.get_metadata(secret).await.expect("the Secret is there").metadata.resource_version.expect("a version")
    }

    /// Deletes a Secret.
    pub async fn delete_secret(&self, name: &str) {
        let api = Api::<Secret>::namespaced(self.client.clone(), &self.namespace);
        api.delete(name, &DeleteParams::default()).await.unwrap_or_else(|error| panic!("Secret {name}: {error}"));
    }

    /// Applies a Connection to the world's remote, with Secret `app-maker`, and what is different in its spec.
    pub async fn connection(&self, name: &str, spec: Value) {
        let mut usual = json!({
            "appMaker": {
                "endpoint": self.sim.http_endpoint(),
                "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } },
            },
            // As fast as the remote answers: what is paced has tests of its own.
            "rateLimit": { "requestsPerSecond": 1000, "burst": 1000 },
        });
        merge(&mut usual, spec);
        let connection = json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": { "name": name }, "spec": usual,
        });
        self.apply(connection).await.unwrap_or_else(|error| panic!("Connection {name}: {error}"));
    }

    /// Applies a ProjectWebhook with what is different in its spec; `null` takes a usual field away.
    pub async fn webhook(&self, name: &str, spec: Value) -> ProjectWebhook {
        let object =
            self.try_webhook(name, spec).await.unwrap_or_else(|error| panic!("ProjectWebhook {name}: {error}"));
        object.try_parse().expect("it has the form of our types")
    }

    /// The same where the API server may refuse it.
    pub async fn try_webhook(&self, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
        self.apply(self.webhook_manifest(name, spec)).await
    }

    /// What `webhook` applies.
    pub fn webhook_manifest(&self, name: &str, spec: Value) -> Value {
        let mut usual = json!({
            "connectionRef": { "name": "app-maker" },
            "organizationId": self.project.organization,
            "projectId": self.project.id,
            "url": format!("https://hooks.example.com/{name}"),
            "events": ["deployment.build.created"],
        });
        merge(&mut usual, spec);
        json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook", "metadata": { "name": name }, "spec": usual,
        })
    }

    /// Sets an annotation of a ProjectWebhook.
    pub async fn annotate(&self, name: &str, key: &str, value: &str) {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
        self.webhooks().patch_metadata(name, &PatchParams::default(), &patch).await.expect("the annotation is taken");
    }

    /// The ProjectWebhooks of the namespace.
    pub fn webhooks(&self) -> Api<ProjectWebhook> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A ProjectWebhook as it is now.
    pub async fn get(&self, name: &str) -> ProjectWebhook {
        self.webhooks().get(name).await.unwrap_or_else(|error| panic!("ProjectWebhook {name}: {error}"))
    }

    /// Asks for the deletion of a ProjectWebhook and does not wait for it.
    pub async fn delete(&self, name: &str) {
        let deleted = self.webhooks().delete(name, &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("ProjectWebhook {name}: {error}"));
    }

    /// The Events about objects of this name.
    pub async fn events_of(&self, name: &str) -> Vec<Event> {
        let api = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        let events = api.list(&ListParams::default()).await.expect("Events can be listed").items;
        let about = |event: &Event| event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(name));
        events.into_iter().filter(about).collect()
    }

    /// Runs kubectl in the world's namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(cluster::asset("kubectl"));
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["--namespace", &self.namespace]).args(args);
        command.kill_on_drop(true).output().await.expect("kubectl runs")
    }

    /// The calls to the world's project, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.sim.calls_for(&self.project.id)
    }

    /// The webhooks of the world's project, in full truth.
    pub fn remote(&self) -> Vec<simulator::Webhook> {
        self.sim.webhooks(&self.project.id)
    }

    /// The marker of a ProjectWebhook of this world.
    pub fn marker(&self, name: &str) -> String {
        let object = ObjectKey { namespace: self.namespace.as_str().into(), name: name.into() };
        Marker::of(&ClusterId(self.namespace.clone()), &object).as_str().to_owned()
    }

    /// What happened, for the message of a test that fails.
    fn story(&self) -> String {
        format!("calls: {:?}\nremote: {:#?}", super::rendered(self), self.remote())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The namespace stays: its objects hold finalizers that only the operator removes, so that deleting it without one
        // would keep the control plane busy to its end, which comes with the end of the tests.
        if std::thread::panicking() {
            eprintln!("namespace {}\n{}", self.namespace, self.story());
        }
    }
}

/// What the operator is told. Nothing periodic within a test unless it asks for that.
fn usual(namespace: &str) -> Setup {
    let flags = [
        ("--watch-namespace", namespace),
        ("--allowed-endpoint", "http://127.0.0.1:*"),
        ("--allowed-endpoint", "https://127.0.0.1:*"),
        ("--cluster-id", namespace),
        ("--settle-time", "2s"),
        ("--resync-interval", "1h"),
        ("--http-addr", "127.0.0.1:0"),
        ("--namespace", namespace),
    ];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Setup { flags, env: vec![], operator: true, connection: true, wide: false }
}

/// JSON merge patch (RFC 7396).
pub fn merge(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let Some(map) = value.as_object_mut() else { return };
    for (name, part) in patch {
        if part.is_null() {
            map.remove(&name);
        } else {
            merge(map.entry(name).or_insert(Value::Null), part);
        }
    }
}
