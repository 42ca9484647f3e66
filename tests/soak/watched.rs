//! An operator that is killed now and then, and all that it says.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::agree::CLUSTER;
use crate::declaration::CANARY;
use crate::stage::OWN;
use crate::support::{Operator, OperatorSetup, Plane};
use crate::trouble::SETTLE;

/// What it says once it has started.
const AT_WORK: &str = "watching";
/// What it says when it can't: the first thing that it asks Kubernetes for is its own namespace.
const NO_KUBERNETES: &str = "namespace hookwright can't be";

/// The operator, started again each time that it is killed, and all that its processes said.
pub struct Watched {
    setup: OperatorSetup,
    operator: Operator,
    /// Ids of webhooks that it said it leaves.
    pub warned: BTreeSet<String>,
    /// Lines that must not be there.
    pub scandals: Vec<String>,
    /// How often it could not start, because Kubernetes was away.
    pub unstarted: u32,
    /// What the processes before said, since [`Watched::forget`].
    before: String,
}

impl Watched {
    pub fn start(plane: &Plane) -> Self {
        let args = [
            ("--allowed-endpoint", "http://127.0.0.1:*"),
            ("--allowed-endpoint", "https://127.0.0.1:*"),
            ("--cluster-id", CLUSTER),
            ("--settle-time", SETTLE),
            ("--resync-interval", "2s"),
            ("--http-addr", "127.0.0.1:0"),
            ("--namespace", OWN),
        ];
        let args = args.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect();
        let setup = OperatorSetup { args, ..OperatorSetup::new(plane.kubeconfig.clone()) };
        let operator = Operator::start(&setup);
        Self { setup, operator, warned: BTreeSet::new(), scandals: vec![], unstarted: 0, before: String::new() }
    }

    /// SIGKILL, and a new process after a while.
    pub async fn kill(&mut self, down: Duration) {
        self.has_ended();
        self.operator.kill();
        tokio::time::sleep(down).await;
        self.start_again();
    }

    fn start_again(&mut self) {
        // Its log is complete then.
        self.operator.kill();
        self.read();
        self.before += &self.operator.log();
        self.before += "--- the next process ---\n";
        self.operator = Operator::start(&self.setup);
    }

    /// SIGSTOP, and SIGCONT after a while.
    pub async fn stop(&self, time: Duration) {
        self.operator.signal("-STOP");
        tokio::time::sleep(time).await;
        self.operator.signal("-CONT");
    }

    /// Starts it again should it have ended, as the kubelet does.
    pub fn tend(&mut self) {
        if self.has_ended() {
            self.start_again();
        }
    }

    /// Whether it ended by itself. It may do so only before it is at work, and only because Kubernetes is away.
    fn has_ended(&mut self) -> bool {
        let Some(status) = self.operator.ended() else { return false };
        // Its log is complete then.
        self.operator.kill();
        let log = self.operator.log();
        if log.contains(AT_WORK) || !log.contains(NO_KUBERNETES) {
            let last: Vec<_> = log.lines().rev().take(5).collect();
            self.scandals.push(format!("it ended by itself, {status}; its last words, backwards: {last:?}"));
        } else {
            self.unstarted += 1;
        }
        true
    }

    /// Reads what this process said so far.
    pub fn read(&mut self) {
        for line in self.operator.log().lines() {
            if line.contains(CANARY) || line.contains("panicked") {
                self.scandals.push(line.to_owned());
            }
            if let Some((_, rest)) = line.split_once("webhook ")
                && line.contains("is orphaned")
            {
                self.warned.extend(rest.split(' ').next().map(str::to_owned));
            }
        }
    }

    /// Forgets what was said before: a long soak says much.
    pub fn forget(&mut self) {
        self.before.clear();
    }

    /// What it said about an object, and when it was started again.
    pub fn story(&self, name: &str) -> String {
        let log = format!("{}{}", self.before, self.operator.log());
        let about = |line: &&str| line.contains(name) || line.starts_with("---");
        log.lines().filter(about).collect::<Vec<_>>().join("\n")
    }
}
