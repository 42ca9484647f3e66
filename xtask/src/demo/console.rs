//! The simulator's admin door: what a person at the remote's console would do.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use ureq::Agent;

/// The console of the simulated remote.
pub struct Console {
    url: String,
    agent: Agent,
}

impl Console {
    pub fn new(url: &str) -> Self {
        // It answers from memory on loopback: whatever takes longer than this is broken.
        let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build().new_agent();
        Self { url: url.to_owned(), agent }
    }

    fn webhooks_url(&self, project: &str) -> String {
        format!("{}/projects/{project}/webhooks", self.url)
    }

    pub fn list(&self, project: &str) -> Result<Vec<Value>> {
        let mut answer = self.agent.get(self.webhooks_url(project)).call().context("listing at the console")?;
        answer.body_mut().read_json().context("reading the console's list")
    }

    /// The webhook with this id, if there is one.
    pub fn find(&self, project: &str, id: &str) -> Result<Option<Value>> {
        Ok(self.list(project)?.into_iter().find(|webhook| webhook["_id"] == id))
    }

    pub fn create(&self, project: &str, webhook: &Value) -> Result<()> {
        self.agent.post(self.webhooks_url(project)).send_json(webhook).context("creating at the console")?;
        Ok(())
    }

    pub fn change(&self, project: &str, id: &str, fields: &Value) -> Result<()> {
        let url = format!("{}/{id}", self.webhooks_url(project));
        self.agent.patch(url).send_json(fields).context("changing at the console")?;
        Ok(())
    }

    /// Enters a channel of a Check task, over the one of its type that is there.
    pub fn set_channel(&self, task: &str, channel: &Value) -> Result<()> {
        let url = format!("{}/codearts/tasks/{task}/channels", self.url);
        self.agent.put(url).send_json(channel).context("entering a channel at the console")?;
        Ok(())
    }
}
