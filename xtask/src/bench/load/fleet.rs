//! The objects of the measurement, and what they need around them.

use serde_json::{Value, json};

use crate::hook::Hook;
use crate::task::{ROBOT, Task};

pub const CONNECTION: &str = "remote";
/// The Secret with the robots' URLs.
pub const ROBOTS: &str = "robots";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    ProjectWebhook,
    TaskNotification,
}

/// All of them.
#[derive(Clone, Copy)]
pub struct Fleet {
    pub kind: Kind,
    pub objects: usize,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "ProjectWebhook",
            Self::TaskNotification => "TaskNotification",
        }
    }

    pub fn plural(self) -> &'static str {
        match self {
            Self::ProjectWebhook => "projectwebhooks",
            Self::TaskNotification => "tasknotifications",
        }
    }

    pub fn collection(self) -> String {
        format!("/apis/hookwright.dev/v1alpha1/namespaces/default/{}", self.plural())
    }

    pub fn path(self, number: usize) -> String {
        format!("{}/{}", self.collection(), name(number))
    }
}

impl Fleet {
    /// In the order in which they are applied: project by project, as the files of a repository are.
    pub fn numbers(self) -> impl Iterator<Item = usize> {
        0..self.objects
    }

    pub fn object(self, number: usize) -> Value {
        let spec = match self.kind {
            Kind::ProjectWebhook => Hook(number).spec(),
            Kind::TaskNotification => Task(number).spec(),
        };
        json!({
            "apiVersion": "hookwright.dev/v1alpha1",
            "kind": self.kind.name(),
            "metadata": { "name": name(number), "namespace": "default", "labels": { "team": "shop" } },
            "spec": spec,
        })
    }
}

pub fn name(number: usize) -> String {
    format!("bench-{number:05}")
}

pub fn number(name: &str) -> Option<usize> {
    name.strip_prefix("bench-")?.parse().ok()
}

/// Secrets, ConfigMap and Connection, with the collections they go to. The rate never binds.
pub fn surroundings(kind: Kind, endpoint: &str, token: &str, ca: &str) -> [(&'static str, Value); 4] {
    let metadata = |name: &str| json!({ "name": name, "namespace": "default" });
    let secret = |name: &str, data: Value| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(name), "stringData": data,
        })
    };
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("ca"), "data": { "ca.crt": ca },
    });
    let token_from = json!({ "secretKeyRef": { "name": "remote", "key": "token" } });
    let (provider, remote) = match kind {
        Kind::ProjectWebhook => ("appMaker", json!({ "endpoint": endpoint, "tokenFrom": token_from })),
        Kind::TaskNotification => ("codeArts", json!({ "endpoint": endpoint, "auth": { "tokenFrom": token_from } })),
    };
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": metadata(CONNECTION),
        "spec": {
            provider: remote,
            "caFrom": { "configMapKeyRef": { "name": "ca", "key": "ca.crt" } },
            "rateLimit": { "requestsPerSecond": 10_000, "burst": 10_000, "maxInFlight": 256 },
        },
    });
    [
        ("/api/v1/namespaces/default/secrets", secret("remote", json!({ "token": token }))),
        ("/api/v1/namespaces/default/secrets", secret(ROBOTS, json!({ "wecom": ROBOT }))),
        ("/api/v1/namespaces/default/configmaps", map),
        ("/apis/hookwright.dev/v1alpha1/namespaces/default/connections", connection),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_number() {
        assert_eq!(number(&name(12_345)), Some(12_345));
        assert_eq!(number("other"), None);
    }
}
