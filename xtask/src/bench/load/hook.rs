//! The ProjectWebhooks of the measurement, and the webhooks that they ask for.

use serde_json::{Value, json};

use crate::fleet::{CONNECTION, Fleet, name};

/// Webhooks of one project.
const PER_PROJECT: usize = 50;
/// The floor spends one LIST for so many new webhooks of a project: two for each, as an operator that looks before and after. It
/// might spend one for 20, but then it would do more than it has to.
const PER_LIST: usize = 25;
pub const ORGANIZATION: &str = "64b0c0ffee00000000000001";

/// One of them, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook(pub usize);

pub fn projects(fleet: Fleet) -> usize {
    fleet.objects.div_ceil(PER_PROJECT)
}

/// The webhooks that the floor looks for with one LIST, by the number of their batch.
pub fn batches(fleet: Fleet) -> Vec<Vec<Hook>> {
    let mut batches: Vec<Vec<Hook>> = Vec::new();
    for hook in fleet.numbers().map(Hook) {
        match batches.last_mut() {
            Some(batch) if batch.len() < PER_LIST && batch[0].project() == hook.project() => batch.push(hook),
            _ => batches.push(vec![hook]),
        }
    }
    batches
}

/// The webhook for a change: another project each time, so that what was just learned of a project helps nobody.
pub fn changed(fleet: Fleet, change: usize) -> Hook {
    let (project, round) = (change % projects(fleet), change / projects(fleet));
    Hook((project * PER_PROJECT + round % PER_PROJECT).min(fleet.objects - 1))
}

impl Hook {
    pub fn project(self) -> usize {
        self.0 / PER_PROJECT
    }

    pub fn spec(self) -> Value {
        json!({
            "connectionRef": { "name": CONNECTION },
            "organizationId": ORGANIZATION,
            "projectId": project_id(self.project()),
            "url": format!("https://hooks.example.com/builds/{}", self.0),
            "headers": [{ "name": "X-Team", "value": "shop" }],
            "events": ["deployment.build.created", "deployment.build.failed"],
        })
    }

    /// What the remote is asked for.
    pub fn wanted(self) -> Value {
        json!({
            "name": name(self.0),
            "url": format!("https://hooks.example.com/builds/{}", self.0),
            "active": true,
            "headers": { "X-Team": "shop", "X-Hookwright-Owner": format!("{:064x}", self.0) },
            "events": ["deployment.build.created", "deployment.build.failed"],
        })
    }

    /// The status that the operator writes.
    pub fn status(self, webhook: &Value, generation: i64) -> Value {
        let now = "2026-01-01T00:00:00Z";
        json!({
            "observedGeneration": generation,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Synced", "observedGeneration": generation,
                "lastTransitionTime": now,
                "message": format!("webhook {} of project {} equals the spec", webhook["_id"], project_id(self.project())),
            }],
            "webhookId": webhook["_id"],
            "ownership": "Created",
            "applied": { "generation": generation, "connection": format!("Connection/{CONNECTION}") },
            "remote": {
                "name": webhook["name"], "urlHost": "hooks.example.com", "active": true, "events": webhook["events"],
                "headerNames": ["X-Team"], "createdAt": webhook["createdAt"], "updatedAt": webhook["updatedAt"],
            },
            "lastAppliedTime": now,
        })
    }
}

pub fn project_id(project: usize) -> String {
    format!("64b0c0ffee{project:014x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Kind;

    fn fleet(objects: usize) -> Fleet {
        Fleet { kind: Kind::ProjectWebhook, objects }
    }

    #[test]
    fn a_batch_is_of_one_project_and_all_webhooks_are_in_one() {
        let sizes: Vec<_> = batches(fleet(70)).iter().map(Vec::len).collect();
        assert_eq!(sizes, [25, 25, 20]);
    }

    #[test]
    fn changes_go_round_the_projects_and_never_meet_a_webhook_twice() {
        let changed: Vec<_> = (0..6).map(|change| changed(fleet(150), change).0).collect();
        assert_eq!(changed, [0, 50, 100, 1, 51, 101]);
    }
}
