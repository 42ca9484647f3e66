//! What happens when: a pure function of the seed.
//!
//! Two tracks run side by side: what people declare and do at the console, and what goes wrong. The first never names an
//! object that is not there at that moment by the plan; how far the operator has come by then is chance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;

use crate::declaration::{Declaration, HeaderValue, NAMESPACES, PLACES, PROJECTS, SHARED_SECRETS, UNDELETED};
use crate::trouble::{habits, troubles};

/// An action and its moment, counted from the begin of the storm.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<A> {
    pub at: Duration,
    pub action: A,
}

/// What people do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A new ProjectWebhook; before it, if `found` is set, a webhook made at the console that it is to adopt.
    Create { declaration: Declaration, found: bool },
    /// A changed spec.
    Change { declaration: Declaration },
    /// Deleted.
    Delete { object: usize },
    /// Deleted, and declared again under the same name once it is gone.
    Replace { declaration: Declaration },
    /// Another value in a shared Secret.
    Rotate { namespace: usize, secret: usize },
    /// Something changed at the console in the object's webhook, if there is one.
    Drift { object: usize, edit: Edit },
    /// The object's webhook deleted at the console, if there is one.
    Vanish { object: usize },
}

/// An edit at the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    Name,
    Url,
    Active,
    Events,
    AddHeader,
    RemoveHeader,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Harm {
    /// SIGKILL; the next process is started after this time.
    Kill { down: Duration },
    /// SIGKILL at the moment at which the remote has got such a call; at once if none comes soon.
    Ambush { operation: &'static str, down: Duration },
    /// SIGSTOP, and SIGCONT after this time.
    Stop { time: Duration },
    /// A program of the control plane is killed and started again.
    Restart { component: &'static str },
    /// A project behaves like this from now on: an index into `trouble::habits()`.
    Behave { project: usize, habit: usize },
    /// The next calls fail: an index into `trouble::troubles()`.
    Fail { trouble: usize, methods: &'static [&'static str], skip: u64, count: u64 },
}

/// One storm.
#[derive(Clone, Debug, PartialEq)]
pub struct Storm {
    pub acts: Vec<Step<Act>>,
    pub harm: Vec<Step<Harm>>,
}

const EVENTS: [&str; 6] = [
    "deployment.build.created",
    "deployment.build.Succeeded",
    "deployment.build.failed",
    "deployment.codePush.created",
    "distribution.created",
    "distribution.Failed",
];
const HEADERS: [&str; 5] = ["X-Team", "Authorization", "x-stage", "X-Trace", "Content-Signature"];

/// What one storm holds. More than one storm goes on with the objects of the one before.
const CREATIONS: usize = 60;
const CHANGES: usize = 90;
const ROTATIONS: usize = 12;
const DELETIONS: usize = 20;
const REPLACEMENTS: usize = 10;
const DRIFTS: usize = 30;
const VANISHINGS: usize = 10;
const KILLS: usize = 6;
pub const AMBUSHES: [&str; 10] =
    ["create", "create", "create", "create", "update", "update", "update", "delete", "delete", "list"];
const STOPS: usize = 6;
const RESTARTS: [&str; 4] = ["etcd", "kube-apiserver", "etcd", "kube-apiserver"];
/// The first object of those that [`Schedule::more`] is done to; no run has so many others.
const MORE: usize = 1_000_000;
/// So many of them stay.
const ENOUGH_MORE: usize = 8;
/// So many objects are enough for a soak of any length: from there on one goes for each that comes.
const POPULATION: usize = 150;
const FAULTS_OF_EACH: usize = 3;
const HABITS_OF_EACH: usize = 2;

/// The schedule of a run. Each call of [`Schedule::storm`] draws the next storm, from the seed and its number alone:
/// whatever else is done between two storms is chance, and changes none of them.
pub struct Schedule {
    seed: u64,
    storms: u64,
    people: People,
    more: People,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        Self { seed, storms: 0, people: People::new(rng(seed, 0), 0), more: People::new(rng(seed, 0), MORE) }
    }

    /// The next storm, over this time.
    pub fn storm(&mut self, time: Duration) -> Storm {
        self.storms += 1;
        self.people.rng = rng(self.seed, self.storms);
        let harm = harm(&mut self.people.rng, time);
        Storm { acts: self.people.acts(time), harm }
    }

    /// Something more to do, for what was not met yet. It is done to objects of its own.
    pub fn more(&mut self) -> Vec<Act> {
        let mut kinds = vec![Kind::Create, Kind::Change];
        // What is deleted as soon as it is created comes to no call at all.
        if self.more.living_now() >= ENOUGH_MORE {
            kinds.push(Kind::Delete);
        }
        kinds.into_iter().filter_map(|kind| self.more.act(kind)).collect()
    }
}

/// A generator of its own for each storm.
fn rng(seed: u64, storm: u64) -> Rng {
    // The golden ratio's fraction, as in SplitMix64: no storm of one seed begins where that of a near one does.
    Rng::with_seed(seed.wrapping_add(storm.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

fn moment(rng: &mut Rng, from: Duration, to: Duration) -> Duration {
    from + (to - from).mul_f64(rng.f64())
}

/// Who declares objects, and which there are by the plan.
struct People {
    rng: Rng,
    /// By object, what is declared last and whether it is there.
    objects: BTreeMap<usize, (Declaration, bool)>,
    /// The next object.
    next: usize,
    revision: u32,
}

impl People {
    fn new(rng: Rng, first: usize) -> Self {
        Self { rng, objects: BTreeMap::new(), next: first, revision: 0 }
    }

    fn acts(&mut self, time: Duration) -> Vec<Step<Act>> {
        // The first third creates without a break, so that the rest has something to work on.
        let early = CREATIONS / 3;
        let mut kinds = vec![Kind::Create; CREATIONS - early];
        for (kind, count) in [
            (Kind::Change, CHANGES),
            (Kind::Rotate, ROTATIONS),
            (Kind::Delete, DELETIONS),
            (Kind::Replace, REPLACEMENTS),
            (Kind::Drift, DRIFTS),
            (Kind::Vanish, VANISHINGS),
        ] {
            kinds.extend(vec![kind; count]);
        }
        self.rng.shuffle(&mut kinds);
        let begin = time / 10;
        let mut times: Vec<_> = (0..early).map(|_| moment(&mut self.rng, Duration::ZERO, begin)).collect();
        times.extend((0..kinds.len()).map(|_| moment(&mut self.rng, begin, time)));
        times.sort();
        let kinds = std::iter::repeat_n(Kind::Create, early).chain(kinds);
        times.into_iter().zip(kinds).filter_map(|(at, kind)| Some(Step { at, action: self.act(kind)? })).collect()
    }

    fn act(&mut self, kind: Kind) -> Option<Act> {
        let crowded = self.living_now() >= POPULATION;
        Some(match kind {
            Kind::Create if crowded => return self.act(Kind::Delete),
            Kind::Create => {
                let declaration = self.new_declaration(self.next, 1);
                self.objects.insert(self.next, (declaration.clone(), true));
                self.next += 1;
                let found = declaration.adoption == "Adopt";
                Act::Create { declaration, found }
            }
            Kind::Change => {
                let before = self.living(|_| true)?;
                let declaration = self.changed(&before);
                self.declare(&declaration);
                Act::Change { declaration }
            }
            Kind::Rotate => {
                Act::Rotate { namespace: self.rng.usize(..NAMESPACES.len()), secret: self.rng.usize(..SHARED_SECRETS) }
            }
            Kind::Delete => {
                let before = self.living(|declaration| declaration.place().project != UNDELETED)?;
                let object = before.object;
                self.objects.insert(object, (before, false));
                Act::Delete { object }
            }
            Kind::Replace => {
                let before = self.living(|declaration| declaration.place().project != UNDELETED)?;
                // Under the same name, so in the same namespace.
                let after = self.new_declaration(before.object, before.life + 1);
                let declaration = Declaration { place: before.place, ..after };
                self.declare(&declaration);
                Act::Replace { declaration }
            }
            Kind::Drift => {
                use Edit::{Active, AddHeader, Events, Name, RemoveHeader, Url};
                let edits = [Name, Url, Active, Events, AddHeader, RemoveHeader];
                let object = self.living(|_| true)?.object;
                Act::Drift { object, edit: edits[self.rng.usize(..edits.len())] }
            }
            Kind::Vanish => Act::Vanish { object: self.living(|_| true)?.object },
        })
    }

    fn declare(&mut self, declaration: &Declaration) {
        self.objects.insert(declaration.object, (declaration.clone(), true));
    }

    fn living_now(&self) -> usize {
        self.objects.values().filter(|(_, there)| *there).count()
    }

    /// One of the objects that are there.
    fn living(&mut self, suits: impl Fn(&Declaration) -> bool) -> Option<Declaration> {
        let living = self.objects.values().filter(|(declaration, there)| *there && suits(declaration));
        let living: Vec<_> = living.map(|(declaration, _)| declaration).collect();
        self.rng.choice(living).cloned()
    }

    fn new_declaration(&mut self, object: usize, life: u32) -> Declaration {
        let rng = &mut self.rng;
        let place = rng.usize(..PLACES.len());
        let deletion = [None, None, Some("Delete"), Some("Orphan")][rng.usize(..4)];
        Declaration {
            object,
            life,
            place,
            name: rng.bool().then_some(0),
            url: 0,
            secret_url: rng.u8(..3) == 0,
            headers: headers(rng),
            active: rng.u8(..4) > 0,
            events: events(rng),
            adoption: ["Refuse", "Refuse", "CreateAnother", "Adopt"][rng.usize(..4)],
            deletion,
        }
    }

    /// The declaration with one or two fields changed.
    fn changed(&mut self, before: &Declaration) -> Declaration {
        self.revision += 1;
        let mut after = before.clone();
        for _ in 0..self.rng.u8(1..=2) {
            match self.rng.u8(..8) {
                0 => after.name = Some(self.revision),
                1 => after.url = self.revision,
                2 => after.active = !after.active,
                3 => after.events = events(&mut self.rng),
                4 | 5 => after.headers = headers(&mut self.rng),
                6 => after.secret_url = !after.secret_url,
                // Between the two connections to the same project.
                _ => after.place = [1, 0].get(after.place).copied().unwrap_or(after.place),
            }
        }
        after
    }
}

fn harm(rng: &mut Rng, time: Duration) -> Vec<Step<Harm>> {
    let millis = |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from..to));
    let mut harm = vec![];
    for _ in 0..KILLS {
        harm.push(Harm::Kill { down: millis(rng, 0, 1500) });
    }
    for operation in AMBUSHES {
        harm.push(Harm::Ambush { operation, down: millis(rng, 0, 1500) });
    }
    for _ in 0..STOPS {
        harm.push(Harm::Stop { time: millis(rng, 100, 3500) });
    }
    let troubles = troubles();
    for (trouble, nth) in (0..troubles.len()).flat_map(|trouble| (0..FAULTS_OF_EACH).map(move |nth| (trouble, nth))) {
        let narrowed: [&[&str]; 5] = [&[], &[], &["POST"], &["PATCH"], &["DELETE"]];
        let methods = match nth {
            // At what it is about.
            0 => troubles[trouble].needed(),
            _ if troubles[trouble].methods.len() == 1 => &[],
            _ => narrowed[rng.usize(..5)],
        };
        harm.push(Harm::Fail { trouble, methods, skip: rng.u64(..4), count: rng.u64(1..=2) });
    }
    for habit in (0..habits().len()).flat_map(|habit| std::iter::repeat_n(habit, HABITS_OF_EACH)) {
        let project = if habits()[habit].hides_webhooks() { UNDELETED } else { rng.usize(..PROJECTS) };
        harm.push(Harm::Behave { project, habit });
    }
    let mut steps = vec![];
    for action in harm {
        // While many are created, or an ambush would rarely meet one.
        let soon = matches!(action, Harm::Ambush { operation: "create", .. });
        let at = moment(rng, Duration::ZERO, if soon { time / 5 } else { time });
        steps.push(Step { at, action });
    }
    // One after the other with time to recover, or the storm would be one long outage of Kubernetes.
    for (n, component) in RESTARTS.into_iter().enumerate() {
        let part = time / u32::try_from(RESTARTS.len()).unwrap_or(1);
        let at = part * u32::try_from(n).unwrap_or_default() + moment(rng, part / 4, part);
        steps.push(Step { at, action: Harm::Restart { component } });
    }
    steps.sort_by_key(|step| step.at);
    steps
}

#[derive(Clone, Copy)]
enum Kind {
    Create,
    Change,
    Rotate,
    Delete,
    Replace,
    Drift,
    Vanish,
}

fn events(rng: &mut Rng) -> BTreeSet<&'static str> {
    let count = rng.usize(1..=4);
    rng.choose_multiple(EVENTS, count).into_iter().collect()
}

fn headers(rng: &mut Rng) -> BTreeMap<&'static str, HeaderValue> {
    let count = rng.usize(..4);
    let names = rng.choose_multiple(HEADERS, count);
    let mut value = || match rng.bool() {
        true => HeaderValue::Secret(rng.usize(..SHARED_SECRETS)),
        false => HeaderValue::Literal(rng.u32(..3)),
    };
    names.into_iter().map(|name| (name, value())).collect()
}

#[test]
fn the_same_seed_gives_the_same_storms_and_another_seed_others() {
    // What is done between two storms differs from run to run.
    let two = |seed, between| {
        let mut schedule = Schedule::new(seed);
        let time = Duration::from_secs(60);
        let first = schedule.storm(time);
        let more: Vec<_> = (0..between).flat_map(|_| schedule.more()).collect();
        (first, more, schedule.storm(time))
    };
    let (first, none, second) = two(7, 0);
    let (same_first, more, same_second) = two(7, 40);
    assert!(none.is_empty() && more.len() >= 80, "{} more", more.len());
    assert_eq!((&first, &second), (&same_first, &same_second));
    assert_ne!(first, second);
    let (other_first, _, other_second) = two(8, 0);
    assert_ne!(first, other_first);
    assert_ne!(second, other_second);
}

#[test]
fn what_is_done_beside_the_storms_is_done_to_objects_of_its_own() {
    let mut schedule = Schedule::new(7);
    let storm = schedule.storm(Duration::from_secs(60));
    let object = |act: &Act| match act {
        Act::Create { declaration, .. } | Act::Change { declaration } | Act::Replace { declaration } => {
            Some(declaration.object)
        }
        Act::Delete { object } | Act::Drift { object, .. } | Act::Vanish { object } => Some(*object),
        Act::Rotate { .. } => None,
    };
    assert!(storm.acts.iter().filter_map(|step| object(&step.action)).all(|object| object < MORE));
    let more: Vec<_> = (0..20).flat_map(|_| schedule.more()).collect();
    assert!(more.iter().filter_map(object).all(|object| object >= MORE));
    assert!(more.iter().any(|act| matches!(act, Act::Create { .. })));
    assert!(more.iter().any(|act| matches!(act, Act::Delete { .. })));
}

#[test]
fn a_storm_has_every_kind_of_harm_and_its_times_rise_within_it() {
    let time = Duration::from_secs(60);
    let storm = Schedule::new(1).storm(time);
    let rises = |times: Vec<Duration>| times.is_sorted() && times.iter().all(|at| *at <= time);
    assert!(rises(storm.acts.iter().map(|step| step.at).collect()));
    assert!(rises(storm.harm.iter().map(|step| step.at).collect()));
    let has = |wanted: fn(&Harm) -> Option<usize>| {
        storm.harm.iter().filter_map(|step| wanted(&step.action)).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(has(|harm| if let Harm::Fail { trouble, .. } = harm { Some(*trouble) } else { None }), troubles().len());
    assert_eq!(has(|harm| if let Harm::Behave { habit, .. } = harm { Some(*habit) } else { None }), habits().len());
}
