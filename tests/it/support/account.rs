//! A ServiceAccount whose token an operator can run with: RBAC then decides what it may.

use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{AuthInfo, Kubeconfig};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::World;
use super::cluster::random;

/// An account. Its kubeconfig goes with the value.
pub struct Account {
    pub kubeconfig: PathBuf,
    name: String,
}

impl World {
    /// Makes an account that may do what these rules of a Role in the world's namespace say, and nothing else.
    pub async fn account(&self, rules: Value) -> Account {
        let name = random("operator");
        let meta = json!({ "name": name });
        for manifest in [
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
            role(&name, &rules),
            json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": "RoleBinding", "metadata": meta,
                "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": name },
                "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": self.namespace }],
            }),
        ] {
            self.apply(manifest).await.expect("the account can be made");
        }
        Account::of(&self.client, &self.operator_setup.kubeconfig, &self.namespace, &name).await
    }

    /// From now on it may do this, and nothing else.
    pub async fn allow(&self, account: &Account, rules: Value) {
        self.apply(role(&account.name, &rules)).await.expect("the Role can be changed");
    }
}

impl Account {
    /// A ServiceAccount that is there, with a token by TokenRequest, at the API server that this kubeconfig names.
    pub async fn of(client: &Client, kubeconfig: &Path, namespace: &str, name: &str) -> Self {
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
        let request: TokenRequest = serde_json::from_value(json!({ "spec": { "audiences": [] } })).unwrap();
        let issued = accounts.create_token_request(name, &PostParams::default(), &request).await.expect("a token");
        let mut config = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
        let bearer = AuthInfo { token: Some(issued.status.expect("it was issued").token.into()), ..Default::default() };
        for user in &mut config.auth_infos {
            user.auth_info = Some(bearer.clone());
        }
        let file = format!("{}.kubeconfig", random("hookwright-account"));
        let kubeconfig = std::env::temp_dir().join(file);
        let text = serde_yaml::to_string(&config).expect("YAML");
        std::fs::write(&kubeconfig, text).expect("the kubeconfig can be written");
        Self { kubeconfig, name: name.to_owned() }
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

fn role(name: &str, rules: &Value) -> Value {
    json!({ "apiVersion": format!("{RBAC}/v1"), "kind": "Role", "metadata": { "name": name }, "rules": rules })
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

/// What an operator needs that watches one namespace and stands for election, without Secrets.
pub fn usual_rules() -> Vec<Value> {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    vec![
        rule(
            "hookwright.dev",
            &["projectwebhooks", "tasknotifications", "connections"],
            &["get", "list", "watch", "patch"],
        ),
        rule(
            "hookwright.dev",
            &["projectwebhooks/status", "tasknotifications/status", "connections/status"],
            &["patch"],
        ),
        rule("", &["configmaps"], &["get", "list", "watch"]),
        rule("events.k8s.io", &["events"], &["create", "patch"]),
    ]
}

/// A rule of a Role for Secrets.
pub fn secrets(verbs: &[&str]) -> Value {
    json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": verbs })
}

/// A rule of a Role for Leases.
pub fn leases(verbs: &[&str]) -> Value {
    json!({ "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": verbs })
}
