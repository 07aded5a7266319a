//! Attacks on the encrypted transports, against a running server on loopback: what a frame of HTTP/2 can make grow, what
//! a packet of QUIC can make come back, and what can be sent before a handshake ends.

mod support;

use hickory_proto::rr::RecordType;
use port53_resolver::serve::TcpLimits;
use port53_resolver::traffic::{Closed, Transport};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use support::tls::*;
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Types of frames of HTTP/2 (RFC 9113 §6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// GET of `/dns-query`, and one field more of 4,000 octets that goes into the table as number 62.
fn fields() -> Vec<u8> {
    let mut fields = vec![0x82, 0x87, 0x04, 10];
    fields.extend(b"/dns-query");
    // RFC 7541 §6.2.1, the length in three octets (§5.1).
    fields.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    fields.extend([b'a'; 4000]);
    fields
}

async fn connect_http(address: SocketAddr, client: ClientConfig) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("connects");
    let name = ServerName::try_from(NAME).expect("a name");
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("connects");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("sends");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.expect("sends");
    stream
}

/// Reads until the stream or the connection is refused: a status, a reset, or the end.
async fn is_refused(stream: &mut TlsStream<TcpStream>) -> bool {
    let read = async {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return true;
            }
            let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            if stream.read_exact(&mut payload).await.is_err() {
                return true;
            }
            match head[3] {
                RST_STREAM | GOAWAY => return true,
                // `:status` 431 is in no static table (RFC 7541 Appendix A): as text.
                HEADERS => return payload.windows(3).any(|three| three == b"431"),
                _ => {}
            }
        }
    };
    timeout(PATIENCE, read).await.expect("in time")
}

async fn others_are_answered(server: &Server, trusted: ClientConfig) {
    let connection = connect_quic(server.encrypted.quic[0], trusted).await.expect("connects");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&framed(&query(0, WWW, RecordType::A))).await.expect("sends");
    send.finish().expect("finishes");
    assert!(receive.read_to_end(1000).await.expect("an answer").len() > 40);
}

/// A field of 4,000 octets that one octet repeats: 40 MB in a frame of 14,000.
#[tokio::test(flavor = "multi_thread")]
async fn attack_hpack_bomb() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let mut stream = connect_http(server.encrypted.https[0], client(&trusted, &["h2"])).await;
    let bomb = [fields(), vec![0xbe; 10_000]].concat();
    stream.write_all(&frame(HEADERS, 0x5, 1, &bomb)).await.expect("sends");
    assert!(is_refused(&mut stream).await);
    assert_eq!(server.traffic.totals(Transport::Https).received, 0);
    others_are_answered(&server, client(&trusted, &["doq"])).await;
    server.stop().await;
}

/// CVE-2024-27316 and others: fields that never end, frame by frame.
#[tokio::test(flavor = "multi_thread")]
async fn attack_continuation_without_end() {
    let publisher = published();
    let tcp = TcpLimits { query: PATIENCE, idle: PATIENCE, ..TcpLimits::default() };
    let (server, trusted) = serving(&publisher, tcp);
    let mut stream = connect_http(server.encrypted.https[0], client(&trusted, &["h2"])).await;
    stream.write_all(&frame(HEADERS, 0, 1, &fields())).await.expect("sends");
    let more = frame(CONTINUATION, 0, 1, &fields()[14..]);
    let mut sent = 0;
    while let Ok(Ok(())) = timeout(PATIENCE, stream.write_all(&more)).await {
        sent += more.len();
        assert!(sent < 64 << 20, "taken without end");
    }
    assert_eq!(server.traffic.totals(Transport::Https).received, 0);
    others_are_answered(&server, client(&trusted, &["doq"])).await;
    server.stop().await;
}

/// RFC 9000 §8.1: an address that has proven nothing gets three times what came from it. quinn begins its last datagram
/// below that, so it may be one of 1,200 octets more.
#[tokio::test(flavor = "multi_thread")]
async fn attack_quic_amplification() {
    let publisher = published();
    let tcp = TcpLimits { handshake: Duration::from_secs(4), ..TcpLimits::default() };
    let (server, trusted) = serving(&publisher, tcp);
    // The first datagram of a client, sent by another who never says more.
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    sink.set_read_timeout(Some(PATIENCE)).expect("sets");
    let begun = connect_quic(sink.local_addr().expect("an address"), client(&trusted, &["doq"]));
    let begun = tokio::spawn(begun);
    let mut octets = [0; 2048];
    let (sent, _) = sink.recv_from(&mut octets).expect("an initial packet");
    begun.abort();
    let victim = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    victim.set_read_timeout(Some(Duration::from_millis(50))).expect("sets");
    victim.connect(server.encrypted.quic[0]).expect("connects");
    victim.send(&octets[..sent]).expect("sends");
    let mut received = 0;
    // What is lost is sent again until the handshake is given up.
    while server.traffic.closed(Transport::Quic, Closed::Handshake) == 0 {
        received += victim.recv(&mut octets).unwrap_or(0);
    }
    assert!(received > sent && received < 3 * sent + 1200, "{received} for {sent}");
    server.stop().await;
}

/// RFC 8446 §8: what is sent before the handshake ends could be sent again by anyone. A ticket allows none.
#[tokio::test(flavor = "multi_thread")]
async fn attack_replay_of_early_data() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let mut early = client(&trusted, &["dot"]);
    early.enable_early_data = true;
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut stream = connect_tls(&server, early.clone()).await.expect("connects");
        stream.write_all(&framed(&query(1, WWW, RecordType::A))).await.expect("sends");
        stream.read_u16().await.expect("an answer");
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
    }
    // It would come back a third time by a ticket, and may say nothing with it.
    let name = ServerName::try_from(NAME).expect("a name");
    let mut next = ClientConnection::new(Arc::new(early), name).expect("a client");
    assert!(next.early_data().is_none());
    server.stop().await;
}
