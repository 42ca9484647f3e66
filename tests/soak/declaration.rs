//! What the soak's user declares, and what the remote has to hold then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The namespaces of the soak.
pub const NAMESPACES: [&str; 2] = ["soak-a", "soak-b"];
/// Secrets of each namespace that many objects share, so that one rotation reaches them all.
pub const SHARED_SECRETS: usize = 4;
/// How many remote projects there are.
pub const PROJECTS: usize = 4;
/// The project of which no ProjectWebhook is deleted: its LIST is capped at times, and creations land after the settle time.
/// What no LIST shows and no status records can't be found by anybody who is to delete it.
pub const UNDELETED: usize = 3;

/// Organization and project of each.
pub type Projects = [(String, String); PROJECTS];

/// Part of every secret value, and of nothing else.
pub const CANARY: &str = "canary";

/// Where an object lives: its namespace, its connection, and its remote project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub namespace: usize,
    pub kind: &'static str,
    pub connection: &'static str,
    pub project: usize,
}

/// Two connections to one project, a ClusterConnection, one over TLS, and a project that two namespaces share.
pub const PLACES: [Place; 6] = [
    Place { namespace: 0, kind: "Connection", connection: "plain", project: 0 },
    Place { namespace: 0, kind: "Connection", connection: "second", project: 0 },
    Place { namespace: 1, kind: "ClusterConnection", connection: "shared", project: 1 },
    Place { namespace: 0, kind: "Connection", connection: "plain", project: 1 },
    Place { namespace: 1, kind: "Connection", connection: "tls", project: 2 },
    Place { namespace: 1, kind: "ClusterConnection", connection: "shared", project: UNDELETED },
];

/// A header's value: literal, or from a shared Secret with a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Literal(u32),
    Secret(usize),
}

/// One ProjectWebhook as a person wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Which object; its name is made of it.
    pub object: usize,
    /// Which object of that name, counted from 1.
    pub life: u32,
    /// An index into [`PLACES`].
    pub place: usize,
    /// `spec.name`, by its revision; the object's own name without it.
    pub name: Option<u32>,
    /// The revision of the URL.
    pub url: u32,
    /// The URL comes from a Secret of the object's own.
    pub secret_url: bool,
    pub headers: BTreeMap<&'static str, HeaderValue>,
    pub active: bool,
    pub events: BTreeSet<&'static str>,
    pub adoption: &'static str,
    pub deletion: Option<&'static str>,
}

/// Versions of the shared Secrets, by namespace and number.
pub type Versions = BTreeMap<(usize, usize), u32>;

/// What the remote has to hold, in the remote's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub active: bool,
    pub events: BTreeSet<String>,
}

/// The name of an object.
pub fn object_name(object: usize) -> String {
    format!("o{object:03}")
}

/// The name of a shared Secret.
pub fn secret_name(number: usize) -> String {
    format!("shared-{number}")
}

/// The value of a shared Secret.
pub fn secret_value(namespace: usize, number: usize, version: u32) -> String {
    format!("{CANARY}-{}-{number}-v{version}", NAMESPACES[namespace])
}

/// What every URL of an object of this life begins with. It tells whose a remote webhook is, whatever else it holds.
pub fn url_prefix(object: usize, life: u32) -> String {
    format!("https://hooks.example.com/{}/{life}/", object_name(object))
}

/// The object and life that a URL belongs to.
pub fn owner_of(url: &str) -> Option<(usize, u32)> {
    let mut parts = url.strip_prefix("https://hooks.example.com/o")?.split('/');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Declaration {
    pub fn place(&self) -> Place {
        PLACES[self.place]
    }

    pub fn namespace(&self) -> &'static str {
        NAMESPACES[self.place().namespace]
    }

    fn url(&self) -> String {
        format!("{}r{}?key={CANARY}-url", url_prefix(self.object, self.life), self.url)
    }

    /// The Secret of the object's own, which holds its URL.
    pub fn url_secret(&self) -> Option<(String, String)> {
        self.secret_url.then(|| (format!("{}-url", object_name(self.object)), self.url()))
    }

    pub fn manifest(&self, projects: &Projects) -> Value {
        let place = self.place();
        let (organization, project) = &projects[place.project];
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| header(name, value)).collect();
        let mut spec = json!({
            "connectionRef": { "kind": place.kind, "name": place.connection },
            "organizationId": organization,
            "projectId": project,
            "headers": headers,
            "active": self.active,
            "events": self.events,
            "adoptionPolicy": self.adoption,
        });
        match self.url_secret() {
            Some((name, _)) => spec["urlFrom"] = json!({ "secretKeyRef": { "name": name, "key": "url" } }),
            None => spec["url"] = json!(self.url()),
        }
        if self.name.is_some() {
            spec["name"] = json!(self.display_name());
        }
        if let Some(policy) = self.deletion {
            spec["deletionPolicy"] = json!(policy);
        }
        json!({
            "apiVersion": "hookwright.dev/v1alpha1", "kind": "ProjectWebhook",
            "metadata": { "name": object_name(self.object), "namespace": self.namespace() },
            "spec": spec,
        })
    }

    fn display_name(&self) -> String {
        let own = object_name(self.object);
        self.name.map_or(own.clone(), |revision| format!("Soak {own} v{revision}"))
    }

    /// What it asks for, with these versions of the shared Secrets.
    pub fn wanted(&self, versions: &Versions) -> Wanted {
        let namespace = self.place().namespace;
        let value = |value: &HeaderValue| match value {
            HeaderValue::Literal(n) => literal(*n),
            HeaderValue::Secret(number) => {
                let version = versions.get(&(namespace, *number)).copied().unwrap_or_default();
                format!("Bearer {}", secret_value(namespace, *number, version))
            }
        };
        Wanted {
            name: self.display_name(),
            url: self.url(),
            headers: self.headers.iter().map(|(name, from)| ((*name).to_owned(), value(from))).collect(),
            active: self.active,
            events: self.events.iter().map(|event| (*event).to_owned()).collect(),
        }
    }
}

fn literal(n: u32) -> String {
    format!("{CANARY}-literal-{n}")
}

fn header(name: &str, value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Literal(n) => json!({ "name": name, "value": literal(*n) }),
        HeaderValue::Secret(number) => {
            let key = json!({ "name": secret_name(*number), "key": "value" });
            json!({ "name": name, "valueFrom": { "prefix": "Bearer ", "secretKeyRef": key } })
        }
    }
}
