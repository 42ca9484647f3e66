//! What must hold, whatever happens: judged by what the remote really holds, which the plan can't see.

use std::collections::{BTreeMap, BTreeSet};

use hookwright::api::project_webhook::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Ownership};
use hookwright::domain::ids::WebhookId;
use hookwright::domain::marker::MARKER_HEADER;
use hookwright::domain::observed::HeaderName;
use hookwright::domain::secret::ReceiverUrl;
use hookwright::domain::write::Write;

use super::cluster::World;
use super::objects::{Object, marker};
use super::remote::{By, Stored, Values};

/// Called before each write: Observe never writes, ReportDrift only what is newer or was requested, and nobody touches
/// what is not theirs.
pub fn may_write(world: &World, i: usize, write: &Write) {
    let spec = &world.objects[i].spec;
    assert_ne!(spec.management, ManagementPolicy::Observe, "Observe wrote: {write}");
    let case = world.case(i);
    let newer = case.applied.as_ref().is_none_or(|applied| applied.generation != case.basis.generation);
    let corrects = matches!(write, Write::Create { .. } | Write::Update { .. });
    if corrects && spec.management == ManagementPolicy::ReportDrift {
        assert!(newer || case.correction_requested, "ReportDrift wrote what is not newer: {write}");
    }
    if let (Write::Create { replaces: None, .. }, Some((owned, _))) = (write, world.objects[i].owned()) {
        assert!(world.remote.get(owned).is_none(), "object {i} creates although its webhook {owned} is there");
    }
    let touched = match write {
        Write::Create { .. } => return,
        Write::Update { id, .. }
        | Write::Delete { id }
        | Write::Unmark { id, .. }
        | Write::RemoveDuplicate { id, .. } => *id,
    };
    let Some(webhook) = world.remote.get(touched) else { return };
    // Where markers can't be seen, what an object left that is gone looks just like what our own lost POST would have
    // made; its Warning has named it.
    let hidden = world.remote.variant.values != Values::Shown || !world.marking;
    if hidden && matches!(webhook.by, By::Object(j) if world.objects[j].orphans.contains(&touched)) {
        return;
    }
    let allowed = match write {
        Write::Create { .. } => true,
        Write::RemoveDuplicate { .. } | Write::Unmark { .. } => is_ours(webhook, i),
        Write::Delete { .. } => is_ours(webhook, i) || is_handed_over_to_be_deleted(world, i, webhook),
        Write::Update { .. } => is_ours(webhook, i) || is_handed_over(world, i, webhook),
    };
    assert!(allowed, "object {i} touches what is not its own: {write}: {webhook:?} by {case:?}");
}

fn is_ours(webhook: &Stored, i: usize) -> bool {
    webhook.by == By::Object(i) || webhook.marker() == Some(marker(i))
}

/// Somebody else's marker, where the remote shows it.
fn is_anothers(world: &World, webhook: &Stored) -> bool {
    world.remote.variant.values == Values::Shown && webhook.marker().is_some()
}

fn is_handed_over_to_be_deleted(world: &World, i: usize, webhook: &Stored) -> bool {
    let object = &world.objects[i];
    let recorded = object.owned().is_some_and(|(id, _)| id == webhook.id);
    let wanted = object.spec.deletion == Some(DeletionPolicy::Delete);
    object.going && recorded && wanted && !is_anothers(world, webhook)
}

fn is_handed_over(world: &World, i: usize, webhook: &Stored) -> bool {
    let object = &world.objects[i];
    let live = |webhook: &Stored| {
        (0..world.objects.len()).any(|j| !world.objects[j].gone && webhook.marker() == Some(marker(j)))
    };
    let adopts = object.spec.adoption == AdoptionPolicy::Adopt;
    let pinned = object.spec.pinned == Some(webhook.id);
    let recorded = object.owned() == Some((webhook.id, Ownership::Adopted));
    if is_anothers(world, webhook) {
        return !live(webhook) && ((pinned && adopts) || recorded);
    }
    let mut listed = world.remote.listed().iter().filter(|listed| listed.id == webhook.id);
    let alike =
        listed.any(|webhook| world.remote.name(&webhook.name) == object.spec.name && webhook.url == object.spec.url);
    // A person's, or what an object left that is gone.
    let left = match webhook.by {
        By::Person => true,
        By::Object(j) => world.objects[j].gone,
    };
    pinned || recorded || (adopts && alike && left)
}

/// Ready=True (Synced) only if the remote really equals the spec. What is masked counts as it was last written.
pub fn synced_is_true(world: &World, i: usize) {
    let object = &world.objects[i];
    if object.reason() != "Synced"
        || object.gone
        || object.going
        || object.status.observed_generation != object.generation
    {
        return;
    }
    let (id, _) = object.owned().expect("Synced names its webhook");
    let webhook = world.remote.get(id).unwrap_or_else(|| panic!("Synced, and {id} is not there"));
    let desired = object.spec.desired();
    let lower = |events: &[String]| events.iter().map(|event| event.to_lowercase()).collect::<BTreeSet<_>>();
    assert_eq!(world.remote.name(&webhook.name), desired.name);
    assert_eq!(ReceiverUrl::new(webhook.url.clone()), desired.url);
    assert_eq!(webhook.active, desired.active);
    assert_eq!(lower(&webhook.events), lower(&desired.events));
    let users: BTreeMap<_, _> =
        webhook.headers.iter().filter(|(name, _)| **name != HeaderName::new(MARKER_HEADER)).collect();
    if world.remote.variant.values == Values::Dropped {
        return;
    }
    assert!(users.keys().copied().eq(desired.headers.keys()), "{users:?}");
    if world.remote.variant.values == Values::Shown || !webhook.tampered {
        assert!(users.values().map(|value| value.as_str()).eq(desired.headers.values().map(|value| value.expose())));
    }
}

/// What this object created, as it really is; but for what was handed over to another object since.
pub fn made_by(world: &World, i: usize) -> Vec<WebhookId> {
    let made = world.remote.webhooks.iter().filter(|webhook| webhook.by == By::Object(i)).map(|webhook| webhook.id);
    let others = |id| {
        move |(j, object): (usize, &Object)| j != i && !object.gone && object.owned().is_some_and(|(of, _)| of == id)
    };
    made.filter(|id| !world.objects.iter().enumerate().any(others(*id))).collect()
}

/// Two objects never own one webhook.
pub fn no_webhook_has_two_owners(world: &World) {
    let claims = |object: &&Object| !object.gone && object.spec.management != ManagementPolicy::Observe;
    let owned = world.objects.iter().filter(claims).filter_map(|object| object.owned().map(|(id, _)| id));
    let mut seen = BTreeSet::new();
    owned.for_each(|id| assert!(seen.insert(id), "two objects own {id}"));
}

/// At rest under Enforce there is one webhook, and where markers can't be seen, no second one in silence.
pub fn one_webhook(world: &World, i: usize) {
    let object = &world.objects[i];
    if object.gone || object.spec.management == ManagementPolicy::Observe {
        return;
    }
    let made = made_by(world, i);
    let variant = world.remote.variant;
    let seen = variant.values == Values::Shown && world.marking && variant.cap.is_none();
    // What no LIST shows can't be counted by anybody: two accepted POSTs, and the condition says so.
    let says = matches!(object.reason(), "AdoptionRequired" | "Conflict" | "WebhookNotFound") || is_unknowable(world);
    // Who is pinned to what is not his stops before he writes, also before he removes a second one.
    let stopped = object.spec.pinned.is_some() && object.reason() == "Conflict";
    assert!(made.len() <= 1 || stopped || (!seen && says), "{made:?}: {} {}", object.reason(), object.message());
    let nothing_forbids = object.spec.adoption == AdoptionPolicy::CreateAnother && object.spec.pinned.is_none();
    let converges = seen && !variant.shouts && !variant.merges;
    if object.spec.management == ManagementPolicy::Enforce && nothing_forbids && converges {
        // Or somebody kept deleting it at the console: then nobody fights him.
        let given_up = object.reason() == "NotConverging"
            && object.status.corrections.iter().any(|c| c.field == "webhook" && c.count >= 2);
        assert!(given_up || object.reason() == "Synced", "{} {}", object.reason(), object.message());
    }
}

/// A LIST that is cut off hides webhooks; a remote that hides markers and changes names shows nothing to know one by.
fn is_unknowable(world: &World) -> bool {
    let variant = world.remote.variant;
    variant.cap.is_some() || (variant.shouts && (variant.values != Values::Shown || !world.marking))
}

/// After a deletion nothing of ours is left, or it was named.
pub fn nothing_left(world: &World, i: usize) {
    let object = &world.objects[i];
    let variant = world.remote.variant;
    if object.spec.management == ManagementPolicy::Observe || is_unknowable(world) {
        return;
    }
    for id in made_by(world, i) {
        let named = world.objects.iter().any(|object| object.orphans.contains(&id));
        if object.spec.deletion != Some(DeletionPolicy::Orphan) {
            let hidden = variant.values != Values::Shown || !world.marking;
            assert!(hidden && named, "{id} of object {i} is left behind, named: {named}");
            continue;
        }
        assert!(named, "{id} of object {i} is orphaned in silence");
        let marked = world.remote.get(id).is_some_and(|webhook| webhook.marker().is_some());
        assert!(!marked || variant.merges || variant.values != Values::Shown, "{id} keeps the marker");
    }
}
