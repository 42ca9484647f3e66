//! A plain client of the remote, and of the simulator's admin door.

use anyhow::{Context, Result};
use reqwest::{Certificate, Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::cluster::send;
use crate::hook::{Hook, ORGANIZATION, project_id};
use crate::task::Task;

pub struct Remote {
    client: Client,
    endpoint: String,
    admin: String,
    token: String,
}

impl Remote {
    pub fn new(endpoint: &str, admin: &str, token: &str, ca: &[u8]) -> Result<Self> {
        let client = Client::builder().no_proxy().http1_only().tls_certs_only([Certificate::from_pem(ca)?]).build()?;
        let [endpoint, admin, token] = [endpoint, admin, token].map(str::to_owned);
        Ok(Self { client, endpoint, admin, token })
    }

    fn request(&self, method: Method, project: usize, rest: &str) -> RequestBuilder {
        let (endpoint, project) = (&self.endpoint, project_id(project));
        let url = format!("{endpoint}/organizations/{ORGANIZATION}/projects/{project}/settings/webhooks{rest}");
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub async fn list(&self, project: usize) -> Result<Vec<Value>> {
        match send(self.request(Method::GET, project, "")).await? {
            Value::Array(webhooks) => Ok(webhooks),
            _ => anyhow::bail!("a LIST that is no array"),
        }
    }

    pub async fn create(&self, hook: Hook) -> Result<()> {
        send(self.request(Method::POST, hook.project(), "").json(&hook.wanted())).await?;
        Ok(())
    }

    pub async fn update(&self, hook: Hook, id: &str, changes: &Value) -> Result<()> {
        send(self.request(Method::PATCH, hook.project(), &format!("/{id}")).json(changes)).await?;
        Ok(())
    }

    /// The channels of a task.
    pub async fn task(&self, task: Task) -> Result<Value> {
        let url = format!("{}/v4/tasks/{}/task-webhook-info", self.endpoint, task.id());
        send(self.client.get(url).header("X-Auth-Token", &self.token)).await
    }

    /// Adds a task with what was entered for it.
    pub async fn add_task(&self, task: Task) -> Result<()> {
        send(self.client.post(format!("{}/codearts/tasks", self.admin)).json(&task.entered())).await?;
        Ok(())
    }

    pub async fn add_project(&self, project: usize) -> Result<()> {
        let project = json!({ "organization": ORGANIZATION, "project": project_id(project) });
        send(self.client.post(format!("{}/projects", self.admin)).json(&project)).await?;
        Ok(())
    }

    /// The record of all calls since it was last cleared.
    pub async fn calls(&self) -> Result<Vec<Value>> {
        match send(self.client.get(format!("{}/calls", self.admin))).await? {
            Value::Array(calls) => Ok(calls),
            _ => anyhow::bail!("a record that is no array"),
        }
    }

    pub async fn clear_calls(&self) -> Result<()> {
        send(self.client.delete(format!("{}/calls", self.admin))).await.context("clearing the record of calls")?;
        Ok(())
    }
}
