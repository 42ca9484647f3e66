//! One HTTP call within its bounds: a total deadline, a bounded body, no redirect, TLS always verified.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Method, Response, redirect};
use serde_json::Value;
use url::Url;

use super::error::{BodyFault, Call, Fault, NotSent, RemoteError};
use super::gate::{Cut, Deadline};
use super::refusal;
use super::transport;

/// Largest body that is read, in bytes (design: 4 MiB).
pub const MAX_BODY: usize = 4 * 1024 * 1024;
/// Largest body of a refusal that is looked at for a code and a message, in bytes.
const MAX_REFUSAL: usize = 16 * 1024;
/// Longest time for opening a connection, DNS and TLS included. It is shorter than the whole call's, so that a remote
/// which can't be reached is told apart from one that does not answer: the first is known to have done nothing.
const MAX_CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Node's servers close theirs after 5 s by default; a request that meets that
/// close is lost with an unknown effect.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// How a connection's HTTP client is set up.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Certificates in PEM that are trusted beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// Total time for one call, without the waiting for its turn.
    pub timeout: Duration,
}

/// Why a client can't be set up. Never holds the value that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The CA text holds no certificate.
    #[error("the CA holds no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// The CA text holds something broken.
    #[error("the CA holds a certificate that can't be read; compare it with the original PEM file")]
    BadCertificate,
    /// TLS can't be set up at all.
    #[error("TLS can't be set up: this system has no trust roots; install CA certificates, or set spec.caFrom")]
    NoTrustRoots,
    /// The endpoint is no usable URL.
    #[error("the endpoint is not an http or https URL without user, query and fragment")]
    BadEndpoint,
    /// The token can't be sent as one, after `Bearer` (RFC 6750 §2.1) or in `X-Auth-Token`.
    #[error(
        "the token is empty, or holds a blank, a line break or another character that no token has; write the bare token, \
         without a word such as Bearer before it"
    )]
    BadToken,
}

/// A client with its own connections and trust roots. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client,
    timeout: Duration,
}

/// One call to make. Without `Debug`: URL, headers and body are not for showing.
pub struct Request<'a> {
    /// What it is, for errors.
    pub call: Call,
    /// Where it goes.
    pub url: Url,
    /// Credentials; each value is marked as sensitive by whoever makes it.
    pub headers: HeaderMap,
    /// The JSON body.
    pub json: Option<&'a Value>,
    /// When it has to have ended, should that come before the client's timeout.
    pub deadline: Option<Deadline>,
    /// What ends it at once.
    pub cut: &'a Cut,
}

/// An answer with a 2xx status. The body may still be unusable; whether that matters is the caller's to say.
/// Without `Debug`: the body is not for showing.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Result<Vec<u8>, Fault>,
}

impl HttpClient {
    /// Sets a client up.
    ///
    /// # Errors
    /// The CA can't be used, or the system has no trust roots.
    pub fn new(options: &ClientOptions) -> Result<Self, SetupError> {
        let ClientOptions { ca_pem, timeout } = options;
        transport::install_tls_provider();
        let certificates = ca_pem.as_deref().map(read_ca).transpose()?.unwrap_or_default();
        let client = Client::builder()
            .user_agent(concat!("hookwright/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]))
            .redirect(redirect::Policy::none())
            // A proxy from the environment would see which remotes are called, and --allowed-endpoint would not hold.
            .no_proxy()
            // Every try is the caller's: it is paced, counted, and knows whether the last one may have had an effect.
            .retry(reqwest::retry::never())
            .referer(false)
            // With HTTP/2 one connection that went dead in silence would make all calls time out until TCP gives up.
            .http1_only()
            .pool_idle_timeout(KEEP_IDLE)
            .connect_timeout(MAX_CONNECT.min(*timeout / 2))
            .tls_certs_merge(certificates)
            .build()
            .map_err(|error| transport::setup_error(&error))?;
        Ok(Self { client, timeout: *timeout })
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Everything but a 2xx status. A 2xx status with an unusable body is a [`Reply`].
    pub async fn call(&self, request: Request<'_>) -> Result<Reply, RemoteError> {
        let call = request.call;
        self.exchange(request).await.map_err(|fault| RemoteError::new(call, fault))
    }

    async fn exchange(&self, request: Request<'_>) -> Result<Reply, Fault> {
        let Request { call, url, headers, json, deadline, cut } = request;
        if cut.is_cut() || deadline.as_ref().is_some_and(Deadline::has_passed) {
            return Err(Fault::Draining);
        }
        let limits = Limits { end: tokio::time::Instant::now() + self.timeout, deadline: deadline.as_ref(), cut };

        let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| Fault::NotSent(NotSent::Internal))?;
        let mut builder = self.client.request(method, url).headers(headers);
        if let Some(json) = json {
            builder = builder.json(json);
        }
        let response = limits.within(builder.send()).await?.map_err(|error| transport::classify(&error))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            let headers = response.headers().clone();
            return Ok(Reply { status, headers, body: read_body(response, MAX_BODY, &limits).await });
        }
        let retry_after = refusal::retry_after(response.headers(), jiff::Timestamp::now());
        // The status counts, whatever becomes of its body.
        let body = read_body(response, MAX_REFUSAL, &limits).await.unwrap_or_default();
        Err(refusal::fault(status, retry_after, &body))
    }
}

/// What every wait of one call is held against.
struct Limits<'a> {
    end: tokio::time::Instant,
    deadline: Option<&'a Deadline>,
    cut: &'a Cut,
}

impl Limits<'_> {
    async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, Fault> {
        let bounded = async {
            match self.deadline {
                Some(deadline) => deadline.bound(work).await.map_err(|_| Fault::Cut),
                None => Ok(work.await),
            }
        };
        tokio::select! {
            biased;
            () = self.cut.wait() => Err(Fault::Cut),
            result = tokio::time::timeout_at(self.end, bounded) => result.unwrap_or(Err(Fault::Timeout)),
        }
    }
}

async fn read_body(mut response: Response, limit: usize, limits: &Limits<'_>) -> Result<Vec<u8>, Fault> {
    let too_large = Fault::Body(BodyFault::TooLarge);
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large);
    }
    let mut body = Vec::new();
    loop {
        let chunk = limits.within(response.chunk()).await?.map_err(|_| Fault::Body(BodyFault::Truncated))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if chunk.len() > limit - body.len() {
            return Err(too_large);
        }
        body.extend_from_slice(&chunk);
    }
}

fn read_ca(pem: &[u8]) -> Result<Vec<Certificate>, SetupError> {
    let certificates = Certificate::from_pem_bundle(pem).map_err(|_| SetupError::BadCertificate)?;
    if certificates.is_empty() { Err(SetupError::NoCertificate) } else { Ok(certificates) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_ca(pem: &str) -> Result<HttpClient, SetupError> {
        HttpClient::new(&ClientOptions { ca_pem: Some(pem.into()), timeout: Duration::from_secs(1) })
    }

    #[test]
    fn a_ca_that_is_none_is_refused_when_the_client_is_set_up() {
        assert_eq!(with_ca("").unwrap_err(), SetupError::NoCertificate);
        assert_eq!(with_ca("not a certificate").unwrap_err(), SetupError::NoCertificate);
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(with_ca(garbage).unwrap_err(), SetupError::BadCertificate);
        let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        assert_eq!(with_ca(broken).unwrap_err(), SetupError::BadCertificate);
    }

    #[test]
    fn a_client_without_a_ca_trusts_the_system() {
        assert!(HttpClient::new(&ClientOptions { ca_pem: None, timeout: Duration::from_secs(1) }).is_ok());
    }
}
