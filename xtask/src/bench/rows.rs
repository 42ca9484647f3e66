//! The rows of a report: what was measured, beside the bound that it is held to.

use super::{
    USUAL,
    kind::Kind,
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

    fn row(&self, kind: Kind, objects: usize) -> Row {
        // The bound at the usual size is judged wherever that size is measured, beside a larger one too.
        let limit = if objects == USUAL { Limit::at_most(1.3) } else { Limit::at_most(1.3).at(USUAL) };
        Row {
            what: format!("{objects} from apply to all Ready"),
            floor: format!("{:.2} s", self.floor),
            operator: format!("{:.2} s", self.operator),
            measured: Measured::Number(self.ratio),
            unit: "× floor",
            limit: (kind == Kind::ProjectWebhook).then_some(limit),
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
    rows.extend(per_object(report));
    rows.extend(changes(report));
    let kind = report.plan.kind;
    rows.extend(report.rest.iter().flat_map(|rest| at_rest(kind, "at rest", rest)));
    rows.extend(report.restart.iter().flat_map(|restart| after_restart(kind, restart)));
    rows.extend(report.resync.iter().flat_map(|rest| at_rest(kind, "at rest, with a resync", rest)));
    rows
}

fn creation(report: &Report) -> Vec<Row> {
    let (kind, objects, ready) = (report.plan.kind, report.plan.objects, Ready::of(&report.rounds));
    let Some(usual) = report.usual.as_ref().map(|rounds| Ready::of(rounds)) else {
        return vec![ready.row(kind, objects)];
    };
    let growth = USUAL as f64 / objects as f64;
    let cost = ready.operator / usual.operator * growth;
    let cost = Row {
        what: format!("cost per object at {objects}, against {USUAL}"),
        floor: format!("{:.2} ×", ready.floor / usual.floor * growth),
        operator: format!("{cost:.2} ×"),
        measured: Measured::Number(cost),
        unit: "×",
        limit: Some(Limit::at_most(1.2).at(MANY)),
    };
    vec![usual.row(kind, USUAL), ready.row(kind, objects), cost]
}

fn per_object(report: &Report) -> Vec<Row> {
    let Some(Round { floor, operator }) = report.rounds.last() else { return Vec::new() };
    let (kind, objects) = (report.plan.kind, report.plan.objects);
    let row = |what: &str, of: &dyn Fn(&Creation) -> u64, limit| Row {
        what: what.to_owned(),
        floor: of(floor).to_string(),
        operator: of(operator).to_string(),
        measured: Measured::Count(of(operator)),
        unit: "",
        limit,
    };
    let mut rows = match kind {
        Kind::ProjectWebhook => vec![
            row("webhooks at the remote", &|side| side.webhooks_at_remote, Some(Limit::exactly(objects))),
            row("POSTs", &|side| side.spent.calls("create"), Some(Limit::exactly(objects))),
            row("LISTs", &|side| side.spent.calls("list"), Some(Limit::between(0, objects.div_ceil(PER_LIST)))),
        ],
        Kind::TaskNotification => {
            vec![row("GETs", &|side| side.spent.calls(kind.look()), Some(Limit::exactly(objects)))]
        }
    };
    // What can't be written at the remote needs no finalizer.
    let (known, writes): (&[_], _) = match kind {
        Kind::ProjectWebhook => (&["create", "list"], 2),
        Kind::TaskNotification => (&["task_webhook_info"], 1),
    };
    let peak = operator.memory.map_or(0.0, |memory| mib(memory.peak_kib));
    rows.extend([
        row("other remote calls", &|side| side.spent.calls_other_than(known), Some(Limit::exactly(0))),
        row(
            &format!("Kubernetes writes to {}s", kind.name()),
            // The client that applies makes one of them each.
            &|side| side.spent.writes_to(kind.plural()).saturating_sub(objects as u64),
            Some(Limit::exactly(writes * objects)),
        ),
        // The finalizer of the Connection, and its status.
        row("other Kubernetes writes", &|side| side.spent.writes_beside(kind.plural()), Some(Limit::between(0, 2))),
        row("Events", &|side| side.spent.events(), None),
        Row {
            what: "peak RSS of the creation".to_owned(),
            floor: String::new(),
            operator: format!("{peak:.1} MiB"),
            measured: Measured::Number(peak),
            unit: "MiB",
            limit: None,
        },
    ]);
    rows
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

fn at_rest(kind: Kind, when: &str, rest: &Rest) -> Vec<Row> {
    let Rest { resync: _, seconds, due, spent, operator_cpu_seconds, memory } = rest;
    let count = |what: &str, count: u64, limit| {
        only(&format!("{when}: {what}"), count.to_string(), Measured::Count(count), "", Some(limit))
    };
    let number = |what: &str, number: f64, unit, limit| {
        only(&format!("{when}: {what}"), format!("{number:.2} {unit}"), Measured::Number(number), unit, limit)
    };
    // No bound is written for the computing that a GET of each task takes.
    let cpu = (kind == Kind::ProjectWebhook).then(|| Limit::at_most(2.0));
    vec![
        count("Kubernetes writes", spent.all_writes(), Limit::exactly(0)),
        count("looks", spent.calls(kind.look()), Limit::between(due.at_least, due.at_most)),
        count("other remote calls", spent.calls_other_than(&[kind.look()]), Limit::exactly(0)),
        number("CPU a minute", operator_cpu_seconds * 60.0 / seconds, "s", cpu),
        number("RSS", mib(memory.rss_kib), "MiB", Some(Limit::at_most(64.0))),
    ]
}

fn after_restart(kind: Kind, restart: &Restart) -> Vec<Row> {
    let Restart { settled_seconds, looks, spent, operator_cpu_seconds, memory } = restart;
    let count = |what: &str, count: u64, limit| only(what, count.to_string(), Measured::Count(count), "", Some(limit));
    let number = |what: &str, number: f64, unit, limit| {
        only(what, format!("{number:.2} {unit}"), Measured::Number(number), unit, limit)
    };
    vec![
        count("restart: Kubernetes writes", spent.all_writes(), Limit::exactly(0)),
        count("restart: looks", spent.calls(kind.look()), Limit::exactly(*looks)),
        count("restart: other remote calls", spent.calls_other_than(&[kind.look()]), Limit::exactly(0)),
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
