//! Connections over the encrypted transports. Whose certificate a nameserver shows is not looked at: it is asked by the
//! address of its pod, and what counts here is the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::{TokioExecutor, TokioIo};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ask::{CONNECTION, any_of_family, connect};

/// More than any message (RFC 1035 §4.2.2).
const LARGEST: usize = 65_537;
const DNS_MESSAGE: &str = "application/dns-message";

type Replies = Result<Vec<(Vec<u8>, Duration)>, String>;

/// A connection over TLS (RFC 7858 §3.1).
///
/// # Errors
/// In words, when there is none.
pub(super) async fn tls(address: SocketAddr) -> Result<TlsStream<TcpStream>, String> {
    handshake(address, b"dot").await
}

/// Asks each on a stream of its own of one connection over QUIC (RFC 9250 §4.2).
///
/// # Errors
/// In words, when one is not answered.
pub(super) async fn quic(address: SocketAddr, queries: &[Vec<u8>]) -> Replies {
    within(async {
        let config = QuicClientConfig::try_from(config(b"doq")?).map_err(text)?;
        let mut endpoint = quinn::Endpoint::client(any_of_family(address)).map_err(text)?;
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
        let connection = endpoint.connect(address, "nameserver").map_err(text)?;
        let connection = connection.await.map_err(text)?;
        let mut replies = Vec::with_capacity(queries.len());
        for query in queries {
            let begun = Instant::now();
            let (mut to, mut from) = connection.open_bi().await.map_err(text)?;
            let length = (query.len() as u16).to_be_bytes();
            to.write_all(&[&length[..], query].concat()).await.map_err(text)?;
            to.finish().map_err(text)?;
            let reply = from.read_to_end(LARGEST).await.map_err(text)?;
            let (length, reply) = reply.split_first_chunk().ok_or("ends the stream without an answer")?;
            if usize::from(u16::from_be_bytes(*length)) != reply.len() {
                return Err("answers another length than it says (RFC 9250 section 4.2)".to_owned());
            }
            if reply.first_chunk() != Some(&[0, 0]) {
                return Err("answers with an ID (RFC 9250 section 4.2.1)".to_owned());
            }
            replies.push((reply.to_vec(), begun.elapsed()));
        }
        // DOQ_NO_ERROR (RFC 9250 §8.4).
        connection.close(0u32.into(), b"");
        Ok(replies)
    })
    .await
}

/// Asks each by a request of its own over one connection of HTTP/2 (RFC 8484 §4.1).
///
/// # Errors
/// In words, when one is not answered.
pub(super) async fn https(address: SocketAddr, queries: &[Vec<u8>]) -> Replies {
    within(async {
        let stream = TokioIo::new(handshake(address, b"h2").await?);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.map_err(text)?;
        let connection = tokio::spawn(connection);
        let mut replies = Vec::with_capacity(queries.len());
        for query in queries {
            let begun = Instant::now();
            let request = http::Request::post(format!("https://{address}/dns-query"))
                .header(http::header::CONTENT_TYPE, DNS_MESSAGE)
                .header(http::header::ACCEPT, DNS_MESSAGE)
                .body(Full::new(Bytes::from(query.clone())))
                .map_err(text)?;
            let response = sender.send_request(request).await.map_err(text)?;
            if !response.status().is_success() {
                return Err(format!("answers {}", response.status()));
            }
            if response.headers().get(http::header::CONTENT_TYPE).is_none_or(|kind| kind != DNS_MESSAGE) {
                return Err(format!("answers no {DNS_MESSAGE} (RFC 8484 section 4.2.1)"));
            }
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            replies.push((body.to_vec(), begun.elapsed()));
        }
        connection.abort();
        Ok(replies)
    })
    .await
}

async fn within(asking: impl Future<Output = Replies>) -> Replies {
    timeout(CONNECTION, asking).await.unwrap_or_else(|_| Err("does not answer".to_owned()))
}

async fn handshake(address: SocketAddr, protocol: &[u8]) -> Result<TlsStream<TcpStream>, String> {
    let stream = connect(address).await?;
    let connector = TlsConnector::from(Arc::new(config(protocol)?));
    let name = ServerName::from(address.ip());
    match timeout(CONNECTION, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("does not speak TLS: {error}")),
        Err(_) => Err("does not speak TLS".to_owned()),
    }
}

fn config(protocol: &[u8]) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

fn text(error: impl std::error::Error + 'static) -> String {
    port53_client::chain(&error)
}

/// Takes every certificate; that its key is there is looked at all the same.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
