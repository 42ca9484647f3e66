//! CodeArts Check as the remote of a world, beside App Maker.

use serde_json::{Value, json};

use super::World;
use super::world::merge;

/// The token that Check takes, in Secret `codearts`, key `token`.
const TOKEN: &str = "check-token-of-the-tests";

impl World {
    /// Makes what a connection to Check refers to: Secret `codearts` with a token that it takes, and ConfigMap `ca`, because
    /// Check is served over TLS.
    pub async fn check_sources(&self) {
        self.sim.add_check_token(TOKEN);
        self.secret("codearts", &[("token", TOKEN)]).await;
        let ca = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" }, "data": { "ca.crt": self.sim.ca_pem() },
        });
        self.apply(ca).await.unwrap_or_else(|error| panic!("ConfigMap ca: {error}"));
    }

    /// The spec of a connection to Check, with what is different in it.
    pub fn check_spec(&self, different: Value) -> Value {
        let mut spec = json!({
            "codeArts": {
                "endpoint": self.sim.check_endpoint(),
                "auth": { "tokenFrom": { "secretKeyRef": { "name": "codearts", "key": "token" } } },
            },
            "caFrom": { "configMapKeyRef": { "name": "ca", "key": "ca.crt" } },
        });
        merge(&mut spec, different);
        spec
    }

    /// Applies a Connection to Check.
    pub async fn check_connection(&self, name: &str, different: Value) {
        let mut spec = self.check_spec(different);
        spec["appMaker"] = Value::Null;
        self.connection(name, spec).await;
    }

    /// Applies a TaskNotification of this task, with one channel, and what is different in its spec.
    pub async fn notification(&self, name: &str, task: &str, different: Value) {
        let mut spec = json!({
            "connectionRef": { "name": "codearts" },
            "taskId": task,
            "channels": [{ "type": "wecom", "url": "https://hooks.example.com/robot", "notify": ["jobResult"] }],
        });
        merge(&mut spec, different);
        let object = json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "TaskNotification", "metadata": { "name": name },
            "spec": spec,
        });
        self.apply(object).await.unwrap_or_else(|error| panic!("TaskNotification {name}: {error}"));
    }
}
