//! `hookwright run`: the operator.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Args};

use super::rules::{OnOff, Rules, namespace, object_name};
use crate::controller::context::LeaseSettings;
use crate::controller::operator::{self, Asked};
use crate::domain::schedule::parse_duration;
use crate::ops::server::STALLED_AFTER;
use crate::ops::telemetry::{self, LogFormat};

/// Flags; each can be given by environment too. There, what is repeatable is one list with commas between.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    rules: Rules,
    /// How long a creation without a clear answer may still take effect; by default the longest of the connection's
    /// timeout, the lease (with --leader-elect) and 30s.
    #[arg(long, value_name = "DURATION", env = "HOOKWRIGHT_SETTLE_TIME", value_parser = at_least_a_second)]
    settle_time: Option<Duration>,
    /// Namespaces to watch; none = all. With it, no ClusterConnection is served. Repeatable, or with commas between.
    #[arg(long = "watch-namespace", value_name = "NS", env = "HOOKWRIGHT_WATCH_NAMESPACE", value_delimiter = ',',
          value_parser = namespace)]
    watch_namespaces: Vec<String>,
    /// The operator's own namespace, for its Lease and for the Secrets of ClusterConnections; the pod's by default, else
    /// `hookwright`. Created if missing.
    #[arg(long, value_name = "NS", env = "HOOKWRIGHT_NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,
    /// How often each remote project is looked at, unless a ProjectWebhook says otherwise.
    #[arg(long, value_name = "DURATION", default_value = "10m", env = "HOOKWRIGHT_RESYNC_INTERVAL", value_parser = at_least_a_second)]
    resync_interval: Duration,
    /// Passes at the same time.
    #[arg(long, value_name = "N", default_value_t = 64, env = "HOOKWRIGHT_MAX_CONCURRENT",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    max_concurrent: u16,
    /// Whether to run with replicas: one works, the others stand by until its Lease is over.
    #[arg(long, value_name = "BOOL", default_value_t = false, env = "HOOKWRIGHT_LEADER_ELECT", action = ArgAction::Set)]
    leader_elect: bool,
    /// Name of the Lease, in the operator's own namespace. All replicas have the same, and no other operator.
    #[arg(long, value_name = "NAME", default_value = "hookwright", env = "HOOKWRIGHT_LEASE_NAME", value_parser = object_name)]
    lease_name: String,
    /// How long the others wait for a leader that gives no sign of life, from 1s to 10m; it renews three times as often. One
    /// that can't renew for two thirds of it ends.
    #[arg(long, value_name = "DURATION", default_value = "15s", env = "HOOKWRIGHT_LEASE_DURATION", value_parser = lease_duration)]
    lease_duration: Duration,
    /// Whether to watch Secrets (metadata only; needs list and watch). Without, they are read anew by each pass, and a
    /// changed one reaches the remote at the next resync.
    #[arg(long, value_name = "BOOL", default_value_t = true, env = "HOOKWRIGHT_SECRETS_WATCH", action = ArgAction::Set)]
    secrets_watch: bool,
    /// Address of /healthz, /readyz and /metrics; port 0 takes any.
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:8080", env = "HOOKWRIGHT_HTTP_ADDR")]
    http_addr: SocketAddr,
    /// A pass that is under way for longer, while none ends, has stalled: /healthz says so. For tests.
    #[arg(long, hide = true, value_name = "DURATION", value_parser = at_least_a_second)]
    stalled_after: Option<Duration>,
    /// Form of the log on standard error; RUST_LOG filters it.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "HOOKWRIGHT_LOG_FORMAT", action = ArgAction::Set)]
    log_format: LogFormat,
}

/// Longest lease: nobody works for so long after a leader was lost.
const MAX_LEASE: Duration = Duration::from_mins(10);

pub(super) fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).ok_or("not a duration; write for example 30s, 10m or 1h30m")?;
    if duration < Duration::from_secs(1) { Err("at least 1s is needed".into()) } else { Ok(duration) }
}

fn lease_duration(text: &str) -> Result<Duration, String> {
    let duration = at_least_a_second(text)?;
    if duration > MAX_LEASE { Err("at most 10m is possible".into()) } else { Ok(duration) }
}

/// Each once, in the order given: two watches of one namespace would make each pass twice.
fn distinct(mut names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

pub fn run(options: Options) -> anyhow::Result<()> {
    telemetry::init(options.log_format)?;
    // Reads FAILPOINTS, in tests only; they are set until this is dropped.
    let _fail_points = fail::has_failpoints().then(fail::FailScenario::setup);
    let lease = LeaseSettings { name: options.lease_name, duration: options.lease_duration };
    let Rules { allowed_endpoints, allowed_receivers, cluster_id, ownership_marker } = options.rules;
    let asked = Asked {
        endpoints: allowed_endpoints,
        receivers: allowed_receivers,
        cluster: cluster_id,
        marking: ownership_marker == OnOff::On,
        settle: options.settle_time,
        lease: options.leader_elect.then_some(lease),
        watch_namespaces: distinct(options.watch_namespaces),
        namespace: options.namespace,
        resync: options.resync_interval,
        max_concurrent: options.max_concurrent,
        http_addr: options.http_addr,
        stalled_after: options.stalled_after.unwrap_or(STALLED_AFTER),
        secrets_watch: options.secrets_watch,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(operator::operate(asked));
    // Not waiting for what blocks: a look-up of a host name may take longer than a stop is allowed to.
    runtime.shutdown_background();
    ended
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn wrong_flags_say_what_to_write() {
        let error = |args: &[&str]| Flags::try_parse_from([&["run"], args].concat()).unwrap_err().to_string();
        assert!(error(&["--settle-time", "0s"]).contains("at least 1s"));
        assert!(error(&["--resync-interval", "ten"]).contains("30s, 10m or 1h30m"));
        assert!(error(&["--allowed-endpoint", "https://a/b"]).contains("[scheme://]host[:port]"));
        assert!(error(&["--cluster-id", "a b"]).contains("letters, digits"));
        assert!(error(&["--lease-duration", "500ms"]).contains("30s, 10m or 1h30m"));
        assert!(error(&["--lease-duration", "11m"]).contains("at most 10m"));
        for bad in ["", "-a", "a.", "A", "a_b"] {
            assert!(error(&[&format!("--lease-name={bad}")]).contains("lower-case letters"), "{bad:?}");
        }
        assert!(error(&["--leader-elect", "maybe"]).contains("true, false"));
    }
    #[test]
    fn namespaces_are_names_and_each_is_watched_once() {
        let read = |list: &str| Flags::try_parse_from(["run".into(), format!("--watch-namespace={list}")]);
        let watched = |list: &str| distinct(read(list).unwrap().options.watch_namespaces);
        assert_eq!(watched("b,a,b"), ["b", "a"]);
        let error = |list: &str| read(list).unwrap_err().to_string();
        for bad in ["A", "a.b", "-a", "a-", "a/b", "*", &"a".repeat(64)] {
            assert!(error(bad).contains("lower-case letters and digits"), "{}", error(bad));
        }
        for empty in ["", "a,", "a,,b"] {
            assert!(error(empty).contains("leave no item empty"), "{}", error(empty));
        }
        assert!(Flags::try_parse_from(["run", "--namespace", "Me"]).is_err());
    }
}
