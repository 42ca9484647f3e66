//! A schedule carried out: people and harm side by side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use simulator::{NewWebhook, Webhook, WebhookEdit};

use crate::declaration::{Declaration, NAMESPACES, PLACES, PROJECTS, UNDELETED, object_name, url_prefix};
use crate::evidence::Evidence;
use crate::ledger::Ledger;
use crate::schedule::{AMBUSHES, Act, Edit, Harm, Schedule, Step, Storm};
use crate::stage::Stage;
use crate::support::Plane;
use crate::trouble::{Trouble, habits, troubles};
use crate::watched::Watched;

/// How often something more is done for what was not met yet.
const CHANCES: usize = 150;
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
    pub evidence: Evidence,
    pub tally: Tally,
}

/// Counts one more.
pub fn count(tally: &mut Tally, what: impl Into<String>) {
    *tally.entry(what.into()).or_default() += 1;
}

/// How an ambush that met its call is counted.
pub fn ambushed(operation: &str) -> String {
    format!("SIGKILL right after a {operation}")
}

impl Soak {
    /// Carries a storm out, to its end.
    pub async fn storm(&mut self, storm: Storm) {
        let begin = Instant::now();
        let Self { stage, plane, operator, ledger, evidence, tally } = self;
        ledger.begin();
        evidence.begin(stage);
        let (mut acts, mut harm) = (Tally::new(), Tally::new());
        let (restarts, restarting) = tokio::sync::mpsc::unbounded_channel();
        tokio::join!(
            people(stage, ledger, storm.acts, begin, &mut acts),
            havoc(stage, operator, evidence, restarts, storm.harm, begin, &mut harm),
            restart(plane, restarting),
        );
        for (what, times) in acts.into_iter().chain(harm) {
            *tally.entry(what).or_default() += times;
        }
    }

    /// Goes on until every kind of fault has struck what it is about, every habit has shown, and every operation was once
    /// the last that an operator did.
    pub async fn complete(&mut self, schedule: &mut Schedule) {
        for _ in 0..CHANCES {
            let Self { stage, operator, ledger, evidence, tally, .. } = self;
            evidence.read(stage);
            let lacking = evidence.lacking();
            let unmet = AMBUSHES.into_iter().find(|operation| !tally.contains_key(&ambushed(operation)));
            if lacking.is_empty() && unmet.is_none() {
                return;
            }
            for trouble in &lacking.faults {
                stage.sim.add_fault(trouble.fault(&stage.projects, trouble.needed(), 0, 1));
            }
            set_habits(stage, evidence, &lacking.habits);
            let acts = schedule.more().into_iter().map(|action| Step { at: Duration::ZERO, action }).collect();
            let mut kill = Tally::new();
            let ambushed = async {
                if let Some(operation) = unmet {
                    ambush(stage, operator, operation, Duration::ZERO, &mut kill).await;
                }
            };
            tokio::join!(people(stage, ledger, acts, Instant::now(), tally), ambushed);
            kill.into_keys().for_each(|what| count(tally, what));
            operator.tend();
            tokio::time::sleep(Duration::from_millis(250)).await;
            stage.sim.release_late_effects();
        }
    }
}

/// Each project gets a habit that did not show yet, unless it has such a one.
fn set_habits(stage: &Stage, evidence: &mut Evidence, lacking: &[usize]) {
    let all = habits();
    let mut lacking: Vec<_> = lacking.to_vec();
    let mut free = vec![];
    for project in 0..PROJECTS {
        match lacking.iter().position(|habit| evidence.habit(project) == Some(*habit)) {
            Some(at) => drop(lacking.remove(at)),
            None => free.push(project),
        }
    }
    for project in free {
        let suits = |habit: &usize| project == UNDELETED || !all[*habit].hides_webhooks();
        if let Some(at) = lacking.iter().position(suits) {
            evidence.behave(stage, project, Some(lacking.remove(at)));
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
        if let Some(done) = act(stage, ledger, step.action).await {
            count(tally, done);
        }
    }
}

/// Does one thing, and tells what it was; `None` if there was nothing to do it to.
async fn act(stage: &Stage, ledger: &mut Ledger, act: Act) -> Option<&'static str> {
    Some(match act {
        Act::Create { declaration, found } => {
            if found {
                let id = lookalike(stage, ledger, &declaration);
                ledger.found.insert(id, (declaration.object, declaration.life));
            }
            ledger.created(declaration.clone());
            stage.declare(&declaration).await;
            "created"
        }
        Act::Change { declaration } => {
            if ledger.changed(&declaration) {
                stage.declare(&declaration).await;
            }
            "changed"
        }
        Act::Delete { object } => {
            delete(stage, ledger, object, None).await;
            "deleted"
        }
        Act::Replace { declaration } => {
            delete(stage, ledger, declaration.object, Some(declaration)).await;
            "replaced under the same name"
        }
        Act::Rotate { namespace, secret } => {
            let version = ledger.rotated(namespace, secret);
            stage.shared_secret(namespace, secret, version).await;
            "rotated"
        }
        Act::Drift { object, edit } => {
            drift(stage, ledger, object, edit)?;
            ledger.edited.insert(object);
            "edited at the console"
        }
        Act::Vanish { object } => {
            let (project, webhook) = at_the_console(stage, ledger, object)?;
            stage.sim.console_delete(&project, &webhook.id).unwrap();
            ledger.removed.insert(webhook.id);
            ledger.vanished.insert(object);
            "deleted at the console"
        }
    })
}

/// Declares again what was to come after an object that has gone by now.
pub async fn next_lives(stage: &Stage, ledger: &mut Ledger) {
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

fn drift(stage: &Stage, ledger: &Ledger, object: usize, edit: Edit) -> Option<()> {
    let (project, webhook) = at_the_console(stage, ledger, object)?;
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
            let name = headers.keys().find(|name| !name.to_ascii_lowercase().starts_with("x-hookwright-"))?.clone();
            headers.remove(&name);
            WebhookEdit { headers: Some(headers), ..WebhookEdit::default() }
        }
    };
    stage.sim.console_edit(&project, &webhook.id, change).unwrap();
    Some(())
}

async fn havoc(
    stage: &Stage,
    operator: &mut Watched,
    evidence: &mut Evidence,
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
            Harm::Ambush { operation, down } => ambush(stage, operator, operation, down, tally).await,
            Harm::Stop { time } => {
                operator.stop(time).await;
                count(tally, "SIGSTOP");
            }
            Harm::Restart { component } => {
                restarts.send(component).expect("it is listened to until the end of the storm");
                count(tally, format!("restart of {component}"));
            }
            Harm::Behave { project, habit } => {
                evidence.behave(stage, project, Some(habit));
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

/// Whether a call comes or not, in the end there is a kill: it is counted as met only if one came.
async fn ambush(stage: &Stage, operator: &mut Watched, operation: &'static str, down: Duration, tally: &mut Tally) {
    let before = stage.sim.counts(None).operation(operation);
    let call = stage.sim.wait_until(operation, PATIENCE, |state| state.counts(None).operation(operation) > before);
    let met = call.await.is_ok();
    operator.kill(down).await;
    count(tally, "SIGKILL");
    if met {
        count(tally, ambushed(operation));
    }
}

async fn restart(plane: &mut Plane, mut asked: tokio::sync::mpsc::UnboundedReceiver<&'static str>) {
    while let Some(component) = asked.recv().await {
        plane.restart(component).await;
    }
}
