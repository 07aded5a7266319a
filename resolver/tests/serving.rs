//! Answers over real sockets, and the rules of the publisher as a client sees them.

mod support;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use port53_resolver::serve::{self, Drain, Ended, Listeners, Settings, TcpLimits};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::{Closed, Transport};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::time::{Duration, Instant};
use support::*;

const ZONE: &str = "example.com.";

#[tokio::test(flavor = "multi_thread")]
async fn states_of_a_zone_as_a_client_sees_them() {
    let publisher = Publisher::new();
    let server = start(&publisher, hasty());
    for ask in [ask_udp, ask_tcp] {
        assert_eq!(rcode(&ask(server.address, WWW, RecordType::A)), ResponseCode::Refused, "no zone");
    }
    publisher.assembling(zone_name(ZONE));
    for ask in [ask_udp, ask_tcp] {
        assert_eq!(rcode(&ask(server.address, WWW, RecordType::A)), ResponseCode::ServFail, "not complete");
    }
    publisher.put(image(ZONE, 7, "192.0.2.1", 0)).expect("new");
    for ask in [ask_udp, ask_tcp] {
        let answer = ask(server.address, WWW, RecordType::A);
        assert_eq!((rcode(&answer), values(&answer)), (ResponseCode::NoError, vec!["192.0.2.1".to_owned()]));
        assert!(answer.metadata.authoritative);
        assert_eq!(rcode(&ask(server.address, "example.org.", RecordType::A)), ResponseCode::Refused);
    }
    // The last good content, whatever its source says of it.
    publisher.assembling(zone_name(ZONE));
    publisher.list_complete();
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), ["192.0.2.1"]);
    assert!(publisher.withdraw(&zone_name(ZONE)));
    assert_eq!(rcode(&ask_udp(server.address, WWW, RecordType::A)), ResponseCode::Refused);
    server.stop().await;
}

/// RFC 1982: serials are compared on a circle.
#[tokio::test(flavor = "multi_thread")]
async fn rfc1982_a_lower_serial_is_refused_and_changes_nothing() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let refused = publisher.put(image(ZONE, 6, "192.0.2.6", 0)).expect_err("lower");
    assert_eq!((refused.held, refused.offered), (7, 6));
    publisher.put(image(ZONE, 7u32.wrapping_add(1 << 31), "192.0.2.6", 0)).expect_err("undefined order");
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), ["192.0.2.1"]);
    publisher.put(image(ZONE, 8, "192.0.2.8", 0)).expect("higher");
    assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), ["192.0.2.8"]);
    server.stop().await;
}

/// RFC 7766 §6.2.1.1: queries may be sent without waiting for answers. RFC 7766 §8: the length and the
/// message may come in any pieces.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7766_pipelined_queries_in_odd_pieces_are_all_answered() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let mut stream = connect(server.address);
    stream.set_nodelay(true).expect("sets");
    let octets: Vec<u8> = (0..200).flat_map(|id| framed(&query(id, WWW, RecordType::A))).collect();
    for piece in octets.chunks(37) {
        stream.write_all(piece).expect("sends");
    }
    let mut ids: Vec<u16> = (0..200).map(|_| read_framed(&mut stream).metadata.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<u16>>());
    server.stop().await;
}

/// RFC 2181 §9: what does not fit UDP has TC, and the same question over TCP has all of it.
#[tokio::test(flavor = "multi_thread")]
async fn rfc2181_9_truncated_over_udp_is_whole_over_tcp() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let udp = ask_udp(server.address, "big.example.com.", RecordType::TXT);
    assert!(udp.metadata.truncation);
    let tcp = ask_tcp(server.address, "big.example.com.", RecordType::TXT);
    assert!(!tcp.metadata.truncation);
    assert_eq!(tcp.answers.len(), 12);
    server.stop().await;
}

/// RFC 7766 §6.2.3.
#[tokio::test(flavor = "multi_thread")]
async fn rfc7766_6_2_3_an_idle_connection_and_a_query_begun_are_closed() {
    let publisher = published();
    let soon = Duration::from_millis(50);
    // One limit at a time: a slow machine must not let the other one be first.
    let idle = TcpLimits { idle: soon, query: PATIENCE, ..Default::default() };
    let query = TcpLimits { idle: PATIENCE, query: soon, ..Default::default() };
    for (tcp, sent, reason) in [(idle, &[][..], Closed::Idle), (query, &[0, 50, 1][..], Closed::SlowQuery)] {
        let server = start(&publisher, limits(tcp));
        let mut stream = connect(server.address);
        stream.write_all(sent).expect("sends");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed by the server");
        eventually("the reason is counted", || server.traffic.closed(Transport::Tcp, reason) == 1);
        server.stop().await;
    }
}

/// A query sent an octet at a time has one time for all of it, not one for each octet. The octets are paced,
/// so that the message is far from whole when its time is up: sent as fast as a fast machine can, it was
/// whole in time, was answered, and the next one began.
#[tokio::test(flavor = "multi_thread")]
async fn one_octet_at_a_time_does_not_keep_a_connection() {
    let publisher = published();
    let tcp = TcpLimits { query: Duration::from_millis(200), ..Default::default() };
    let server = start(&publisher, limits(tcp));
    let mut stream = connect(server.address);
    // The greatest length, of a message that never comes to its end.
    stream.write_all(&[255, 255]).expect("sends");
    let (begun, mut sent) = (Instant::now(), 0);
    eventually("closed although octets keep coming", || {
        if begun.elapsed().as_millis() > sent {
            let _ = stream.write_all(&[1]);
            sent += 1;
        }
        server.traffic.closed(Transport::Tcp, Closed::SlowQuery) == 1
    });
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_and_others_are_answered() {
    let publisher = published();
    let tcp = TcpLimits { write: Duration::from_millis(200), ..Default::default() };
    let server = start(&publisher, limits(tcp));
    let mut stream = connect(server.address);
    stream.set_write_timeout(Some(PATIENCE)).expect("sets");
    let block: Vec<u8> =
        (0..100).flat_map(|id| framed(&query(id, "big.example.com.", RecordType::TXT))).collect();
    // The socket buffers of both sides fill, then nothing is taken until we are cut off.
    while stream.write_all(&block).is_ok() {}
    eventually("cut off", || server.traffic.closed(Transport::Tcp, Closed::SlowReader) == 1);
    assert_eq!(values(&ask_tcp(server.address, WWW, RecordType::A)), ["192.0.2.1"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_a_hoard_of_connections_does_not_keep_others_out() {
    let publisher = published();
    let server = start(&publisher, limits(TcpLimits { connections: caps(4, 4), ..Default::default() }));
    let hoard: Vec<_> = (0..20).map(|_| connect(server.address)).collect();
    assert_eq!(values(&ask_tcp(server.address, WWW, RecordType::A)), ["192.0.2.1"]);
    eventually("all but the cap are evicted", || {
        server.traffic.closed(Transport::Tcp, Closed::Evicted) >= 17
    });
    drop(hoard);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_header_ends_the_connection() {
    let publisher = published();
    let server = start(&publisher, hasty());
    for malformed in [&[0, 0][..], &[0, 3, 1, 2, 3]] {
        let mut stream = connect(server.address);
        stream.write_all(malformed).expect("sends");
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    eventually("both are counted", || server.traffic.closed(Transport::Tcp, Closed::Malformed) == 2);
    server.stop().await;
}

/// The queries before it were right, and came in the same segment.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_message_without_a_header_is_answered() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let mut stream = connect(server.address);
    let queries = [1, 2].map(|id| framed(&query(id, WWW, RecordType::A))).concat();
    stream.write_all(&[&queries, &[0, 1, 0][..]].concat()).expect("sends");
    for id in [1, 2] {
        assert_eq!(read_framed(&mut stream).metadata.id, id);
    }
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    server.stop().await;
}

/// UDP and TCP on each of any number of addresses, IPv4 and IPv6.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_answered_on() {
    let publisher = published();
    let asked = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0", "[::1]:0"];
    let asked = asked.map(|address| address.parse().expect("an address"));
    let listeners = Listeners::bind(&asked, 2).expect("free ports");
    let addresses = listeners.addresses();
    let (traffic, leave) = (Default::default(), tokio_util::sync::CancellationToken::new());
    let run = serve::run(listeners, publisher.zones(), hasty(), traffic, leave.clone());
    let task = tokio::spawn(run);
    for (address, asked) in addresses.iter().zip(asked) {
        assert_eq!(address.ip(), asked.ip());
        assert_eq!(values(&ask_udp(*address, WWW, RecordType::A)), ["192.0.2.1"], "{address}");
        assert_eq!(values(&ask_tcp(*address, WWW, RecordType::A)), ["192.0.2.1"], "{address}");
    }
    leave.cancel();
    assert_eq!(task.await.expect("no panic").expect("served"), Ended::Quiet);
}

/// A wildcard bind replies from the address that was asked: a connected socket takes no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_bind_replies_from_the_address_that_was_asked() {
    let publisher = published();
    let server = start_on("0.0.0.0:0", &publisher, hasty());
    for ip in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 9, 9, 9]] {
        let address = (ip, server.address.port()).into();
        assert_eq!(values(&ask_udp(address, WWW, RecordType::A)), ["192.0.2.1"], "{address}");
    }
    server.stop().await;
}

/// Responses are never answered (RFC 1035 §4.1.1, QR), or two servers would talk for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_response_is_not_answered() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.address).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    let mut response = query(1, WWW, RecordType::A);
    response[2] |= 0x80;
    socket.send(&response).expect("sends");
    socket.send(&query(2, WWW, RecordType::A)).expect("sends");
    let mut answer = [0; 512];
    let len = socket.recv(&mut answer).expect("an answer");
    assert!(len > 12 && answer[..2] == [0, 2], "only the query is answered");
    server.stop().await;
}

/// Those who still ask have not heard that we leave: all are answered, and changes are taken, while they do.
#[tokio::test(flavor = "multi_thread")]
async fn leaving_loses_nothing_and_changes_are_still_taken() {
    let publisher = published();
    let drain = Drain { quiet: PATIENCE, most: PATIENCE, ..Drain::default() };
    let server = start(&publisher, Settings { drain, ..Settings::default() });
    let mut stream = connect(server.address);
    server.leave.cancel();
    for serial in 8..40 {
        let www = format!("192.0.2.{serial}");
        publisher.put(image(ZONE, serial, &www, 0)).expect("higher");
        assert_eq!(values(&ask_udp(server.address, WWW, RecordType::A)), [www.as_str()]);
        stream.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
        assert_eq!(values(&read_framed(&mut stream)), [www]);
    }
    server.abandon().await;
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed at the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_end_is_answered_and_connections_are_closed() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let address = server.address;
    let mut stream = connect(address);
    stream.write_all(&framed(&query(1, WWW, RecordType::A))).expect("sends");
    assert_eq!(values(&read_framed(&mut stream)), ["192.0.2.1"]);
    assert_eq!(server.stop().await, Ended::Quiet);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "closed at the end");
    Listeners::bind(&[address], 1).expect("nothing is left on the address");
}

/// Whoever drops the future of `run` leaves no thread behind that still answers.
#[tokio::test(flavor = "multi_thread")]
async fn serving_that_is_dropped_leaves_nothing_running() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let address = server.address;
    assert_eq!(values(&ask_udp(address, WWW, RecordType::A)), ["192.0.2.1"]);
    server.abandon().await;
    eventually("the address is free", || Listeners::bind(&[address], 1).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_ends_although_someone_always_asks() {
    let publisher = published();
    let drain = Drain { quiet: PATIENCE, most: Duration::from_millis(100), ..Drain::default() };
    let server = start(&publisher, Settings { drain, ..Settings::default() });
    assert_eq!(server.stop().await, Ended::StillAsked);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_told() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let error = Listeners::bind(&[server.address], 1).expect_err("in use");
    assert!(error.to_string().contains("another program has it"), "{error}");
    server.stop().await;
}
