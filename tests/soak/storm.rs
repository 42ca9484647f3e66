//! A schedule carried out: people and harm side by side, then calm.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use simulator::app_maker::Masking;
use simulator::{Call, NewWebhook, Webhook, WebhookEdit};

use crate::agree::{Disagreement, Scene, disagreements};
use crate::declaration::{Declaration, NAMESPACES, PLACES, PROJECTS, object_name, owner_of, url_prefix};
use crate::ledger::Ledger;
use crate::schedule::{Act, Edit, Harm, Schedule, Step, Storm};
use crate::stage::{Stage, Watched};
use crate::support::Plane;
use crate::trouble::{Trouble, habits, troubles};

/// How long the operator may take to mend everything. Nothing is asserted about time; this only ends a hang.
const CALM: Duration = Duration::from_secs(180);
/// How often something more is done for faults that did not strike yet.
const CHANCES: usize = 100;
/// How long an ambush waits for its call.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often something was done.
pub type Tally = BTreeMap<String, u64>;

/// Everything that a soak is about.
pub struct Soak {
    pub stage: Stage,
    pub plane: Plane,
    pub operator: Watched,
    pub ledger: Ledger,
    pub tally: Tally,
}

fn count(tally: &mut Tally, what: impl Into<String>) {
    *tally.entry(what.into()).or_default() += 1;
}

impl Soak {
    /// Carries a storm out, to its end.
    pub async fn storm(&mut self, storm: Storm) {
        let begin = Instant::now();
        let Self { stage, plane, operator, ledger, tally } = self;
        let (mut acts, mut harm) = (Tally::new(), Tally::new());
        let (restarts, restarting) = tokio::sync::mpsc::unbounded_channel();
        for step in &storm.harm {
            if let Harm::Behave { project, habit } = step.action
                && habits()[habit].behaviour.masking != Masking::None
            {
                ledger.hidden.insert(project);
            }
        }
        tokio::join!(
            people(stage, ledger, storm.acts, begin, &mut acts),
            havoc(stage, operator, restarts, storm.harm, begin, &mut harm),
            restart(plane, restarting),
        );
        for (what, times) in acts.into_iter().chain(harm) {
            *tally.entry(what).or_default() += times;
        }
    }

    /// Goes on until every kind of fault has struck.
    pub async fn complete(&mut self, schedule: &mut Schedule) {
        for _ in 0..CHANCES {
            let injected = self.stage.sim.injected();
            let missing: Vec<_> =
                troubles().into_iter().filter(|trouble| !injected.contains_key(trouble.label)).collect();
            if missing.is_empty() {
                return;
            }
            for trouble in missing {
                self.stage.sim.add_fault(trouble.fault(&self.stage.projects, &[], 0, 1));
            }
            let acts = schedule.more().into_iter().map(|action| Step { at: Duration::ZERO, action }).collect();
            people(&self.stage, &mut self.ledger, acts, Instant::now(), &mut self.tally).await;
            self.operator.tend();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Kills the operator once more, now that all is as it should be: the next one finds nothing to do.
    pub async fn rest(&mut self) -> Result<(), Vec<Disagreement>> {
        let (last, lists) = (self.stage.sim.calls().last().map(|call| call.sequence), self.lists());
        self.operator.kill(Duration::ZERO).await;
        let (stage, live) = (&self.stage, self.ledger.live().map(|declaration| declaration.place().project));
        let live: BTreeSet<_> = live.collect();
        let looked = |state: &simulator::State| {
            let count = |project: usize| state.counts(Some(&stage.projects[project].1)).operation("list");
            live.iter().all(|project| count(*project) >= lists[*project] + 2)
        };
        stage.sim.wait_until("two LISTs of each project", CALM, looked).await.unwrap();
        let made = self.stage.sim.calls().into_iter().filter(|call| Some(call.sequence) > last && call.method != "GET");
        let made = made.map(|call| Disagreement {
            object: None,
            reason: None,
            text: format!("at rest: {} {}", call.method, call.path),
        });
        let made: Vec<_> = made.collect();
        let mut found = self.disagreements().await;
        found.extend(made);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Nothing goes wrong any more: returns when cluster and remote agree, or with what they do not agree in.
    pub async fn calm(&mut self) -> Result<(), Vec<Disagreement>> {
        self.stage.sim.clear_faults();
        for (_, project) in &self.stage.projects {
            self.stage.sim.set_project_behaviour(project, None).unwrap();
        }
        self.stage.sim.release_late_effects();
        let late: Vec<_> = troubles().into_iter().filter(Trouble::is_late).map(|trouble| trouble.label).collect();
        let landed = |call: &Call| call.landed.is_some() || !call.faults.iter().any(|id| late.contains(&id.as_str()));
        self.stage.sim.wait_until("late effects", CALM, |state| state.calls().all(landed)).await.unwrap();
        let begun = self.lists();
        let deadline = Instant::now() + CALM;
        let mut helped = BTreeSet::new();
        loop {
            self.operator.tend();
            next_lives(&self.stage, &mut self.ledger).await;
            let found = self.disagreements().await;
            if found.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(found);
            }
            for disagreement in found {
                self.help(&disagreement, &begun, &mut helped).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// What happened to an object, for finding out why it is not as it should be.
    pub fn story(&self, object: usize) -> String {
        let name = object_name(object);
        let ids: BTreeSet<_> = self
            .stage
            .remote()
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|webhook| owner_of(&webhook.url).is_some_and(|(of, _)| of == object))
            .map(|webhook| webhook.id)
            .collect();
        let named =
            |call: &Call| call.body.as_ref().is_some_and(|body| body.to_string().contains(&format!("/{name}/")));
        let calls = self.stage.sim.calls().into_iter();
        let calls = calls.filter(|call| named(call) || call.resource.as_ref().is_some_and(|id| ids.contains(id)));
        let calls = calls.map(|call| {
            let Call { at, method, resource, outcome, landed, faults, body, .. } = call;
            let body = body.map(|body| body.to_string()).unwrap_or_default();
            format!("{at} {method} {} {outcome} landed {landed:?} {faults:?} {body}", resource.unwrap_or_default())
        });
        format!("{}\n{}", self.operator.story(&name), calls.collect::<Vec<_>>().join("\n"))
    }

    /// How many LISTs each project had.
    pub fn lists(&self) -> [u64; PROJECTS] {
        std::array::from_fn(|project| self.stage.sim.counts(Some(&self.stage.projects[project].1)).operation("list"))
    }

    async fn disagreements(&mut self) -> Vec<Disagreement> {
        self.look(disagreements).await
    }

    /// Looks at cluster and remote as they are now.
    pub async fn look<T>(&mut self, at: impl FnOnce(&Scene<'_>) -> T) -> T {
        self.operator.read();
        let (cluster, remote) = (self.stage.cluster().await, self.stage.remote());
        at(&Scene {
            ledger: &self.ledger,
            cluster: &cluster,
            remote: &remote,
            bystanders: &self.stage.bystanders,
            warned: &self.operator.warned,
        })
    }

    /// What a person does who reads the condition of an object that stopped and says so. Not before the operator had its
    /// chance, once per object and reason, and counted.
    async fn help(&mut self, about: &Disagreement, begun: &[u64; PROJECTS], helped: &mut BTreeSet<(usize, String)>) {
        let (Some(object), Some(reason)) = (about.object, about.reason.clone()) else { return };
        let Some(entry) = self.ledger.entries.get(&object) else { return };
        let mut declaration = entry.declaration.clone();
        let project = declaration.place().project;
        if self.lists()[project] < begun[project] + 4 {
            return;
        }
        match reason.as_str() {
            // "stopped until the spec or the remote changes".
            "NotConverging" => declaration.name = Some(declaration.name.unwrap_or_default() + 1_000_000),
            // "point it back".
            "WebhookNotFound" => {
                declaration.place = [1, 0].get(declaration.place).copied().unwrap_or(declaration.place)
            }
            _ => return,
        }
        if helped.insert((object, reason.clone())) {
            println!("a person helps: {}\n{}", about.text, self.story(object));
            count(&mut self.tally, format!("helped: {reason}"));
            self.ledger.changed(&declaration);
            self.stage.declare(&declaration).await;
        }
    }
}

/// Waits for the moment of each step; a step that comes late comes at once.
async fn wait_for<A>(step: &Step<A>, begin: Instant) {
    tokio::time::sleep_until((begin + step.at).into()).await;
}

async fn people(stage: &Stage, ledger: &mut Ledger, acts: Vec<Step<Act>>, begin: Instant, tally: &mut Tally) {
    for step in acts {
        wait_for(&step, begin).await;
        next_lives(stage, ledger).await;
        match step.action {
            Act::Create { declaration, found } => {
                if found {
                    let id = lookalike(stage, ledger, &declaration);
                    ledger.found.insert(id);
                    count(tally, "made at the console");
                }
                ledger.created(declaration.clone());
                stage.declare(&declaration).await;
                count(tally, "created");
            }
            Act::Change { declaration } => {
                if ledger.changed(&declaration) {
                    stage.declare(&declaration).await;
                }
                count(tally, "changed");
            }
            Act::Delete { object } => {
                delete(stage, ledger, object, None).await;
                count(tally, "deleted");
            }
            Act::Replace { declaration } => {
                delete(stage, ledger, declaration.object, Some(declaration)).await;
                count(tally, "replaced under the same name");
            }
            Act::Rotate { namespace, secret } => {
                let version = ledger.rotated(namespace, secret);
                stage.shared_secret(namespace, secret, version).await;
                count(tally, "rotated");
            }
            Act::Drift { object, edit } => {
                if drift(stage, ledger, object, edit) {
                    count(tally, "edited at the console");
                }
            }
            Act::Vanish { object } => {
                if let Some((project, webhook)) = at_the_console(stage, ledger, object) {
                    stage.sim.console_delete(&project, &webhook.id).unwrap();
                    count(tally, "deleted at the console");
                }
            }
        }
    }
}

/// Declares again what was to come after an object that has gone by now.
async fn next_lives(stage: &Stage, ledger: &mut Ledger) {
    let waiting = ledger.waiting();
    if waiting.is_empty() {
        return;
    }
    let cluster = stage.cluster().await;
    for before in waiting {
        if cluster.contains_key(&(before.namespace().to_owned(), object_name(before.object))) {
            continue;
        }
        if let Some(next) = ledger.gone(before.object) {
            stage.declare(&next).await;
        }
    }
}

async fn delete(stage: &Stage, ledger: &mut Ledger, object: usize, next: Option<Declaration>) {
    let Some(entry) = ledger.entries.get(&object) else { return };
    let namespace = NAMESPACES[PLACES[entry.declaration.place].namespace];
    if ledger.deleted(object, next) {
        stage.delete(namespace, &object_name(object)).await;
    }
}

/// A webhook made at the console with the name and URL of what is to be declared, and other events.
fn lookalike(stage: &Stage, ledger: &Ledger, declaration: &Declaration) -> String {
    let wanted = declaration.wanted(&ledger.versions);
    let project = &stage.projects[declaration.place().project].1;
    stage.sim.console_create(project, NewWebhook::new(wanted.name, wanted.url)).unwrap().id
}

/// The project and a webhook of an object's present life, as a person finds it at the console.
fn at_the_console(stage: &Stage, ledger: &Ledger, object: usize) -> Option<(String, Webhook)> {
    let declaration = &ledger.entries.get(&object)?.declaration;
    let project = stage.projects[declaration.place().project].1.clone();
    let prefix = url_prefix(object, declaration.life);
    let webhook = stage.sim.webhooks(&project).into_iter().find(|webhook| webhook.url.starts_with(&prefix))?;
    Some((project, webhook))
}

fn drift(stage: &Stage, ledger: &Ledger, object: usize, edit: Edit) -> bool {
    let Some((project, webhook)) = at_the_console(stage, ledger, object) else { return false };
    let mut headers = webhook.headers.clone();
    let change = match edit {
        Edit::Name => WebhookEdit { name: Some("Somebody's".into()), ..WebhookEdit::default() },
        Edit::Url => WebhookEdit { url: Some(webhook.url.clone() + "&drift=1"), ..WebhookEdit::default() },
        Edit::Active => WebhookEdit { active: Some(!webhook.active), ..WebhookEdit::default() },
        Edit::Events => WebhookEdit { events: Some(vec!["distribution.created".into()]), ..WebhookEdit::default() },
        Edit::AddHeader => {
            headers.insert("X-Console".into(), "somebody".into());
            WebhookEdit { headers: Some(headers), ..WebhookEdit::default() }
        }
        Edit::RemoveHeader => {
            let Some(name) = headers.keys().find(|name| !name.to_ascii_lowercase().starts_with("x-hookwright-")) else {
                return false;
            };
            headers.remove(&name.clone());
            WebhookEdit { headers: Some(headers), ..WebhookEdit::default() }
        }
    };
    stage.sim.console_edit(&project, &webhook.id, change).unwrap();
    true
}

async fn havoc(
    stage: &Stage,
    operator: &mut Watched,
    restarts: tokio::sync::mpsc::UnboundedSender<&'static str>,
    harm: Vec<Step<Harm>>,
    begin: Instant,
    tally: &mut Tally,
) {
    let (troubles, habits) = (troubles(), habits());
    for step in harm {
        wait_for(&step, begin).await;
        operator.tend();
        match step.action {
            Harm::Kill { down } => {
                operator.kill(down).await;
                count(tally, "SIGKILL");
            }
            Harm::Ambush { operation, down } => {
                let before = stage.sim.counts(None).operation(operation);
                // Whether one comes or not: a kill is a kill.
                let call =
                    stage.sim.wait_until(operation, PATIENCE, |state| state.counts(None).operation(operation) > before);
                let met = call.await.is_ok();
                operator.kill(down).await;
                count(tally, "SIGKILL");
                if met {
                    count(tally, format!("SIGKILL right after a {operation}"));
                }
            }
            Harm::Stop { time } => {
                operator.stop(time).await;
                count(tally, "SIGSTOP");
            }
            Harm::Restart { component } => {
                restarts.send(component).expect("it is listened to until the end of the storm");
                count(tally, format!("restart of {component}"));
            }
            Harm::Behave { project, habit } => {
                stage
                    .sim
                    .set_project_behaviour(&stage.projects[project].1, Some(habits[habit].behaviour.clone()))
                    .unwrap();
                count(tally, format!("habit: {}", habits[habit].label));
            }
            Harm::Fail { trouble, methods, skip, count } => {
                let trouble: &Trouble = &troubles[trouble];
                let suits = methods.iter().all(|method| trouble.methods.is_empty() || trouble.methods.contains(method));
                stage.sim.add_fault(trouble.fault(&stage.projects, if suits { methods } else { &[] }, skip, count));
            }
        }
    }
}

async fn restart(plane: &mut Plane, mut asked: tokio::sync::mpsc::UnboundedReceiver<&'static str>) {
    while let Some(component) = asked.recv().await {
        plane.restart(component).await;
    }
}
