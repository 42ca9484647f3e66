//! The soak: ProjectWebhooks are created, changed, rotated and deleted while the operator gets SIGKILL and SIGSTOP at random
//! times, kube-apiserver and etcd are restarted, and the remote does everything that it may do and more; then cluster and
//! remote have to agree exactly.
//!
//! | room | holds |
//! |---|---|
//! | `declaration` | what people declare, and what the remote has to hold then |
//! | `trouble` | every kind of fault, and every way to read the vendor's page |
//! | `schedule` | what happens when: a pure function of the seed |
//! | `ledger` | what was asked for so far |
//! | `evidence` | which of it met what it is about |
//! | `agree` | whether cluster and remote agree: pure |
//! | `stage` | control plane and remote |
//! | `watched` | the operator |
//! | `storm` | a schedule carried out |
//! | `calm` | what comes after it: agreement, and rest |
//!
//! The short form is a test as any other. `cargo xtask soak --minutes M --seed N` goes on for longer, storm after storm.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, which is what it should do")]
#![allow(clippy::print_stderr, reason = "a failed test tells what the operator logged")]
#![allow(missing_docs, reason = "the names of tests are sentences")]

mod agree;
mod calm;
mod declaration;
mod evidence;
mod ledger;
mod schedule;
mod stage;
mod storm;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "the soak needs a part of what all tests stand on")]
mod support;
mod trouble;
mod watched;

use std::time::{Duration, Instant};

use evidence::Evidence;
use ledger::Ledger;
use schedule::{AMBUSHES, Schedule};
use stage::Stage;
use storm::{Soak, Tally, ambushed};
use support::Plane;
use watched::Watched;

/// How long one storm takes.
const STORM: Duration = Duration::from_secs(75);

/// How many objects a person may have to help in one storm, for each reason, and how many webhooks may be left on
/// suspicion: several times what was seen. More of them are a mistake of the operator, however well each is excused.
const HELPED: u64 = 3;
const SUSPECTED: usize = 3;

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text}, which is no number")))
}

/// Another one each time, unless one is given.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    number("HOOKWRIGHT_SOAK_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish() % 1_000_000_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_storm_cluster_and_remote_agree_exactly() {
    let seed = seed();
    println!(
        "soak with seed {seed}: HOOKWRIGHT_SOAK_SEED={seed}, or `cargo xtask soak --seed {seed}`, repeats the schedule"
    );
    let end = Instant::now() + Duration::from_secs(60 * number("HOOKWRIGHT_SOAK_MINUTES").unwrap_or(0));
    let plane = Plane::start().await;
    let stage = Stage::set(&plane, seed).await;
    let operator = Watched::start(&plane);
    let mut soak =
        Soak { stage, plane, operator, ledger: Ledger::new(), evidence: Evidence::default(), tally: Tally::new() };
    let mut schedule = Schedule::new(seed);
    let mut storms = 0;
    for storm in 1.. {
        storms = storm;
        println!("storm {storm} of seed {seed}");
        soak.operator.forget();
        soak.storm(schedule.storm(STORM)).await;
        soak.complete(&mut schedule).await;
        agree(&mut soak, seed, storm).await;
        if Instant::now() >= end {
            break;
        }
    }
    println!("{}", table(&soak));
    enough(&soak, storms);
    soak.plane.stop().await;
}

async fn agree(soak: &mut Soak, seed: u64, storm: usize) {
    let agreed = match soak.calm().await {
        Ok(()) => soak.rest().await,
        Err(found) => Err(found),
    };
    let found = agreed.err().unwrap_or_default();
    for object in found.iter().filter_map(|one| one.object) {
        eprintln!("{}\n", soak.story(object));
    }
    let mut wrong: Vec<_> = found.into_iter().map(|one| one.text).collect();
    let told = [soak.operator.scandals.clone(), soak.stage.told_secrets().await].concat();
    wrong.extend(told.into_iter().map(|line| format!("a secret or a panic: {line}")));
    soak.evidence.read(&soak.stage);
    if soak.evidence.redirected > 0 {
        wrong.push(format!("{} calls followed a redirect", soak.evidence.redirected));
    }
    if !wrong.is_empty() {
        eprintln!("{}", table(soak));
        panic!("seed {seed}, storm {storm}: cluster and remote do not agree:\n{}", wrong.join("\n"));
    }
}

/// What was done, and what the simulator injected.
fn table(soak: &Soak) -> String {
    let mut rows: Vec<_> = soak.tally.iter().map(|(what, times)| (what.clone(), *times)).collect();
    rows.push(("made at the console, to be adopted".into(), soak.ledger.found.len() as u64));
    rows.push(("the operator could not start without Kubernetes".into(), soak.operator.unstarted.into()));
    rows.push(("left and named, because values were hidden".into(), soak.ledger.suspected.len() as u64));
    let injected = soak.stage.sim.injected();
    rows.extend(
        injected.into_iter().filter(|(id, _)| !id.starts_with("kind/")).map(|(id, n)| (format!("fault: {id}"), n)),
    );
    let counts = soak.stage.sim.counts(None);
    rows.extend(counts.by_operation.iter().map(|(operation, n)| (format!("remote calls: {operation}"), *n)));
    rows.push(("webhooks at the end".into(), soak.stage.remote().iter().map(Vec::len).sum::<usize>() as u64));
    rows.into_iter().map(|(what, times)| format!("{times:>7}  {what}\n")).collect()
}

/// A soak that left something out proves nothing about it, and one that excuses much proves little.
fn enough(soak: &Soak, storms: usize) {
    let done = |what: &str| soak.tally.get(what).copied().unwrap_or_default();
    assert!(done("created") >= 50, "{} objects", done("created"));
    assert!(done("SIGKILL") >= 10, "{} kills", done("SIGKILL"));
    for what in ["SIGSTOP", "restart of etcd", "restart of kube-apiserver", "rotated", "deleted"] {
        assert!(done(what) > 0, "{what} never happened");
    }
    for operation in AMBUSHES {
        assert!(done(&ambushed(operation)) > 0, "never: {}", ambushed(operation));
    }
    let lacking = soak.evidence.lacking();
    let faults: Vec<_> = lacking.faults.iter().map(|trouble| trouble.label).collect();
    assert!(faults.is_empty(), "faults that never met what they are about: {faults:?}");
    let habits: Vec<_> = lacking.habits.into_iter().map(|habit| trouble::habits()[habit].label).collect();
    assert!(habits.is_empty(), "habits that met no LIST, or no write that they are about: {habits:?}");
    for reason in ["NotConverging", "WebhookNotFound"] {
        let helped = done(&format!("helped: {reason}"));
        assert!(helped <= HELPED * storms as u64, "{helped} objects needed help in {storms} storms: {reason}");
    }
    let suspected = soak.ledger.suspected.len();
    assert!(suspected <= SUSPECTED * storms, "{suspected} webhooks were left on suspicion in {storms} storms");
}
