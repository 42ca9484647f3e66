//! What was measured, against the bounds: as a table, and as JSON.

use serde_json::{Value, json};

use super::{
    load::Changed,
    proc::OTHERS,
    rest::{Rest, Restart},
    rounds::{Creation, Plan, Round},
    row::{Verdict, line},
    rows,
};

/// Everything that was measured.
pub struct Report {
    pub plan: Plan,
    /// Creations at the usual size, where the size is another.
    pub usual: Option<Vec<Round>>,
    pub rounds: Vec<Round>,
    pub floor_changes: Changed,
    pub operator_changes: Changed,
    pub rest: Option<Rest>,
    pub restart: Option<Restart>,
    pub resync: Option<Rest>,
}

impl Report {
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            usual: None,
            rounds: Vec::new(),
            floor_changes: Changed::default(),
            operator_changes: Changed::default(),
            rest: None,
            restart: None,
            resync: None,
        }
    }

    /// What missed its bound.
    pub fn missed(&self) -> Vec<String> {
        let (kind, objects) = (self.plan.kind.name(), self.plan.objects);
        let missed = rows::all(self).into_iter().filter(|row| row.verdict(objects) == Verdict::Missed);
        missed.map(|row| format!("{kind}: {}", row.what)).collect()
    }

    /// The table, with a verdict in each row that has a bound.
    pub fn table(&self) -> String {
        let mut table = format!("{}\n\n", self.setting());
        table += &line(["", "floor", "operator", "measured", "bound", ""]);
        for row in rows::all(self) {
            table += &row.line(self.plan.objects);
        }
        table + "\n" + &self.processors()
    }

    fn setting(&self) -> String {
        let Plan { kind, objects, rounds, concurrency, appliers, .. } = &self.plan;
        let (kind, looks) = (kind.name(), self.plan.looks());
        format!(
            "{objects} {kind}s, which {looks} looks show; {appliers} being applied at a time; {rounds} round(s), the median counts\n\
             operator: {}\nfloor: {concurrency} calls at a time",
            self.plan.flags(super::rest::DEFAULT_RESYNC, "127.0.0.1:0").join(" "),
        )
    }

    /// Who computed during the last creation: it tells what the time was spent on, and how busy others kept the machine.
    fn processors(&self) -> String {
        let Some(Round { floor, operator }) = self.rounds.last() else { return String::new() };
        let mut text = "processor seconds of the last creation\n".to_owned();
        text += &line(["", "floor", "operator", "", "", ""]);
        let ours = |side: &Creation| side.cpu_seconds.iter().filter(|(name, _)| **name != OTHERS).map(|(_, s)| s).sum();
        let (all_floor, all_operator): (f64, f64) = (ours(floor), ours(operator));
        let row = |name: &str, floor: f64, operator: f64, measured: &str| {
            line([name, &format!("{floor:.2}"), &format!("{operator:.2}"), measured, "", ""])
        };
        for name in operator.cpu_seconds.keys().filter(|name| **name != OTHERS) {
            let of = |side: &Creation| side.cpu_seconds.get(name).copied().unwrap_or_default();
            text += &row(name, of(floor), of(operator), "");
        }
        text += &row("all of these", all_floor, all_operator, &format!("{:.2} × floor", all_operator / all_floor));
        let others = |side: &Creation| side.cpu_seconds.get(OTHERS).copied().unwrap_or_default();
        text + &row("everything else on this machine", others(floor), others(operator), "")
    }

    pub fn json(&self) -> Value {
        let rows: Vec<_> = rows::all(self).iter().map(|row| row.json(self.plan.objects)).collect();
        json!({
            "setting": self.setting(),
            "kind": self.plan.kind,
            "objects": self.plan.objects,
            "held": self.missed().is_empty(),
            "rows": rows,
            "usual": self.usual,
            "rounds": self.rounds,
            "floor_changes": self.floor_changes,
            "operator_changes": self.operator_changes,
            "rest": self.rest,
            "restart": self.restart,
            "resync": self.resync,
        })
    }
}
