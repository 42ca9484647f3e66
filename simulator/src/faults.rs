//! Faults: which requests they hit, and what they do. `strike` carries them out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::remote::{ApiRequest, Target};

/// Something that goes wrong with some requests.
///
/// The faults are asked in the order in which they were added. Latencies add up; the first fault of another kind ends
/// the asking, and those after it do not count the request as one of theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Names the fault in counts and records. Left empty, it is given one.
    #[serde(default)]
    pub id: String,
    /// Only these HTTP methods; empty means all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Only these operations, by the names in [`crate::Call::operation`]; empty means all.
    #[serde(default)]
    pub operations: Vec<String>,
    /// Only paths that contain this.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// Only this project of App Maker, task of Check, or user of IAM.
    #[serde(default)]
    pub project: Option<String>,
    /// Only the token or access key that was added to its API at this position.
    #[serde(default)]
    pub token: Option<usize>,
    /// Lets this many matching requests pass first.
    #[serde(default)]
    pub skip: u64,
    /// Strikes at most this often.
    #[serde(default)]
    pub count: Option<u64>,
    /// Strikes with this probability, drawn from the generator that the options seed.
    #[serde(default)]
    pub rate: Option<f64>,
    /// What it does.
    pub kind: FaultKind,
}

/// What a fault does.
///
/// `applied` tells whether the request is carried out although its answer is lost: the two look the same to a client,
/// and a correct one holds either way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Everything takes longer. The request is carried out even if the client has left by then, as on a real server.
    Latency {
        /// How much longer.
        ms: u64,
        /// Carries the request out first and waits with the answer: a LIST is then old when it arrives.
        #[serde(default)]
        applied: bool,
    },
    /// Another status.
    Status {
        /// The status code.
        code: u16,
        /// The body: text is sent as it is (text/plain), everything else as JSON. Absent, it is the API's own.
        #[serde(default)]
        body: Option<Value>,
        /// The `Retry-After` header.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// Carries the request out first, as a gateway in between does when it gives up on a slow server.
        #[serde(default)]
        applied: bool,
    },
    /// The connection ends with RST and no answer.
    Reset {
        /// Carries the request out first.
        #[serde(default)]
        applied: bool,
    },
    /// The connection is held open with no answer.
    Timeout {
        /// Carries the request out first.
        #[serde(default)]
        applied: bool,
        /// Resets the connection after this time; absent, it is held until the client leaves.
        #[serde(default)]
        hold_ms: Option<u64>,
    },
    /// No answer, and the request is carried out later, even though the caller gave up.
    LateEffect {
        /// Carries it out after this time; absent, when `release_late_effects` (`POST /faults/release`) says so.
        #[serde(default)]
        after_ms: Option<u64>,
        /// What the client sees meanwhile.
        #[serde(default)]
        silence: Silence,
    },
    /// The answer's body ends early: its Content-Length promises more, and the connection closes.
    TruncatedBody,
    /// The answer's body is HTML, under the right status and JSON's content type.
    NotJson,
    /// The answer's body is JSON of another shape than documented.
    WrongShape {
        /// Which shape.
        shape: Shape,
    },
    /// The answer's body never ends.
    EndlessBody,
    /// The answer's body arrives byte by byte.
    SlowBody {
        /// The pause before each byte.
        ms_per_byte: u64,
    },
    /// A redirect; the request is not carried out.
    Redirect {
        /// Where to.
        location: String,
        /// The status code; 302 if absent.
        #[serde(default = "found")]
        code: u16,
    },
}

fn found() -> u16 {
    302
}

/// A `Retry-After` header (RFC 9110 §10.2.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// A delay in seconds.
    Seconds(u64),
    /// An HTTP-date that many seconds from the moment of sending; it may lie in the past.
    DateInSeconds(i64),
    /// Exactly this text.
    Verbatim(String),
}

/// What a client sees that gets no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// An open connection, until it leaves.
    #[default]
    Held,
    /// A reset connection.
    Reset,
}

/// A JSON shape that the documented answer does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `{"data": <the true body>}`.
    Data,
    /// `{}`.
    Object,
    /// `["…", "…"]`.
    Strings,
    /// `null`.
    Null,
}

impl FaultKind {
    /// The kind's name, as in JSON and in the counts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Status { .. } => "status",
            Self::Reset { .. } => "reset",
            Self::Timeout { .. } => "timeout",
            Self::LateEffect { .. } => "late_effect",
            Self::TruncatedBody => "truncated_body",
            Self::NotJson => "not_json",
            Self::WrongShape { .. } => "wrong_shape",
            Self::EndlessBody => "endless_body",
            Self::SlowBody { .. } => "slow_body",
            Self::Redirect { .. } => "redirect",
        }
    }
}

impl Fault {
    /// A fault of this kind that hits every request.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            id: String::new(),
            methods: Vec::new(),
            operations: Vec::new(),
            path_contains: None,
            project: None,
            token: None,
            skip: 0,
            count: None,
            rate: None,
            kind,
        }
    }

    /// A fault that answers with this status as the API itself would.
    pub fn status(code: u16) -> Self {
        Self::new(FaultKind::Status { code, body: None, retry_after: None, applied: false })
    }

    /// Names it.
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// Limits it to these HTTP methods.
    pub fn methods<S: Into<String>>(self, methods: impl IntoIterator<Item = S>) -> Self {
        Self { methods: methods.into_iter().map(Into::into).collect(), ..self }
    }

    /// Limits it to these operations.
    pub fn operations<S: Into<String>>(self, operations: impl IntoIterator<Item = S>) -> Self {
        Self { operations: operations.into_iter().map(Into::into).collect(), ..self }
    }

    /// Limits it to paths that contain this.
    pub fn path_contains(self, part: impl Into<String>) -> Self {
        Self { path_contains: Some(part.into()), ..self }
    }

    /// Limits it to one project of App Maker, task of Check, or user of IAM.
    pub fn project(self, project: impl Into<String>) -> Self {
        Self { project: Some(project.into()), ..self }
    }

    /// Limits it to the token or access key that was added to its API at this position.
    pub fn token(self, position: usize) -> Self {
        Self { token: Some(position), ..self }
    }

    /// Lets the first `n` matching requests pass.
    pub fn skip(self, n: u64) -> Self {
        Self { skip: n, ..self }
    }

    /// Strikes at most `n` times.
    pub fn count(self, n: u64) -> Self {
        Self { count: Some(n), ..self }
    }

    /// Strikes one time only.
    pub fn once(self) -> Self {
        self.count(1)
    }

    /// Strikes with this probability.
    pub fn rate(self, probability: f64) -> Self {
        Self { rate: Some(probability), ..self }
    }

    fn matches(&self, request: &ApiRequest, target: &Target) -> bool {
        let any_of = |wanted: &[String], actual: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(actual))
        };
        any_of(&self.methods, request.method.as_str())
            && any_of(&self.operations, target.operation)
            && self.path_contains.as_deref().is_none_or(|part| request.path.contains(part))
            && self
                .project
                .as_deref()
                .is_none_or(|wanted| target.scope().is_some_and(|actual| actual.eq_ignore_ascii_case(wanted)))
            && self.token.is_none_or(|wanted| target.token == Some(wanted))
    }
}

/// What hits one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The faults' ids.
    pub(crate) ids: Vec<String>,
    /// Latency before the request is carried out.
    pub(crate) before: Duration,
    /// Latency between that and the answer.
    pub(crate) after: Duration,
    /// What else happens.
    pub(crate) strike: Option<FaultKind>,
}

impl Verdict {
    fn add(&mut self, fault: &Fault) {
        self.ids.push(fault.id.clone());
        match &fault.kind {
            FaultKind::Latency { ms, applied: false } => self.before += Duration::from_millis(*ms),
            FaultKind::Latency { ms, applied: true } => self.after += Duration::from_millis(*ms),
            other => self.strike = Some(other.clone()),
        }
    }
}

/// A fault and how often it met a request.
struct Armed {
    fault: Fault,
    matched: u64,
    struck: u64,
}

impl Armed {
    fn strikes(&mut self, rng: &mut fastrand::Rng) -> bool {
        self.matched += 1;
        let due = self.matched > self.fault.skip
            && self.fault.count.is_none_or(|count| self.struck < count)
            && self.fault.rate.is_none_or(|rate| rng.f64() < rate);
        if due {
            self.struck += 1;
        }
        due
    }
}

/// The faults in force, and what all faults ever did.
pub(crate) struct FaultPlan {
    armed: Vec<Armed>,
    injected: BTreeMap<String, u64>,
    named: u64,
    rng: fastrand::Rng,
}

impl FaultPlan {
    pub(crate) fn new(seed: u64) -> Self {
        Self { armed: Vec::new(), injected: BTreeMap::new(), named: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// Puts a fault in force and tells its id. One with the same id is replaced where it stands, and counts anew.
    pub(crate) fn add(&mut self, mut fault: Fault) -> String {
        if fault.id.is_empty() {
            self.named += 1;
            fault.id = format!("fault-{}", self.named);
        }
        let id = fault.id.clone();
        let armed = Armed { fault, matched: 0, struck: 0 };
        match self.armed.iter_mut().find(|other| other.fault.id == id) {
            Some(slot) => *slot = armed,
            None => self.armed.push(armed),
        }
        id
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.fault.id != id);
        self.armed.len() < before
    }

    /// Lifts all faults. What they did stays counted.
    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.armed.iter().map(|armed| armed.fault.clone()).collect()
    }

    pub(crate) fn injected(&self) -> BTreeMap<String, u64> {
        self.injected.clone()
    }

    pub(crate) fn decide(&mut self, request: &ApiRequest, target: &Target) -> Verdict {
        let mut verdict = Verdict::default();
        for armed in &mut self.armed {
            if armed.fault.matches(request, target) && armed.strikes(&mut self.rng) {
                verdict.add(&armed.fault);
                *self.injected.entry(armed.fault.id.clone()).or_default() += 1;
                *self.injected.entry(format!("kind/{}", armed.fault.kind.name())).or_default() += 1;
                if verdict.strike.is_some() {
                    break;
                }
            }
        }
        verdict
    }
}
