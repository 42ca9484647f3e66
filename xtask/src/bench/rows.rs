//! The rows of a report: what was measured, beside the bound that it is held to.

use super::{
    USUAL,
    report::Report,
    rest::{Rest, Restart},
    rounds::{Creation, Round},
    row::{Limit, Measured, Row},
};

/// The number of objects that the bounds of a full cluster are written for.
const MANY: usize = 10_000;
/// One LIST for so many new webhooks of a project.
const PER_LIST: usize = 20;

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

    fn row(&self, webhooks: usize) -> Row {
        // The bound at the usual size is judged wherever that size is measured, beside a larger one too.
        let limit = if webhooks == USUAL { Limit::at_most(1.3) } else { Limit::at_most(1.3).at(USUAL) };
        Row {
            what: format!("{webhooks} from apply to all Ready"),
            floor: format!("{:.2} s", self.floor),
            operator: format!("{:.2} s", self.operator),
            measured: Measured::Number(self.ratio),
            unit: "× floor",
            limit: Some(limit),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// All of them, in the order of the table.
pub fn all(report: &Report) -> Vec<Row> {
    let mut rows = creation(report);
    rows.extend(per_webhook(report));
    rows.extend(changes(report));
    rows.extend(report.rest.iter().flat_map(|rest| at_rest("at rest", rest)));
    rows.extend(report.restart.iter().flat_map(after_restart));
    rows.extend(report.resync.iter().flat_map(|rest| at_rest("at rest, with a resync", rest)));
    rows
}

fn creation(report: &Report) -> Vec<Row> {
    let (webhooks, ready) = (report.plan.webhooks, Ready::of(&report.rounds));
    let Some(usual) = report.usual.as_ref().map(|rounds| Ready::of(rounds)) else { return vec![ready.row(webhooks)] };
    let growth = USUAL as f64 / webhooks as f64;
    let cost = ready.operator / usual.operator * growth;
    let cost = Row {
        what: format!("cost per webhook at {webhooks}, against {USUAL}"),
        floor: format!("{:.2} ×", ready.floor / usual.floor * growth),
        operator: format!("{cost:.2} ×"),
        measured: Measured::Number(cost),
        unit: "×",
        limit: Some(Limit::at_most(1.2).at(MANY)),
    };
    vec![usual.row(USUAL), ready.row(webhooks), cost]
}

fn per_webhook(report: &Report) -> Vec<Row> {
    let Some(Round { floor, operator }) = report.rounds.last() else { return Vec::new() };
    let webhooks = report.plan.webhooks;
    let row = |what: &str, of: &dyn Fn(&Creation) -> u64, limit| Row {
        what: what.to_owned(),
        floor: of(floor).to_string(),
        operator: of(operator).to_string(),
        measured: Measured::Count(of(operator)),
        unit: "",
        limit,
    };
    let lists = webhooks.div_ceil(PER_LIST);
    let peak = operator.memory.map_or(0.0, |memory| mib(memory.peak_kib));
    vec![
        row("webhooks at the remote", &|side| side.webhooks_at_remote, Some(Limit::exactly(webhooks))),
        row("POSTs", &|side| side.spent.calls("create"), Some(Limit::exactly(webhooks))),
        row("LISTs", &|side| side.spent.calls("list"), Some(Limit::between(0, lists))),
        row("other remote calls", &|side| side.spent.calls_other_than(&["create", "list"]), Some(Limit::exactly(0))),
        row(
            "Kubernetes writes to ProjectWebhooks",
            // The client that applies makes one of them each.
            &|side| side.spent.writes_to("projectwebhooks").saturating_sub(webhooks as u64),
            Some(Limit::exactly(2 * webhooks)),
        ),
        // The finalizer of the Connection, and its status.
        row("other Kubernetes writes", &|side| side.spent.writes_beside("projectwebhooks"), Some(Limit::between(0, 2))),
        row("Events", &|side| side.spent.events(), None),
        only("peak RSS of the creation", format!("{peak:.1} MiB"), Measured::Number(peak), "MiB", None),
    ]
}

fn changes(report: &Report) -> Vec<Row> {
    let (floor, operator) = (&report.floor_changes, &report.operator_changes);
    if operator.millis.is_empty() {
        return Vec::new();
    }
    let row = |(percent, name)| {
        let (floor, of_operator) = (floor.percentile(percent), operator.percentile(percent));
        Row {
            what: format!("changed spec to PATCH, {name} of {}", operator.millis.len()),
            floor: format!("{floor:.1} ms"),
            operator: format!("{of_operator:.1} ms"),
            measured: Measured::Number(of_operator / floor),
            unit: "× floor",
            limit: Some(Limit::at_most(2.0).at(MANY)),
        }
    };
    [(50, "p50"), (99, "p99")].map(row).into()
}

fn only(what: &str, operator: String, measured: Measured, unit: &'static str, limit: Option<Limit>) -> Row {
    Row { what: what.to_owned(), floor: String::new(), operator, measured, unit, limit: limit.map(|l| l.at(MANY)) }
}

fn at_rest(when: &str, rest: &Rest) -> Vec<Row> {
    let Rest { resync: _, seconds, due, spent, operator_cpu_seconds, memory } = rest;
    let count = |what: &str, count: u64, limit| {
        only(&format!("{when}: {what}"), count.to_string(), Measured::Count(count), "", Some(limit))
    };
    let number = |what: &str, number: f64, unit, most| {
        let text = format!("{number:.2} {unit}");
        only(&format!("{when}: {what}"), text, Measured::Number(number), unit, Some(Limit::at_most(most)))
    };
    vec![
        count("Kubernetes writes", spent.all_writes(), Limit::exactly(0)),
        count("LISTs", spent.calls("list"), Limit::between(due.at_least, due.at_most)),
        count("other remote calls", spent.calls_other_than(&["list"]), Limit::exactly(0)),
        number("CPU a minute", operator_cpu_seconds * 60.0 / seconds, "s", 2.0),
        number("RSS", mib(memory.rss_kib), "MiB", 64.0),
    ]
}

fn after_restart(restart: &Restart) -> Vec<Row> {
    let Restart { settled_seconds, projects, spent, operator_cpu_seconds, memory } = restart;
    let count = |what: &str, count: u64, limit| only(what, count.to_string(), Measured::Count(count), "", Some(limit));
    let number = |what: &str, number: f64, unit, limit| {
        only(what, format!("{number:.2} {unit}"), Measured::Number(number), unit, limit)
    };
    vec![
        count("restart: Kubernetes writes", spent.all_writes(), Limit::exactly(0)),
        count("restart: LISTs", spent.calls("list"), Limit::exactly(*projects)),
        count("restart: other remote calls", spent.calls_other_than(&["list"]), Limit::exactly(0)),
        number("restart: until at rest", *settled_seconds, "s", None),
        number("restart: CPU", *operator_cpu_seconds, "s", None),
        number("restart: RSS", mib(memory.rss_kib), "MiB", Some(Limit::at_most(64.0))),
    ]
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
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
