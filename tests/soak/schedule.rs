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
const AMBUSHES: [&str; 10] =
    ["create", "create", "create", "create", "update", "update", "update", "delete", "delete", "list"];
const STOPS: usize = 6;
const RESTARTS: [&str; 4] = ["etcd", "kube-apiserver", "etcd", "kube-apiserver"];
/// So many objects are enough for a soak of any length: from there on one goes for each that comes.
const POPULATION: usize = 150;
const FAULTS_OF_EACH: usize = 3;
const HABITS_OF_EACH: usize = 2;

/// The schedule of a run. Each call of [`Schedule::storm`] draws the next storm.
pub struct Schedule {
    rng: Rng,
    /// By object, what is declared last and whether it is there.
    objects: Vec<(Declaration, bool)>,
    revision: u32,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), objects: vec![], revision: 0 }
    }

    /// The next storm, over this time.
    pub fn storm(&mut self, time: Duration) -> Storm {
        let harm = self.harm(time);
        Storm { acts: self.acts(time), harm }
    }

    /// Something more to do, for faults that had nothing to strike yet.
    pub fn more(&mut self) -> Option<Act> {
        let kind = if self.rng.bool() { Kind::Create } else { Kind::Change };
        self.act(kind)
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
        let mut times: Vec<_> = (0..early).map(|_| self.moment(Duration::ZERO, begin)).collect();
        times.extend((0..kinds.len()).map(|_| self.moment(begin, time)));
        times.sort();
        let kinds = std::iter::repeat_n(Kind::Create, early).chain(kinds);
        times.into_iter().zip(kinds).filter_map(|(at, kind)| Some(Step { at, action: self.act(kind)? })).collect()
    }

    fn moment(&mut self, from: Duration, to: Duration) -> Duration {
        from + (to - from).mul_f64(self.rng.f64())
    }

    fn act(&mut self, kind: Kind) -> Option<Act> {
        let crowded = self.objects.iter().filter(|(_, there)| *there).count() >= POPULATION;
        Some(match kind {
            Kind::Create if crowded => return self.act(Kind::Delete),
            Kind::Create => {
                let declaration = self.new_declaration(self.objects.len(), 1);
                self.objects.push((declaration.clone(), true));
                let found = declaration.adoption == "Adopt";
                Act::Create { declaration, found }
            }
            Kind::Change => {
                let object = self.living(|_| true)?;
                let declaration = self.changed(&self.objects[object].0.clone());
                self.objects[object].0 = declaration.clone();
                Act::Change { declaration }
            }
            Kind::Rotate => {
                Act::Rotate { namespace: self.rng.usize(..NAMESPACES.len()), secret: self.rng.usize(..SHARED_SECRETS) }
            }
            Kind::Delete => {
                let object = self.living(|declaration| declaration.place().project != UNDELETED)?;
                self.objects[object].1 = false;
                Act::Delete { object }
            }
            Kind::Replace => {
                let object = self.living(|declaration| declaration.place().project != UNDELETED)?;
                let before = self.objects[object].0.clone();
                // Under the same name, so in the same namespace.
                let after = self.new_declaration(object, before.life + 1);
                let declaration = Declaration { place: before.place, ..after };
                self.objects[object].0 = declaration.clone();
                Act::Replace { declaration }
            }
            Kind::Drift => {
                use Edit::{Active, AddHeader, Events, Name, RemoveHeader, Url};
                let edits = [Name, Url, Active, Events, AddHeader, RemoveHeader];
                Act::Drift { object: self.living(|_| true)?, edit: edits[self.rng.usize(..edits.len())] }
            }
            Kind::Vanish => Act::Vanish { object: self.living(|_| true)? },
        })
    }

    /// One of the objects that are there.
    fn living(&mut self, suits: impl Fn(&Declaration) -> bool) -> Option<usize> {
        let living = self.objects.iter().enumerate().filter(|(_, (declaration, there))| *there && suits(declaration));
        let living: Vec<_> = living.map(|(object, _)| object).collect();
        self.rng.choice(living)
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

    fn harm(&mut self, time: Duration) -> Vec<Step<Harm>> {
        let millis = |rng: &mut Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from..to));
        let mut harm = vec![];
        for _ in 0..KILLS {
            harm.push(Harm::Kill { down: millis(&mut self.rng, 0, 1500) });
        }
        for operation in AMBUSHES {
            harm.push(Harm::Ambush { operation, down: millis(&mut self.rng, 0, 1500) });
        }
        for _ in 0..STOPS {
            harm.push(Harm::Stop { time: millis(&mut self.rng, 100, 3500) });
        }
        for trouble in (0..troubles().len()).flat_map(|trouble| std::iter::repeat_n(trouble, FAULTS_OF_EACH)) {
            let narrowed: [&[&str]; 5] = [&[], &[], &["POST"], &["PATCH"], &["DELETE"]];
            let methods = if troubles()[trouble].methods.len() == 1 { &[] } else { narrowed[self.rng.usize(..5)] };
            harm.push(Harm::Fail { trouble, methods, skip: self.rng.u64(..4), count: self.rng.u64(1..=2) });
        }
        for habit in (0..habits().len()).flat_map(|habit| std::iter::repeat_n(habit, HABITS_OF_EACH)) {
            let capped = habits()[habit].behaviour.list_cap.is_some();
            let project = if capped { UNDELETED } else { self.rng.usize(..PROJECTS) };
            harm.push(Harm::Behave { project, habit });
        }
        let mut steps = vec![];
        for action in harm {
            // While many are created, or an ambush would rarely meet one.
            let soon = matches!(action, Harm::Ambush { operation: "create", .. });
            let at = self.moment(Duration::ZERO, if soon { time / 5 } else { time });
            steps.push(Step { at, action });
        }
        // One after the other with time to recover, or the storm would be one long outage of Kubernetes.
        for (n, component) in RESTARTS.into_iter().enumerate() {
            let part = time / u32::try_from(RESTARTS.len()).unwrap_or(1);
            let at = part * u32::try_from(n).unwrap_or_default() + self.moment(part / 4, part);
            steps.push(Step { at, action: Harm::Restart { component } });
        }
        steps.sort_by_key(|step| step.at);
        steps
    }
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
    let two = |seed| {
        let mut schedule = Schedule::new(seed);
        let time = Duration::from_secs(60);
        [schedule.storm(time), schedule.storm(time)]
    };
    assert_eq!(two(7), two(7));
    assert_ne!(two(7), two(8));
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
