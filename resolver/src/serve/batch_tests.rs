use super::*;
use nix::sys::socket::{setsockopt, sockopt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const ANSWER: usize = 512;

fn server() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket
}

fn client(server: &UdpSocket) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(server.local_addr().expect("bound")).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("sets");
    socket
}

/// Receives until `count` datagrams have been answered by `answer`, and sends all answers of a batch at once.
fn serve(
    socket: &UdpSocket,
    batch: &mut Batch,
    count: usize,
    mut answer: impl FnMut(&Received<'_>, &mut [u8]) -> Option<usize>,
) -> Sent {
    let mut all = Sent::default();
    let mut received = 0;
    while received < count {
        received += batch.receive(socket, Wait::ForOne).expect("a datagram");
        batch.answer(&mut answer);
        let sent = batch.send(socket);
        all = Sent { sent: all.sent + sent.sent, failed: all.failed + sent.failed };
    }
    all
}

fn echo(received: &Received<'_>, out: &mut [u8]) -> Option<usize> {
    let length = received.octets.len().min(out.len());
    out[..length].copy_from_slice(&received.octets[..length]);
    Some(length)
}

fn next(client: &UdpSocket) -> Vec<u8> {
    let mut octets = [0; ANSWER];
    let length = client.recv(&mut octets).expect("an answer");
    octets[..length].to_vec()
}

#[test]
fn each_of_many_gets_its_own_answer() {
    let server = server();
    let clients: Vec<UdpSocket> = (0..100).map(|_| client(&server)).collect();
    for (n, client) in clients.iter().enumerate() {
        client.send(&[n as u8; 3]).expect("sends");
    }
    let sent = serve(&server, &mut Batch::new(ANSWER, false), 100, echo);
    assert_eq!(sent, Sent { sent: 100, failed: 0 });
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(next(client), [n as u8; 3]);
    }
}

#[test]
fn nothing_that_came_is_nothing_and_an_empty_datagram_is_something() {
    let (server, mut batch) = (server(), Batch::new(ANSWER, false));
    let nothing = batch.receive(&server, Wait::No).expect_err("nothing came");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    batch.answer(|_, _| panic!("there is nothing"));
    assert_eq!(batch.send(&server), Sent::default());

    let client = client(&server);
    client.send(&[]).expect("sends");
    serve(&server, &mut batch, 1, |received, out| {
        assert!(received.octets.is_empty() && !received.is_cut);
        assert_eq!(received.from, client.local_addr().expect("bound"));
        out[0] = 7;
        Some(1)
    });
    assert_eq!(next(&client), [7]);
}

#[test]
fn what_is_too_long_is_cut_and_those_beside_it_are_whole() {
    let (server, mut batch) = (server(), Batch::new(ANSWER, false));
    let client = client(&server);
    for length in [QUERY - 1, QUERY, QUERY + 1, 60_000, 1] {
        client.send(&vec![5; length]).expect("sends");
    }
    let mut seen = Vec::new();
    serve(&server, &mut batch, 5, |received, _| {
        seen.push((received.octets.len(), received.is_cut));
        None
    });
    assert_eq!(seen, [(QUERY - 1, false), (QUERY, false), (QUERY, true), (QUERY, true), (1, false)]);
}

#[test]
fn a_panic_costs_one_datagram_of_its_batch() {
    let (server, mut batch) = (server(), Batch::new(ANSWER, false));
    let client = client(&server);
    for n in 0..10 {
        client.send(&[n]).expect("sends");
    }
    let mut received = 0;
    while received < 10 {
        received += batch.receive(&server, Wait::ForOne).expect("a datagram");
        let mut answer = |received: &Received<'_>, out: &mut [u8]| {
            assert_ne!(received.octets, [3], "on purpose");
            echo(received, out)
        };
        while catch_unwind(AssertUnwindSafe(|| batch.answer(&mut answer))).is_err() {}
        batch.send(&server);
    }
    for n in [0, 1, 2, 4, 5, 6, 7, 8, 9] {
        assert_eq!(next(&client), [n]);
    }
}

/// The system tells of a closed port (ICMP) at the next use of the socket, whatever that is for.
#[test]
fn an_answer_that_nobody_takes_any_more_does_not_cost_another_its_own() {
    let server = server();
    setsockopt(&server, sockopt::Ipv4RecvErr, &true).expect("errors are told");
    let mut batch = Batch::new(ANSWER, false);
    let good = client(&server);
    for n in 0..100 {
        let gone = client(&server);
        gone.send(&[255]).expect("sends");
        drop(gone);
        good.send(&[n]).expect("sends");
    }
    let mut received = 0;
    let (mut sent, mut told) = (Sent::default(), 0);
    while received < 200 {
        match batch.receive(&server, Wait::ForOne) {
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => told += 1,
            Err(error) => panic!("{error}"),
        }
        batch.answer(echo);
        let these = batch.send(&server);
        sent = Sent { sent: sent.sent + these.sent, failed: sent.failed + these.failed };
    }
    for n in 0..100 {
        assert_eq!(next(&good), [n]);
    }
    assert_eq!(sent.sent + sent.failed, 200);
    assert!(told + sent.failed > 0 || sent.sent == 200, "{sent:?}, told {told} times");
}

/// An answer of no length that UDP can have is refused each time that it is tried.
#[test]
fn an_answer_that_the_system_refuses_does_not_cost_another_its_own() {
    let (server, mut batch) = (server(), Batch::new(65_535, false));
    let client = client(&server);
    for n in 0..20 {
        client.send(&[n]).expect("sends");
    }
    let sent = serve(&server, &mut batch, 20, |received, out| {
        echo(received, out);
        // More than a datagram can hold (EMSGSIZE).
        Some(if received.octets[0] % 5 == 2 { 65_535 } else { 1 })
    });
    assert_eq!(sent, Sent { sent: 16, failed: 4 });
    for n in (0..20).filter(|n| n % 5 != 2) {
        assert_eq!(next(&client), [n]);
    }
}

/// A full queue of a socket that does not wait.
#[test]
fn without_room_to_send_what_finds_none_is_given_up_and_counted() {
    let (server, mut batch) = (server(), Batch::new(60_000, false));
    socket2::SockRef::from(&server).set_send_buffer_size(1).expect("the least there is");
    server.set_write_timeout(Some(Duration::from_millis(1))).expect("sets");
    // Nobody reads: on loopback what was sent waits at the receiver, and counts as sent.
    let client = client(&server);
    for n in 0..MESSAGES as u8 {
        client.send(&[n]).expect("sends");
    }
    let sent = serve(&server, &mut batch, MESSAGES, |_, _| Some(60_000));
    assert_eq!(sent.sent + sent.failed, MESSAGES);
    // The socket is not broken by it.
    client.send(&[9]).expect("sends");
    assert_eq!(serve(&server, &mut batch, 1, echo), Sent { sent: 1, failed: 0 });
}

#[test]
fn the_address_that_was_asked_answers_over_both_families() {
    let cases = [("0.0.0.0:0", "127.0.0.1"), ("0.0.0.0:0", "127.8.8.8"), ("[::]:0", "::1")];
    for (bound, asked) in cases {
        let server = UdpSocket::bind(bound).expect("a socket");
        server.set_read_timeout(Some(PATIENCE)).expect("sets");
        if bound.starts_with('[') {
            setsockopt(&server, sockopt::Ipv6RecvPacketInfo, &true).expect("sets");
        } else {
            setsockopt(&server, sockopt::Ipv4PacketInfo, &true).expect("sets");
        }
        let asked: IpAddr = asked.parse().expect("an address");
        let client =
            UdpSocket::bind((if asked.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).expect("a socket");
        client.set_read_timeout(Some(PATIENCE)).expect("sets");
        let address = (asked, server.local_addr().expect("bound").port()).into();
        client.send_to(b"hello", address).expect("sends");
        serve(&server, &mut Batch::new(ANSWER, true), 1, |received, out| {
            assert_eq!(received.asked, Some(asked));
            echo(received, out)
        });
        let mut octets = [0; ANSWER];
        let (length, from) = client.recv_from(&mut octets).expect("an answer");
        assert_eq!((&octets[..length], from), (&b"hello"[..], address));
    }
}
