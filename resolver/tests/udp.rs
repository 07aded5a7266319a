//! UDP over real sockets: batches, what comes beside a query, and what is freed by whom.

mod support;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use port53_resolver::source::Publisher;
use port53_resolver::traffic::Transport;
use std::net::UdpSocket;
use std::sync::{Arc, Barrier};
use support::*;

const ZONE: &str = "example.com.";

fn published() -> Publisher {
    let publisher = Publisher::new();
    publisher.put(image(ZONE, 7, "192.0.2.1", 500)).expect("new");
    publisher
}

fn client(server: &Server) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.address).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket
}

fn answer(client: &UdpSocket) -> Message {
    let mut octets = [0; 4096];
    let length = client.recv(&mut octets).expect("an answer");
    Message::from_vec(&octets[..length]).expect("a message")
}

/// More than a batch, from many ports, so that answers of one batch go to different clients.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_from_many_clients_is_answered_to_each() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let clients: Vec<UdpSocket> = (0..100).map(|_| client(&server)).collect();
    for id in 0..3 {
        for (n, client) in clients.iter().enumerate() {
            let name = format!("host{n}.{ZONE}");
            client.send(&query(id * 1000 + n as u16, &name, RecordType::A)).expect("sends");
        }
    }
    for (n, client) in clients.iter().enumerate() {
        let mut ids: Vec<u16> = (0..3)
            .map(|_| {
                let answer = answer(client);
                assert_eq!(answer.queries[0].name().to_string(), format!("host{n}.{ZONE}"));
                assert_eq!(values(&answer), ["198.51.100.7"]);
                answer.metadata.id
            })
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..3).map(|id| id * 1000 + n as u16).collect::<Vec<u16>>());
    }
    server.stop().await;
}

/// A datagram of more octets than are taken is malformed, and those beside it are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_datagram_that_is_too_long_is_malformed_and_costs_no_other() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let client = client(&server);
    let mut long = query(2, WWW, RecordType::A);
    long.resize(60_000, 0);
    for message in [query(1, WWW, RecordType::A), long, query(3, WWW, RecordType::A)] {
        client.send(&message).expect("sends");
    }
    for _ in 0..3 {
        let answer = answer(&client);
        let expected = if answer.metadata.id == 2 { ResponseCode::FormErr } else { ResponseCode::NoError };
        assert_eq!(rcode(&answer), expected, "{}", answer.metadata.id);
    }
    server.stop().await;
}

/// Ports of those who have gone are closed: the errors for that (ICMP) cost nobody an answer.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_have_gone_do_not_cost_others_their_answers() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let good = client(&server);
    for id in 0..200 {
        client(&server).send(&query(id, WWW, RecordType::A)).expect("sends");
        good.send(&query(id, WWW, RecordType::A)).expect("sends");
    }
    let mut ids: Vec<u16> = (0..200).map(|_| answer(&good).metadata.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<u16>>());
    server.stop().await;
}

/// Datagrams that are answered and those that are not, in one batch; each is counted as what it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_all_kinds_is_counted_by_kind() {
    let publisher = published();
    let server = start(&publisher, hasty());
    let client = client(&server);
    for id in 0..30 {
        let mut message = query(id, WWW, RecordType::A);
        match id % 3 {
            0 => {}
            1 => message[2] |= 0x80,
            _ => message.truncate(11),
        }
        client.send(&message).expect("sends");
    }
    let mut ids: Vec<u16> = (0..10).map(|_| answer(&client).metadata.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..10).map(|n| n * 3).collect::<Vec<u16>>());
    eventually("all are counted", || {
        let udp = server.traffic.totals(Transport::Udp);
        udp.received == 30 && udp.unanswered == 20 && udp.latency.iter().sum::<u64>() == 10
    });
    assert_eq!(server.traffic.totals(Transport::Udp).queries, [("A", "NOERROR", 10)]);
    server.stop().await;
}

/// Freeing a large zone takes long: that is never done by a thread that answers.
#[test]
fn a_version_that_was_replaced_is_freed_by_who_replaces_and_not_by_a_reader() {
    let publisher = published();
    let first =
        Arc::downgrade(&publisher.view(&zone_name(ZONE)).and_then(|view| view.image).expect("served"));
    let (read, replaced) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let reader = std::thread::spawn({
        let (zones, read, replaced) = (publisher.zones(), read.clone(), replaced.clone());
        move || {
            let guard = zones.load();
            read.wait();
            replaced.wait();
            drop(guard);
        }
    });
    read.wait();
    publisher.put(image(ZONE, 8, "192.0.2.8", 0)).expect("higher");
    assert!(first.upgrade().is_some(), "it is still read");
    replaced.wait();
    reader.join().expect("no panic");
    assert!(first.upgrade().is_some(), "the reader has not freed it");
    publisher.overview();
    assert!(first.upgrade().is_none(), "freed when the book was looked at");
    let second =
        Arc::downgrade(&publisher.view(&zone_name(ZONE)).and_then(|view| view.image).expect("served"));
    publisher.put(image(ZONE, 9, "192.0.2.9", 0)).expect("higher");
    assert!(second.upgrade().is_none(), "freed with the change, since nobody read it");
}
