//! Which of several replicas works: the one that holds a Lease (coordination.k8s.io). [`rules`] decides; what is here reads
//! and writes the Lease.
//!
//! A leader is sure of its lease for two thirds of the time that the others wait for, counted by its own clock from the
//! moment at which the renewal was begun. That is its [`Gate`]: each call to a remote and each write to Kubernetes asks it
//! before it is sent, and is given up when it closes. So a leader that was frozen, cut off or starved has stopped before the
//! next one begins, whether or not it knows. Then it ends, with an error: what it remembers is not to be trusted, and as a
//! new process it stands by.
//!
//! Not with kube-lease-manager (0.13): it compares the time that another holder wrote with its own clock, takes over and
//! renews without a resourceVersion, and does not tell until when it is sure to hold the lease.

pub mod rules;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, Resource};

use self::rules::{Held, Standby, Timing, holder, released, renewed, taken};
use super::fail_point::FailPoint;
use super::refuse::{is_conflict, is_gone, kubernetes};
use crate::ops::server::{Health, NotReady};
use crate::remote::gate::{Closed, Deadline, DeadlineHandle, Gate};

/// How long giving the lease up may take. Whoever stands by gets it after its time anyway.
pub const RELEASE: Duration = Duration::from_millis(700);

/// Why a leader leads no more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Somebody else has taken the Lease.
    #[error("{0} holds the Lease now")]
    Taken(String),
    /// Nobody holds it: somebody has written there who should not.
    #[error("somebody emptied or deleted the Lease")]
    Gone,
    /// It could not be renewed for too long.
    #[error("the Lease was not renewed in time: {0}")]
    Late(String),
}

/// One process that takes part.
pub struct Election {
    api: Api<Lease>,
    namespace: String,
    name: String,
    me: String,
    timing: Timing,
    sure: DeadlineHandle,
    gate: Arc<LeaseGate>,
}

/// A won lease, to be kept.
pub struct Term {
    lease: Lease,
    begun: Instant,
}

/// Open for as long as this process is sure of its lease.
struct LeaseGate(Deadline);

impl Gate for LeaseGate {
    fn may_call(&self) -> Result<Option<Deadline>, Closed> {
        if self.0.has_passed() { Err(Closed) } else { Ok(Some(self.0.clone())) }
    }
}

impl Election {
    /// For the Lease of this name in the operator's namespace. `client` has to be one whose writes ask nobody: the Lease is
    /// written by who does not hold it.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, lease: Duration) -> Self {
        let (sure, deadline) = Deadline::at(Instant::now());
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            me: identity(),
            timing: Timing::of(lease),
            sure,
            gate: Arc::new(LeaseGate(deadline)),
        }
    }

    /// Whether this process leads.
    #[must_use]
    pub fn gate(&self) -> Arc<dyn Gate> {
        Arc::clone(&self.gate) as Arc<dyn Gate>
    }

    /// What an Event is to tell of the won lease, and on which object.
    #[must_use]
    pub fn announcement(&self, term: &Term) -> (String, ObjectReference) {
        (format!("{} leads", self.me), term.lease.object_ref(&()))
    }

    /// Stands by until this process leads; `None` if `stop` ends before. What `/readyz` says meanwhile: that it stands by,
    /// or why it can't even do that.
    pub async fn win(&self, health: &Health, stop: impl Future<Output = ()>) -> Option<Term> {
        let Self { namespace, name, me, timing, .. } = self;
        tracing::info!(me, "standing by for the Lease {namespace}/{name}");
        let mut stop = std::pin::pin!(stop);
        let mut standby = Standby::new(*timing);
        let (mut leader, mut trouble) = (None, Trouble::default());
        loop {
            // Never given up halfway: an unanswered try may have taken the Lease, and would hold it for nobody.
            let wait = match self.within(timing.patience, self.attempt(&mut standby)).await {
                Ok(Ok(term)) => {
                    tracing::info!(me, "leading: took the Lease {namespace}/{name}");
                    health.standing_by(None);
                    return Some(term);
                }
                Ok(Err(held)) => {
                    trouble.over();
                    if leader.as_ref() != Some(&held.by) {
                        tracing::info!(leader = held.by, "standing by");
                        health.standing_by(Some(&held.by));
                    }
                    let until = held.until.saturating_duration_since(Instant::now());
                    leader = Some(held.by);
                    until.min(timing.retry)
                }
                Err(why) => {
                    trouble.is(&format!("the Lease {namespace}/{name} can't be had: {why}"), Some(health));
                    timing.retry
                }
            };
            tokio::select! {
                () = &mut stop => return None,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Looks, and takes the Lease if nobody else holds it.
    async fn attempt(&self, standby: &mut Standby) -> Result<Result<Term, Held>, kube::Error> {
        loop {
            let lease = self.api.get_opt(&self.name).await?;
            let spec = lease.as_ref().map(spec_of);
            if let Some(held) = standby.look(spec.as_ref(), &self.me, Instant::now()) {
                return Ok(Err(held));
            }
            let begun = Instant::now();
            let spec = taken(&spec.unwrap_or_default(), &self.me, &self.timing, &wall_clock());
            match self.write(lease, spec).await {
                // Another one was faster.
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error),
                Ok(lease) => {
                    self.sure.move_to(begun + self.timing.sure);
                    return Ok(Ok(Term { lease, begun }));
                }
            }
        }
    }

    /// Renews the lease until that fails for too long. Cancellation-safe.
    pub async fn keep(&self, term: &Term) -> Lost {
        let Self { timing, .. } = self;
        let (mut lease, mut begun) = (term.lease.clone(), term.begun);
        let mut trouble = Trouble::default();
        let mut next = begun + timing.renew;
        loop {
            tokio::time::sleep_until(next.into()).await;
            let now = Instant::now();
            let left = (begun + timing.sure).saturating_duration_since(now);
            if left.is_zero() {
                return Lost::Late(trouble.0.map_or("this process was held up".into(), |(why, _)| why));
            }
            match self.within(left.min(timing.patience), self.renew(&lease)).await {
                Ok(Ok(renewed)) => {
                    trouble.over();
                    (lease, begun, next) = (renewed, now, now + timing.renew);
                    self.sure.move_to(begun + timing.sure);
                }
                Ok(Err(lost)) => return lost,
                Err(why) => {
                    trouble.is(&why, None);
                    next = now.max(Instant::now()) + timing.retry;
                }
            }
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Result<Lease, Lost>, kube::Error> {
        let write = |lease: Lease| {
            let spec = renewed(&spec_of(&lease), &self.timing, &wall_clock());
            self.write(Some(lease), spec)
        };
        let answer = match write(lease.clone()).await {
            // Somebody has written in between: perhaps only a try of ours whose answer did not come.
            Err(error) if is_conflict(&error) => match self.api.get(&self.name).await {
                Ok(now) => match holder(&spec_of(&now)) {
                    Some(holder) if holder == self.me => write(now).await,
                    Some(other) => return Ok(Err(Lost::Taken(other.to_owned()))),
                    None => return Ok(Err(Lost::Gone)),
                },
                Err(error) => Err(error),
            },
            answer => answer,
        };
        match answer {
            Err(error) if is_gone(&error) => Ok(Err(Lost::Gone)),
            answer => answer.map(Ok),
        }
    }

    /// Gives the lease up, so that another one takes over at once. Only for when nothing is under way any more.
    pub async fn release(&self) {
        self.sure.move_to(Instant::now());
        let release = async {
            loop {
                let lease = self.api.get(&self.name).await?;
                let spec = spec_of(&lease);
                if holder(&spec) != Some(&self.me) {
                    return Ok(());
                }
                match self.write(Some(lease), released(&spec, &wall_clock())).await {
                    // A renewal that was cut short has arrived.
                    Err(error) if is_conflict(&error) => {}
                    answer => return answer.map(drop),
                }
            }
        };
        match self.within(RELEASE, release).await {
            Ok(()) => tracing::info!("gave the Lease up"),
            Err(why) => tracing::warn!("the Lease could not be given up, others wait for its end: {why}"),
        }
    }

    /// Writes what the Lease is to be, over what was read, or anew. With the resourceVersion of what was read, so that it
    /// fails if anybody wrote in between.
    async fn write(&self, read: Option<Lease>, spec: LeaseSpec) -> Result<Lease, kube::Error> {
        let params = PostParams::default();
        let is_there = read.is_some();
        let mut lease = Lease { spec: Some(spec), ..read.unwrap_or_default() };
        if is_there {
            FailPoint::Lease.after(self.api.replace(&self.name, &params, &lease)).await
        } else {
            lease.metadata.name = Some(self.name.clone());
            FailPoint::Lease.after(self.api.create(&params, &lease)).await
        }
    }

    /// Bounds a conversation with the API server, and says what is wrong with it.
    async fn within<T>(&self, time: Duration, work: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
        match tokio::time::timeout(time, work).await {
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(format!(
                "the API server answers 403 Forbidden; grant get, create and update on leases of coordination.k8s.io in \
                 namespace {}",
                self.namespace
            )),
            Ok(answer) => answer.map_err(|error| kubernetes(&error)),
            Err(_) => Err("the API server does not answer in time".into()),
        }
    }
}

/// What stands in the way, told once.
#[derive(Default)]
struct Trouble(Option<(String, Option<NotReady>)>);

impl Trouble {
    fn is(&mut self, why: &str, health: Option<&Health>) {
        if self.0.as_ref().is_none_or(|(told, _)| told != why) {
            tracing::warn!("{why}; trying again");
            self.0 = Some((why.to_owned(), health.map(|health| health.not_ready(why))));
        }
    }

    fn over(&mut self) {
        self.0 = None;
    }
}

fn spec_of(lease: &Lease) -> LeaseSpec {
    lease.spec.clone().unwrap_or_default()
}

/// For people: nobody decides by it.
fn wall_clock() -> MicroTime {
    MicroTime(Timestamp::now())
}

/// A name that no other process has: a container that starts again in the same pod is another process, and has to wait.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty()).unwrap_or_else(|| "hookwright".into());
    // Each RandomState has keys of its own, from the system's randomness.
    format!("{host}_{:016x}", RandomState::new().build_hasher().finish())
}
