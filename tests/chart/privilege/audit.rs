//! The API server's audit log, and the Roles that it is held against.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

/// One verb on one resource, as a Role grants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    verb: String,
    /// With its subresource and group, for example `projectwebhooks/status.hookwright.dev`.
    resource: String,
    /// Only objects of these names, if there are any.
    names: Vec<String>,
    /// Only in this namespace; `None` where a ClusterRole grants it.
    namespace: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, names, namespace } = self;
        write!(f, "{verb} {resource}")?;
        if !names.is_empty() {
            write!(f, " {}", names.join(","))?;
        }
        namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in {namespace}"))
    }
}

/// All rights that Roles and ClusterRoles of the release grant, as they are in the cluster.
pub async fn granted(client: &Client) -> BTreeSet<Right> {
    let ours = ListParams::default().labels("app.kubernetes.io/name=hookwright");
    let mut found = BTreeSet::new();
    for role in Api::<ClusterRole>::all(client.clone()).list(&ours).await.unwrap() {
        found.extend(role.rules.iter().flatten().flat_map(|rule| rights(rule, None)));
    }
    for role in Api::<Role>::all(client.clone()).list(&ours).await.unwrap() {
        let namespace = role.namespace();
        found.extend(role.rules.iter().flatten().flat_map(|rule| rights(rule, namespace.as_deref())));
    }
    found
}

fn rights(rule: &PolicyRule, namespace: Option<&str>) -> Vec<Right> {
    assert_eq!(rule.non_resource_urls, None, "this reader knows resources alone");
    let mut found = vec![];
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            found.extend(rule.verbs.iter().map(|verb| Right {
                verb: verb.clone(),
                resource: with_group(resource, group),
                names: rule.resource_names.clone().unwrap_or_default(),
                namespace: namespace.map(Into::into),
            }));
        }
    }
    found
}

fn with_group(resource: &str, group: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

/// What one account asked for.
pub struct Log(Vec<Request>);

struct Request {
    verb: String,
    resource: String,
    namespace: String,
    name: String,
    refused: bool,
}

impl Log {
    /// The requests of a user, from lines of JSON (audit.k8s.io/v1).
    pub fn of(user: &str, lines: &str) -> Self {
        let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
        Self(events.filter(|event| event["user"]["username"] == user).map(|event| request(&event)).collect())
    }

    /// What was answered with 403, whoever refused it.
    pub fn refused(&self) -> Vec<String> {
        let refused = self.0.iter().filter(|request| request.refused);
        refused.map(|r| format!("{} {} {}/{}", r.verb, r.resource, r.namespace, r.name)).collect()
    }

    /// The verbs that were used on a resource.
    pub fn verbs_on(&self, resource: &str) -> Vec<&str> {
        let on_it = self.0.iter().filter(|request| request.resource == resource);
        on_it.map(|request| request.verb.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether a right was used.
    pub fn uses(&self, right: &Right) -> bool {
        let Right { verb, resource, names, namespace } = right;
        self.0.iter().any(|request| {
            !request.refused
                && request.verb == *verb
                && request.resource == *resource
                && (names.is_empty() || names.contains(&request.name))
                && namespace.as_ref().is_none_or(|namespace| request.namespace == *namespace)
        })
    }
}

fn request(event: &Value) -> Request {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
    // A path that is no resource's has no objectRef: it is shown if it was refused, and is no use of a right.
    let resource = object["resource"].as_str().map_or_else(
        || text(&event["requestURI"]),
        |resource| with_group(&format!("{resource}{subresource}"), &text(&object["apiGroup"])),
    );
    Request {
        verb: text(&event["verb"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        refused: event["responseStatus"]["code"] == 403,
    }
}
