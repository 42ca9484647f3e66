//! Install, upgrade and uninstall, by Helm, on a control plane that has nothing of ours before. No pod runs; the API server
//! takes, keeps and removes the objects.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::cluster::{apply, make_namespace};
use crate::helm::root;
use crate::support::{DEADLINE, Plane, admin_client, asset};

struct Release {
    plane: Plane,
    client: Client,
}

impl Release {
    fn helm(&self, verb: &str, values: Option<Value>, flags: &[&str]) -> (bool, String) {
        crate::helm::release(&self.plane.kubeconfig, verb, values, flags)
    }

    #[track_caller]
    fn succeeds(&self, verb: &str, values: Option<Value>, flags: &[&str]) -> String {
        let (success, said) = self.helm(verb, values, flags);
        assert!(success, "helm {verb}: {said}");
        said
    }

    async fn deployment(&self) -> Option<Deployment> {
        Api::namespaced(self.client.clone(), "hw").get_opt("hookwright").await.unwrap()
    }

    /// Namespace and name of each Role of the release.
    async fn roles(&self) -> Vec<String> {
        let ours = ListParams::default().labels("app.kubernetes.io/name=hookwright");
        let roles = Api::<Role>::all(self.client.clone()).list(&ours).await.unwrap();
        let name = |role: Role| format!("{}/{}", role.metadata.namespace.unwrap(), role.metadata.name.unwrap());
        roles.items.into_iter().map(name).collect()
    }

    async fn cluster_role(&self) -> Option<ClusterRole> {
        Api::all(self.client.clone()).get_opt("hookwright").await.unwrap()
    }

    /// What the definition of ProjectWebhooks says that it is.
    async fn description(&self) -> Value {
        let crds = Api::<CustomResourceDefinition>::all(self.client.clone());
        let crd = crds.get("projectwebhooks.hookwright.dev").await.unwrap();
        let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        json!(schema.description)
    }

    async fn webhook_is_there(&self) -> bool {
        let webhook = webhook();
        crate::cluster::api(&self.client, &webhook).get_opt("builds").await.unwrap().is_some()
    }
}

fn webhook() -> Value {
    json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook",
        "metadata": { "name": "builds", "namespace": "shop" },
        "spec": {
            "connectionRef": { "name": "app-maker" }, "url": "https://hooks.example.com/builds",
            "organizationId": "64b0c0ffee00000000000001", "projectId": "64b0c0ffee00000000000002",
            "events": ["deployment.build.created"],
        },
    })
}

/// Applies crds/ as a person does, from a time when a description was another.
async fn definitions_by_kubectl(plane: &Plane) {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(crate::support::random("crds"));
    std::fs::create_dir(&directory).unwrap();
    for entry in std::fs::read_dir(root().join("crds")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let older = text.replace("ProjectWebhook is one webhook of one App Maker project", "An older text");
        std::fs::write(directory.join(path.file_name().unwrap()), older).unwrap();
    }
    let mut kubectl = tokio::process::Command::new(asset("kubectl"));
    kubectl.arg("--kubeconfig").arg(&plane.kubeconfig).args(["apply", "--server-side", "-f"]).arg(&directory);
    assert!(kubectl.output().await.unwrap().status.success());
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn a_release_is_installed_upgraded_uninstalled_and_installed_again() {
    let plane = Plane::start().await;
    let client = admin_client(&plane.kubeconfig).await;
    let release = Release { plane, client };
    make_namespace(&release.client, "shop", json!({})).await;

    let notes = release.succeeds("install", Some(json!({})), &["--create-namespace"]);
    assert!(notes.contains("helm test hookwright --namespace hw"), "{notes}");
    assert_eq!(release.deployment().await.unwrap().spec.unwrap().replicas, Some(2));
    assert!(release.cluster_role().await.is_some());
    assert_eq!(release.roles().await, ["hw/hookwright-operator"]);
    let crds = Api::<CustomResourceDefinition>::all(release.client.clone());
    let served = await_condition(crds, "projectwebhooks.hookwright.dev", conditions::is_crd_established());
    tokio::time::timeout(DEADLINE, served).await.expect("it is established in time").unwrap();
    apply(&release.client, &webhook()).await.unwrap();

    // To namespaced mode: what is not rendered any more goes.
    let namespaced = json!({ "replicas": 3, "watchNamespaces": ["shop"], "clusterId": "a" });
    release.succeeds("upgrade", Some(namespaced), &[]);
    assert_eq!(release.deployment().await.unwrap().spec.unwrap().replicas, Some(3));
    assert!(release.cluster_role().await.is_none());
    assert_eq!(release.roles().await, ["hw/hookwright-operator", "shop/hookwright"]);

    let told = release.succeeds("uninstall", None, &[]);
    assert!(told.contains("[CustomResourceDefinition] projectwebhooks.hookwright.dev"), "{told}");
    assert!(release.deployment().await.is_none() && release.roles().await.is_empty());
    assert!(release.webhook_is_there().await, "the definition was kept, and with it the objects");

    release.succeeds("install", Some(json!({})), &[]);
    assert!(release.deployment().await.is_some() && release.webhook_is_there().await);
    release.plane.stop().await;
}

#[tokio::test]
async fn definitions_that_somebody_applied_are_handed_over_or_left_alone() {
    let plane = Plane::start().await;
    definitions_by_kubectl(&plane).await;
    let client = admin_client(&plane.kubeconfig).await;
    let release = Release { plane, client };
    make_namespace(&release.client, "hw", json!({})).await;
    make_namespace(&release.client, "shop", json!({})).await;
    let older = |text: &Value| text.as_str().is_some_and(|text| text.starts_with("An older text"));

    let (success, told) = release.helm("install", Some(json!({})), &[]);
    assert!(!success && told.contains("cannot be imported into the current release"), "{told}");
    assert!(release.deployment().await.is_none(), "nothing of it was installed");

    release.succeeds("install", Some(json!({ "crds": { "install": false } })), &[]);
    assert!(older(&release.description().await));
    apply(&release.client, &webhook()).await.unwrap();

    // As docs/install.md says; from then on they are upgraded with the release.
    release.succeeds("upgrade", Some(json!({})), &["--take-ownership", "--force-conflicts"]);
    assert!(!older(&release.description().await));
    let crds = Api::<CustomResourceDefinition>::all(release.client.clone());
    let kept = crds.get_metadata("projectwebhooks.hookwright.dev").await.unwrap().metadata.annotations.unwrap();
    assert_eq!(kept["helm.sh/resource-policy"], "keep");
    // And not deleted where they leave it again.
    release.succeeds("upgrade", Some(json!({ "crds": { "install": false } })), &[]);
    assert!(release.webhook_is_there().await);
    release.plane.stop().await;
}
