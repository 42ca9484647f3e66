//! The TaskNotifications of the measurement, and the tasks that they are about.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::fleet::{CONNECTION, ROBOTS};

/// One of them, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task(pub usize);

/// What the robot's URL is, for all: usually it is in a Secret, and its query is a credential.
pub const ROBOT: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=bench";
const NOTIFY: [&str; 3] = ["jobResult", "reviewResult", "linkUrl"];

impl Task {
    pub fn id(self) -> String {
        format!("{:032x}", self.0)
    }

    pub fn spec(self) -> Value {
        json!({
            "connectionRef": { "name": CONNECTION },
            "taskId": self.id(),
            "channels": [{
                "type": "wecom", "enabled": true, "notify": NOTIFY,
                "urlFrom": { "secretKeyRef": { "name": ROBOTS, "key": "wecom" } },
            }],
        })
    }

    /// What a person has entered at the console: what the spec wants.
    pub fn entered(self) -> Value {
        json!({
            "task": self.id(),
            "channels": [{ "type": "wecom", "enabled": true, "notify": NOTIFY, "url": ROBOT }],
        })
    }

    /// The status that the operator writes.
    pub fn status(self, shown: &Value) -> Result<Value> {
        ensure!(shown.pointer("/data/0/webhookUrl").is_some_and(|url| url == ROBOT), "task {} is another", self.id());
        let now = "2026-01-01T00:00:00Z";
        Ok(json!({
            "observedGeneration": 1,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Synced", "observedGeneration": 1, "lastTransitionTime": now,
                "message": format!("the notifications of task {} are as the spec says", self.id()),
            }],
            "channels": [{
                "type": "wecom", "inSync": true, "enabled": true, "urlHost": "qyapi.weixin.qq.com", "notify": NOTIFY,
            }],
        }))
    }
}
