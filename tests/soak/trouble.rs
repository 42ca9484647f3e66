//! Everything that the soak does to the remote: each kind of fault, and each way to read the vendor's page.

use crate::declaration::{Projects, UNDELETED};
use serde_json::{Map, json};
use simulator::app_maker::{CreateResponse, EmptyHeaders, EventOrder, Field, Masking, PatchHeaders, UpdateResponse};
use simulator::{Behaviour, Call, Fault, FaultKind, Outcome, RetryAfter, Shape, Silence};

/// The operator's `--settle-time`. A late effect, a slow request and a stale LIST together stay below it: what comes
/// later than that is promised to be removed, not to be foreseen.
pub const SETTLE: &str = "3s";
const LATE_MS: u64 = 1500;
const STALE_MS: u64 = 1000;
const TOO_LATE_MS: u64 = 5000;
/// The habit by which a header that was set stays.
pub const MERGING: &str = "headers merged";
/// A path that only somebody who follows a redirect asks for.
pub const REDIRECTED: &str = "/followed-a-redirect";

/// One kind of fault, under the name by which it is counted.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub label: &'static str,
    pub kind: FaultKind,
    /// HTTP methods for which it means something; empty for all.
    pub methods: &'static [&'static str],
    /// Only in this project.
    pub project: Option<usize>,
}

const WRITES: &[&str] = &["POST", "PATCH", "DELETE"];

/// What a fault has to meet to have been more than a number in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// A LIST: the fault is about the body, and nobody reads that of another call.
    List,
    /// A write that was not carried out.
    Lost,
    /// A write that was carried out all the same.
    Done,
    /// A write that was carried out after its caller was let go.
    Landed,
}

impl Trouble {
    fn need(&self) -> Need {
        match &self.kind {
            FaultKind::Latency { .. } => Need::Done,
            FaultKind::Status { applied, .. } | FaultKind::Reset { applied } | FaultKind::Timeout { applied, .. } => {
                if *applied {
                    Need::Done
                } else {
                    Need::Lost
                }
            }
            FaultKind::LateEffect { .. } => Need::Landed,
            FaultKind::Redirect { .. } => Need::Lost,
            FaultKind::TruncatedBody
            | FaultKind::NotJson
            | FaultKind::WrongShape { .. }
            | FaultKind::EndlessBody
            | FaultKind::SlowBody { .. } => Need::List,
        }
    }

    /// The methods among which it finds what it has to meet.
    pub fn needed(&self) -> &'static [&'static str] {
        match self.need() {
            Need::List => &["GET"],
            Need::Lost | Need::Done | Need::Landed if self.methods.is_empty() => WRITES,
            Need::Lost | Need::Done | Need::Landed => self.methods,
        }
    }

    /// Whether this call, which it struck, is what it has to meet.
    pub fn is_met_by(&self, call: &Call) -> bool {
        let write = call.method != "GET" && call.outcome != Outcome::Pending;
        match self.need() {
            Need::List => call.operation == "list",
            Need::Lost => write && !call.effect,
            Need::Done => write && call.effect,
            Need::Landed => write && call.effect && call.landed.is_some_and(|status| (200..300).contains(&status)),
        }
    }

    /// Whether the request is carried out after its caller was let go.
    pub fn is_late(&self) -> bool {
        matches!(self.kind, FaultKind::LateEffect { .. })
    }

    /// The fault, to be counted under its label. What one label has in force is replaced.
    pub fn fault(&self, projects: &Projects, methods: &[&str], skip: u64, count: u64) -> Fault {
        let methods = if methods.is_empty() { self.methods } else { methods };
        let fault = Fault::new(self.kind.clone()).id(self.label).methods(methods.iter().copied());
        Fault { project: self.project.map(|project| projects[project].1.clone()), ..fault.skip(skip).count(count) }
    }
}

fn status(code: u16, applied: bool, retry_after: Option<RetryAfter>) -> FaultKind {
    FaultKind::Status { code, body: None, retry_after, applied }
}

/// All of them. A status of 4xx is never sent for a write that was carried out, nor 404 for a webhook that is there: no
/// client could hold against a remote that says so.
pub fn troubles() -> Vec<Trouble> {
    let mut all = vec![];
    let mut add = |label, methods, kind| all.push(Trouble { label, kind, methods, project: None });
    add("latency before", &[][..], FaultKind::Latency { ms: 400, applied: false });
    add("latency before, beyond the deadline", WRITES, FaultKind::Latency { ms: LATE_MS, applied: false });
    add("latency after", &[], FaultKind::Latency { ms: 400, applied: true });
    add("latency after, beyond the deadline", &[], FaultKind::Latency { ms: LATE_MS, applied: true });
    add("400", WRITES, status(400, false, None));
    add("401", &[], status(401, false, None));
    add("403", &[], status(403, false, None));
    add("404", &["POST"], status(404, false, None));
    add("408", &[], status(408, false, None));
    add("409", WRITES, status(409, false, None));
    add("422", WRITES, status(422, false, None));
    add("429", &[], status(429, false, None));
    add("429, Retry-After in seconds", &[], status(429, false, Some(RetryAfter::Seconds(1))));
    add("429, Retry-After as a date", &[], status(429, false, Some(RetryAfter::DateInSeconds(2))));
    add("500", &[], status(500, false, None));
    add("500 after the write", WRITES, status(500, true, None));
    add("502", &[], status(502, false, None));
    add("502 after the write", WRITES, status(502, true, None));
    add("503, Retry-After", &[], status(503, false, Some(RetryAfter::Seconds(1))));
    add("504", &[], status(504, false, None));
    add("504 after the write", WRITES, status(504, true, None));
    add("reset", &[], FaultKind::Reset { applied: false });
    add("reset after the write", WRITES, FaultKind::Reset { applied: true });
    add("timeout", &[], FaultKind::Timeout { applied: false, hold_ms: None });
    add("timeout after the write", WRITES, FaultKind::Timeout { applied: true, hold_ms: None });
    add("held, then reset", &[], FaultKind::Timeout { applied: true, hold_ms: Some(300) });
    add("late effect, held", WRITES, FaultKind::LateEffect { after_ms: Some(LATE_MS), silence: Silence::Held });
    add("late effect, reset", WRITES, FaultKind::LateEffect { after_ms: Some(LATE_MS), silence: Silence::Reset });
    add("late effect, at the end", &["PATCH"], FaultKind::LateEffect { after_ms: None, silence: Silence::Reset });
    add("truncated body", &[], FaultKind::TruncatedBody);
    add("not JSON", &[], FaultKind::NotJson);
    add("wrong shape: data", &[], FaultKind::WrongShape { shape: Shape::Data });
    add("wrong shape: object", &[], FaultKind::WrongShape { shape: Shape::Object });
    add("wrong shape: strings", &[], FaultKind::WrongShape { shape: Shape::Strings });
    add("wrong shape: null", &[], FaultKind::WrongShape { shape: Shape::Null });
    add("endless body", &[], FaultKind::EndlessBody);
    add("slow body", &[], FaultKind::SlowBody { ms_per_byte: 20 });
    add("redirect", &[], FaultKind::Redirect { location: REDIRECTED.into(), code: 302 });
    add("redirect that keeps the method", &[], FaultKind::Redirect { location: REDIRECTED.into(), code: 307 });
    // What comes that late makes a second webhook, which is removed; but not if the object is gone by then.
    let kind = FaultKind::LateEffect { after_ms: Some(TOO_LATE_MS), silence: Silence::Reset };
    all.push(Trouble { label: "creation after the settle time", kind, methods: &["POST"], project: Some(UNDELETED) });
    all
}

/// A way to read the vendor's page.
#[derive(Clone, Debug)]
pub struct Habit {
    pub label: &'static str,
    pub behaviour: Behaviour,
    /// Whether a write is one that it is about; `None` if it is about what is shown, and a LIST is enough.
    write: Option<fn(&Call) -> bool>,
}

impl Habit {
    /// Whether this write made it show.
    pub fn is_met_by(&self, call: &Call) -> bool {
        self.write.is_none_or(|write| call.effect && write(call))
    }

    /// Whether a LIST may not show what is there.
    pub fn hides_webhooks(&self) -> bool {
        self.behaviour.list_cap.is_some()
    }

    /// Whether what is written may come back different for ever, or never be shown.
    pub fn undoes(&self) -> bool {
        self.behaviour.patch_headers == PatchHeaders::Merge || self.hides_webhooks()
    }

    /// Whether a LIST does not show which webhooks are marked.
    pub fn hides_values(&self) -> bool {
        self.behaviour.masking != Masking::None
    }
}

fn sends(call: &Call, field: &str) -> bool {
    call.fields().contains(&field)
}

/// All of them, one switch at a time.
pub fn habits() -> Vec<Habit> {
    let plain = Behaviour::default;
    let extra = json!({ "deliveries": [], "owner": { "name": "somebody" }, "__v": 3 });
    let extra: Map<_, _> = extra.as_object().cloned().unwrap_or_default();
    let mut all = vec![];
    let mut shown = |label, behaviour| all.push(Habit { label, behaviour, write: None });
    shown("plain", plain());
    shown("values masked", Behaviour { masking: Masking::HeaderValues, ..plain() });
    shown("null headers", Behaviour { empty_headers: EmptyHeaders::Null, ..plain() });
    shown("absent headers", Behaviour { empty_headers: EmptyHeaders::Absent, ..plain() });
    shown("fields left out", Behaviour { omit_fields: vec![Field::CreatedAt, Field::UpdatedAt], ..plain() });
    shown("unknown fields", Behaviour { extra_fields: extra, ..plain() });
    shown("events reversed", Behaviour { event_order: EventOrder::Reversed, ..plain() });
    shown("events sorted", Behaviour { event_order: EventOrder::Sorted, ..plain() });
    shown("LIST stale", Behaviour { list_stale_ms: Some(STALE_MS), ..plain() });
    shown("LIST capped", Behaviour { list_cap: Some(3), ..plain() });
    let mut kept =
        |label, write: fn(&Call) -> bool, behaviour| all.push(Habit { label, behaviour, write: Some(write) });
    let created = |call: &Call| call.method == "POST";
    let changed = |call: &Call| call.method == "PATCH";
    kept("201 with the webhook", created, Behaviour { create_response: CreateResponse::Webhook, ..plain() });
    kept("PATCH answers with a project", changed, Behaviour { update_response: UpdateResponse::Project, ..plain() });
    kept("PATCH answers with nothing", changed, Behaviour { update_response: UpdateResponse::Empty, ..plain() });
    let patches_headers = |call: &Call| call.method == "PATCH" && sends(call, "headers");
    kept(MERGING, patches_headers, Behaviour { patch_headers: PatchHeaders::Merge, ..plain() });
    kept("events in lower case", |call| sends(call, "events"), Behaviour { lowercase_events: true, ..plain() });
    let lowercase_header_names = Behaviour { lowercase_header_names: true, ..plain() };
    kept("header names in lower case", |call| sends(call, "headers"), lowercase_header_names);
    kept("URLs normalised", |call| sends(call, "url"), Behaviour { normalize_url: true, ..plain() });
    all
}

#[cfg(test)]
macro_rules! kinds {
    ($($kind:ident)*) => {
        /// Every kind of fault. The match is exhaustive, so that a new one does not stay out of the soak unseen.
        const KINDS: &[&str] = &[$(stringify!($kind),)*];

        fn kind_name(kind: &FaultKind) -> &'static str {
            match kind { $(FaultKind::$kind { .. } => stringify!($kind),)* }
        }
    };
}

#[test]
fn every_kind_of_fault_is_among_the_troubles_and_each_is_counted_apart() {
    use std::collections::BTreeSet;
    kinds! {
        Latency Status Reset Timeout LateEffect TruncatedBody NotJson WrongShape EndlessBody SlowBody Redirect
    }
    let kinds: BTreeSet<_> = troubles().iter().map(|trouble| kind_name(&trouble.kind)).collect();
    assert_eq!(kinds, KINDS.iter().copied().collect());
    let labels: BTreeSet<_> = troubles().iter().map(|trouble| trouble.label).collect();
    assert_eq!(labels.len(), troubles().len());
    let labels: BTreeSet<_> = habits().iter().map(|habit| habit.label).collect();
    assert_eq!(labels.len(), habits().len());
}
