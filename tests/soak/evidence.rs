//! What the remote did to whom: a fault that struck, or a habit that was set, counts only once it met a call that it is about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use simulator::{Call, Outcome};

use crate::stage::Stage;
use crate::trouble::{Habit, REDIRECTED, Trouble, habits, troubles};

/// A time during which a project had a habit.
#[derive(Clone, Debug)]
pub struct Spell {
    pub project: usize,
    /// An index into [`habits`].
    habit: usize,
    /// The first call and the last one, by number.
    from: u64,
    to: Option<u64>,
    /// When it ended.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
impl Spell {
    /// One that began before everything.
    pub fn for_test(project: usize, until: Option<Timestamp>) -> Self {
        Self { project, habit: 0, from: 0, to: None, until }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Labels of faults that met what they have to meet.
    faults: BTreeSet<&'static str>,
    /// Labels of habits in whose time there was a LIST.
    listed: BTreeSet<&'static str>,
    /// Labels of habits in whose time there was a write that they are about.
    written: BTreeSet<&'static str>,
    /// How many calls followed a redirect.
    pub redirected: usize,
    /// Those of the present storm.
    spells: Vec<Spell>,
    /// The last call before the present storm.
    before: u64,
}

/// What was not met yet.
pub struct Lacking {
    pub faults: Vec<Trouble>,
    /// Indexes into [`habits`].
    pub habits: Vec<usize>,
}

impl Lacking {
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.habits.is_empty()
    }
}

impl Evidence {
    /// A new storm begins: what was done to the remote in the one before is no excuse any more.
    pub fn begin(&mut self, stage: &Stage) {
        self.spells.clear();
        self.before = stage.sim.counts(None).total;
    }

    /// Gives a project a habit, or takes it away.
    pub fn behave(&mut self, stage: &Stage, project: usize, habit: Option<usize>) {
        let total = || stage.sim.counts(None).total;
        let ended = total();
        let behaviour = habit.map(|habit| habits()[habit].behaviour.clone());
        stage.sim.set_project_behaviour(&stage.projects[project].1, behaviour).unwrap();
        for spell in self.spells.iter_mut().filter(|spell| spell.project == project && spell.to.is_none()) {
            (spell.to, spell.until) = (Some(ended), Some(Timestamp::now()));
        }
        self.spells.extend(habit.map(|habit| Spell { project, habit, from: total() + 1, to: None, until: None }));
    }

    /// The habit that a project has now.
    pub fn habit(&self, project: usize) -> Option<usize> {
        self.spells.iter().find(|spell| spell.project == project && spell.to.is_none()).map(|spell| spell.habit)
    }

    /// When, in this storm, a project had a habit of this sort.
    pub fn spells(&self, is_so: impl Fn(&Habit) -> bool) -> Vec<Spell> {
        let habits = habits();
        self.spells.iter().filter(|spell| is_so(&habits[spell.habit])).cloned().collect()
    }

    /// Reads the calls of the present storm. What was not over at the last time is read again.
    pub fn read(&mut self, stage: &Stage) {
        let mut calls = stage.sim.calls();
        let oldest = calls.first().map_or(0, |call| call.sequence);
        assert!(oldest <= self.before + 1, "more calls in a storm than the simulator keeps: they can't be judged");
        calls.retain(|call| call.sequence > self.before);
        let projects: Vec<_> = stage.projects.iter().map(|(_, project)| project.as_str()).collect();
        self.judge(&calls, &projects);
    }

    fn judge(&mut self, calls: &[Call], projects: &[&str]) {
        let (troubles, habits) = (troubles(), habits());
        self.redirected = 0;
        for call in calls {
            self.redirected += usize::from(call.path.contains(REDIRECTED));
            let struck = troubles.iter().filter(|trouble| call.faults.iter().any(|id| id == trouble.label));
            self.faults.extend(struck.filter(|trouble| trouble.is_met_by(call)).map(|trouble| trouble.label));
            for spell in &self.spells {
                let during = spell.from <= call.sequence && spell.to.is_none_or(|last| call.sequence <= last);
                if !during || !call.is_for(projects[spell.project]) {
                    continue;
                }
                let habit = &habits[spell.habit];
                // The honest answer, and not that of a fault.
                if call.operation == "list" && call.faults.is_empty() && call.outcome == Outcome::Status(200) {
                    self.listed.insert(habit.label);
                }
                if habit.is_met_by(call) {
                    self.written.insert(habit.label);
                }
            }
        }
    }

    /// What was not met yet.
    pub fn lacking(&self) -> Lacking {
        let faults = troubles().into_iter().filter(|trouble| !self.faults.contains(trouble.label)).collect();
        let met = |habit: &Habit| self.listed.contains(habit.label) && self.written.contains(habit.label);
        let habits = habits().iter().enumerate().filter(|(_, habit)| !met(habit)).map(|(habit, _)| habit).collect();
        Lacking { faults, habits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "0123456789abcdef01234567";

    fn call(method: &str, effect: bool, faults: &[&str]) -> Call {
        let operation = if method == "GET" { "list" } else { "update" };
        Call {
            sequence: 7,
            at: Timestamp::UNIX_EPOCH,
            method: method.into(),
            path: String::new(),
            operation,
            organization: None,
            project: Some(PROJECT.into()),
            resource: None,
            token: None,
            outcome: Outcome::Status(200),
            effect,
            landed: None,
            faults: faults.iter().map(|id| (*id).to_owned()).collect(),
            body: Some(serde_json::json!({ "active": true })),
        }
    }

    fn lacks(call: &Call, label: &str) -> bool {
        let mut evidence = Evidence::default();
        evidence.judge(std::slice::from_ref(call), &[PROJECT]);
        evidence.lacking().faults.iter().any(|trouble| trouble.label == label)
    }

    #[test]
    fn a_fault_about_writes_has_to_meet_a_write_of_its_kind() {
        for (label, effect) in [("reset", false), ("timeout", false), ("500", false), ("502 after the write", true)] {
            assert!(lacks(&call("GET", false, &[label]), label), "{label} met a LIST only");
            assert!(lacks(&call("PATCH", !effect, &[label]), label), "{label}");
            assert!(!lacks(&call("PATCH", effect, &[label]), label), "{label}");
        }
        assert!(lacks(&call("PATCH", false, &[]), "reset"));
    }

    #[test]
    fn a_fault_of_the_body_has_to_meet_a_list_and_a_late_effect_to_land() {
        assert!(lacks(&call("POST", true, &["not JSON"]), "not JSON"));
        assert!(!lacks(&call("GET", false, &["not JSON"]), "not JSON"));
        let late = call("PATCH", false, &["late effect, held"]);
        assert!(lacks(&late, "late effect, held"));
        assert!(lacks(&Call { effect: false, landed: Some(404), ..late.clone() }, "late effect, held"));
        assert!(!lacks(&Call { effect: true, landed: Some(200), ..late }, "late effect, held"));
    }

    #[test]
    fn a_habit_has_to_be_seen_by_a_list_and_by_a_write_of_its_time() {
        let habit = habits().iter().position(|habit| habit.label == "PATCH answers with nothing").unwrap();
        let lacks = |calls: &[Call], from| {
            let spell = Spell { project: 0, habit, from, to: Some(9), until: None };
            let mut evidence = Evidence { spells: vec![spell], ..Evidence::default() };
            evidence.judge(calls, &[PROJECT]);
            evidence.lacking().habits.contains(&habit)
        };
        let (list, patch) = (call("GET", false, &[]), call("PATCH", true, &[]));
        assert!(lacks(std::slice::from_ref(&list), 5));
        assert!(lacks(std::slice::from_ref(&patch), 5));
        assert!(lacks(&[list.clone(), call("PATCH", false, &["500"])], 5));
        assert!(lacks(&[list.clone(), patch.clone()], 8), "before its time");
        assert!(!lacks(&[list, patch], 5));
    }

    #[test]
    fn a_redirect_that_was_followed_is_counted() {
        let mut evidence = Evidence::default();
        evidence.judge(&[Call { path: REDIRECTED.into(), ..call("GET", false, &[]) }], &[PROJECT]);
        assert_eq!(evidence.redirected, 1);
    }
}
