//! Nothing is sent, and nothing goes on, when this process may not call any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwright::ops::metrics::Metrics;
use hookwright::remote::error::Fault;
use hookwright::remote::gate::{self, Closed, Gate};
use simulator::{Fault as Strike, FaultKind};

use crate::rig::{LONG, Rig, SHORT, Setup, new_webhook};

/// A lease: nothing may be called without it, or after its end.
struct Lease(Result<Instant, Closed>);

impl Gate for Lease {
    fn may_call(&self) -> Result<Option<Instant>, Closed> {
        self.0.map(Some)
    }
}

#[tokio::test]
async fn without_the_lease_nothing_is_sent_and_no_call_outlives_it() {
    let rig = Rig::start().await;
    for lease in [Err(Closed), Ok(Instant::now())] {
        let client = Setup { gate: Arc::new(Lease(lease)), ..rig.setup() }.build();
        let error = client.create(&rig.project, &new_webhook()).await.unwrap_err();
        assert_eq!(error.fault, Fault::Draining);
        assert!(error.is_own_stop() && !error.ambiguous());
    }
    assert!(rig.simulator.calls().is_empty());

    rig.simulator.add_fault(Strike::new(FaultKind::Timeout { applied: false, hold_ms: None }));
    let for_ever = Duration::from_hours(24);
    let lease = Lease(Ok(Instant::now() + SHORT));
    let client = Setup { gate: Arc::new(lease), timeout: for_ever, ..rig.setup() }.build();
    let webhook = new_webhook();
    let call = tokio::time::timeout(LONG, client.create(&rig.project, &webhook));
    let error = call.await.expect("the call outlives the lease").unwrap_err();
    assert_eq!((error.fault.clone(), error.ambiguous()), (Fault::Timeout, true));
}

#[tokio::test]
async fn a_cut_ends_calls_under_way_and_refuses_those_to_come() {
    let rig = Rig::start().await;
    rig.simulator.add_fault(Strike::new(FaultKind::Timeout { applied: true, hold_ms: None }));
    let (handle, cut) = gate::cut();
    let metrics = Arc::new(Metrics::new());
    let client = Setup { cut, metrics: Arc::clone(&metrics), ..rig.setup() }.build();
    let (webhook, project) = (new_webhook(), rig.project);
    let (cut_short, ()) = futures::join!(client.create(&project, &webhook), async {
        let made = |state: &simulator::State| state.webhooks(&rig.id).len() == 1;
        rig.simulator.wait_until("the webhook", LONG, made).await.unwrap();
        handle.cut();
    });
    let cut_short = cut_short.unwrap_err();
    assert_eq!((cut_short.fault.clone(), cut_short.ambiguous()), (Fault::Cut, true));
    let refused = client.create(&project, &webhook).await.unwrap_err();
    assert_eq!((refused.fault.clone(), refused.ambiguous()), (Fault::Draining, false));
    assert_eq!(rig.simulator.counts(None).total, 1);
    // Of the two, one was a call: the other was not made.
    let stopped = r#"hookwright_remote_calls_total{provider="app-maker",method="create",status_class="stopped"} 1"#;
    assert!(metrics.encode().lines().any(|line| line == stopped), "{}", metrics.encode());
}
