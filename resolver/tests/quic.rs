//! DNS over QUIC (RFC 9250) as hickory's client and a bare QUIC client see it.

mod support;

use hickory_net::quic::QuicClientStream;
use hickory_net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use port53_resolver::serve::TcpLimits;
use port53_resolver::traffic::{Closed, Transport};
use quinn::{Connection, ConnectionError, VarInt};
use rustls::pki_types::CertificateDer;
use std::net::UdpSocket;
use std::time::Duration;
use support::tls::*;
use support::*;
use tokio::time::timeout;

const BIG: &str = "big.example.com.";

async fn connected(server: &Server, trusted: &CertificateDer<'static>) -> Connection {
    connect_quic(server.encrypted.quic[0], client(trusted, &["doq"])).await.expect("connects")
}

/// Sends these octets on a stream of their own and reads what comes.
async fn exchange(connection: &Connection, octets: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(|error| error.to_string())?;
    send.write_all(octets).await.map_err(|error| error.to_string())?;
    let _ = send.finish();
    let read = timeout(PATIENCE, receive.read_to_end(70_000)).await.expect("in time");
    read.map_err(|error| error.to_string())
}

async fn ask(connection: &Connection, owner: &str, rtype: RecordType) -> Message {
    let octets = exchange(connection, &framed(&query(0, owner, rtype))).await.expect("an answer");
    assert_eq!(usize::from(u16::from_be_bytes([octets[0], octets[1]])), octets.len() - 2);
    Message::from_vec(&octets[2..]).expect("a message")
}

/// The code with which the server closed the connection.
async fn closed_with(connection: &Connection) -> VarInt {
    match timeout(PATIENCE, connection.closed()).await.expect("in time") {
        ConnectionError::ApplicationClosed(close) => close.error_code,
        other => panic!("not closed by the server: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hickory_is_answered_over_quic() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let mut stream = QuicClientStream::builder()
        .crypto_config(client(&trusted, &[]))
        .build(server.encrypted.quic[0], NAME.into())
        .await
        .expect("connects");
    for _ in 0..150 {
        let answer =
            stream.send_message(request(WWW, RecordType::A)).first_answer().await.expect("an answer");
        assert_eq!(values(&answer), ["192.0.2.1"]);
    }
    let answer = stream.send_message(request(BIG, RecordType::TXT)).first_answer().await.expect("an answer");
    assert_eq!(answer.answers.len(), 12);
    let expected = [("A", "NOERROR", 150), ("TXT", "NOERROR", 1)];
    assert_eq!(server.traffic.totals(Transport::Quic).queries, expected);
    server.stop().await;
}

/// RFC 9250 §4.2: the query that is whole is answered, whatever the streams before it wait for.
#[tokio::test(flavor = "multi_thread")]
async fn rfc9250_4_2_a_stream_that_waits_holds_up_no_other() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits { query: PATIENCE, ..Default::default() });
    let connection = connected(&server, &trusted).await;
    let octets = framed(&query(0, WWW, RecordType::A));
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&octets[..9]).await.expect("sends");
    for _ in 0..40 {
        assert_eq!(values(&ask(&connection, WWW, RecordType::A).await), ["192.0.2.1"]);
    }
    send.write_all(&octets[9..]).await.expect("sends");
    send.finish().expect("finishes");
    let answer = receive.read_to_end(70_000).await.expect("an answer");
    assert_eq!(values(&Message::from_vec(&answer[2..]).expect("a message")), ["192.0.2.1"]);
    server.stop().await;
}

/// RFC 9250 §4.3.3: an id, two messages, too few octets, the keepalive option (§5.5.2).
#[tokio::test(flavor = "multi_thread")]
async fn rfc9250_4_3_3_what_the_protocol_forbids_ends_the_connection() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let right = framed(&query(0, WWW, RecordType::A));
    let mut keepalive = query(0, WWW, RecordType::A);
    keepalive[11] = 1;
    keepalive.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0]);
    let wrong = [
        framed(&query(1, WWW, RecordType::A)),
        [&right[..], &right].concat(),
        right[..right.len() - 1].to_vec(),
        framed(&keepalive),
        Vec::new(),
    ];
    for octets in &wrong {
        let connection = connected(&server, &trusted).await;
        exchange(&connection, octets).await.expect_err("no answer");
        assert_eq!(closed_with(&connection).await, VarInt::from_u32(2), "{octets:?}");
    }
    eventually("counted", || server.traffic.closed(Transport::Quic, Closed::Malformed) == 5);
    server.stop().await;
}

/// What is not answered (a response) ends its stream only; so does a query that does not come.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_an_answer_ends_alone() {
    let publisher = published();
    let tcp = TcpLimits { query: Duration::from_millis(50), idle: PATIENCE, ..Default::default() };
    let (server, trusted) = serving(&publisher, tcp);
    let connection = connected(&server, &trusted).await;
    let mut response = query(0, WWW, RecordType::A);
    response[2] |= 0x80;
    let error = exchange(&connection, &framed(&response)).await.expect_err("no answer");
    assert!(error.contains("reset"), "{error}");
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&[0]).await.expect("sends");
    receive.read_to_end(1).await.expect_err("reset when its time is up");
    assert_eq!(values(&ask(&connection, WWW, RecordType::A).await), ["192.0.2.1"]);
    server.stop().await;
}

/// Streams that are reset as soon as they are opened cost nothing that stays.
#[tokio::test(flavor = "multi_thread")]
async fn rapid_reset_of_streams_does_not_keep_others_out() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let attacker = connected(&server, &trusted).await;
    let other = connected(&server, &trusted).await;
    for _ in 0..2000 {
        let (mut send, mut receive) = attacker.open_bi().await.expect("a stream");
        send.write_all(&framed(&query(0, BIG, RecordType::TXT))).await.expect("sends");
        let _ = (send.reset(VarInt::from_u32(3)), receive.stop(VarInt::from_u32(3)));
    }
    assert_eq!(values(&ask(&other, WWW, RecordType::A).await), ["192.0.2.1"]);
    assert_eq!(values(&ask(&attacker, WWW, RecordType::A).await), ["192.0.2.1"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_the_longest_unused_connection_goes() {
    let publisher = published();
    let (server, trusted) =
        serving(&publisher, TcpLimits { connections: caps(2, 2), idle: PATIENCE, ..Default::default() });
    let first = connected(&server, &trusted).await;
    ask(&first, WWW, RecordType::A).await;
    let second = connected(&server, &trusted).await;
    ask(&second, WWW, RecordType::A).await;
    let third = connected(&server, &trusted).await;
    assert_eq!(closed_with(&first).await, VarInt::from_u32(4));
    for connection in [&second, &third] {
        assert_eq!(values(&ask(connection, WWW, RecordType::A).await), ["192.0.2.1"]);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_the_end_is_said() {
    let publisher = published();
    let (server, trusted) =
        serving(&publisher, TcpLimits { idle: Duration::from_millis(300), ..Default::default() });
    let connection = connected(&server, &trusted).await;
    ask(&connection, WWW, RecordType::A).await;
    timeout(PATIENCE, connection.closed()).await.expect("closed");
    eventually("counted", || server.traffic.closed(Transport::Quic, Closed::Idle) == 1);
    server.stop().await;
}

/// RFC 9000 §8.1.2: under load an address is proven first, and the client comes through.
#[tokio::test(flavor = "multi_thread")]
async fn rfc9000_8_1_2_under_load_a_retry_is_sent_and_clients_come_through() {
    let publisher = published();
    // One handshake at a time is half of two.
    let tcp = TcpLimits { handshakes: 2, handshake: PATIENCE, ..Default::default() };
    let (server, trusted) = serving(&publisher, tcp);
    // The first datagram of a client that never sends its second: it came to the socket, not to us.
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    sink.set_read_timeout(Some(PATIENCE)).expect("sets");
    let hanging = connect_quic(sink.local_addr().expect("an address"), client(&trusted, &["doq"]));
    let hanging = tokio::spawn(hanging);
    let mut initial = [0; 2048];
    let (len, _) = sink.recv_from(&mut initial).expect("an initial packet");
    let attacker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    attacker.send_to(&initial[..len], server.encrypted.quic[0]).expect("sends");
    eventually("begun", || server.traffic.accepted(Transport::Quic) == 1);
    // The long header with the type of a Retry packet (RFC 9000 §17.2.5) for the next one.
    let next = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    next.set_read_timeout(Some(PATIENCE)).expect("sets");
    next.connect(server.encrypted.quic[0]).expect("connects");
    let hanging_too =
        tokio::spawn(connect_quic(sink.local_addr().expect("an address"), client(&trusted, &["doq"])));
    let mut other = [0; 2048];
    let len = loop {
        let (len, _) = sink.recv_from(&mut other).expect("an initial packet");
        // Its connection id is another one.
        if other[6..14] != initial[6..14] {
            break len;
        }
    };
    next.send(&other[..len]).expect("sends");
    let mut retry = [0; 2048];
    let len = next.recv(&mut retry).expect("a retry");
    assert!(len > 20 && retry[0] & 0xf0 == 0xf0, "a Retry packet: {:02x}", retry[0]);
    let connection = connected(&server, &trusted).await;
    assert_eq!(values(&ask(&connection, WWW, RecordType::A).await), ["192.0.2.1"]);
    hanging.abort();
    hanging_too.abort();
    server.abandon().await;
}

/// A query in flight when we leave is answered; then the end is said with no error.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_answers_what_is_in_flight() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let connection = connected(&server, &trusted).await;
    let octets = framed(&query(0, BIG, RecordType::TXT));
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(&octets[..9]).await.expect("sends");
    // Streams are accepted in their order, so the first one is known once the second one is answered.
    ask(&connection, WWW, RecordType::A).await;
    server.leave.cancel();
    send.write_all(&octets[9..]).await.expect("sends");
    send.finish().expect("finishes");
    let answer = receive.read_to_end(70_000).await.expect("an answer");
    assert_eq!(Message::from_vec(&answer[2..]).expect("a message").answers.len(), 12);
    assert_eq!(closed_with(&connection).await, VarInt::from_u32(0));
    server.stop().await;
}

/// QUIC is TLS: another protocol is refused, and there is no 0-RTT (RFC 9250 §5.4).
#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_refused_and_early_data_is_not_offered() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    connect_quic(server.encrypted.quic[0], client(&trusted, &["h3"])).await.expect_err("not spoken here");
    eventually("counted", || server.traffic.closed(Transport::Quic, Closed::Handshake) == 1);
    let mut early = client(&trusted, &["doq"]);
    early.enable_early_data = true;
    let first = connect_quic(server.encrypted.quic[0], early.clone()).await.expect("connects");
    ask(&first, WWW, RecordType::A).await;
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(early).expect("TLS 1.3");
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
    let config = quinn::ClientConfig::new(std::sync::Arc::new(crypto));
    let again = endpoint.connect_with(config, server.encrypted.quic[0], NAME).expect("an address");
    assert!(again.into_0rtt().is_err(), "the ticket allows no early data");
    server.stop().await;
}

/// A client that never stops does not keep us.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_ends_although_a_client_always_asks() {
    let publisher = published();
    let (server, trusted) = serving(&publisher, TcpLimits::default());
    let connection = connected(&server, &trusted).await;
    ask(&connection, WWW, RecordType::A).await;
    let asks = connection.clone();
    let client = tokio::spawn(async move {
        let octets = framed(&query(0, WWW, RecordType::A));
        while let Ok((mut send, _receive)) = asks.open_bi().await {
            let _ = (send.write_all(&octets).await, send.finish());
        }
    });
    timeout(PATIENCE, server.stop()).await.expect("it left");
    client.await.expect("the connection has ended");
}
