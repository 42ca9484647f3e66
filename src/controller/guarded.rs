//! A client of Kubernetes whose writes ask the gate: a process that does not lead writes nothing, whoever tries.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use http::{Method, Request};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::{BoxError, Service};

use crate::remote::gate::Gate;

/// The client. Its writes fail with [`Closed`](crate::remote::gate::Closed) where the gate is; reads and dry
/// runs always pass.
///
/// # Errors
/// The configuration can't be used.
pub fn guarded(config: Config, gate: Arc<dyn Gate>) -> Result<Client, kube::Error> {
    let layer = tower::layer::layer_fn(move |inner| Guarded { inner, gate: Arc::clone(&gate) });
    Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
}

/// Whether the API server is asked only what it would do.
fn is_dry_run<B>(request: &Request<B>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "dryRun=All"))
}

struct Guarded<S> {
    inner: S,
    gate: Arc<dyn Gate>,
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.method() == Method::GET || is_dry_run(&request) {
            return self.inner.call(request).boxed();
        }
        match self.gate.may_call() {
            Err(closed) => ready(Err(closed.into())).boxed(),
            Ok(None) => self.inner.call(request).boxed(),
            Ok(Some(deadline)) => {
                let answer = self.inner.call(request);
                async move { deadline.bound(answer).await? }.boxed()
            }
        }
    }
}
