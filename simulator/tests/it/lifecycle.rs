//! Start, TLS, stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use simulator::{Options, ProjectRef, Simulator};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::bench::{TOKEN, bench, client};

#[tokio::test]
async fn tls_is_trusted_for_127_0_0_1_and_localhost_by_the_ca_of_this_start_only() {
    let bench = bench().await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("{}{}", bench.simulator.https_url().replace("127.0.0.1", host), bench.path());
        let answer = bench.client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let other = Simulator::start(Options::default()).await.unwrap();
        let stranger = client(other.ca_pem());
        stranger.get(&url).bearer_auth(TOKEN).send().await.expect_err("another CA is not trusted");
    }
    assert_eq!(bench.simulator.counts(None).total, 2, "a refused handshake is no call");
}

#[tokio::test]
async fn both_ports_serve_the_same_state() {
    let bench = bench().await;
    let url = format!("{}{}", bench.simulator.https_url(), bench.path());
    let body = crate::bench::webhook("a");
    assert_eq!(bench.client.post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap().status(), 201);
    assert_eq!(bench.list().await.len(), 1);
}

#[tokio::test]
async fn endpoints_hold_the_base_path() {
    let bench = bench().await;
    let tail = bench.path().replace("/api/v1", "");
    for endpoint in [bench.simulator.http_endpoint(), bench.simulator.https_endpoint()] {
        let answer = bench.client.get(format!("{endpoint}{tail}")).bearer_auth(TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn a_simulator_starts_with_its_options() {
    let project = ProjectRef { organization: "64b0c0ffee00000000000001".into(), id: "64B0C0FFEE00000000000002".into() };
    let options = Options { tokens: vec![TOKEN.into()], projects: vec![project], ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let url = format!(
        "{}/organizations/64b0c0ffee00000000000001/projects/64b0c0ffee00000000000002/settings/webhooks",
        simulator.http_endpoint()
    );
    let answer = client(simulator.ca_pem()).get(url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let first = Simulator::start(Options::default()).await.unwrap();
    let taken = first.http_url().replace("http://", "").parse().unwrap();
    assert!(Simulator::start(Options { http: taken, ..Options::default() }).await.is_err());
}

#[tokio::test]
async fn stopping_closes_every_port_and_every_connection() {
    // An address that no other test uses: on the usual one somebody else may get the port as soon as it is free.
    let own = SocketAddr::from(([127, 77, 0, 1], 0));
    let options = Options { http: own, https: own, admin: own, ..Options::default() };
    let simulator = Simulator::start(options).await.unwrap();
    let address = |url: String| url.split_once("://").unwrap().1.to_owned();
    let addresses = [simulator.http_url(), simulator.https_url(), simulator.admin_url()].map(address);
    let mut open = TcpStream::connect(&addresses[0]).await.unwrap();
    simulator.stop().await;
    for address in &addresses {
        // At once, but for a program that another test starts: between fork and exec it has a copy of every socket.
        let refused = async {
            loop {
                match TcpStream::connect(address).await {
                    Err(error) => return error,
                    Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await.expect("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
    let mut buffer = [0; 1];
    // A clean end or a reset, by whether the connection was taken from the queue before the listener closed.
    assert!(!matches!(open.read(&mut buffer).await, Ok(1)));
}

#[tokio::test]
async fn dropping_the_handle_stops_it_too() {
    let bench = bench().await;
    let address = bench.simulator.http_url().replace("http://", "");
    let mut open = TcpStream::connect(&address).await.unwrap();
    drop(bench);
    // The end of the open connection shows that the tasks have heard.
    let mut buffer = [0; 1];
    assert!(!matches!(open.read(&mut buffer).await, Ok(1)));
}
