//! What is counted, as OpenMetrics. Label values come from enum variants and from the texts of [`Call`]s, so that the
//! number of series is bounded and no object, host or id becomes one.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::api::condition::Reason;
use crate::remote::error::{Call, Fault, RemoteError};

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The label's text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

labels!(
    /// The kinds of object.
    Kind {
        /// A Connection.
        Connection = "Connection",
        /// A ClusterConnection.
        ClusterConnection = "ClusterConnection",
        /// A ProjectWebhook.
        ProjectWebhook = "ProjectWebhook",
        /// A TaskNotification.
        TaskNotification = "TaskNotification",
    }
);
labels!(
    /// The remote services.
    Provider {
        /// Akinon App Maker.
        AppMaker = "app-maker",
        /// Huawei Cloud CodeArts Check.
        CodeArtsCheck = "codearts-check",
        /// Huawei Cloud IAM, which issues tokens for CodeArts.
        CodeArtsIam = "codearts-iam",
    }
);
labels!(
    /// How a remote call ended.
    StatusClass {
        /// A usable answer.
        Success = "2xx",
        /// A redirect.
        Redirect = "3xx",
        /// A refusal other than 429.
        Refusal = "4xx",
        /// 429.
        RateLimit = "429",
        /// A failure of the remote.
        Server = "5xx",
        /// No answer in time.
        Timeout = "timeout",
        /// The connection could not be made, or broke.
        Network = "network",
        /// A good status with an unusable body.
        Body = "body",
        /// Not sent, or cut, because this process is stopping.
        Stopped = "stopped",
    }
);
labels!(
    /// How a pass ended.
    PassResult {
        /// The object is as it should be.
        Settled = "settled",
        /// The object waits for something that mends itself.
        Waiting = "waiting",
        /// The object needs a person.
        Stalled = "stalled",
        /// The pass itself failed.
        Failed = "failed",
    }
);
labels!(
    /// Why a webhook stays at the remote after its object is gone.
    OrphanCause {
        /// The deletion policy in force is to leave it.
        Wanted = "wanted",
        /// It should have been deleted, and could not be.
        Left = "left",
    }
);

impl StatusClass {
    /// How a call ended; `None` is success.
    #[must_use]
    pub const fn of(error: Option<&RemoteError>) -> Self {
        let Some(error) = error else { return Self::Success };
        match &error.fault {
            Fault::NotSent(_) | Fault::Network => Self::Network,
            Fault::Timeout => Self::Timeout,
            Fault::Redirected { .. } => Self::Redirect,
            Fault::Unauthorized(_) | Fault::Forbidden(_) | Fault::NotFound(_) | Fault::Rejected { .. } => Self::Refusal,
            Fault::RateLimited { .. } => Self::RateLimit,
            Fault::Server { .. } => Self::Server,
            Fault::Body(_) => Self::Body,
            Fault::Draining | Fault::Cut => Self::Stopped,
        }
    }
}

/// A set of labels, as the encoder wants it. Private: values get in through enums only.
macro_rules! label_sets {
    ($($name:ident { $($label:ident),* })*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
            struct $name { $($label: &'static str,)* }
        )*
    };
}

label_sets! {
    OfCall { provider, method }
    OfCallEnd { provider, method, status_class }
    OfProvider { provider }
    OfKind { kind }
    OfReason { kind, reason }
    OfPass { kind, result }
    OfOrphan { kind, cause }
    OfBuild { version }
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    remote_calls: Family<OfCallEnd, Counter>,
    remote_call_duration: Histograms<OfCall>,
    pacing_wait: Histograms<OfProvider>,
    objects: Family<OfReason, Gauge>,
    corrections: Family<OfKind, Counter>,
    passes: Family<OfPass, Counter>,
    pass_duration: Histograms<OfKind>,
    orphans: Family<OfOrphan, Counter>,
    duplicates_removed: Family<OfKind, Counter>,
    resync_lag: Histograms<OfKind>,
    resync_stretch: Family<OfKind, Gauge<f64, AtomicU64>>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// From one millisecond, which a call in the same data centre takes, to the longest timeout.
fn call_buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0])
}

/// From nothing to the shortest useful resync interval many times over.
fn wait_buckets() -> Histogram {
    Histogram::new([0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0])
}

impl Metrics {
    /// Registers everything.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("hookwright"),
            remote_calls: Family::default(),
            remote_call_duration: Family::new_with_constructor(call_buckets),
            pacing_wait: Family::new_with_constructor(wait_buckets),
            objects: Family::default(),
            corrections: Family::default(),
            passes: Family::default(),
            pass_duration: Family::new_with_constructor(call_buckets),
            orphans: Family::default(),
            duplicates_removed: Family::default(),
            resync_lag: Family::new_with_constructor(wait_buckets),
            resync_stretch: Family::default(),
            leader: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self {
            registry,
            remote_calls,
            remote_call_duration,
            pacing_wait,
            objects,
            corrections,
            passes,
            pass_duration,
            orphans,
            duplicates_removed,
            resync_lag,
            resync_stretch,
            leader,
        } = self;
        registry.register("remote_calls", "Calls to a remote, by how they ended", remote_calls.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "remote_call_duration",
            "Time from sending a call to its end",
            seconds(),
            remote_call_duration.clone(),
        );
        let help = "Time that a call waited for its turn under the connection's rateLimit";
        registry.register_with_unit("pacing_wait", help, seconds(), pacing_wait.clone());
        registry.register("objects", "Objects, by the reason of their Ready condition", objects.clone());
        let help = "PATCHes that corrected what somebody else had changed at a remote, each all of its differences";
        registry.register("corrections", help, corrections.clone());
        registry.register("passes", "Passes over an object, by how they ended", passes.clone());
        registry.register_with_unit("pass_duration", "Time that one pass took", seconds(), pass_duration.clone());
        let help =
            "Remote webhooks that stay after their object is gone, as was wanted or because they could not be deleted";
        registry.register("orphans", help, orphans.clone());
        let help = "Second webhooks of one owner that were found and deleted";
        registry.register("duplicates_removed", help, duplicates_removed.clone());
        let help = "How much later than its resyncInterval an object was looked at";
        registry.register_with_unit("resync_lag", help, seconds(), resync_lag.clone());
        let help = "How many times longer than wanted the last resync interval was, because the rate of its connection allows no more";
        registry.register("resync_stretch", help, resync_stretch.clone());
        registry.register("leader", "Whether this process is the one that works: 1 or 0", leader.clone());
        let build = Info::new(OfBuild { version: env!("CARGO_PKG_VERSION") });
        registry.register("build", "The version of this operator", build);
    }

    /// A remote call has ended.
    pub fn remote_call(&self, provider: Provider, call: Call, class: StatusClass, took: Duration) {
        let (provider, method) = (provider.as_str(), call.name);
        self.remote_calls.get_or_create(&OfCallEnd { provider, method, status_class: class.as_str() }).inc();
        self.remote_call_duration.get_or_create(&OfCall { provider, method }).observe(took.as_secs_f64());
    }

    /// A call has got its turn.
    pub fn paced(&self, provider: Provider, waited: Duration) {
        self.pacing_wait.get_or_create(&OfProvider { provider: provider.as_str() }).observe(waited.as_secs_f64());
    }

    /// An object's reason has changed; `None` before its first and after it is gone.
    pub fn object_reason(&self, kind: Kind, before: Option<Reason>, after: Option<Reason>) {
        if before == after {
            return;
        }
        let gauge =
            |reason: Reason| self.objects.get_or_create(&OfReason { kind: kind.as_str(), reason: reason.as_str() });
        if let Some(before) = before {
            gauge(before).dec();
        }
        if let Some(after) = after {
            gauge(after).inc();
        }
    }

    /// A webhook that somebody else had changed was corrected.
    pub fn corrected(&self, kind: Kind) {
        self.corrections.get_or_create(&OfKind { kind: kind.as_str() }).inc();
    }

    /// A pass has ended.
    pub fn passed(&self, kind: Kind, result: PassResult, took: Duration) {
        self.passes.get_or_create(&OfPass { kind: kind.as_str(), result: result.as_str() }).inc();
        self.pass_duration.get_or_create(&OfKind { kind: kind.as_str() }).observe(took.as_secs_f64());
    }

    /// A remote webhook was left behind.
    pub fn orphaned(&self, kind: Kind, cause: OrphanCause) {
        self.orphans.get_or_create(&OfOrphan { kind: kind.as_str(), cause: cause.as_str() }).inc();
    }

    /// A duplicate was deleted.
    pub fn duplicate_removed(&self, kind: Kind) {
        self.duplicates_removed.get_or_create(&OfKind { kind: kind.as_str() }).inc();
    }

    /// A periodic look at an object came this much later than it was due.
    pub fn resync_lag(&self, kind: Kind, late: Duration) {
        self.resync_lag.get_or_create(&OfKind { kind: kind.as_str() }).observe(late.as_secs_f64());
    }

    /// A resync interval was set to this many times what was wanted; 1 is as wanted.
    pub fn resync_stretch(&self, kind: Kind, ratio: f64) {
        self.resync_stretch.get_or_create(&OfKind { kind: kind.as_str() }).set(ratio);
    }

    /// Whether this process is at work; without leader election it always is.
    pub fn leads(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String can't fail; what an encoder gave up on would be missing its end, which scrapers notice.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: Call = Call { name: "list", method: "GET", target: "t", template: "/t" };

    #[test]
    fn every_metric_has_its_documented_name_and_labels() {
        let metrics = Metrics::new();
        metrics.remote_call(Provider::AppMaker, LIST, StatusClass::RateLimit, Duration::from_millis(3));
        metrics.paced(Provider::AppMaker, Duration::ZERO);
        metrics.object_reason(Kind::Connection, None, Some(Reason::Configured));
        metrics.corrected(Kind::ProjectWebhook);
        metrics.passed(Kind::ProjectWebhook, PassResult::Settled, Duration::from_millis(5));
        metrics.orphaned(Kind::ProjectWebhook, OrphanCause::Left);
        metrics.duplicate_removed(Kind::ProjectWebhook);
        metrics.resync_lag(Kind::ProjectWebhook, Duration::from_secs(2));
        metrics.leads(true);
        let text = metrics.encode();
        for line in [
            r#"hookwright_remote_calls_total{provider="app-maker",method="list",status_class="429"} 1"#,
            r#"hookwright_remote_call_duration_seconds_count{provider="app-maker",method="list"} 1"#,
            r#"hookwright_pacing_wait_seconds_count{provider="app-maker"} 1"#,
            r#"hookwright_objects{kind="Connection",reason="Configured"} 1"#,
            r#"hookwright_corrections_total{kind="ProjectWebhook"} 1"#,
            r#"hookwright_passes_total{kind="ProjectWebhook",result="settled"} 1"#,
            r#"hookwright_pass_duration_seconds_count{kind="ProjectWebhook"} 1"#,
            r#"hookwright_orphans_total{kind="ProjectWebhook",cause="left"} 1"#,
            r#"hookwright_duplicates_removed_total{kind="ProjectWebhook"} 1"#,
            r#"hookwright_resync_lag_seconds_sum{kind="ProjectWebhook"} 2.0"#,
            "hookwright_leader 1",
            concat!("hookwright_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn an_object_is_counted_under_one_reason_at_a_time() {
        let metrics = Metrics::new();
        let count = |reason: Reason| {
            let labels = OfReason { kind: Kind::ProjectWebhook.as_str(), reason: reason.as_str() };
            metrics.objects.get(&labels).map_or(0, |gauge| gauge.get())
        };
        metrics.object_reason(Kind::ProjectWebhook, None, Some(Reason::Progressing));
        metrics.object_reason(Kind::ProjectWebhook, Some(Reason::Progressing), Some(Reason::Synced));
        metrics.object_reason(Kind::ProjectWebhook, Some(Reason::Synced), Some(Reason::Synced));
        assert_eq!((count(Reason::Progressing), count(Reason::Synced)), (0, 1));
        metrics.object_reason(Kind::ProjectWebhook, Some(Reason::Synced), None);
        assert_eq!(count(Reason::Synced), 0);
    }
}
