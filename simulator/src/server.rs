//! Listeners and connections, for every port alike; and the line that all tasks hang on, so that nothing outlives the
//! handle.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::socket::{Fate, Socket};

type BoxError = Box<dyn Error + Send + Sync>;

/// Every task of the simulator holds one; when the handle's end is cut, they all end, and the handle can tell when the
/// last one has.
#[derive(Clone)]
pub(crate) struct Lifeline(watch::Receiver<bool>);

impl Lifeline {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Runs a task until it is done (`Some`) or the simulator stops (`None`).
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut cut = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = cut.wait_for(|stopped| *stopped) => None,
                output = task => Some(output),
            }
        })
    }
}

/// Takes connections for ever, and serves each in a task of its own with the service that `service_for` makes for it.
pub(crate) async fn accept<S, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    lifeline: Lifeline,
    service_for: impl Fn(Arc<Fate>) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let fate = Arc::new(Fate::default());
                let service = service_for(Arc::clone(&fate));
                lifeline.spawn(converse(tcp, tls.clone(), fate, service));
            }
            // Out of file descriptors, or the client left while it queued: neither may end the listener, and the
            // first must not spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn converse<S, B>(tcp: TcpStream, tls: Option<TlsAcceptor>, fate: Arc<Fate>, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    // Without this, small answers wait for the client's delayed ACK. A failure costs speed only.
    let _ = tcp.set_nodelay(true);
    let socket = Socket::new(tcp, fate);
    match tls {
        None => serve(socket, service).await,
        // A failed handshake is the client's to report; there is no request to record.
        Some(tls) => {
            if let Ok(stream) = tls.accept(socket).await {
                serve(stream, service).await;
            }
        }
    }
}

async fn serve<S, B>(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>> + 'static,
{
    // Its errors are clients that left and faults that were asked for: the call record tells of both.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(io), service).await;
}
