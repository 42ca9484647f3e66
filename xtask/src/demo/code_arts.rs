//! CodeArts Check in the demo: what the simulator has to know of the examples, and what a person enters at its console.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::examples::{Examples, text};

/// A Check task that an example speaks of.
#[derive(Debug)]
pub struct Task {
    /// The name of the TaskNotification.
    pub object: String,
    pub id: String,
    /// The channels as the example wants them, as the console takes them.
    pub channels: Vec<Value>,
}

impl Task {
    /// The channels as somebody left them: switched off, and two with another robot.
    pub fn neglected(&self) -> impl Iterator<Item = Value> {
        self.channels.iter().map(|channel| {
            let mut old = channel.clone();
            old["enabled"] = false.into();
            if old["url"].is_string() {
                old["url"] = "https://robots.example.com/an-old-one".into();
            }
            old
        })
    }
}

impl Examples {
    /// The tasks that the examples speak of.
    pub fn tasks(&self) -> Result<Vec<Task>> {
        let notifications = self.documents.iter().filter(|document| document["kind"] == "TaskNotification");
        notifications.map(|object| self.task(object)).collect()
    }

    fn task(&self, object: &Value) -> Result<Task> {
        let channels = object["spec"]["channels"].as_array().into_iter().flatten();
        let channels = channels.map(|channel| self.channel(object, channel)).collect::<Result<_>>()?;
        let of = |path| text(object, path).to_owned();
        Ok(Task { object: of("/metadata/name"), id: of("/spec/taskId"), channels })
    }

    fn channel(&self, object: &Value, channel: &Value) -> Result<Value> {
        let mut entered = json!({ "type": channel["type"], "enabled": channel["enabled"] != json!(false) });
        for (field, name) in [
            ("url", "url"),
            ("notify", "notify"),
            ("reviewResultFilter", "review_result_filter"),
            ("userIds", "user_ids"),
        ] {
            if !channel[field].is_null() {
                entered[name] = channel[field].clone();
            }
        }
        for (field, name) in [("urlFrom", "url"), ("secretFrom", "secret")] {
            if !channel[field].is_null() {
                entered[name] = self.secret(object, &channel[field])?.into();
            }
        }
        Ok(entered)
    }

    /// The arguments that let the simulator know the tasks of the examples, and the credentials of their connections.
    pub fn check_arguments(&self) -> Result<Vec<String>> {
        let tasks = self.tasks()?.into_iter().flat_map(|task| ["--task".to_owned(), task.id]);
        let mut arguments: Vec<_> = tasks.collect();
        for connection in self.documents.iter().filter(|document| !document["spec"]["codeArts"].is_null()) {
            let (name, value) = self.credential(connection)?;
            arguments.extend([name.to_owned(), value]);
        }
        Ok(arguments)
    }

    fn credential(&self, connection: &Value) -> Result<(&'static str, String)> {
        let auth = &connection["spec"]["codeArts"]["auth"];
        let of = |from: &Value| self.secret(connection, from);
        if !auth["tokenFrom"].is_null() {
            return Ok(("--check-token", of(&auth["tokenFrom"])?));
        }
        let (password, key) = (&auth["password"], &auth["accessKey"]);
        if !password.is_null() {
            let user = json!({
                "domain": password["domain"], "user": password["user"], "project": password["project"],
                "password": of(&password["passwordFrom"])?,
            });
            return Ok(("--iam-user", user.to_string()));
        }
        if key.is_null() {
            bail!("{} authenticates in none of the three ways", text(connection, "/metadata/name"));
        }
        let mut known = json!({
            "project_id": key["projectId"],
            "access_key": of(&key["accessKeyFrom"])?, "secret_key": of(&key["secretKeyFrom"])?,
        });
        if !key["securityTokenFrom"].is_null() {
            known["security_token"] = of(&key["securityTokenFrom"])?.into();
        }
        Ok(("--access-key", known.to_string()))
    }

    /// What a Secret among the examples holds for an object of its namespace.
    fn secret(&self, object: &Value, from: &Value) -> Result<String> {
        let (name, key) = (text(from, "/secretKeyRef/name"), text(from, "/secretKeyRef/key"));
        let wanted = |document: &&Value| {
            document["kind"] == "Secret"
                && document["metadata"]["name"] == name
                && document["metadata"]["namespace"] == object["metadata"]["namespace"]
        };
        let value = self.documents.iter().find(wanted).and_then(|secret| secret["stringData"][key].as_str());
        value.map(str::to_owned).with_context(|| format!("examples/ has no Secret {name} with key {key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dirs;

    fn examples() -> Result<Examples> {
        Examples::load(&dirs::root().join("examples"))
    }

    #[test]
    fn the_simulator_knows_the_credentials_of_all_three_ways() -> Result<()> {
        let arguments = examples()?.check_arguments()?;
        for name in ["--task", "--check-token", "--iam-user", "--access-key"] {
            assert_eq!(arguments.iter().filter(|argument| *argument == name).count(), 1, "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_was_neglected_differs_and_what_a_person_enters_is_what_the_example_wants() -> Result<()> {
        let tasks = examples()?.tasks()?;
        let [task] = &tasks[..] else { bail!("{} tasks", tasks.len()) };
        assert!(task.neglected().all(|channel| channel["enabled"] == false));
        assert!(task.neglected().zip(&task.channels).any(|(old, new)| old["url"] != new["url"]));
        let wecom = json!({
            "type": "wecom", "enabled": true, "notify": ["jobResult", "reviewResult", "linkUrl"],
            "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=not-a-real-key",
        });
        assert_eq!(task.channels[0], wecom);
        assert_eq!(task.channels[1]["secret"], "not-a-real-signing-secret");
        assert_eq!(task.channels[2], json!({ "type": "lark", "enabled": false }));
        Ok(())
    }
}
