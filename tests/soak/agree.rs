//! Do cluster and remote agree exactly? Pure, so that it can be shown to say no.

use std::collections::{BTreeMap, BTreeSet};

use hookwright::api::FINALIZER;
use hookwright::api::project_webhook::{Ownership, ProjectWebhook};
use hookwright::domain::ids::ObjectKey;
use hookwright::domain::marker::{ClusterId, MARKER_HEADER, Marker};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use simulator::Webhook;

use crate::declaration::{Declaration, PROJECTS, Wanted, object_name, owner_of};
use crate::evidence::Spell;
use crate::ledger::Ledger;
use crate::support::{condition, ready_reason};

/// The operator's `--cluster-id`.
pub const CLUSTER: &str = "soak";

/// A connection as the operator left it.
#[derive(Clone, Debug)]
pub struct Held {
    pub finalizers: Vec<String>,
    pub conditions: Vec<Condition>,
    /// metadata.resourceVersion.
    pub version: String,
}

/// Everything there is.
pub struct Scene<'a> {
    pub ledger: &'a Ledger,
    /// By namespace and name.
    pub cluster: &'a BTreeMap<(String, String), ProjectWebhook>,
    /// By kind and name.
    pub connections: &'a BTreeMap<(String, String), Held>,
    pub remote: &'a [Vec<Webhook>; PROJECTS],
    /// Ids that some status has named at some time, and as what.
    pub recorded: &'a BTreeMap<String, Option<Ownership>>,
    /// When, since the storm began, which project did not show values.
    pub hidden: &'a [Spell],
    /// Made at the console, and nobody's business.
    pub bystanders: &'a [Vec<Webhook>; PROJECTS],
    /// Ids of which the operator said that it leaves them.
    pub warned: &'a BTreeSet<String>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The object that it is about, if it is about one.
    pub object: Option<usize>,
    /// The reason of its `Ready`, if it is to be there and status speaks of the present spec.
    pub reason: Option<String>,
    pub text: String,
}

/// All that is not as it should be.
pub fn disagreements(scene: &Scene<'_>) -> Vec<Disagreement> {
    let mut all = vec![];
    let live: Vec<_> = scene.ledger.live().collect();
    for declaration in &live {
        all.extend(object(scene, declaration));
    }
    let names: BTreeSet<_> =
        live.iter().map(|declaration| (declaration.namespace().to_owned(), object_name(declaration.object))).collect();
    for (namespace, name) in scene.cluster.keys().filter(|key| !names.contains(*key)) {
        let object = name.trim_start_matches('o').parse().ok();
        all.push(Disagreement::about(object, format!("{namespace}/{name} was deleted and is still there")));
    }
    all.extend(scene.connections.iter().flat_map(|(key, held)| connection(&live, key, held)));
    for project in 0..PROJECTS {
        all.extend(leftovers(scene, project));
    }
    all.extend(adopted(scene));
    all
}

/// A connection is held if somebody uses it, and only then, and it can be used.
fn connection(live: &[&Declaration], (kind, name): &(String, String), held: &Held) -> Vec<Disagreement> {
    let mut used = live.iter().map(|declaration| declaration.place());
    let is_used = used.any(|place| (place.kind, place.connection) == (kind.as_str(), name.as_str()));
    let wanted: &[&str] = if is_used { &[FINALIZER] } else { &[] };
    let mut wrong = vec![];
    if held.finalizers != wanted {
        wrong.push(format!("its finalizers are {:?}, not {wanted:?}", held.finalizers));
    }
    if told(&held.conditions) != [("Ready", "True", "Configured")] {
        wrong.push(format!("its conditions are {:?}", told(&held.conditions)));
    }
    wrong.into_iter().map(|what| Disagreement::about(None, format!("{kind} {name}: {what}"))).collect()
}

fn told(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

impl Disagreement {
    fn about(object: Option<usize>, text: String) -> Self {
        Self { object, reason: None, text }
    }
}

/// What is wrong with an object that is to be there: its status, and the one webhook that it is to have.
fn object(scene: &Scene<'_>, declaration: &Declaration) -> Option<Disagreement> {
    let name = object_name(declaration.object);
    let found = scene.cluster.get(&(declaration.namespace().to_owned(), name.clone()));
    let wrong = match found {
        None => vec!["it is not in the cluster".to_owned()],
        Some(object) => [status(object), webhooks(scene, declaration, object)].concat(),
    };
    let reason = found.and_then(ready_reason).map(str::to_owned);
    let place = format!("{}/{name} (life {})", declaration.namespace(), declaration.life);
    (!wrong.is_empty()).then(|| Disagreement {
        object: Some(declaration.object),
        text: format!("{place}, {}: {}", reason.as_deref().unwrap_or("status is behind"), wrong.join("; ")),
        reason,
    })
}

/// Ready and nothing beside it, for the present spec, which was seen at the remote; held once; nothing left over.
fn status(object: &ProjectWebhook) -> Vec<String> {
    let mut wrong = vec![];
    if object.metadata.deletion_timestamp.is_some() {
        wrong.push("it is being deleted".into());
    }
    let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
    if finalizers != [FINALIZER] {
        wrong.push(format!("its finalizers are {finalizers:?}"));
    }
    let status = object.status.clone().unwrap_or_default();
    if ready_reason(object).is_none() || told(&status.conditions) != [("Ready", "True", "Synced")] {
        let message = condition(&status.conditions, "Ready").map(|ready| ready.message.clone()).unwrap_or_default();
        wrong.push(format!("it is not Ready alone: {:?}: {message}", told(&status.conditions)));
    }
    let applied = status.applied.map(|applied| applied.generation);
    if applied != object.metadata.generation {
        wrong.push(format!("generation {applied:?} is said to be applied, not {:?}", object.metadata.generation));
    }
    if !status.drift.is_empty() || !status.corrections.is_empty() {
        wrong.push(format!("status tells of drift: {:?}, {:?}", status.drift, status.corrections));
    }
    wrong
}

/// Exactly one webhook is this object's, it is the one that status names, and it is as declared.
fn webhooks(scene: &Scene<'_>, declaration: &Declaration, object: &ProjectWebhook) -> Vec<String> {
    let status = object.status.clone().unwrap_or_default();
    let Some(recorded) = status.webhook_id else { return vec!["status names no webhook".into()] };
    let remote = &scene.remote[declaration.place().project];
    let mine = |webhook: &&Webhook| {
        let of_this_life = owner_of(&webhook.url) == Some((declaration.object, declaration.life));
        let found = scene.ledger.found.contains_key(&webhook.id);
        is_marked_for(webhook, declaration) || (of_this_life && !found) || webhook.id == recorded
    };
    let mine: Vec<_> = remote.iter().filter(mine).collect();
    let [webhook] = mine.as_slice() else {
        let ids: Vec<_> = mine.iter().map(|webhook| webhook.id.as_str()).collect();
        return vec![format!("{} webhooks are its own: {ids:?}, status names {recorded}", ids.len())];
    };
    let mut wrong = vec![];
    if webhook.id != recorded {
        wrong.push(format!("its webhook is {}, and status names {recorded}", webhook.id));
    }
    let (wanted, is) = (normal(declaration.wanted(&scene.ledger.versions)), normal(seen(webhook)));
    if wanted != is {
        wrong.push(format!("the remote is not as declared: {wanted:?} != {is:?}"));
    }
    if status.ownership == Some(Ownership::Created) && !is_marked_for(webhook, declaration) {
        wrong.push("the operator made it, and it is not marked".into());
    }
    wrong
}

fn is_marked_for(webhook: &Webhook, declaration: &Declaration) -> bool {
    let key = ObjectKey { namespace: declaration.namespace().into(), name: object_name(declaration.object).into() };
    let marker = Marker::of(&ClusterId(CLUSTER.into()), &key);
    webhook.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case(MARKER_HEADER) && value == marker.as_str())
}

fn seen(webhook: &Webhook) -> Wanted {
    let Webhook { id: _, name, url, headers, active, events, created_at: _, updated_at: _ } = webhook.clone();
    let headers = headers.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case(MARKER_HEADER)).collect();
    Wanted { name, url, headers, active, events: events.into_iter().collect() }
}

/// Without what the remote may well keep in another way: the case of event and header names.
fn normal(wanted: Wanted) -> Wanted {
    let Wanted { name, url, headers, active, events } = wanted;
    let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let events = events.into_iter().map(|event| event.to_ascii_lowercase()).collect();
    Wanted { name, url, headers, active, events }
}

/// What nobody's object explains: it has to be a bystander as it was, or left on purpose.
fn leftovers(scene: &Scene<'_>, project: usize) -> Vec<Disagreement> {
    let mut wrong = vec![];
    for bystander in &scene.bystanders[project] {
        if !scene.remote[project].contains(bystander) {
            let text = format!("project {project}: webhook {} is nobody's business and was touched", bystander.id);
            wrong.push(Disagreement::about(None, text));
        }
    }
    let strangers = scene.remote[project].iter().filter(|webhook| {
        owner_of(&webhook.url).is_none() && !scene.bystanders[project].iter().any(|other| other.id == webhook.id)
    });
    let nobodys = |id: &String| Disagreement::about(None, format!("project {project}: webhook {id} is nobody's"));
    wrong.extend(strangers.map(|webhook| nobodys(&webhook.id)));
    for ((object, life), ids) in left(scene, project) {
        let orphaned = scene.ledger.ended[&(object, life)].orphans();
        let of = format!("project {project}: {} of life {life} of {}", names(&ids), object_name(object));
        let mut about = |what: &str| wrong.push(Disagreement::about(Some(object), format!("{of} {what}")));
        if !orphaned && !ids.iter().all(|id| is_suspect(scene, project, id)) {
            about("should be deleted");
        } else if ids.len() > 1 {
            about("are more than one");
        }
        if !ids.iter().all(|id| scene.warned.contains(*id)) {
            about("left without a word");
        }
    }
    wrong
}

/// What lives that ended had adopted: it stays and is named, unless it was to be deleted with them.
fn adopted(scene: &Scene<'_>) -> Vec<Disagreement> {
    let mut wrong = vec![];
    for (id, life) in &scene.ledger.found {
        let was_adopted = scene.recorded.get(id) == Some(&Some(Ownership::Adopted));
        let Some(ended) = scene.ledger.ended.get(life).filter(|_| was_adopted) else { continue };
        let is_there = scene.remote.iter().flatten().any(|webhook| webhook.id == *id);
        let what = match (ended.deletion == Some("Delete"), is_there) {
            (true, true) => "should be deleted",
            (false, false) if !scene.ledger.removed.contains(id) => "was not the operator's to delete",
            (false, true) if !scene.warned.contains(id) => "left without a word",
            _ => continue,
        };
        let text = format!("{id}, adopted in life {} of {}, {what}", life.1, object_name(life.0));
        wrong.push(Disagreement::about(Some(life.0), text));
    }
    wrong
}

/// What is left of lives that ended, by object and life.
fn left<'a>(scene: &Scene<'a>, project: usize) -> BTreeMap<(usize, u32), Vec<&'a String>> {
    let recorded: BTreeSet<_> =
        scene.cluster.values().filter_map(|object| object.status.as_ref()?.webhook_id.as_ref()).collect();
    let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for webhook in &scene.remote[project] {
        let explained = recorded.contains(&webhook.id) || scene.ledger.found.contains_key(&webhook.id);
        // A second one of a live object is told there.
        let life = owner_of(&webhook.url).filter(|life| scene.ledger.ended.contains_key(life));
        if let Some(life) = life.filter(|_| !explained) {
            left.entry(life).or_default().push(&webhook.id);
        }
    }
    left
}

/// Where values were hidden, a webhook that no status ever named can't be known for ours: it is left and named, and not
/// deleted on suspicion. One that came when they were shown again is marked for everybody to see.
fn is_suspect(scene: &Scene<'_>, project: usize, id: &String) -> bool {
    let webhook = scene.remote[project].iter().find(|webhook| webhook.id == *id);
    let hidden = |created| {
        let mut spells = scene.hidden.iter().filter(|spell| spell.project == project);
        spells.any(|spell| spell.until.is_none_or(|until| created <= until))
    };
    scene.ledger.suspected.contains(id)
        || (!scene.recorded.contains_key(id) && webhook.is_some_and(|webhook| hidden(webhook.created_at)))
}

/// Webhooks that are left of objects that were to be deleted with them.
pub fn suspects(scene: &Scene<'_>) -> Vec<String> {
    let left = (0..PROJECTS).flat_map(|project| left(scene, project));
    left.filter(|(life, _)| !scene.ledger.ended[life].orphans()).flat_map(|(_, ids)| ids).cloned().collect()
}

fn names(ids: &[&String]) -> String {
    ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
