//! The control plane: where it is, a client for it, and our definitions on it.

use std::path::{Path, PathBuf};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::states;
use super::wait::DEADLINE;

/// Names of the two control planes' variables: the shared one, and the one for operators that watch the whole cluster.
pub const SHARED: &str = "HOOKWRIGHT_TEST_KUBECONFIG";
pub const WIDE: &str = "HOOKWRIGHT_TEST_WIDE_KUBECONFIG";

/// The kubeconfig that a variable names. Without it the test fails: one that is skipped proves nothing.
pub fn kubeconfig(variable: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|path| !path.is_empty()) {
        Some(path) => path.into(),
        None => panic!(
            "{variable} is not set: run `cargo xtask test -- --test it`, or `cargo xtask control-plane up` and export the \
             path of the KUBECONFIG that it prints under this name"
        ),
    }
}

/// A program of the control plane, for example `kubectl`.
pub fn asset(name: &str) -> PathBuf {
    let Some(directory) = std::env::var_os("HOOKWRIGHT_TEST_ASSETS") else {
        panic!(
            "HOOKWRIGHT_TEST_ASSETS is not set: run `cargo xtask test`, or set it to what `cargo xtask control-plane path` prints"
        )
    };
    Path::new(&directory).join(name)
}

/// A client with the rights of an administrator. Each test has its own: connections belong to a test's runtime.
pub async fn admin_client(kubeconfig: &Path) -> Client {
    // Whichever test is first sets it; the others find it set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let file = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
    let config =
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("the kubeconfig holds");
    Client::try_from(config).expect("a client")
}

/// Our definitions are on the shared control plane. Once per process; with other processes at the same time, all apply
/// the same, which server-side apply makes one.
pub async fn definitions(client: &Client, variable: &'static str) {
    static ON_SHARED: OnceCell<()> = OnceCell::const_new();
    static ON_WIDE: OnceCell<()> = OnceCell::const_new();
    let once = if variable == WIDE { &ON_WIDE } else { &ON_SHARED };
    let ready = async {
        apply_definitions(client).await;
        states::watch(kubeconfig(variable));
    };
    once.get_or_init(|| ready).await;
}

/// Applies `crds/` and waits until they are served.
pub async fn apply_definitions(client: &Client) {
    let api = Api::<CustomResourceDefinition>::all(client.clone());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut names = vec![];
    for entry in std::fs::read_dir(directory).expect("crds/ can be read") {
        let text = std::fs::read_to_string(entry.expect("an entry of crds/").path()).expect("a definition");
        let crd: Value = serde_yaml::from_str(&text).expect("YAML");
        let name = crd["metadata"]["name"].as_str().expect("a name").to_owned();
        let params = PatchParams::apply("tests").force();
        api.patch(&name, &params, &Patch::Apply(&crd)).await.unwrap_or_else(|error| panic!("applying {name}: {error}"));
        names.push(name);
    }
    for name in names {
        let served = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(DEADLINE, served).await.expect("the definition is established in time").expect("a watch");
    }
}

/// What can be applied: a value, or YAML with one document.
pub trait Manifest {
    fn object(self) -> DynamicObject;
}

impl Manifest for Value {
    fn object(self) -> DynamicObject {
        serde_json::from_value(self).expect("an object with apiVersion and kind")
    }
}

impl Manifest for &Value {
    fn object(self) -> DynamicObject {
        self.clone().object()
    }
}

impl Manifest for &str {
    fn object(self) -> DynamicObject {
        serde_yaml::from_str::<Value>(self).expect("YAML").object()
    }
}

impl Manifest for &String {
    fn object(self) -> DynamicObject {
        self.as_str().object()
    }
}

impl Manifest for String {
    fn object(self) -> DynamicObject {
        self.as_str().object()
    }
}

/// A name that nobody else has.
pub fn random(prefix: &str) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Each RandomState has other keys.
    format!("{prefix}-{:016x}", RandomState::new().build_hasher().finish())
}
