//! The ProjectWebhooks of the measurement, and what they need around them.

use serde_json::{Value, json};

/// Webhooks of one project.
const PER_PROJECT: usize = 50;
/// One LIST for so many new webhooks of a project is what an operator may spend, and what the floor spends.
const PER_LIST: usize = 20;
pub const ORGANIZATION: &str = "64b0c0ffee00000000000001";
pub const COLLECTION: &str = "/apis/hookwright.dev/v1alpha1/namespaces/default/projectwebhooks";
const CONNECTION: &str = "app-maker";

/// All of them.
#[derive(Clone, Copy)]
pub struct Fleet {
    pub webhooks: usize,
}

/// One of them, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook(pub usize);

impl Fleet {
    pub fn projects(self) -> usize {
        self.webhooks.div_ceil(PER_PROJECT)
    }

    /// In the order in which they are applied: project by project, as the files of a repository are.
    pub fn hooks(self) -> impl Iterator<Item = Hook> {
        (0..self.webhooks).map(Hook)
    }

    /// The webhooks that the floor looks for with one LIST, by the number of their batch.
    pub fn batches(self) -> Vec<Vec<Hook>> {
        let mut batches: Vec<Vec<Hook>> = Vec::new();
        for hook in self.hooks() {
            match batches.last_mut() {
                Some(batch) if batch.len() < PER_LIST && batch[0].project() == hook.project() => batch.push(hook),
                _ => batches.push(vec![hook]),
            }
        }
        batches
    }

    /// The webhook for a change: another project each time, so that what was just learned of a project helps nobody.
    pub fn changed(self, change: usize) -> Hook {
        let (project, round) = (change % self.projects(), change / self.projects());
        Hook((project * PER_PROJECT + round % PER_PROJECT).min(self.webhooks - 1))
    }
}

impl Hook {
    pub fn project(self) -> usize {
        self.0 / PER_PROJECT
    }

    pub fn name(self) -> String {
        format!("hook-{:05}", self.0)
    }

    pub fn of_name(name: &str) -> Option<Self> {
        name.strip_prefix("hook-")?.parse().ok().map(Self)
    }

    pub fn path(self) -> String {
        format!("{COLLECTION}/{}", self.name())
    }

    pub fn object(self) -> Value {
        json!({
            "apiVersion": "hookwright.dev/v1alpha1",
            "kind": "ProjectWebhook",
            "metadata": { "name": self.name(), "namespace": "default", "labels": { "team": "shop" } },
            "spec": {
                "connectionRef": { "name": CONNECTION },
                "organizationId": ORGANIZATION,
                "projectId": project_id(self.project()),
                "url": format!("https://hooks.example.com/builds/{}", self.0),
                "headers": [{ "name": "X-Team", "value": "shop" }],
                "events": ["deployment.build.created", "deployment.build.failed"],
            },
        })
    }

    /// What the remote is asked for.
    pub fn wanted(self) -> Value {
        json!({
            "name": self.name(),
            "url": format!("https://hooks.example.com/builds/{}", self.0),
            "active": true,
            "headers": { "X-Team": "shop", "X-Hookwright-Owner": format!("{:064x}", self.0) },
            "events": ["deployment.build.created", "deployment.build.failed"],
        })
    }
}

pub fn project_id(project: usize) -> String {
    format!("64b0c0ffee{project:014x}")
}

/// Secret, ConfigMap and Connection, with the collections they go to. The rate never binds.
pub fn surroundings(endpoint: &str, token: &str, ca: &str) -> [(&'static str, Value); 3] {
    let metadata = |name: &str| json!({ "name": name, "namespace": "default" });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata("app-maker"), "stringData": { "token": token },
    });
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("app-maker-ca"), "data": { "ca.crt": ca },
    });
    let connection = json!({
        "apiVersion": "hookwright.dev/v1alpha1", "kind": "Connection", "metadata": metadata(CONNECTION),
        "spec": {
            "appMaker": { "endpoint": endpoint, "tokenFrom": { "secretKeyRef": { "name": "app-maker", "key": "token" } } },
            "caFrom": { "configMapKeyRef": { "name": "app-maker-ca", "key": "ca.crt" } },
            "rateLimit": { "requestsPerSecond": 10_000, "burst": 10_000, "maxInFlight": 256 },
        },
    });
    [
        ("/api/v1/namespaces/default/secrets", secret),
        ("/api/v1/namespaces/default/configmaps", map),
        ("/apis/hookwright.dev/v1alpha1/namespaces/default/connections", connection),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_of_one_project_and_all_webhooks_are_in_one() {
        let sizes: Vec<_> = Fleet { webhooks: 70 }.batches().iter().map(Vec::len).collect();
        assert_eq!(sizes, [20, 20, 10, 20]);
    }

    #[test]
    fn changes_go_round_the_projects_and_never_meet_a_webhook_twice() {
        let fleet = Fleet { webhooks: 150 };
        let changed: Vec<_> = (0..6).map(|change| fleet.changed(change).0).collect();
        assert_eq!(changed, [0, 50, 100, 1, 51, 101]);
    }

    #[test]
    fn a_name_tells_its_number() {
        assert_eq!(Hook::of_name(&Hook(12_345).name()), Some(Hook(12_345)));
        assert_eq!(Hook::of_name("other"), None);
    }
}
