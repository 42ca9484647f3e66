//! Reads reqwest's errors by their kind. Their texts hold URLs and go nowhere.

use std::error::Error;
use std::io;

use rustls::{CertificateError, crypto::CryptoProvider};

use super::error::{Fault, NotSent};
use super::http::SetupError;

/// reqwest panics where the process has no TLS provider. The binary sets one first thing; this is for everybody else.
pub(super) fn install_tls_provider() {
    if CryptoProvider::get_default().is_none() {
        // Fails only if somebody else was faster, and then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Why the client could not be built. What it is built from is fixed, so that only the trust roots can be wrong.
pub(super) fn setup_error(error: &reqwest::Error) -> SetupError {
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => SetupError::BadCertificate,
        _ => SetupError::NoTrustRoots,
    }
}

/// What went wrong before the head of an answer was there.
pub(super) fn classify(error: &reqwest::Error) -> Fault {
    if error.is_builder() {
        return Fault::NotSent(NotSent::Internal);
    }
    if !error.is_connect() {
        return if error.is_timeout() { Fault::Timeout } else { Fault::Network };
    }
    Fault::NotSent(if error.is_timeout() {
        NotSent::Timeout
    } else if error.is_dns() {
        NotSent::Dns
    } else {
        tls_error(error).map_or(NotSent::Connect, handshake)
    })
}

fn handshake(error: &rustls::Error) -> NotSent {
    match error {
        // A bad signature is what a CA gives that has the right name and another key: the one before its renewal.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            NotSent::UntrustedIssuer
        }
        rustls::Error::InvalidCertificate(_) => NotSent::BadCertificate,
        _ => NotSent::Tls,
    }
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The source of an io::Error is that of the error it wraps: the wrapped one itself would be skipped.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tls_error_is_found_inside_io_errors() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        assert_eq!(handshake(tls_error(&wrapped).unwrap()), NotSent::UntrustedIssuer);
        assert_eq!(tls_error(&io::Error::other("plain")), None);
        let renewed = rustls::Error::InvalidCertificate(CertificateError::BadSignature);
        assert_eq!(handshake(&renewed), NotSent::UntrustedIssuer);
    }

    #[test]
    fn a_certificate_that_does_not_fit_is_not_one_of_an_unknown_issuer() {
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(handshake(&expired), NotSent::BadCertificate);
        assert_eq!(handshake(&rustls::Error::HandshakeNotComplete), NotSent::Tls);
    }
}
