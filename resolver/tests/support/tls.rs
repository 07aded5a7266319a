//! Certificates in files, and clients that trust them.

use super::{PATIENCE, Server, limits, start_encrypted};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message, Query};
use hickory_proto::rr::{Name, RecordType};
use port53_resolver::serve::{Certificate, Files, Settings, TcpLimits};
use port53_resolver::source::Publisher;
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The name in every certificate here.
pub const NAME: &str = "dns.example.com";

/// A new certificate.
pub fn issue() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("a certificate")
}

pub fn write(dir: &Path, pair: &CertifiedKey<KeyPair>) {
    fs::write(dir.join("tls.crt"), pair.cert.pem()).expect("writes");
    fs::write(dir.join("tls.key"), pair.signing_key.serialize_pem()).expect("writes");
}

/// Files of a certificate, looked at again all the time.
pub fn certificate_in(dir: &Path) -> Arc<Certificate> {
    let files = Files { certificate: dir.join("tls.crt"), key: dir.join("tls.key") };
    Certificate::read(files, Duration::from_millis(5)).expect("right")
}

/// Settings with a certificate, and what a client trusts then.
pub fn with_certificate(settings: Settings) -> (Settings, CertificateDer<'static>) {
    let dir = TempDir::new().expect("a directory");
    let pair = issue();
    write(dir.path(), &pair);
    let certificate = Some(certificate_in(dir.path()));
    // The files stay, so that nothing is found wrong while the test runs.
    let _ = dir.keep();
    (Settings { certificate, ..settings }, pair.cert.der().clone())
}

/// A server with a certificate and these limits, and what a client trusts then.
pub fn serving(publisher: &Publisher, tcp: TcpLimits) -> (Server, CertificateDer<'static>) {
    let (settings, trusted) = with_certificate(limits(tcp));
    (start_encrypted(publisher, settings), trusted)
}

/// Trusts this certificate alone, and offers these protocols.
pub fn client(trusted: &CertificateDer<'static>, protocols: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// A connection to the listener for TLS.
pub async fn connect_tls(server: &Server, client: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.encrypted.tls[0]).await?;
    let name = ServerName::try_from(NAME).expect("a name");
    let connect = TlsConnector::from(Arc::new(client)).connect(name, stream);
    tokio::time::timeout(PATIENCE, connect).await.expect("in time")
}

/// A QUIC connection to this address.
pub async fn connect_quic(address: SocketAddr, client: ClientConfig) -> Result<quinn::Connection, String> {
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(client).expect("TLS 1.3");
    let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
    let client = quinn::ClientConfig::new(Arc::new(crypto));
    let connecting = endpoint.connect_with(client, address, NAME).expect("an address");
    let connecting = tokio::time::timeout(PATIENCE, connecting);
    connecting.await.expect("in time").map_err(|error| error.to_string())
}

/// A question of hickory, with an id, as its clients send it.
pub fn request(owner: &str, rtype: RecordType) -> DnsRequest {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_str(owner).expect("a name"), rtype));
    DnsRequest::new(message, DnsRequestOptions::default())
}
