#![allow(clippy::unwrap_used)]
use super::*;
use tokio::sync::oneshot;

const FAR: Duration = Duration::from_hours(1);

async fn started(health: &Health) -> (String, oneshot::Sender<()>, tokio::task::JoinHandle<io::Result<()>>) {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), health.clone(), Arc::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    (url, stop, serving)
}

async fn reply(url: &str) -> reqwest::Response {
    // reqwest needs a TLS provider for plain HTTP too. Fails only where another test has installed one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(url).await.unwrap()
}

async fn get(url: &str) -> (u16, String) {
    let reply = reply(url).await;
    (reply.status().as_u16(), reply.text().await.unwrap())
}

#[tokio::test]
async fn readyz_gives_every_reason_until_it_is_gone() {
    let health = Health::new(FAR);
    let (url, _stop, _serving) = started(&health).await;
    let crds = health.not_ready("waiting for CRDs: projectwebhooks.hookwright.dev");
    let lease = health.not_ready("waiting for the lease");
    let both = "not ready:\n- waiting for CRDs: projectwebhooks.hookwright.dev\n- waiting for the lease\n";
    assert_eq!(get(&format!("{url}/readyz")).await, (503, both.into()));
    assert_eq!(get(&format!("{url}/healthz")).await, (200, "ok\n".into()), "not ready is not dead");
    drop(crds);
    assert_eq!(get(&format!("{url}/readyz")).await, (503, "not ready:\n- waiting for the lease\n".into()));
    drop(lease);
    assert_eq!(get(&format!("{url}/readyz")).await, (200, "ok\n".into()));
}

#[tokio::test]
async fn a_standby_is_ready_and_says_who_leads() {
    let health = Health::new(FAR);
    let (url, _stop, _serving) = started(&health).await;
    health.standing_by(Some("hookwright-0"));
    assert_eq!(get(&format!("{url}/readyz")).await, (200, "ok, standing by: hookwright-0 leads\n".into()));
    assert_eq!(get(&format!("{url}/healthz")).await, (200, "ok\n".into()));
    health.standing_by(None);
    assert_eq!(get(&format!("{url}/readyz")).await, (200, "ok\n".into()));
}

#[tokio::test]
async fn metrics_are_served_as_open_metrics() {
    let (url, _stop, _serving) = started(&Health::new(FAR)).await;
    let reply = reply(&format!("{url}/metrics")).await;
    let content_type = reply.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(reply.text().await.unwrap().ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_server_ends_when_it_is_told_to() {
    let (_url, stop, serving) = started(&Health::new(FAR)).await;
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_ends_elsewhere_hides_no_stall() {
    let health = Health::new(STALLED_AFTER);
    let _slow = health.pass_started("Connection shop/a", "ProjectWebhook shop/builds");
    tokio::time::advance(STALLED_AFTER).await;
    drop(health.pass_started("Connection shop/b", "ProjectWebhook shop/other"));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(health.stalled(), ["ProjectWebhook shop/builds"]);
    drop(health.pass_started("Connection shop/a", "ProjectWebhook shop/another"));
    assert!(health.stalled().is_empty(), "its queue moves");
    tokio::time::advance(STALLED_AFTER + Duration::from_secs(1)).await;
    assert_eq!(health.stalled(), ["ProjectWebhook shop/builds"]);
    health.moved("Connection shop/a");
    assert!(health.stalled().is_empty(), "the remote answers, if slowly");
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_does_not_end_while_no_other_does_is_a_stall_until_it_ends() {
    let health = Health::new(STALLED_AFTER);
    let slow = health.pass_started("Connection shop/a", "ProjectWebhook shop/builds");
    tokio::time::advance(STALLED_AFTER / 2).await;
    let _newer = health.pass_started("Connection shop/a", "ProjectWebhook shop/other");
    tokio::time::advance(STALLED_AFTER / 2 + Duration::from_secs(1)).await;
    assert_eq!(health.stalled(), ["ProjectWebhook shop/builds"]);
    drop(slow);
    assert!(health.stalled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_that_moves_is_no_stall() {
    let health = Health::new(STALLED_AFTER);
    let _waiting = health.pass_started("Connection shop/a", "ProjectWebhook shop/last");
    for _ in 0..10 {
        tokio::time::advance(STALLED_AFTER / 2).await;
        drop(health.pass_started("Connection shop/a", "ProjectWebhook shop/next"));
        assert!(health.stalled().is_empty());
    }
    tokio::time::advance(STALLED_AFTER * 2).await;
    assert_eq!(health.stalled(), ["ProjectWebhook shop/last"]);
}

#[test]
fn a_pass_may_wait_as_long_as_a_remote_can_make_it_wait() {
    // Its turn behind the longest Retry-After, and then the longest call that a connection may ask for.
    assert!(STALLED_AFTER >= crate::remote::refusal::MAX_RETRY_AFTER + Duration::from_secs(300));
}

#[test]
fn a_verdict_is_ok_or_lists_its_reasons_up_to_a_bound() {
    assert_eq!(verdict("ok", "h:", &[]), (StatusCode::OK, "ok\n".into()));
    let many: Vec<_> = (0..25).map(|n| format!("reason {n}")).collect();
    let (status, text) = verdict("ok", "h:", &many);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.starts_with("h:\n- reason 0\n") && text.ends_with("- reason 19\n- and 5 more\n"), "{text}");
}
