//! The certificates of public authorities that Mozilla trusts for servers, in PEM.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// All of them. As data they have a licence of their own, which asks to be named.
pub fn bundle() -> String {
    let mut text = String::from(
        "# Certificate authorities that Mozilla trusts for servers, by way of the crate webpki-root-certs.\n\
         # CDLA-Permissive-2.0: https://cdla.dev/permissive-2-0/\n",
    );
    for certificate in TLS_SERVER_ROOT_CERTS {
        pem(&mut text, certificate);
    }
    text
}

/// One certificate (RFC 7468).
fn pem(text: &mut String, der: &[u8]) {
    let base64 = STANDARD.encode(der);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        // Writing to a String can't fail.
        let _ = writeln!(text, "{line}");
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
}
