//! The objects, the writes that a pass makes to them, and the pass itself, as `controller` makes it: look, plan, apply,
//! publish. What decides is the real thing; only the IO is a model.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hookwright::api::condition::Reason;
use hookwright::api::project_webhook::{ManagementPolicy, Ownership};
use hookwright::domain::case::{Case, View};
use hookwright::domain::compare::Field;
use hookwright::domain::deletion::{DeletionPlan, plan_deletion};
use hookwright::domain::desired::Desired;
use hookwright::domain::identify::{intent_to_adopt, intent_to_create};
use hookwright::domain::ids::WebhookId;
use hookwright::domain::memory::{Answer, Basis, Memory};
use hookwright::domain::observed::Webhook;
use hookwright::domain::plan::{Plan, Timing, plan};
use hookwright::domain::refusal::Refusal;
use hookwright::domain::status::{Finding, Outcome, Requests, next_status};
use hookwright::domain::time::Moment;
use hookwright::domain::write::Write;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::objects::{Object, Others, Remembered, age, key, marker};
use super::remote::{Remote, Told};
use super::rules;

pub const TIMING: Timing = Timing { settle: Duration::from_secs(30), interval: Duration::from_secs(600) };
/// Looks and writes of one pass, as in the driver.
const MAX_STEPS: usize = 16;

/// The process ends here.
#[derive(Debug)]
pub struct Crash;

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// Status says how.
    Published { waits: Option<Duration> },
    /// Nothing is left to do.
    Released,
    /// More looks and writes than a pass may take.
    Circling,
}

pub struct World {
    pub remote: Remote,
    pub objects: Vec<Object>,
    pub marking: bool,
    /// Writes until the process crashes.
    pub fuse: Option<usize>,
    pub kubernetes_writes: usize,
    adopting: HashMap<WebhookId, usize>,
    /// How many processes there were before this one.
    pub life: usize,
    pub posts: Vec<Post>,
    /// How often which object was told that a correction of which field was accepted, since the moment.
    pub corrected: (Duration, BTreeMap<(usize, i64, Field), u32>),
}

/// A POST, as the remote knows of it.
pub struct Post {
    pub by: usize,
    pub generation: i64,
    pub life: usize,
    pub at: Duration,
    pub told: Told,
    pub made: Option<WebhookId>,
}

impl World {
    pub fn new(remote: Remote, objects: Vec<Object>, marking: bool) -> Self {
        Self {
            remote,
            objects,
            marking,
            fuse: None,
            kubernetes_writes: 0,
            adopting: HashMap::new(),
            life: 0,
            posts: vec![],
            corrected: (Duration::ZERO, BTreeMap::new()),
        }
    }

    fn moment(&self) -> Moment {
        Moment::since_start(self.remote.now)
    }

    /// Before each write, and at the end: here the process may end.
    fn burn(&mut self) -> Result<(), Crash> {
        match self.fuse.as_mut() {
            Some(0) => Err(Crash),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A write to Kubernetes. Whatever was written before it is there.
    fn kubernetes(&mut self, i: usize, write: impl FnOnce(&mut Object)) -> Result<(), Crash> {
        self.burn()?;
        self.kubernetes_writes += 1;
        write(&mut self.objects[i]);
        Ok(())
    }

    pub fn forget(&mut self) {
        self.objects.iter_mut().for_each(|object| object.memory = Remembered::default());
        self.adopting.clear();
        self.life += 1;
        self.corrected = (self.remote.now, BTreeMap::new());
    }

    pub fn case(&self, i: usize) -> Case {
        let object = &self.objects[i];
        Case {
            key: key(i),
            age: age(i),
            name: object.spec.name.to_owned(),
            marker: marker(i),
            marking: self.marking,
            management: object.spec.management,
            adoption: object.spec.adoption,
            pinned: object.spec.pinned,
            recorded: object.recorded(),
            intent: object.intent(),
            basis: Basis { generation: object.generation, ..Basis::default() },
            applied: object.status.applied.clone(),
            correction_requested: object.correct.is_some()
                && object.correct != object.status.last_handled_correct_drift_at,
        }
    }

    /// As `decisions` of the controller: the memory begins with what the object tells of earlier processes.
    fn memory(&mut self, i: usize, case: &Case, now: Moment) {
        let object = &mut self.objects[i];
        if object.memory.decisions.is_none() {
            let unchanged = object.status.observed_generation == object.generation;
            let corrections = object.status.corrections.iter().filter(|_| unchanged);
            let counts: BTreeMap<Field, u32> =
                corrections.filter_map(|c| Some((Field::parse(&c.field)?, c.count))).collect();
            let open = case.intent.is_open(case.owned_id());
            object.memory.decisions = Some(Memory::first_met(now, open, counts, case.basis.clone()));
        }
    }

    /// One pass. A crash forgets what the process knew.
    pub fn pass(&mut self, i: usize) -> Result<Ended, Crash> {
        if self.objects[i].gone {
            return Ok(Ended::Released);
        }
        let ended = if self.objects[i].going { self.finalize(i) } else { self.look_and_write(i) };
        let ended = ended.and_then(|ended| self.burn().map(|()| ended));
        if ended.is_err() {
            self.fuse = None;
            self.forget();
        }
        ended
    }

    fn look_and_write(&mut self, i: usize) -> Result<Ended, Crash> {
        let desired = self.objects[i].spec.desired();
        let (mut ask, mut wrote) = (None, false);
        for _ in 0..MAX_STEPS {
            let begun = self.moment();
            let webhooks = self.remote.list();
            let asked: Option<(WebhookId, Option<Webhook>)> = ask.map(|id| (id, self.remote.shown(id)));
            let case = self.case(i);
            self.memory(i, &case, begun);
            let mut memory = self.objects[i].memory.decisions.take().unwrap();
            let gone = self.objects[i].memory.done.deleted.clone();
            let looked_up = asked.as_ref().map(|(id, webhook)| (*id, webhook.as_ref()));
            let view = View { webhooks: &webhooks, begun, looked_up, gone: &gone };
            let planned = plan(&case, &desired, &view, &Others { objects: &self.objects, me: i }, &mut memory, TIMING);
            let recurring = memory.recurring();
            let forgettable = memory.is_forgettable();
            self.objects[i].memory.decisions = Some(memory);
            if let Some(rival) = self.reserve(i, &case, &planned) {
                let refusal = Refusal::person(Reason::Conflict, format!("claimed by {rival}"));
                return self.publish(i, &Outcome { wrote, ..refusal.into() }, None);
            }
            match planned {
                Plan::Ask(id) => ask = Some(id),
                Plan::Write(write) => {
                    ask = None;
                    rules::may_write(self, i, &write);
                    if let Some(refusal) = self.apply(i, &case, &desired, &view, write, wrote)? {
                        return self.publish(i, &Outcome { wrote, ..refusal.into() }, Some(TIMING.settle));
                    }
                    wrote = true;
                }
                Plan::Rest(rest) => {
                    let finding = rest.webhook.map_or(Finding::Absent, |(webhook, ownership)| Finding::Present {
                        webhook: Box::new(webhook.clone()),
                        ownership,
                        differences: rest.differences.clone(),
                    });
                    if rest.reason == Reason::Synced && forgettable {
                        self.objects[i].memory.decisions = None;
                    }
                    let basis = Some(case.basis);
                    let (reason, message) = (rest.reason, rest.message);
                    let outcome = Outcome { reason, message, finding, basis, recurring: Some(recurring), wrote };
                    return self.publish(i, &outcome, rest.again);
                }
            }
        }
        Ok(Ended::Circling)
    }

    /// Two objects may decide at the same time: what status does not record yet is reserved.
    fn reserve(&mut self, i: usize, case: &Case, planned: &Plan<'_>) -> Option<usize> {
        let adopted = match planned {
            Plan::Write(Write::Update { id, .. }) => Some(*id),
            Plan::Rest(rest) => rest.webhook.filter(|(_, o)| *o == Ownership::Adopted).map(|(webhook, _)| webhook.id),
            _ => None,
        };
        if adopted.is_none() {
            self.adopting.retain(|_, holder| *holder != i);
        }
        let id = adopted.filter(|id| case.owned_id() != Some(*id))?;
        let holder = *self.adopting.entry(id).or_insert(i);
        (holder != i).then_some(holder)
    }

    fn apply(
        &mut self,
        i: usize,
        case: &Case,
        desired: &Desired,
        view: &View<'_>,
        write: Write,
        wrote: bool,
    ) -> Result<Option<Refusal>, Crash> {
        let told = match write {
            Write::Create { replaces, .. } => return self.create(i, desired, view, replaces, wrote),
            Write::Update { id, changes, fields, adopts } => {
                let closing = if adopts { intent_to_adopt(case, desired, view, id) } else { None };
                if let Some(closing) = closing {
                    self.kubernetes(i, |object| object.creating = Some(closing.to_annotation()))?;
                }
                if !self.objects[i].held {
                    self.kubernetes(i, |object| object.held = true)?;
                }
                self.burn()?;
                let told = self.remote.patch(id, &changes);
                if told == Told::Done {
                    rules::corrects_no_more_than_twice(self, i, &fields);
                }
                let now = self.moment();
                let before = view.webhooks.iter().chain(view.looked_up.and_then(|(_, answer)| answer));
                let memory = &mut self.objects[i].memory;
                match (told, before.into_iter().find(|webhook| webhook.id == id), memory.decisions.as_mut()) {
                    (Told::Done, Some(before), Some(decisions)) => {
                        decisions.updated(now, before, desired, &changes, &fields)
                    }
                    (Told::NotFound, ..) => {
                        memory.done.deleted.insert(id);
                    }
                    _ => {}
                }
                told
            }
            Write::RemoveDuplicate { id, keep, record } => {
                if let Some(ownership) = record {
                    self.record(i, view, keep, ownership, wrote)?;
                }
                self.delete(i, id)?
            }
            Write::Delete { .. } | Write::Unmark { .. } => panic!("no plan for a live object says so"),
        };
        Ok(refusal(told))
    }

    fn record(
        &mut self,
        i: usize,
        view: &View<'_>,
        keep: WebhookId,
        ownership: Ownership,
        wrote: bool,
    ) -> Result<(), Crash> {
        let mut all = view.webhooks.iter().chain(view.looked_up.and_then(|(_, answer)| answer));
        let Some(webhook) = all.find(|webhook| webhook.id == keep) else { return Ok(()) };
        if self.objects[i].status.webhook_id == Some(keep.to_string()) {
            return Ok(());
        }
        let finding = Finding::Present { webhook: Box::new(webhook.clone()), ownership, differences: vec![] };
        let message = "writing to the remote".into();
        let outcome = Outcome { reason: Reason::Progressing, message, finding, basis: None, recurring: None, wrote };
        self.publish(i, &outcome, None).map(|_| ())
    }

    fn create(
        &mut self,
        i: usize,
        desired: &Desired,
        view: &View<'_>,
        replaces: Option<WebhookId>,
        wrote: bool,
    ) -> Result<Option<Refusal>, Crash> {
        if let Some(old) = replaces {
            self.record(i, view, old, Ownership::Created, wrote)?;
        }
        let case = self.case(i);
        let creating = intent_to_create(&case, desired, view, replaces.is_some());
        if case.intent.creating.as_ref() != Some(&creating) || !case.intent.held {
            self.kubernetes(i, |object| {
                object.held = true;
                object.creating = Some(creating.to_annotation());
            })?;
        }
        self.burn()?;
        let marker = marker(i);
        let told = self.remote.post(i, desired, self.marking.then_some(&marker));
        let (generation, life, at) = (self.objects[i].generation, self.life, self.remote.now);
        self.posts.push(Post { by: i, generation, life, at, told, made: self.remote.last_made });
        let now = self.moment();
        let answer = match told {
            Told::Done => Answer::Accepted,
            Told::Unclear => Answer::Unclear,
            Told::Refused | Told::NotFound => Answer::Refused,
        };
        self.objects[i].memory.decisions.as_mut().unwrap().created(now, answer, replaces.is_some());
        Ok(refusal(told).filter(|_| answer == Answer::Refused))
    }

    fn delete(&mut self, i: usize, id: WebhookId) -> Result<Told, Crash> {
        self.burn()?;
        let told = self.remote.delete(id);
        if told == Told::Done {
            self.objects[i].memory.done.deleted.insert(id);
        }
        Ok(told)
    }

    fn publish(&mut self, i: usize, outcome: &Outcome, waits: Option<Duration>) -> Result<Ended, Crash> {
        let owns = matches!(outcome.finding, Finding::Present { ownership, .. } if ownership != Ownership::Observed);
        let object = &self.objects[i];
        if owns && object.spec.management != ManagementPolicy::Observe && !object.held {
            self.kubernetes(i, |object| object.held = true)?;
        }
        let object = &self.objects[i];
        let requests = Requests { reconcile: None, correct_drift: object.correct.clone() };
        let now =
            Time(k8s_openapi::jiff::Timestamp::from_second(i64::try_from(self.remote.now.as_secs()).unwrap()).unwrap());
        let status = next_status(&object.status, outcome, object.generation, &requests, &now);
        if status != object.status {
            self.kubernetes(i, |object| object.status = status)?;
        }
        Ok(Ended::Published { waits })
    }

    fn finalize(&mut self, i: usize) -> Result<Ended, Crash> {
        if !self.objects[i].held {
            self.objects[i].gone = true;
            return Ok(Ended::Released);
        }
        let mut ask = None;
        for _ in 0..2 * MAX_STEPS {
            let begun = self.moment();
            let webhooks = self.remote.list();
            let asked: Option<(WebhookId, Option<Webhook>)> = ask.map(|id| (id, self.remote.shown(id)));
            let case = self.case(i);
            self.memory(i, &case, begun);
            let object = &self.objects[i];
            let (memory, done) = (object.memory.decisions.as_ref().unwrap(), &object.memory.done);
            let looked_up = asked.as_ref().map(|(id, webhook)| (*id, webhook.as_ref()));
            let view = View { webhooks: &webhooks, begun, looked_up, gone: &done.deleted };
            let rivals = Others { objects: &self.objects, me: i };
            let told = match plan_deletion(&case, object.spec.deletion, &view, &rivals, memory, done, TIMING) {
                DeletionPlan::Ask(id) => {
                    ask = Some(id);
                    continue;
                }
                DeletionPlan::Wait(again) => return Ok(Ended::Published { waits: Some(again) }),
                DeletionPlan::Release { orphans } => {
                    self.kubernetes(i, |object| {
                        object.gone = true;
                        object.orphans = orphans;
                    })?;
                    return Ok(Ended::Released);
                }
                DeletionPlan::Write(write) => {
                    rules::may_write(self, i, &write);
                    match write {
                        Write::Delete { id } => self.delete(i, id)?,
                        Write::Unmark { id, changes } => {
                            self.burn()?;
                            self.objects[i].memory.done.unmarked.insert(id);
                            self.remote.patch(id, &changes)
                        }
                        other => panic!("no deletion does this: {other}"),
                    }
                }
            };
            if refusal(told).is_some() {
                return Ok(Ended::Published { waits: Some(TIMING.settle) });
            }
        }
        Ok(Ended::Circling)
    }
}

fn refusal(told: Told) -> Option<Refusal> {
    match told {
        Told::Done | Told::NotFound => None,
        Told::Unclear => Some(Refusal::mending(Reason::RemoteUnavailable, "no clear answer")),
        Told::Refused => Some(Refusal::person(Reason::RemoteRejected, "400")),
    }
}
