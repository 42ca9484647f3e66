//! A name server on a loopback address of its own. Like a cluster's it is asked for every name of the search list first.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The port is the only one that resolv.conf can mean; it needs root.
const PORT: u16 = 53;
/// The type A, and the class IN (RFC 1035 §3.2).
const A: [u8; 4] = [0, 1, 0, 1];

/// It knows one name, which is 127.0.0.1.
pub struct NameServer {
    address: Ipv4Addr,
    answered: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl NameServer {
    pub async fn start(name: &'static str) -> Self {
        let (address, socket) = bind().await;
        let answered = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&answered);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((size, peer)) = socket.recv_from(&mut buffer).await {
                let Some((answer, found)) = answer(&buffer[..size], name) else { continue };
                counted.fetch_add(usize::from(found), Ordering::Relaxed);
                socket.send_to(&answer, peer).await.expect("loopback takes it");
            }
        });
        Self { address, answered, task }
    }

    /// As a kubelet writes it (ClusterFirst).
    pub fn resolv_conf(&self) -> String {
        let search = "search shop.svc.cluster.local svc.cluster.local cluster.local";
        format!("{search}\nnameserver {}\noptions ndots:5\n", self.address)
    }

    /// Whether it has told the address.
    pub fn was_asked(&self) -> bool {
        self.answered.load(Ordering::Relaxed) > 0
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// All of 127/8 is loopback: an address that nobody has.
async fn bind() -> (Ipv4Addr, UdpSocket) {
    for last in 1..255 {
        let address = Ipv4Addr::new(127, 83, 53, last);
        match UdpSocket::bind((address, PORT)).await {
            Ok(socket) => return (address, socket),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => panic!("{address}:{PORT}: {error}"),
        }
    }
    panic!("no address of 127.83.53/24 is free");
}

/// The answer to a query with one question, and whether it tells the address; `None` if it is no such query.
fn answer(query: &[u8], known: &str) -> Option<(Vec<u8>, bool)> {
    let (head, mut rest) = query.split_at_checked(12)?;
    let mut labels = vec![];
    loop {
        let (&[length], after) = rest.split_first_chunk()?;
        let (label, after) = after.split_at_checked(length.into())?;
        rest = after;
        if label.is_empty() {
            break;
        }
        labels.push(std::str::from_utf8(label).ok()?);
    }
    let question = rest.get(..4)?;
    let exists = labels.join(".").eq_ignore_ascii_case(known);
    let found = exists && question == A;
    // A response, recursion desired and available; NXDOMAIN is 3. No name server and no further records, so EDNS is refused
    // by silence.
    let mut answer = vec![head[0], head[1], 0x81, if exists { 0x80 } else { 0x83 }, 0, 1, 0, found.into(), 0, 0, 0, 0];
    let question_end = query.len() - rest.len() + 4;
    answer.extend(&query[12..question_end]);
    if found {
        // The name of the question, by its offset; a minute to live; four bytes of address.
        answer.extend([0xc0, 12]);
        answer.extend(A);
        answer.extend([0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some((answer, found))
}
