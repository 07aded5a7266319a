//! The limits of connections, and what a client is told of them (RFC 7766, RFC 7828).

mod support;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::traffic::{Closed, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::str::FromStr;
use std::time::Duration;
use support::*;

/// Asks on an open connection, with the keepalive option. Gives what the option of the answer says.
fn ask_keepalive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = Message::new(1, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_str(WWW).expect("a name"), RecordType::A));
    let mut edns = Edns::new();
    edns.options_mut().insert(EdnsOption::Unknown(u16::from(EdnsCode::Keepalive), Vec::new()));
    message.edns = Some(edns);
    stream.write_all(&framed(&message.to_vec().expect("encodes"))).expect("sends");
    let answer = read_framed(stream);
    assert_eq!(values(&answer), ["192.0.2.1"]);
    match answer.edns.expect("an OPT").option(EdnsCode::Keepalive)? {
        EdnsOption::Unknown(_, value) => Some(value.clone()),
        other => panic!("not the option: {other:?}"),
    }
}

/// RFC 7828 §3.1: in units of 100 milliseconds; §3.3.2: shorter, and at last 0, when places run out.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7828_the_time_told_is_ours_and_shrinks_near_the_cap() {
    let publisher = published();
    let tcp = TcpLimits { connections: caps(16, 16), idle: Duration::from_secs(40), ..Default::default() };
    let server = start(&publisher, limits(tcp));
    let mut stream = connect(server.address);
    assert_eq!(ask_keepalive(&mut stream), Some(400u16.to_be_bytes().to_vec()));
    let mut others = Vec::new();
    // Each has been accepted once it was answered.
    let mut open = |count: usize| {
        others.resize_with(count, || {
            let mut other = connect(server.address);
            other.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
            read_framed(&mut other);
            other
        });
    };
    open(11);
    assert_eq!(ask_keepalive(&mut stream), Some(100u16.to_be_bytes().to_vec()));
    open(14);
    assert_eq!(ask_keepalive(&mut stream), Some(vec![0, 0]));
    server.stop().await;
}

/// RFC 7828 §3.2.1: over UDP the option is ignored.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7828_3_2_who_does_not_ask_is_told_nothing() {
    let publisher = published();
    let server = start(&publisher, hasty());
    assert!(ask_tcp(server.address, WWW, RecordType::A).edns.is_none());
    server.stop().await;
}

/// A hoard from one address pushes out its own connections, not those of others.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_of_a_prefix_a_hoard_evicts_only_itself() {
    let publisher = published();
    let server = start(&publisher, limits(TcpLimits { connections: caps(100, 2), ..Default::default() }));
    let mut other = connect_from("127.0.0.2", server.address);
    let hoard: Vec<TcpStream> = (0..20).map(|_| connect(server.address)).collect();
    eventually("all but two are evicted", || server.traffic.closed(Transport::Tcp, Closed::Evicted) == 18);
    for mut evicted in hoard.into_iter().take(18) {
        assert_eq!(evicted.read(&mut [0]).unwrap_or(0), 0);
    }
    other.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
    assert_eq!(values(&read_framed(&mut other)), ["192.0.2.1"]);
    server.stop().await;
}

/// The one that asks keeps its place, however old it is.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7766_6_2_3_at_the_cap_the_connection_that_asks_stays() {
    let publisher = published();
    let server = start(
        &publisher,
        limits(TcpLimits { connections: caps(3, 3), idle: PATIENCE, ..Default::default() }),
    );
    let mut asks = connect(server.address);
    let mut idle = Vec::new();
    for opened in 1..10 {
        asks.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
        assert_eq!(values(&read_framed(&mut asks)), ["192.0.2.1"]);
        // The clock of the server has gone on since the answer, so the next one is younger.
        let answered = std::time::Instant::now();
        eventually("a millisecond", || answered.elapsed() > Duration::from_millis(2));
        idle.push(connect(server.address));
        eventually("accepted", || server.traffic.accepted(Transport::Tcp) == opened + 1);
    }
    eventually("all but three", || server.traffic.closed(Transport::Tcp, Closed::Evicted) == 7);
    server.stop().await;
}

/// A PROXY header (version 2) of an IPv4 client, with an unknown TLV.
fn proxy_header(client: [u8; 4]) -> Vec<u8> {
    let addresses = [&client[..], &[127, 0, 0, 1, 0x12, 0x34, 0, 53, 0xe7, 0, 1, 9]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10", &addresses[..]].concat()
}

fn proxied(tcp: TcpLimits) -> Settings {
    Settings { proxies: vec!["127.0.0.2".parse().expect("a prefix")], ..limits(tcp) }
}

/// From a trusted address, in any pieces; LOCAL is the proxy itself, as when it looks whether we are here.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_from_a_trusted_address_is_taken_off() {
    let publisher = published();
    let server = start(&publisher, proxied(TcpLimits::default()));
    let mut v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    v6.extend([0x20; 36]);
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for header in [proxy_header([192, 0, 2, 7]), v6, local] {
        let mut stream = connect_from("127.0.0.2", server.address);
        stream.set_nodelay(true).expect("sets");
        for octets in [header, framed(&query(1, WWW, RecordType::A))].concat().chunks(7) {
            stream.write_all(octets).expect("sends");
        }
        assert_eq!(values(&read_framed(&mut stream)), ["192.0.2.1"]);
    }
    server.stop().await;
}

/// The same for datagrams: the answer goes to the proxy, without a header.
#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_of_a_proxy_is_answered_to_the_proxy() {
    let publisher = published();
    let server = start(&publisher, proxied(TcpLimits::default()));
    let socket = std::net::UdpSocket::bind("127.0.0.2:0").expect("a socket");
    socket.connect(server.address).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    let message = query(1, WWW, RecordType::A);
    socket.send(&message).expect("sends");
    eventually("the drop", || server.traffic.totals(Transport::Udp).bad_source == 1);
    let header = proxy_header([192, 0, 2, 7]);
    socket.send(&[&header[..], &message].concat()).expect("sends");
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).expect("an answer");
    assert_eq!(values(&Message::from_vec(&answer[..length]).expect("a message")), ["192.0.2.1"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_from_others_is_malformed_and_from_a_proxy_it_must_be_there() {
    let publisher = published();
    let server = start(&publisher, proxied(TcpLimits::default()));
    let octets = [proxy_header([192, 0, 2, 7]), framed(&query(1, WWW, RecordType::A))].concat();
    for (source, sent, reason) in [
        ("127.0.0.1", &octets, Closed::Malformed),
        ("127.0.0.2", &framed(&query(1, WWW, RecordType::A)), Closed::Handshake),
    ] {
        let mut stream = connect_from(source, server.address);
        stream.write_all(sent).expect("sends");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed without an answer");
        eventually("counted", || server.traffic.closed(Transport::Tcp, reason) == 1);
    }
    server.stop().await;
}

/// The caps are of the clients that a proxy names, and the proxy itself has none.
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_the_caps_are_of_the_clients_that_it_names() {
    let publisher = published();
    let server = start(&publisher, proxied(TcpLimits { connections: caps(100, 1), ..Default::default() }));
    let open = |client: u8| {
        let mut stream = connect_from("127.0.0.2", server.address);
        let octets = [proxy_header([192, 0, 2, client]), framed(&query(1, WWW, RecordType::A))].concat();
        stream.write_all(&octets).expect("sends");
        assert_eq!(values(&read_framed(&mut stream)), ["192.0.2.1"]);
        stream
    };
    let mut streams: Vec<TcpStream> = (1..=10).map(open).collect();
    assert_eq!(server.traffic.closed(Transport::Tcp, Closed::Evicted), 0);
    let _again = open(1);
    assert_eq!(streams[0].read(&mut [0]).unwrap_or(0), 0, "the older one of the same client");
    eventually("counted", || server.traffic.closed(Transport::Tcp, Closed::Evicted) == 1);
    server.stop().await;
}

/// A header begun and left has a time, and does not hold a place of those who ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_that_does_not_come_has_a_time() {
    let publisher = published();
    let tcp = TcpLimits { handshake: Duration::from_millis(50), idle: PATIENCE, ..Default::default() };
    let server = start(&publisher, proxied(tcp));
    let mut stream = connect_from("127.0.0.2", server.address);
    stream.write_all(b"\r\n\r\n").expect("sends");
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed");
    eventually("counted", || server.traffic.closed(Transport::Tcp, Closed::Handshake) == 1);
    server.stop().await;
}

/// A client that never stops does not keep us.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_ends_although_a_client_always_asks() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let mut stream = connect(server.address);
    stream.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
    read_framed(&mut stream);
    let mut reads = stream.try_clone().expect("the same stream");
    let reader = std::thread::spawn(move || while reads.read(&mut [0; 4096]).is_ok_and(|len| len > 0) {});
    let block: Vec<u8> = (0..100).flat_map(|id| framed(&query(id, WWW, RecordType::A))).collect();
    let writer = std::thread::spawn(move || while stream.write_all(&block).is_ok() {});
    tokio::time::timeout(PATIENCE, server.stop()).await.expect("it left");
    writer.join().expect("no panic");
    reader.join().expect("no panic");
}
