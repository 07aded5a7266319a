//! TLS for every encrypted transport: rustls with ring, the certificate of [`super::certificate`], and the
//! protocol by ALPN. There is no 0-RTT: what is sent in it can be replayed (RFC 9250 §5.4, RFC 8446 §8).

use rustls::crypto::ring;
use rustls::server::ResolvesServerCert;
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// DNS over TLS (RFC 7858 §3.1, with the name of RFC 8310 §5.1's registry).
pub(super) const DOT: &[u8] = b"dot";
/// DNS over QUIC (RFC 9250 §4.1.1).
pub(super) const DOQ: &[u8] = b"doq";
/// HTTP/2 over TLS (RFC 9113 §3.2).
pub(super) const HTTP_2: &[u8] = b"h2";
/// HTTP/3 (RFC 9114 §3.1).
pub(super) const HTTP_3: &[u8] = b"h3";

/// TLS 1.2 and 1.3, over TCP.
pub(super) const OVER_TCP: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
/// QUIC knows TLS 1.3 only (RFC 9001 §4.2).
pub(super) const OVER_QUIC: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What a listener of `protocol` says in its handshakes.
pub(super) fn config(
    certificate: Arc<dyn ResolvesServerCert>,
    protocol: &[u8],
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![protocol.to_vec()];
    config.max_early_data_size = 0;
    // One is enough for a client that comes back.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}
