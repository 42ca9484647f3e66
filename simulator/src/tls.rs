//! The certificate authority made at start, and the certificate it signs for loopback.

use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// What clients need to trust the simulator, and what the listener needs to be trusted.
pub(crate) struct Identity {
    pub(crate) ca_pem: String,
    pub(crate) acceptor: TlsAcceptor,
}

/// Makes a fresh CA and lets it sign a certificate for `localhost` and `127.0.0.1`.
///
/// The CA's key is dropped here: nobody can sign anything else with it.
pub(crate) fn identity() -> anyhow::Result<Identity> {
    let ca_key = KeyPair::generate().context("generating the CA's key")?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "Hookwright simulator CA");
    let ca_pem = ca.self_signed(&ca_key).context("signing the CA")?.pem();

    let key = KeyPair::generate().context("generating the server's key")?;
    let mut leaf = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).context("signing the server's certificate")?;

    // The provider is named, never the process-wide default: a test may have installed none.
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .context("the server's certificate and key")?;
    // HTTP/1.1 only: a reset then belongs to exactly one exchange.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity { ca_pem, acceptor: TlsAcceptor::from(Arc::new(config)) })
}
