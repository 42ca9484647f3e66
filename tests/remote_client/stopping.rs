//! Nothing is sent, and nothing goes on, when this process may not call any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookwright::ops::metrics::Metrics;
use hookwright::remote::error::Fault;
use hookwright::remote::gate::{self, Closed, Deadline, Gate};
use simulator::{Fault as Strike, FaultKind};
use tokio::net::{TcpListener, TcpStream};

use crate::rig::{LONG, Rig, SHORT, Setup, new_webhook};

/// A lease: nothing may be called without it, or after its end.
struct Lease(Option<Deadline>);

impl Gate for Lease {
    fn may_call(&self) -> Result<Option<Deadline>, Closed> {
        self.0.clone().map(Some).ok_or(Closed)
    }
}

#[tokio::test]
async fn without_the_lease_nothing_is_sent_and_no_call_outlives_it() {
    let rig = Rig::start().await;
    for lease in [None, Some(Deadline::at(Instant::now()).1)] {
        let client = Setup { gate: Arc::new(Lease(lease)), ..rig.setup() }.build();
        let error = client.create(&rig.project, &new_webhook()).await.unwrap_err();
        assert_eq!(error.fault, Fault::Draining);
        assert!(error.is_own_stop() && !error.ambiguous());
    }
    assert!(rig.simulator.calls().is_empty());

    rig.simulator.add_fault(Strike::new(FaultKind::Timeout { applied: false, hold_ms: None }));
    let for_ever = Duration::from_hours(24);
    let (_handle, deadline) = Deadline::at(Instant::now() + SHORT);
    let client = Setup { gate: Arc::new(Lease(Some(deadline))), timeout: for_ever, ..rig.setup() }.build();
    let webhook = new_webhook();
    let call = tokio::time::timeout(LONG, client.create(&rig.project, &webhook));
    let error = call.await.expect("the call outlives the lease").unwrap_err();
    assert_eq!((error.fault.clone(), error.ambiguous()), (Fault::Cut, true));
}

#[tokio::test]
async fn a_call_may_take_longer_than_one_lease_if_that_is_renewed() {
    let rig = Rig::start().await;
    let longer = u64::try_from(SHORT.as_millis()).unwrap() + 500;
    rig.simulator.add_fault(Strike::new(FaultKind::Latency { ms: longer, applied: false }));
    let (handle, deadline) = Deadline::at(Instant::now() + SHORT);
    let client = Setup { gate: Arc::new(Lease(Some(deadline))), ..rig.setup() }.build();
    let webhook = new_webhook();
    let (made, ()) = futures::join!(client.create(&rig.project, &webhook), async {
        rig.simulator.wait_until("the call", LONG, |state| state.counts(None).total == 1).await.unwrap();
        handle.move_to(Instant::now() + LONG);
    });
    made.unwrap();
}

/// What a frozen process does when it goes on after its lease: its next step is due, its timers are not yet.
#[tokio::test]
async fn what_was_decided_and_not_yet_sent_is_not_sent_after_the_lease() {
    let rig = Rig::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = rig.simulator.https_endpoint();
    let remote = base.split_once("://").unwrap().1.split('/').next().unwrap().to_owned();
    let base = base.replace(&remote, &listener.local_addr().unwrap().to_string());
    for frozen in [false, true] {
        let (handle, deadline) = Deadline::at(Instant::now() + LONG);
        let ca_pem = Some(rig.simulator.ca_pem().into());
        let setup = Setup { gate: Arc::new(Lease(Some(deadline))), base: base.clone(), ca_pem, ..rig.setup() };
        let (client, webhook) = (setup.build(), new_webhook());
        let call = async {
            let answer = client.create(&rig.project, &webhook).await;
            // Its connections end with it.
            drop(client);
            answer
        };
        let (answer, ()) = futures::join!(call, async {
            // TCP is there, TLS is not, so nothing was sent.
            let (mut near, _) = listener.accept().await.unwrap();
            if frozen {
                handle.move_to(Instant::now());
            }
            let mut far = TcpStream::connect(&remote).await.unwrap();
            // Until both are closed; how they are does not matter.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        match frozen {
            false => answer.unwrap(),
            true => assert_eq!(answer.unwrap_err().fault, Fault::Cut),
        }
        assert_eq!(rig.calls(), ["create 201"], "frozen: {frozen}");
    }
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
