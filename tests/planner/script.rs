//! What happens before the test looks: passes, crashes, faults, a person at the console and changes of the spec.

use std::fmt;
use std::time::Duration;

use hookwright::api::project_webhook::{AdoptionPolicy, DeletionPolicy, ManagementPolicy};
use hookwright::domain::marker::{MARKER_HEADER, Marker};
use hookwright::domain::observed::HeaderName;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::cluster::{TIMING, World};
use super::objects::Spec;
use super::remote::{By, Events, Fault, Stored, Unshown, Values, Variant};

#[derive(Clone)]
pub struct Scenario {
    pub variant: Variant,
    pub marking: bool,
    pub specs: Vec<Spec>,
    pub actions: Vec<Action>,
}

/// One line a thing: a failure has to be read.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} marking: {}", self.variant, self.marking)?;
        self.specs.iter().try_for_each(|spec| writeln!(f, "{spec:?}"))?;
        self.actions.iter().try_for_each(|action| writeln!(f, "  {action:?}"))
    }
}

#[derive(Clone, Debug)]
pub enum Action {
    Pass(Index),
    /// A pass that ends with the process, before its nth write.
    Crash(Index, usize),
    Restart,
    Wait(Duration),
    Fault(Fault),
    /// What a person does at the console.
    Console(Console, Index),
    /// What a person does to an object.
    Edit(Edit, Index, Index),
}

#[derive(Clone, Copy, Debug)]
pub enum Console {
    Rename,
    ChangeUrl,
    Switch,
    ChangeEvents,
    ChangeHeader,
    AddHeader,
    Delete,
    /// With our marker, if it has it.
    Duplicate,
    CreateLookalike,
    /// A look-alike with the marker of another cluster.
    OtherCluster,
}

#[derive(Clone, Copy, Debug)]
pub enum Edit {
    Name(&'static str),
    Url(&'static str),
    Active(bool),
    Events(&'static str),
    /// Removes all headers, or puts one.
    Headers(Option<&'static str>),
    Management(ManagementPolicy),
    Adoption(AdoptionPolicy),
    Deletion(Option<DeletionPolicy>),
    Pin,
    Unpin,
    RequestCorrection,
}

const MANAGEMENT: [ManagementPolicy; 4] =
    [ManagementPolicy::Enforce, ManagementPolicy::Enforce, ManagementPolicy::ReportDrift, ManagementPolicy::Observe];
const ADOPTION: [AdoptionPolicy; 3] = [AdoptionPolicy::Refuse, AdoptionPolicy::Adopt, AdoptionPolicy::CreateAnother];
const DELETION: [Option<DeletionPolicy>; 3] = [None, Some(DeletionPolicy::Delete), Some(DeletionPolicy::Orphan)];

/// The first two are the same place.
const URLS: [&str; 3] =
    ["https://hooks.example.com/a", "https://HOOKS.example.com:443/a", "https://hooks.example.com/b"];

fn seconds(seconds: &'static [u64]) -> impl Strategy<Value = Duration> {
    select(seconds).prop_map(Duration::from_secs)
}

fn variant() -> impl Strategy<Value = (Variant, bool)> {
    let values = prop_oneof![4 => Just(Values::Shown), 2 => Just(Values::Masked), 1 => Just(Values::Dropped)];
    let events = prop_oneof![Just(Events::Kept), Just(Events::Lowered), Just(Events::Reversed)];
    let cap = prop_oneof![6 => Just(None), 1 => (0_usize..3).prop_map(Some)];
    let rarely = || prop::bool::weighted(0.15);
    let unshown = select(&[Unshown::Name, Unshown::Url, Unshown::Active, Unshown::Active, Unshown::Events][..]);
    let unshown = prop_oneof![4 => Just(None), 1 => unshown.prop_map(Some)];
    let shown = (any::<bool>(), values, events, seconds(&[0, 0, 0, 10, 45]), cap, unshown);
    let habits = (rarely(), rarely(), rarely(), any::<bool>(), any::<bool>());
    (shown, habits, prop::bool::weighted(0.8)).prop_map(
        |(
            (merges, values, events, lag, cap, unshown),
            (shouts, timeless, drops_marker, lowers_names, normalises),
            marking,
        )| {
            let variant = Variant {
                merges,
                values,
                events,
                lag,
                cap,
                shouts,
                timeless,
                unshown,
                drops_marker,
                lowers_names,
                normalises,
            };
            (possible(variant, marking), marking)
        },
    )
}

/// What nobody could be right about, made less. Where markers can't be seen, a webhook is known by having come after the
/// POST, so
/// - what a LIST shows later than the settle time is not told apart from what a person makes then;
/// - a LIST that is cut off shows, once an older webhook is deleted, a person's that was there before the POST as if it had
///   come after it, and neither times (nobody knows the remote's clock) nor GET (nobody knows its id) say otherwise.
fn possible(variant: Variant, marking: bool) -> Variant {
    if !variant.hides_markers(marking) {
        return variant;
    }
    Variant { cap: None, lag: variant.lag.min(Duration::from_secs(10)), ..variant }
}

fn spec() -> impl Strategy<Value = Spec> {
    let headers = prop_oneof![
        Just(vec![]),
        Just(vec![("X-Team", "shop")]),
        Just(vec![("X-Team", "shop"), ("Authorization", "t")])
    ];
    (headers, select(&URLS[..2]), select(&MANAGEMENT[..]), select(&ADOPTION[..]), select(&DELETION[..])).prop_map(
        |(headers, url, management, adoption, deletion)| Spec {
            name: "Builds",
            url,
            headers,
            active: true,
            events: vec!["Build.Created", "build.failed"],
            management,
            adoption,
            deletion,
            pinned: None,
        },
    )
}

fn action(hidden: bool) -> impl Strategy<Value = Action> {
    let late = if hidden { seconds(&[5, 20]).boxed() } else { seconds(&[5, 20, 50, 100]).boxed() };
    let fault = prop_oneof![Just(Fault::Lost), Just(Fault::Unclear), late.prop_map(Fault::Late), Just(Fault::Refused)];
    let console = select(
        &[
            Console::Rename,
            Console::ChangeUrl,
            Console::Switch,
            Console::ChangeEvents,
            Console::ChangeHeader,
            Console::AddHeader,
            Console::Delete,
            Console::Duplicate,
            Console::CreateLookalike,
            Console::OtherCluster,
        ][..],
    );
    let edit = prop_oneof![
        select(&["Builds", "Other", "BUILDS"][..]).prop_map(Edit::Name),
        select(&URLS[..]).prop_map(Edit::Url),
        any::<bool>().prop_map(Edit::Active),
        select(&["x.y", "build.created"][..]).prop_map(Edit::Events),
        select(&[None, Some("1"), Some("2")][..]).prop_map(Edit::Headers),
        select(&MANAGEMENT[..]).prop_map(Edit::Management),
        select(&ADOPTION[..]).prop_map(Edit::Adoption),
        select(&DELETION[..]).prop_map(Edit::Deletion),
        Just(Edit::Pin),
        Just(Edit::Unpin),
        Just(Edit::RequestCorrection),
    ];
    prop_oneof![
        8 => any::<Index>().prop_map(Action::Pass),
        4 => (any::<Index>(), 0_usize..8).prop_map(|(i, n)| Action::Crash(i, n)),
        1 => Just(Action::Restart),
        3 => seconds(&[1, 15, 31, 100, 700]).prop_map(Action::Wait),
        4 => fault.prop_map(Action::Fault),
        4 => (console, any::<Index>()).prop_map(|(console, at)| Action::Console(console, at)),
        4 => (edit, any::<Index>(), any::<Index>()).prop_map(|(edit, i, at)| Action::Edit(edit, i, at)),
    ]
}

pub fn scenario() -> impl Strategy<Value = Scenario> {
    variant().prop_flat_map(|(variant, marking)| {
        let hidden = variant.hides_markers(marking);
        // A remote that hides markers and changes names shows nothing by which to tell two objects' webhooks apart.
        let two = if hidden && variant.shouts { 1 } else { 2 };
        let specs = prop_oneof![3 => prop::collection::vec(spec(), 1), 1 => prop::collection::vec(spec(), two)];
        (specs, prop::collection::vec(action(hidden), 0..14)).prop_map(move |(specs, actions)| Scenario {
            variant,
            marking,
            specs,
            actions,
        })
    })
}

pub fn play(world: &mut World, actions: &[Action]) {
    for action in actions {
        world.remote.advance(Duration::from_millis(100));
        match action {
            Action::Pass(at) => drop(world.pass(at.index(world.objects.len()))),
            Action::Crash(at, writes) => {
                world.fuse = Some(*writes);
                drop(world.pass(at.index(world.objects.len())));
                world.fuse = None;
            }
            Action::Restart => world.forget(),
            Action::Wait(time) => {
                world.remote.advance(*time);
                // Corrections may be forgotten after so long.
                if *time >= TIMING.interval {
                    world.remote.meddled = world.remote.now;
                }
            }
            Action::Fault(fault) => world.remote.faults.push(*fault),
            Action::Console(console, at) => at_the_console(world, *console, at),
            Action::Edit(edit, i, at) => edit_spec(world, *edit, i.index(world.objects.len()), at),
        }
    }
}

/// Where markers can't be seen, a creation that is not known to have ended can't be told from what a person makes that
/// looks just the same at that moment; nor can it be found under a name that the spec no longer has.
fn is_blind(world: &World) -> bool {
    world.remote.variant.hides_markers(world.marking)
        && world.objects.iter().any(|object| object.intent().is_open(object.owned().map(|(id, _)| id)))
}

fn at_the_console(world: &mut World, console: Console, at: &Index) {
    let (blind, marking) = (is_blind(world), world.marking);
    let remote = &mut world.remote;
    match console {
        Console::CreateLookalike | Console::OtherCluster => {
            if blind {
                return;
            }
            let desired = world.objects[at.index(world.objects.len())].spec.desired();
            let marker = Marker::shown("another-cluster");
            let marker = matches!(console, Console::OtherCluster).then_some(&marker);
            let mut webhook = remote.make(By::Person, &desired, marker);
            webhook.headers.insert(HeaderName::new("X-Person"), "p".into());
            remote.webhooks.push(webhook);
        }
        _ if remote.webhooks.is_empty() => return,
        Console::Duplicate | Console::Rename | Console::ChangeUrl | Console::ChangeEvents if blind => return,
        // What a person changed is not just what was posted any more.
        Console::Switch | Console::ChangeHeader | Console::AddHeader if blind && remote.variant.drops_marker => return,
        Console::Duplicate => {
            let desired = world.objects[0].spec.desired();
            let copied = remote.webhooks[at.index(remote.webhooks.len())].clone();
            let Stored { id, .. } = remote.make(By::Person, &desired, None);
            let mut copy = Stored { id, by: By::Person, ..copied };
            if !copy.headers.contains_key(&HeaderName::new(MARKER_HEADER)) {
                copy.headers.insert(HeaderName::new("X-Person"), "p".into());
            }
            remote.webhooks.push(copy);
        }
        Console::Delete => drop(remote.webhooks.remove(at.index(remote.webhooks.len()))),
        _ => {
            let k = at.index(remote.webhooks.len());
            let unshown = matches!(
                (console, remote.variant.unshown),
                (Console::Rename, Some(Unshown::Name))
                    | (Console::ChangeUrl, Some(Unshown::Url))
                    | (Console::Switch, Some(Unshown::Active))
                    | (Console::ChangeEvents, Some(Unshown::Events))
            );
            let touched = remote.make(By::Person, &world.objects[0].spec.desired(), None).updated;
            let webhook = &mut remote.webhooks[k];
            webhook.updated = touched;
            webhook.tampered_unshown |= unshown;
            match console {
                Console::Rename => webhook.name = "Edited".into(),
                Console::ChangeUrl => webhook.url = "https://edited.example.com/".into(),
                Console::Switch => webhook.active = !webhook.active,
                Console::ChangeEvents => webhook.events = vec!["edited".into()],
                Console::AddHeader => drop(webhook.headers.insert(HeaderName::new("X-Person"), "p".into())),
                _ => {
                    let team = webhook.headers.get_mut(&HeaderName::new("X-Team"));
                    team.into_iter().for_each(|value| *value = "edited".into());
                    webhook.tampered = true;
                }
            }
        }
    }
    remote.changed();
    remote.meddled = remote.now;
    if remote.variant.hides_markers(marking) {
        // For the same reason: the LIST before a POST has to show what was there before.
        remote.advance(remote.variant.lag);
    }
}

fn edit_spec(world: &mut World, edit: Edit, i: usize, at: &Index) {
    let blind = is_blind(world);
    let ids: Vec<_> = world.remote.webhooks.iter().map(|webhook| webhook.id).collect();
    let object = &mut world.objects[i];
    let spec = &mut object.spec;
    match edit {
        Edit::Name(_) | Edit::Url(_) | Edit::Pin if blind => return,
        Edit::Name(name) => spec.name = name,
        Edit::Url(url) => spec.url = url,
        Edit::Active(active) => spec.active = active,
        Edit::Events(event) => spec.events = vec![event],
        Edit::Headers(value) => spec.headers = value.map(|value| ("X-Team", value)).into_iter().collect(),
        Edit::Management(policy) => spec.management = policy,
        Edit::Adoption(policy) => spec.adoption = policy,
        Edit::Deletion(policy) => spec.deletion = policy,
        Edit::Pin if ids.is_empty() => return,
        Edit::Pin => spec.pinned = Some(*at.get(&ids)),
        Edit::Unpin => spec.pinned = None,
        Edit::RequestCorrection => {
            object.correct = Some(format!("{:?}", world.remote.now));
            return;
        }
    }
    object.generation += 1;
}
