//! What must hold, whatever happens: judged by what the remote really holds, which the plan can't see.

use std::collections::{BTreeMap, BTreeSet};

use hookwright::api::project_webhook::{AdoptionPolicy, Correction, DeletionPolicy, ManagementPolicy, Ownership};
use hookwright::domain::claim::Rivals;
use hookwright::domain::compare::{Field, Masked, differences};
use hookwright::domain::ids::WebhookId;
use hookwright::domain::marker::MARKER_HEADER;
use hookwright::domain::observed::HeaderName;
use hookwright::domain::secret::ReceiverUrl;
use hookwright::domain::write::Write;

use super::cluster::{TIMING, World};
use super::objects::{Object, Others, marker};
use super::remote::{By, Stored, Told, Unshown, Values, Variant};

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
    let touched = match write {
        Write::Create { replaces, .. } => return may_create(world, i, replaces.is_some()),
        Write::Update { id, .. }
        | Write::Delete { id }
        | Write::Unmark { id, .. }
        | Write::RemoveDuplicate { id, .. } => *id,
    };
    let Some(webhook) = world.remote.get(touched) else { return };
    // Where markers can't be seen, what an object left that is gone looks just like what our own lost POST would have
    // made; its Warning has named it.
    let hidden = world.remote.variant.hides_markers(world.marking);
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

/// Nothing is created for who points to a webhook, beside one of his own, beside one that he would have to be asked about,
/// or before it is known what became of the last one.
fn may_create(world: &World, i: usize, replaces: bool) {
    let object = &world.objects[i];
    assert_eq!(object.spec.pinned, None, "object {i} creates although it points to a webhook");
    not_too_soon(world, i);
    let made = |id: &WebhookId| world.posts.iter().any(|post| post.by == i && post.made == Some(*id));
    let seen = world.remote.listed_at.iter().filter(|(id, _)| made(id)).map(|(_, at)| *at).max();
    let unseen = world.posts.iter().filter(|post| {
        let same_basis = post.by == i && post.life == world.life && post.generation == object.generation;
        let same_basis = same_basis && seen.is_none_or(|seen| post.at > seen);
        same_basis && post.told == Told::Done && post.made.is_some_and(|id| !world.remote.listed_at.contains_key(&id))
    });
    assert!(unseen.count() < 2, "object {i} creates, and two accepted ones were never seen");
    if replaces {
        return;
    }
    if let Some((owned, _)) = object.owned() {
        assert!(world.remote.get(owned).is_none(), "object {i} creates although its webhook {owned} is there");
    }
    let seen = world.remote.listed().iter().filter(|webhook| !object.memory.done.deleted.contains(&webhook.id));
    if !world.remote.variant.hides_markers(world.marking) {
        let own = seen.clone().find(|webhook| webhook.marker() == Some(marker(i)));
        assert!(own.is_none(), "object {i} creates beside its own: {own:?}");
    }
    if object.spec.adoption != AdoptionPolicy::CreateAnother {
        let mut others = seen.filter(|webhook| is_look_alike(world, i, webhook));
        let one = others.find(|webhook| is_unclaimed(world, i, webhook) || is_of_another_cluster(world, webhook));
        assert!(one.is_none(), "object {i} creates beside a look-alike: {one:?}");
    }
}

/// After a POST that may have made a webhook, nothing is posted until LISTs over the settle time show none.
fn not_too_soon(world: &World, i: usize) {
    let last = world.posts.iter().rev().find(|post| post.by == i && post.told != Told::Refused);
    let Some(post) = last.filter(|post| world.remote.now - post.at < TIMING.settle) else { return };
    let made = |id: &WebhookId| world.posts.iter().any(|post| post.by == i && post.made == Some(*id));
    let seen_since = world.remote.listed_at.iter().any(|(id, at)| *at >= post.at && made(id));
    assert!(seen_since, "object {i} creates again, {:?} after a creation of unknown end", world.remote.now - post.at);
}

/// To a person it is the same webhook: as far as the remote shows names, and also where it does not.
fn is_look_alike(world: &World, i: usize, webhook: &Stored) -> bool {
    let spec = &world.objects[i].spec;
    let name = match world.remote.variant.unshown {
        Some(Unshown::Name) => webhook.name.clone(),
        _ => world.remote.name(&webhook.name),
    };
    name == spec.name && ReceiverUrl::new(webhook.url.clone()) == spec.desired().url
}

/// Nobody else of this cluster has to do with it, as far as can be seen.
fn is_unclaimed(world: &World, i: usize, webhook: &Stored) -> bool {
    let claimed = Others { objects: &world.objects, me: i }.claimants(webhook.id).is_empty();
    claimed && !is_anothers(world, webhook)
}

fn is_of_another_cluster(world: &World, webhook: &Stored) -> bool {
    let live = |j: usize| !world.objects[j].gone && webhook.marker() == Some(marker(j));
    is_anothers(world, webhook) && !(0..world.objects.len()).any(live)
}

/// Two corrections of a field, for the same spec, by the same process, with nobody meddling: then it stops.
pub fn corrects_no_more_than_twice(world: &mut World, i: usize, fields: &[Field]) {
    // A LIST that lags shows it that much later, and what was sent until then later still.
    let shown = world.remote.meddled + 2 * world.remote.variant.lag;
    if shown > world.corrected.0 {
        world.corrected = (shown, BTreeMap::new());
    }
    if world.remote.now <= shown {
        return;
    }
    let generation = world.objects[i].generation;
    for field in fields {
        let count = world.corrected.1.entry((i, generation, field.clone())).or_insert(0);
        *count += 1;
        assert!(*count <= 2, "object {i} corrects {field} again and again");
    }
}

fn is_ours(webhook: &Stored, i: usize) -> bool {
    webhook.by == By::Object(i) || webhook.marker() == Some(marker(i))
}

/// Somebody else's marker, where the remote shows it.
fn is_anothers(world: &World, webhook: &Stored) -> bool {
    let Variant { values, drops_marker, .. } = world.remote.variant;
    values == Values::Shown && !drops_marker && webhook.marker().is_some()
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
    // Half of what makes one alike is too little to take it.
    let half_shown = matches!(world.remote.variant.unshown, Some(Unshown::Name | Unshown::Url));
    let alike = !half_shown && listed.any(|webhook| is_look_alike(world, i, webhook));
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
    // What is not shown counts as it was last written, whatever somebody made of it since.
    let unshown = world.remote.variant.unshown;
    let written = |field| unshown != Some(field) || !webhook.tampered_unshown;
    let name = if unshown == Some(Unshown::Name) { webhook.name.clone() } else { world.remote.name(&webhook.name) };
    assert!(name == desired.name || !written(Unshown::Name), "name {name:?}, not {:?}", desired.name);
    assert!(ReceiverUrl::new(webhook.url.clone()) == desired.url || !written(Unshown::Url), "url {}", webhook.url);
    assert!(webhook.active == desired.active || !written(Unshown::Active), "active {}", webhook.active);
    let same_events = lower(&webhook.events) == lower(&desired.events);
    assert!(same_events || !written(Unshown::Events), "events {:?}, not {:?}", webhook.events, desired.events);
    let users: BTreeMap<_, _> =
        webhook.headers.iter().filter(|(name, _)| **name != HeaderName::new(MARKER_HEADER)).collect();
    if world.remote.variant.values == Values::Dropped {
        assert!(desired.headers.is_empty(), "the remote drops {:?}", desired.headers.keys());
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
    let seen = !variant.hides_markers(world.marking) && variant.cap.is_none();
    // What no LIST shows can't be counted by anybody: two accepted POSTs, and the condition says so.
    let says = matches!(object.reason(), "AdoptionRequired" | "Conflict" | "WebhookNotFound") || is_unknowable(world);
    // Who is pinned to what is not his stops before he writes, also before he removes a second one.
    let stopped = object.spec.pinned.is_some() && object.reason() == "Conflict";
    assert!(made.len() <= 1 || stopped || (!seen && says), "{made:?}: {} {}", object.reason(), object.message());
    let nothing_forbids = object.spec.adoption == AdoptionPolicy::CreateAnother && object.spec.pinned.is_none();
    let stopped = is_in_doubt(world, i) || keeps_being_deleted(object);
    if object.spec.management == ManagementPolicy::Enforce && nothing_forbids && seen && !stopped {
        let converges = !variant.shouts || variant.unshown == Some(Unshown::Name) || is_loud(object.spec.name);
        let expected: &[_] = match (converges, variant.merges) {
            (true, false) => &["Synced"],
            // What is replaced once for a header that stays is not replaced again for what somebody adds later.
            (true, true) => &["Synced", "NotConverging"],
            (false, _) => &["NotConverging"],
        };
        assert!(expected.contains(&object.reason()), "{}: {}", object.reason(), object.message());
    }
}

/// Somebody keeps deleting it at the console: then nobody fights him.
fn keeps_being_deleted(object: &Object) -> bool {
    let twice = |c: &Correction| c.field == "webhook" && c.count >= 2;
    object.reason() == "NotConverging" && object.status.corrections.iter().any(twice)
}

/// A name that a remote leaves as it is although it shouts.
fn is_loud(name: &str) -> bool {
    name.to_uppercase() == name
}

/// A creation of which no end is known, and no marker anywhere that would show that this remote keeps them.
fn is_in_doubt(world: &World, i: usize) -> bool {
    let object = &world.objects[i];
    let open = object.intent().is_open(object.owned().map(|(id, _)| id));
    open && object.reason() == "AdoptionRequired" && !world.remote.listed().iter().any(|w| w.marker().is_some())
}

/// At rest, where it has to stop it has stopped, and for the reason that it says.
pub fn stops_where_it_must(world: &World, i: usize) {
    let object = &world.objects[i];
    if object.gone {
        return;
    }
    let there = |id| world.remote.get(id).is_some();
    if let Some(id) = object.spec.pinned.filter(|id| !there(*id)) {
        assert_eq!(object.reason(), "WebhookNotFound", "pinned to {id}: {}", object.message());
        return;
    }
    if object.spec.management == ManagementPolicy::Observe {
        return;
    }
    if object.spec.pinned.is_none() && object.spec.adoption == AdoptionPolicy::Refuse {
        refuses_look_alikes(world, i);
    }
    let owned = object.owned().map(|(id, _)| id).filter(|id| there(*id));
    let variant = world.remote.variant;
    let shouted = variant.shouts && variant.unshown != Some(Unshown::Name) && !is_loud(object.spec.name);
    let enforced =
        object.spec.management == ManagementPolicy::Enforce && object.spec.pinned.is_none_or(|id| Some(id) == owned);
    if shouted && enforced && owned.is_some() && !matches!(object.reason(), "Conflict" | "AdoptionRequired") {
        assert_eq!(object.reason(), "NotConverging", "{}", object.message());
    }
    if object.reason() == "NotConverging" {
        gave_up_for_a_reason(world, i, owned);
    }
}

/// Beside a look-alike that nobody claims, who has none and refuses asks a person.
fn refuses_look_alikes(world: &World, i: usize) {
    let object = &world.objects[i];
    let owned = object.owned().is_some_and(|(id, _)| world.remote.get(id).is_some());
    let hidden = world.remote.variant.hides_markers(world.marking);
    let mut listed = world.remote.listed().iter();
    if owned || (!hidden && listed.clone().any(|webhook| webhook.marker() == Some(marker(i)))) {
        return;
    }
    if listed.any(|webhook| is_look_alike(world, i, webhook) && is_unclaimed(world, i, webhook)) {
        let asks = ["AdoptionRequired", "Conflict"].contains(&object.reason());
        assert!(asks, "{} beside a look-alike: {}", object.reason(), object.message());
    }
}

/// `NotConverging` is no way to be done with something: the remote differs, or never showed what it accepted.
fn gave_up_for_a_reason(world: &World, i: usize, owned: Option<WebhookId>) {
    let object = &world.objects[i];
    match owned.and_then(|id| world.remote.shown(id)) {
        Some(webhook) => {
            let differing = differences(&object.spec.desired(), &webhook, Masked::Accepted);
            assert!(!differing.is_empty(), "object {i} gave up on what is as it should be");
        }
        None if keeps_being_deleted(object) => {}
        None => assert!(is_unknowable(world), "object {i} gave up: {}", object.message()),
    }
}

/// A LIST that is cut off hides webhooks; a remote that hides markers and changes names shows nothing to know one by.
fn is_unknowable(world: &World) -> bool {
    let variant = world.remote.variant;
    variant.cap.is_some() || (variant.shouts && variant.hides_markers(world.marking))
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
            let hidden = variant.hides_markers(world.marking);
            assert!(hidden && named, "{id} of object {i} is left behind, named: {named}");
            continue;
        }
        assert!(named, "{id} of object {i} is orphaned in silence");
        let marked = world.remote.get(id).is_some_and(|webhook| webhook.marker().is_some());
        let hidden = variant.hides_markers(world.marking);
        assert!(!marked || variant.merges || hidden, "{id} keeps the marker");
    }
}
