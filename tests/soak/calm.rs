//! The calm after a storm: nothing goes wrong any more, and cluster and remote have to agree.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use simulator::Call;

use crate::agree::{Disagreement, Scene, disagreements, suspects};
use crate::declaration::{PROJECTS, object_name, owner_of};
use crate::storm::{Soak, count, next_lives};
use crate::trouble::{Habit, Trouble, troubles};

/// How long the operator may take to mend everything. Nothing is asserted about time; this only ends a hang.
const CALM: Duration = Duration::from_secs(180);

impl Soak {
    /// Kills the operator once more, now that all is as it should be: the next one finds nothing to do.
    pub async fn rest(&mut self) -> Result<(), Vec<Disagreement>> {
        let (last, lists) = (self.stage.sim.calls().last().map(|call| call.sequence), self.lists());
        let versions = self.stage.versions().await;
        self.operator.kill(Duration::ZERO).await;
        let (stage, live) = (&self.stage, self.ledger.live().map(|declaration| declaration.place().project));
        let live: BTreeSet<_> = live.collect();
        let looked = |state: &simulator::State| {
            let count = |project: usize| state.counts(Some(&stage.projects[project].1)).operation("list");
            live.iter().all(|project| count(*project) >= lists[*project] + 2)
        };
        stage.sim.wait_until("two LISTs of each project", CALM, looked).await.unwrap();
        let made = self.stage.sim.calls().into_iter().filter(|call| Some(call.sequence) > last && call.method != "GET");
        let mut made: Vec<_> = made.map(|call| format!("{} {}", call.method, call.path)).collect();
        self.operator.tend();
        let now = self.stage.versions().await;
        let differs = |name: &&String| versions.get(*name) != now.get(*name);
        let written: BTreeSet<_> = versions.keys().chain(now.keys()).filter(differs).collect();
        made.extend(written.into_iter().map(|name| format!("a write to {name}")));
        let mut found = self.disagreements().await;
        let at_rest = |what| Disagreement { object: None, reason: None, text: format!("at rest: {what}") };
        found.extend(made.into_iter().map(at_rest));
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Nothing goes wrong any more: returns when cluster and remote agree, or with what they do not agree in.
    pub async fn calm(&mut self) -> Result<(), Vec<Disagreement>> {
        self.stage.sim.clear_faults();
        for project in 0..PROJECTS {
            self.evidence.behave(&self.stage, project, None);
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
                let suspected = self.look(suspects).await;
                self.ledger.suspected.extend(suspected);
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
        let (cluster, connections) = (self.stage.cluster().await, self.stage.connections_now().await);
        let (remote, recorded) = (self.stage.remote(), self.stage.recorded());
        at(&Scene {
            ledger: &self.ledger,
            cluster: &cluster,
            connections: &connections,
            remote: &remote,
            recorded: &recorded,
            hidden: &self.evidence.spells(Habit::hides_values),
            bystanders: &self.stage.bystanders,
            warned: &self.operator.warned,
        })
    }

    /// What a person does who reads the condition of an object that stopped and says so. Not before the operator had its
    /// chance, only where something was done that makes it stop, once per object and reason, and counted.
    async fn help(&mut self, about: &Disagreement, begun: &[u64; PROJECTS], helped: &mut BTreeSet<(usize, String)>) {
        let (Some(object), Some(reason)) = (about.object, about.reason.clone()) else { return };
        let Some(entry) = self.ledger.entries.get(&object) else { return };
        let mut declaration = entry.declaration.clone();
        let project = declaration.place().project;
        if self.lists()[project] < begun[project] + 4 {
            return;
        }
        let excused = |is_so: fn(&Habit) -> bool| self.evidence.spells(is_so).iter().any(|s| s.project == project);
        match reason.as_str() {
            // "stopped until the spec or the remote changes".
            "NotConverging" if self.ledger.edited.contains(&object) || excused(Habit::undoes) => {
                declaration.name = Some(declaration.name.unwrap_or_default() + 1_000_000)
            }
            // "point it back".
            "WebhookNotFound" if self.ledger.moved.contains(&object) && self.ledger.vanished.contains(&object) => {
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
