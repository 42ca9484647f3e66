//! What was asked of the API server and of the remote, by their own counts.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use ureq::Agent;

use super::stage::Stage;

/// How often each thing was asked for.
pub type Counts = BTreeMap<String, u64>;

/// Counts at one moment. Kubernetes' are of writes, as `resource/subresource VERB`; the remote's are of operations.
pub struct Asked {
    writes: Counts,
    remote: Counts,
}

/// What was asked for in a while.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Spent {
    pub kubernetes_writes: Counts,
    pub remote_calls: Counts,
}

#[derive(Deserialize)]
struct OfRemote {
    by_operation: Counts,
}

#[derive(Deserialize)]
struct Project {
    project: String,
}

/// Reads from the simulator's admin door.
fn admin<T: DeserializeOwned>(stage: &Stage, path: &str) -> Result<T> {
    let mut answer = Agent::new_with_defaults().get(format!("{}{path}", stage.addresses.admin)).call()?;
    answer.body_mut().read_json().with_context(|| format!("reading the simulator's {path}"))
}

/// How many webhooks the remote holds.
pub fn webhooks_at_remote(stage: &Stage) -> Result<u64> {
    let mut webhooks = 0;
    for Project { project } in admin::<Vec<Project>>(stage, "/projects")? {
        webhooks += admin::<Vec<Value>>(stage, &format!("/projects/{project}/webhooks"))?.len() as u64;
    }
    Ok(webhooks)
}

impl Asked {
    pub async fn now(stage: &Stage) -> Result<Self> {
        let writes = writes(&stage.kubectl.raw("/metrics").await?);
        let remote: OfRemote = admin(stage, "/counts")?;
        Ok(Self { writes, remote: remote.by_operation })
    }

    pub fn since(&self, before: &Self) -> Spent {
        Spent {
            kubernetes_writes: difference(&self.writes, &before.writes),
            remote_calls: difference(&self.remote, &before.remote),
        }
    }
}

impl Spent {
    /// Every write, whoever made it. At rest there is to be none; a control plane's own idling writes only Leases.
    pub fn all_writes(&self) -> u64 {
        self.writes(|_| true)
    }

    /// Writes to objects of this kind of ours, failed ones too.
    pub fn writes_to(&self, plural: &str) -> u64 {
        self.writes(|what| is_of(what, plural))
    }

    /// Writes to anything else; Events aside.
    pub fn writes_beside(&self, plural: &str) -> u64 {
        self.writes(|what| !is_of(what, plural) && !is_event(what))
    }

    pub fn events(&self) -> u64 {
        self.writes(is_event)
    }

    fn writes(&self, which: impl Fn(&str) -> bool) -> u64 {
        self.kubernetes_writes.iter().filter(|(what, _)| which(what)).map(|(_, count)| count).sum()
    }

    pub fn calls(&self, operation: &str) -> u64 {
        self.remote_calls.get(operation).copied().unwrap_or_default()
    }

    pub fn calls_other_than(&self, operations: &[&str]) -> u64 {
        let others = self.remote_calls.iter().filter(|(name, _)| !operations.contains(&name.as_str()));
        others.map(|(_, count)| count).sum()
    }
}

fn is_of(what: &str, plural: &str) -> bool {
    what.strip_prefix(plural).is_some_and(|rest| rest.starts_with(".hookwright.dev"))
}

fn is_event(what: &str) -> bool {
    what.starts_with("events ") || what.starts_with("events.")
}

fn difference(after: &Counts, before: &Counts) -> Counts {
    let of = |name: &String| before.get(name).copied().unwrap_or_default();
    after
        .iter()
        .map(|(name, count)| (name.clone(), count.saturating_sub(of(name))))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The writes among the API server's `apiserver_request_total`. Leases are how its own parts stay alive.
fn writes(metrics: &str) -> Counts {
    let mut writes = Counts::new();
    for line in metrics.lines() {
        let Some((what, count)) = write(line) else { continue };
        *writes.entry(what).or_default() += count;
    }
    writes
}

fn write(line: &str) -> Option<(String, u64)> {
    let (labels, count) = line.strip_prefix("apiserver_request_total{")?.split_once("} ")?;
    // None of the values that matter holds a comma or a quote.
    let labels: BTreeMap<_, _> = labels
        .split(',')
        .filter_map(|label| label.split_once('='))
        .map(|(name, v)| (name, v.trim_matches('"')))
        .collect();
    let of = |name: &str| labels.get(name).copied().unwrap_or_default();
    let (resource, verb, code) = (of("resource"), of("verb"), of("code"));
    if !["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"].contains(&verb) || resource == "leases" {
        return None;
    }
    let mut what = resource.to_owned();
    for (mark, part) in [(".", of("group")), ("/", of("subresource"))] {
        if !part.is_empty() {
            what = what + mark + part;
        }
    }
    what = what + " " + verb;
    if !code.starts_with('2') {
        what = what + " " + code;
    }
    // Large counts come in exponential form.
    Some((what, count.trim().parse::<f64>().ok()? as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_writes_are_counted_and_told_apart() {
        let line = |group: &str, resource: &str, subresource: &str, verb: &str, code: &str, count: &str| {
            format!(
                "apiserver_request_total{{code=\"{code}\",component=\"apiserver\",dry_run=\"\",group=\"{group}\",\
                 resource=\"{resource}\",scope=\"resource\",subresource=\"{subresource}\",verb=\"{verb}\",version=\"v1\"}} {count}\n"
            )
        };
        let text = ["# HELP apiserver_request_total x\n".to_owned()].into_iter().chain([
            line("hookwright.dev", "projectwebhooks", "", "POST", "201", "3"),
            line("hookwright.dev", "projectwebhooks", "status", "PATCH", "200", "1.2e+06"),
            line("hookwright.dev", "projectwebhooks", "status", "PATCH", "409", "2"),
            line("hookwright.dev", "projectwebhooks", "", "LIST", "200", "9"),
            line("", "events", "", "POST", "201", "4"),
            line("coordination.k8s.io", "leases", "", "PUT", "200", "5"),
        ]);
        let after = Asked { writes: writes(&text.collect::<String>()), remote: Counts::from([("list".into(), 7)]) };
        let before = Asked { writes: Counts::new(), remote: Counts::from([("list".into(), 4)]) };
        let spent = after.since(&before);
        let expected = [
            ("events POST", 4),
            ("projectwebhooks.hookwright.dev POST", 3),
            ("projectwebhooks.hookwright.dev/status PATCH", 1_200_000),
            ("projectwebhooks.hookwright.dev/status PATCH 409", 2),
        ];
        assert_eq!(spent.kubernetes_writes, expected.map(|(what, count)| (what.to_owned(), count)).into());
        assert_eq!((spent.all_writes(), spent.events()), (1_200_009, 4));
        assert_eq!((spent.writes_to("projectwebhooks"), spent.writes_beside("projectwebhooks")), (1_200_005, 0));
        assert_eq!((spent.calls("list"), spent.calls_other_than(&["list"]), spent.calls_other_than(&[])), (3, 0, 3));
    }
}
