//! The limits of connections, and what a client is told of them (RFC 7766, RFC 7828).

mod support;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RecordType};
use port53_resolver::serve::{Settings, TcpLimits};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::{Closed, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::str::FromStr;
use std::time::Duration;
use support::*;

const WWW: &str = "www.example.com.";

fn published() -> Publisher {
    let publisher = Publisher::new();
    publisher.put(image("example.com.", 7, "192.0.2.1", 0)).expect("new");
    publisher
}

fn limits(tcp: TcpLimits) -> Settings {
    Settings { tcp, ..hasty() }
}

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
    let server = start(&publisher, limits(TcpLimits { connections: caps(3, 3), ..Default::default() }));
    let mut asks = connect(server.address);
    for opened in 1..10 {
        asks.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
        assert_eq!(values(&read_framed(&mut asks)), ["192.0.2.1"]);
        // The clock of the server has gone on since the answer, so the next one is younger.
        let answered = std::time::Instant::now();
        eventually("a millisecond", || answered.elapsed() > Duration::from_millis(2));
        let _idle = std::mem::ManuallyDrop::new(connect(server.address));
        eventually("accepted", || server.traffic.accepted(Transport::Tcp) == opened + 1);
    }
    assert_eq!(server.traffic.closed(Transport::Tcp, Closed::Evicted), 7);
    server.stop().await;
}
