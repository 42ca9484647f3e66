//! Do cluster and remote agree exactly? Pure, so that it can be shown to say no.

use std::collections::{BTreeMap, BTreeSet};

use hookwright::api::project_webhook::{Ownership, ProjectWebhook};
use hookwright::domain::ids::ObjectKey;
use hookwright::domain::marker::{ClusterId, MARKER_HEADER, Marker};
use simulator::Webhook;

use crate::declaration::{Declaration, PROJECTS, Wanted, object_name, owner_of};
use crate::ledger::Ledger;
use crate::support::{condition, is_ready, ready_reason};

/// The operator's `--cluster-id`.
pub const CLUSTER: &str = "soak";

/// Everything there is.
pub struct Scene<'a> {
    pub ledger: &'a Ledger,
    /// By namespace and name.
    pub cluster: &'a BTreeMap<(String, String), ProjectWebhook>,
    pub remote: &'a [Vec<Webhook>; PROJECTS],
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
    for project in 0..PROJECTS {
        all.extend(leftovers(scene, project));
    }
    all
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

fn status(object: &ProjectWebhook) -> Vec<String> {
    let mut wrong = vec![];
    if object.metadata.deletion_timestamp.is_some() {
        wrong.push("it is being deleted".into());
    }
    if !is_ready(object) || ready_reason(object) != Some("Synced") {
        let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let message = condition(conditions, "Ready").map(|ready| ready.message.clone()).unwrap_or_default();
        wrong.push(format!("it is not Ready: {message}"));
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
        let found = scene.ledger.found.contains(&webhook.id);
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
        let orphaned = scene.ledger.ended[&(object, life)].orphaned;
        let of = format!("project {project}: {} of life {life} of {}", names(&ids), object_name(object));
        let mut about = |what: &str| wrong.push(Disagreement::about(Some(object), format!("{of} {what}")));
        if !orphaned && !scene.ledger.hidden.contains(&project) {
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

/// What is left of lives that ended, by object and life.
fn left<'a>(scene: &Scene<'a>, project: usize) -> BTreeMap<(usize, u32), Vec<&'a String>> {
    let recorded: BTreeSet<_> =
        scene.cluster.values().filter_map(|object| object.status.as_ref()?.webhook_id.as_ref()).collect();
    let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for webhook in &scene.remote[project] {
        let explained = recorded.contains(&webhook.id) || scene.ledger.found.contains(&webhook.id);
        // A second one of a live object is told there.
        let life = owner_of(&webhook.url).filter(|life| scene.ledger.ended.contains_key(life));
        if let Some(life) = life.filter(|_| !explained) {
            left.entry(life).or_default().push(&webhook.id);
        }
    }
    left
}

/// How many webhooks are left of objects that were to be deleted with them: where values were hidden, one that never came
/// to be recorded is left and named, and not deleted on suspicion.
pub fn left_on_suspicion(scene: &Scene<'_>) -> usize {
    let left = (0..PROJECTS).flat_map(|project| left(scene, project));
    left.filter(|(life, _)| !scene.ledger.ended[life].orphaned).map(|(_, ids)| ids.len()).sum()
}

fn names(ids: &[&String]) -> String {
    ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
