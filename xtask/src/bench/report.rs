//! What was measured, against the bounds: as a table, and as JSON.

use serde_json::{Value, json};

use super::{
    load::Changed,
    proc::OTHERS,
    rest::{Rest, Restart},
    rounds::{Creation, Plan, Round},
};

/// Everything that was measured.
pub struct Report {
    plan: Plan,
    /// Creations at the usual size, where the size is another.
    pub usual: Option<Vec<Round>>,
    pub rounds: Vec<Round>,
    pub floor_changes: Changed,
    pub operator_changes: Changed,
    pub rest: Option<Rest>,
    pub restart: Option<Restart>,
    pub resync: Option<Rest>,
}

/// One line of the table.
struct Row {
    what: String,
    floor: String,
    operator: String,
    measured: f64,
    unit: &'static str,
    bound: Option<f64>,
}

/// Seconds from apply to all Ready: the median of the rounds.
struct Ready {
    floor: f64,
    operator: f64,
    ratio: f64,
}

impl Ready {
    fn of(rounds: &[Round]) -> Self {
        let median = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
        Self {
            floor: median(&|round| round.floor.times.ready_seconds),
            operator: median(&|round| round.operator.times.ready_seconds),
            // Of each pair: what else the machine does changes less within a round than between two.
            ratio: median(&|round| round.operator.times.ready_seconds / round.floor.times.ready_seconds),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
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

    fn rows(&self) -> Vec<Row> {
        let mut rows = self.creation();
        rows.extend(self.per_webhook());
        rows.extend(self.changes());
        rows.extend(self.rest.iter().flat_map(|rest| at_rest("at rest", rest)));
        rows.extend(self.restart.iter().flat_map(|restart| after_restart(restart, self.plan.projects())));
        rows.extend(self.resync.iter().flat_map(|rest| at_rest("at rest, with a resync", rest)));
        rows
    }

    fn changes(&self) -> Vec<Row> {
        if self.operator_changes.millis.is_empty() {
            return Vec::new();
        }
        let row = |(percent, name)| {
            let (floor, operator) = (self.floor_changes.percentile(percent), self.operator_changes.percentile(percent));
            Row {
                what: format!("changed spec to PATCH, {name} of {}", self.operator_changes.millis.len()),
                floor: format!("{floor:.1} ms"),
                operator: format!("{operator:.1} ms"),
                measured: operator / floor,
                unit: "× floor",
                bound: Some(2.0),
            }
        };
        [(50, "p50"), (99, "p99")].map(row).into()
    }

    fn creation(&self) -> Vec<Row> {
        let ready = Ready::of(&self.rounds);
        let mut rows = Vec::new();
        let row = |webhooks: usize, ready: &Ready| Row {
            what: format!("{webhooks} from apply to all Ready"),
            floor: format!("{:.2} s", ready.floor),
            operator: format!("{:.2} s", ready.operator),
            measured: ready.ratio,
            unit: "× floor",
            bound: Some(1.3),
        };
        if let Some(usual) = self.usual.as_ref().map(|rounds| Ready::of(rounds)) {
            rows.push(row(super::USUAL, &usual));
            let growth = super::USUAL as f64 / self.plan.webhooks as f64;
            rows.push(Row {
                what: format!("cost per webhook at {}, against {}", self.plan.webhooks, super::USUAL),
                floor: format!("{:.2} ×", ready.floor / usual.floor * growth),
                operator: format!("{:.2} ×", ready.operator / usual.operator * growth),
                measured: ready.operator / usual.operator * growth,
                unit: "×",
                bound: Some(1.2),
            });
        }
        rows.insert(usize::from(!rows.is_empty()), row(self.plan.webhooks, &ready));
        rows
    }

    fn per_webhook(&self) -> Vec<Row> {
        let Some(Round { floor, operator }) = self.rounds.last() else { return Vec::new() };
        let webhooks = self.plan.webhooks as f64;
        let each = |what: &str, of: &dyn Fn(&Creation) -> u64, per: f64, bound| Row {
            what: what.to_owned(),
            floor: format!("{:.2}", of(floor) as f64 / per),
            operator: format!("{:.2}", of(operator) as f64 / per),
            measured: of(operator) as f64 / per,
            unit: "",
            bound,
        };
        vec![
            each("POSTs per webhook", &|side| side.spent.calls("create"), webhooks, Some(1.0)),
            each("Kubernetes writes per webhook", &|side| side.spent.own_writes(), webhooks, Some(2.0)),
            each("Events per webhook", &|side| side.spent.events(), webhooks, None),
            each("LISTs per 20 webhooks", &|side| side.spent.calls("list"), webhooks / 20.0, Some(1.0)),
        ]
    }

    /// The table, and whether a bound was missed.
    pub fn table(&self) -> String {
        let rows = self.rows();
        let mut table = format!("{}\n\n", self.setting());
        table += &line(["", "floor", "operator", "measured", "bound", ""].map(str::to_owned));
        for Row { what, floor, operator, measured, unit, bound } in &rows {
            let measured_text = format!("{measured:.2} {unit}");
            let verdict = match bound {
                Some(bound) if *measured > *bound + 0.005 => "MISSED",
                Some(_) => "held",
                None => "",
            };
            let bound = bound.map(|bound| format!("≤ {bound}")).unwrap_or_default();
            table += &line([what.clone(), floor.clone(), operator.clone(), measured_text, bound, verdict.into()]);
        }
        table + "\n" + &self.processors()
    }

    fn setting(&self) -> String {
        let Plan { webhooks, rounds, concurrency, appliers, .. } = &self.plan;
        format!(
            "{webhooks} ProjectWebhooks over {} projects; {appliers} being applied at a time; {rounds} round(s), the median counts\n\
             operator: {}\nfloor: {concurrency} calls at a time",
            self.plan.projects(),
            self.plan.flags(super::rest::DEFAULT_RESYNC, "127.0.0.1:0").join(" "),
        )
    }

    /// Who computed during the last creation: it tells what the time was spent on, and how busy others kept the machine.
    fn processors(&self) -> String {
        let Some(Round { floor, operator }) = self.rounds.last() else { return String::new() };
        let mut text = "processor seconds of the last creation\n".to_owned();
        text += &line(["", "floor", "operator", "", "", ""].map(str::to_owned));
        let ours = |side: &Creation| side.cpu_seconds.iter().filter(|(name, _)| **name != OTHERS).map(|(_, s)| s).sum();
        let (all_floor, all_operator): (f64, f64) = (ours(floor), ours(operator));
        let row = |name: &str, floor: f64, operator: f64, measured: String| {
            line([
                name.to_owned(),
                format!("{floor:.2}"),
                format!("{operator:.2}"),
                measured,
                String::new(),
                String::new(),
            ])
        };
        for name in operator.cpu_seconds.keys().filter(|name| **name != OTHERS) {
            let of = |side: &Creation| side.cpu_seconds.get(name).copied().unwrap_or_default();
            text += &row(name, of(floor), of(operator), String::new());
        }
        text += &row("all of these", all_floor, all_operator, format!("{:.2} × floor", all_operator / all_floor));
        let others = |side: &Creation| side.cpu_seconds.get(OTHERS).copied().unwrap_or_default();
        text + &row("everything else on this machine", others(floor), others(operator), String::new())
    }

    pub fn json(&self) -> Value {
        let rows: Vec<_> = self
            .rows()
            .into_iter()
            .map(|row| json!({ "what": row.what, "measured": row.measured, "bound": row.bound, "unit": row.unit }))
            .collect();
        json!({
            "setting": self.setting(),
            "webhooks": self.plan.webhooks,
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

fn line([what, floor, operator, measured, bound, verdict]: [String; 6]) -> String {
    let line = format!("{what:44} {floor:>10} {operator:>10} {measured:>15} {bound:>7}  {verdict}");
    line.trim_end().to_owned() + "\n"
}

fn only(what: &str, operator: String, measured: f64, unit: &'static str, bound: Option<f64>) -> Row {
    Row { what: what.to_owned(), floor: String::new(), operator, measured, unit, bound }
}

fn at_rest(when: &str, rest: &Rest) -> Vec<Row> {
    let Rest { resync: _, seconds, lists_due, spent, operator_cpu_seconds, memory } = rest;
    let row =
        |what: &str, operator, measured, unit, bound| only(&format!("{when}: {what}"), operator, measured, unit, bound);
    let (writes, calls) = (spent.own_writes(), spent.all_calls());
    let (a_minute, mib) = (operator_cpu_seconds * 60.0 / seconds, memory.rss_kib as f64 / 1024.0);
    vec![
        row("Kubernetes writes", writes.to_string(), writes as f64, "", Some(0.0)),
        row(
            "remote calls not due",
            format!("{calls} of {lists_due}"),
            calls.abs_diff(*lists_due as u64) as f64,
            "",
            Some(0.0),
        ),
        row("CPU a minute", format!("{a_minute:.2} s"), a_minute, "s", Some(2.0)),
        row("RSS", format!("{mib:.1} MiB"), mib, "MiB", Some(64.0)),
    ]
}

fn after_restart(restart: &Restart, projects: usize) -> Vec<Row> {
    let Restart { settled_seconds, spent, operator_cpu_seconds, memory } = restart;
    let (writes, calls) = (spent.own_writes(), spent.all_calls());
    let mib = memory.rss_kib as f64 / 1024.0;
    vec![
        only("restart: Kubernetes writes", writes.to_string(), writes as f64, "", Some(0.0)),
        only("restart: remote calls per project", calls.to_string(), calls as f64 / projects as f64, "", None),
        only("restart: until at rest", format!("{settled_seconds:.1} s"), *settled_seconds, "s", None),
        only("restart: CPU", format!("{operator_cpu_seconds:.2} s"), *operator_cpu_seconds, "s", None),
        only("restart: RSS", format!("{mib:.1} MiB"), mib, "MiB", Some(64.0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_odd_number_is_its_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![]), 0.0);
    }
}
