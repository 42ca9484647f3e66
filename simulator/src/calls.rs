//! The record of every API call.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::remote::{ApiRequest, Target};

/// How a call ended, as the client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Not decided yet: the call is being handled.
    Pending,
    /// Answered with this status.
    Status(u16),
    /// The connection was reset without an answer.
    Reset,
    /// The connection is, or was, held without an answer.
    Timeout,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Status(code) => write!(f, "{code}"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Status(code) => serializer.serialize_u16(*code),
            other => serializer.collect_str(other),
        }
    }
}

/// One call, recorded when it comes in and completed when it ends.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Rises by one with each call and never starts again, whatever is cleared.
    pub sequence: u64,
    /// When the request had come in.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// App Maker: `list`, `create`, `get`, `update` or `delete`; Check: `task_webhook_info`; IAM: `issue_token`; `unknown`
    /// if no route matched.
    pub operation: &'static str,
    /// The organization in the path, as sent.
    pub organization: Option<String>,
    /// The project in the path, as sent.
    pub project: Option<String>,
    /// The webhook's or task's id in the path, as sent; for IAM the name of the user.
    pub resource: Option<String>,
    /// The position at which the token or access key was added to its API; `None` if it is unknown or missing.
    pub token: Option<usize>,
    /// How the call ended: a status, `reset`, `timeout`, or `pending`.
    #[serde(rename = "status")]
    pub outcome: Outcome,
    /// Whether it changed anything. For a late effect this turns true when the write lands.
    pub effect: bool,
    /// For a late effect: the status that nobody heard when the request was carried out. `None` until then.
    pub landed: Option<u16>,
    /// The ids of the faults that hit it.
    pub faults: Vec<String>,
    /// The request's body, if it is JSON; a password in it is masked.
    pub body: Option<Value>,
}

impl Call {
    /// Whether the call went to this project of App Maker, task of Check, or user of IAM. Case does not matter: the ids
    /// are hexadecimal numbers.
    pub fn is_for(&self, scope: &str) -> bool {
        self.project.as_deref().or(self.resource.as_deref()).is_some_and(|own| own.eq_ignore_ascii_case(scope))
    }

    /// The names of the fields in the body, sorted; empty if it is no JSON object.
    pub fn fields(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .body
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|map| map.keys().map(String::as_str))
            .collect();
        names.sort_unstable();
        names
    }
}

/// How many calls there were. They are exact even where old calls are no longer kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All calls that came in.
    pub total: u64,
    /// By [`Call::operation`].
    pub by_operation: BTreeMap<String, u64>,
    /// Ended calls, by status code, or `reset` or `timeout`.
    pub by_status: BTreeMap<String, u64>,
    /// Calls that changed something.
    pub effects: u64,
    /// Calls being handled now, from the request's end to the decision how it ends.
    pub in_flight: u64,
    /// The most calls that were ever being handled at once.
    pub max_in_flight: u64,
}

impl Counts {
    /// How many calls of this operation there were.
    pub fn operation(&self, name: &str) -> u64 {
        self.by_operation.get(name).copied().unwrap_or_default()
    }

    /// How many calls ended like this.
    pub fn status(&self, outcome: Outcome) -> u64 {
        self.by_status.get(&outcome.to_string()).copied().unwrap_or_default()
    }

    fn begin(&mut self, operation: &str) {
        self.total += 1;
        *self.by_operation.entry(operation.to_owned()).or_default() += 1;
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
    }

    fn finish(&mut self, outcome: Outcome) {
        *self.by_status.entry(outcome.to_string()).or_default() += 1;
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

/// What an exchange holds while its call is open.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    sequence: u64,
    /// In lower case: the key of its counts.
    scope: Option<String>,
    /// Which clearing of the log it came after: an earlier one's end must not be counted.
    epoch: u64,
}

/// The calls, newest last, and their counts.
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    kept: usize,
    next: u64,
    epoch: u64,
    all: Counts,
    by_scope: HashMap<String, Counts>,
}

impl CallLog {
    /// A log that keeps the newest `kept` calls. The counts know no such bound.
    pub(crate) fn new(kept: usize) -> Self {
        Self { calls: VecDeque::new(), kept, next: 1, epoch: 0, all: Counts::default(), by_scope: HashMap::new() }
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter()
    }

    pub(crate) fn counts(&self, scope: Option<&str>) -> Counts {
        match scope {
            None => self.all.clone(),
            Some(id) => self.by_scope.get(&id.to_ascii_lowercase()).cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn begin(&mut self, request: &ApiRequest, target: Target, faults: Vec<String>) -> Ticket {
        let scope = target.scope().map(str::to_ascii_lowercase);
        let Target { operation, organization, project, resource, token, body } = target;
        let ticket = Ticket { sequence: self.next, scope, epoch: self.epoch };
        self.next += 1;
        self.all.begin(operation);
        if let Some(id) = &ticket.scope {
            self.by_scope.entry(id.clone()).or_default().begin(operation);
        }
        if self.calls.len() >= self.kept {
            self.calls.pop_front();
        }
        self.calls.push_back(Call {
            sequence: ticket.sequence,
            at: Timestamp::now(),
            method: request.method.to_string(),
            path: request.path.clone(),
            operation,
            organization,
            project,
            resource,
            token,
            outcome: Outcome::Pending,
            effect: false,
            landed: None,
            faults,
            body,
        });
        ticket
    }

    pub(crate) fn took_effect(&mut self, ticket: &Ticket) {
        self.count(ticket, |counts| counts.effects += 1);
        self.mark(ticket, |call| call.effect = true);
    }

    pub(crate) fn finish(&mut self, ticket: &Ticket, outcome: Outcome) {
        self.count(ticket, |counts| counts.finish(outcome));
        self.mark(ticket, |call| call.outcome = outcome);
    }

    pub(crate) fn landed(&mut self, ticket: &Ticket, status: u16) {
        self.mark(ticket, |call| call.landed = Some(status));
    }

    /// Forgets the calls and their counts. Sequence numbers go on.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.epoch += 1;
        self.all = Counts::default();
        self.by_scope.clear();
    }

    fn count(&mut self, ticket: &Ticket, change: impl Fn(&mut Counts)) {
        if ticket.epoch != self.epoch {
            return;
        }
        change(&mut self.all);
        if let Some(counts) = ticket.scope.as_ref().and_then(|id| self.by_scope.get_mut(id)) {
            change(counts);
        }
    }

    /// Changes the call, unless it was cleared or is too old to be kept.
    fn mark(&mut self, ticket: &Ticket, change: impl FnOnce(&mut Call)) {
        let Some(first) = self.calls.front().map(|call| call.sequence) else { return };
        // Sequence numbers have no gaps, so a call's position follows from its number.
        let position = ticket.sequence.checked_sub(first).and_then(|distance| usize::try_from(distance).ok());
        if let Some(call) = position.and_then(|at| self.calls.get_mut(at)) {
            change(call);
        }
    }
}
