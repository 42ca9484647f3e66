//! What the storm goes over: a control plane and a remote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use hookwright::api::connection::{ClusterConnection, Connection, ConnectionStatus};
use hookwright::api::project_webhook::{Ownership, ProjectWebhook};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use simulator::{NewWebhook, Options, Simulator, Webhook};

use crate::agree::Held;
use crate::declaration::{
    CANARY, Declaration, NAMESPACES, PROJECTS, Projects, SHARED_SECRETS, secret_name, secret_value,
};
use crate::support::{Manifest, Plane, admin_client, apply_definitions, watch_states};

/// The operator's namespace.
pub const OWN: &str = "hookwright";
/// How long Kubernetes may be away. Nothing is asserted about time; this only turns a hang into a failure.
const OUTAGE: Duration = Duration::from_secs(180);

/// See the module.
pub struct Stage {
    pub client: Client,
    pub sim: Simulator,
    pub projects: Projects,
    pub bystanders: [Vec<Webhook>; PROJECTS],
    recorded: Arc<Mutex<BTreeMap<String, Option<Ownership>>>>,
}

impl Stage {
    /// A remote with its projects, and on the control plane what is there before any ProjectWebhook.
    pub async fn set(plane: &Plane, seed: u64) -> Self {
        let tokens = (0..4).map(token).collect();
        let sim = Simulator::start(Options { tokens, seed, ..Options::default() }).await.unwrap();
        let projects: Projects = std::array::from_fn(|_| {
            let project = sim.new_project();
            (project.organization, project.id)
        });
        let bystanders = std::array::from_fn(|project| {
            let make = |n: usize| {
                let webhook = NewWebhook::new(format!("Bystander {n}"), format!("https://other.example.com/{n}"));
                sim.console_create(&projects[project].1, webhook.header("X-Own", "mine")).unwrap()
            };
            (0..2).map(make).collect()
        });
        let client = admin_client(&plane.kubeconfig).await;
        apply_definitions(&client).await;
        watch_states(plane.kubeconfig.clone());
        let recorded = Arc::default();
        tokio::spawn(note_recorded(client.clone(), Arc::clone(&recorded)));
        let stage = Self { client, sim, projects, bystanders, recorded };
        for namespace in NAMESPACES.iter().chain([&OWN]) {
            stage.apply(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })).await;
        }
        stage.connections().await;
        for (namespace, number) in (0..NAMESPACES.len()).flat_map(|n| (0..SHARED_SECRETS).map(move |s| (n, s))) {
            stage.shared_secret(namespace, number, 1).await;
        }
        stage
    }

    async fn connections(&self) {
        let (http, https) = (self.sim.http_endpoint(), self.sim.https_endpoint());
        let connections = [
            (NAMESPACES[0], "Connection", "plain", &http, 0),
            (NAMESPACES[0], "Connection", "second", &http, 1),
            (NAMESPACES[1], "Connection", "tls", &https, 2),
            (OWN, "ClusterConnection", "shared", &http, 3),
        ];
        for (namespace, kind, name, endpoint, number) in connections {
            let secret = format!("{name}-token");
            self.secret(namespace, &secret, "token", &token(number)).await;
            let mut spec = json!({
                "appMaker": {
                    "endpoint": endpoint, "tokenFrom": { "secretKeyRef": { "name": secret, "key": "token" } },
                },
                "rateLimit": { "requestsPerSecond": 1000, "burst": 1000, "maxInFlight": 16 },
                "timeoutSeconds": 1,
            });
            let mut metadata = json!({ "name": name });
            if kind == "ClusterConnection" {
                spec["allowedNamespaces"] = json!({ "names": NAMESPACES });
            } else {
                metadata["namespace"] = json!(namespace);
            }
            if name == "tls" {
                self.apply(json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca", "namespace": namespace },
                    "data": { "ca.crt": self.sim.ca_pem() },
                }))
                .await;
                spec["caFrom"] = json!({ "configMapKeyRef": { "name": "ca", "key": "ca.crt" } });
            }
            self.apply(json!({
                "apiVersion": "hookwright.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec,
            }))
            .await;
        }
    }

    /// Gives a shared Secret a value.
    pub async fn shared_secret(&self, namespace: usize, number: usize, version: u32) {
        let value = secret_value(namespace, number, version);
        self.secret(NAMESPACES[namespace], &secret_name(number), "value", &value).await;
    }

    async fn secret(&self, namespace: &str, name: &str, key: &str, value: &str) {
        self.apply(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name, "namespace": namespace },
            "stringData": { key: value },
        }))
        .await;
    }

    /// Applies a declaration, and before it the Secret that it needs.
    pub async fn declare(&self, declaration: &Declaration) {
        if let Some((name, url)) = declaration.url_secret() {
            self.secret(declaration.namespace(), &name, "url", &url).await;
        }
        self.apply(declaration.manifest(&self.projects)).await;
    }

    /// Applies until Kubernetes takes it: it is killed now and then.
    async fn apply(&self, manifest: Value) {
        let object = manifest.object();
        let name = object.name_any();
        let api = self.api(&object);
        let params = PatchParams::apply("soak").force();
        self.until_taken(&name, async || match api.patch(&name, &params, &Patch::Apply(&object)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        })
        .await;
    }

    fn api(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let types = object.types.as_ref().expect("apiVersion and kind");
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).expect("apiVersion and kind"));
        match object.metadata.namespace.as_deref() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Asks for a deletion; an object that is not there is deleted.
    pub async fn delete(&self, namespace: &str, name: &str) {
        let api = Api::<ProjectWebhook>::namespaced(self.client.clone(), namespace);
        self.until_taken(name, async || match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        })
        .await;
    }

    /// All ProjectWebhooks, by namespace and name.
    pub async fn cluster(&self) -> BTreeMap<(String, String), ProjectWebhook> {
        let api = Api::<ProjectWebhook>::all(self.client.clone());
        let all = self.until_taken("a list", async || api.list(&ListParams::default()).await).await;
        all.items
            .into_iter()
            .map(|object| ((object.namespace().unwrap_or_default(), object.name_any()), object))
            .collect()
    }

    /// Both kinds of connections, by kind and name.
    pub async fn connections_now(&self) -> BTreeMap<(String, String), Held> {
        let (namespaced, clustered) = (Api::<Connection>::all(self.client.clone()), Api::all(self.client.clone()));
        let params = ListParams::default();
        let namespaced = self.until_taken("the Connections", async || namespaced.list(&params).await).await;
        let clustered: kube::core::ObjectList<ClusterConnection> =
            self.until_taken("the ClusterConnections", async || clustered.list(&params).await).await;
        let namespaced = namespaced.into_iter().map(|c| ("Connection", c.metadata, c.status));
        let clustered = clustered.into_iter().map(|c| ("ClusterConnection", c.metadata, c.status));
        let held = |(kind, metadata, status): (&str, ObjectMeta, Option<ConnectionStatus>)| {
            let name = metadata.name.unwrap_or_default();
            let conditions = status.unwrap_or_default().conditions;
            let finalizers = metadata.finalizers.unwrap_or_default();
            let version = metadata.resource_version.unwrap_or_default();
            ((kind.to_owned(), name), Held { finalizers, conditions, version })
        };
        namespaced.chain(clustered).map(held).collect()
    }

    /// The version of everything that the operator writes to, by kind and name.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let objects = self.cluster().await.into_iter();
        let objects = objects.map(|((namespace, name), object)| {
            (format!("ProjectWebhook {namespace}/{name}"), object.resource_version().unwrap_or_default())
        });
        let connections = self.connections_now().await.into_iter();
        objects.chain(connections.map(|((kind, name), held)| (format!("{kind} {name}"), held.version))).collect()
    }

    /// Ids of webhooks that the status of some object has named at some time.
    pub fn recorded(&self) -> BTreeMap<String, Option<Ownership>> {
        self.recorded.lock().expect("nobody panics while noting an id").clone()
    }

    /// What of the operator's own words in Kubernetes holds a secret: status and Events.
    pub async fn told_secrets(&self) -> Vec<String> {
        let events = Api::<Event>::all(self.client.clone());
        let events = self.until_taken("the Events", async || events.list(&ListParams::default()).await).await;
        let statuses = self.cluster().await.into_values().filter_map(|object| object.status);
        let statuses = statuses.map(|status| serde_json::to_string(&status).unwrap());
        let notes = events.items.into_iter().filter_map(|event| event.note);
        statuses.chain(notes).filter(|text| text.contains(CANARY)).collect()
    }

    /// Tries again while Kubernetes can't be reached or is just starting. What it refuses is a mistake of the soak.
    async fn until_taken<T>(&self, what: &str, attempt: impl AsyncFn() -> Result<T, kube::Error>) -> T {
        let tries = async {
            loop {
                match tokio::time::timeout(Duration::from_secs(10), attempt()).await {
                    Ok(Ok(done)) => return done,
                    Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 422) => {
                        panic!("{what}: {status:?}")
                    }
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::time::timeout(OUTAGE, tries).await.unwrap_or_else(|_| panic!("{what}: Kubernetes does not come back"))
    }

    /// The webhooks of all projects, in full truth.
    pub fn remote(&self) -> [Vec<Webhook>; PROJECTS] {
        std::array::from_fn(|project| self.sim.webhooks(&self.projects[project].1))
    }
}

/// Notes the webhook of each status that is written.
async fn note_recorded(client: Client, recorded: Arc<Mutex<BTreeMap<String, Option<Ownership>>>>) {
    let watch = watcher(Api::<ProjectWebhook>::all(client), watcher::Config::default());
    let mut objects = Box::pin(watch.default_backoff().touched_objects());
    while let Some(object) = objects.next().await {
        // It fails while Kubernetes is away, and goes on after that.
        let noted = object.ok().and_then(|object| object.status).and_then(|s| Some((s.webhook_id?, s.ownership)));
        recorded.lock().expect("nobody panics while noting an id").extend(noted);
    }
}

fn token(number: usize) -> String {
    format!("{CANARY}-token-{number}")
}
