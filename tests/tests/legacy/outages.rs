//! Servers that are away, for a while or in the middle.

use crate::{SALT, TEXT, apex, at, large_text, owner, rrset, server, start, transfer, wait, wrong};
use domain::base::iana::Rcode;
use port53_legacy::{Limits, Outcome, Over, Prerequisite, Server, Trouble, Update, Wrong};
use port53_tests::legacy::Holder;
use port53_tests::peer::Program;
use port53_tests::ports::free_address;
use port53_zone::Rtype;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Soon enough for a test, and long enough for a machine that is busy.
fn short() -> Limits {
    Limits { answer: Duration::from_millis(400), silence: Duration::from_millis(300), ..Limits::default() }
}

/// Each address is tried, and each is named when none takes a connection.
#[test]
fn the_next_address_is_tried_and_all_are_named() {
    let legacy = start(Program::Bind, TEXT);
    let (gone, other) = (free_address(), free_address());
    let some = Server::new(vec![gone, legacy.address()], Some(Holder::Mover.key()), Limits::default());
    assert_eq!(transfer(&some).soa.serial, 2_026_113_001);
    let answer = wait(some.ask(&owner("www"), Rtype::A, Over::Udp)).expect("an answer");
    assert_eq!(answer[7], 1);

    let none = Server::new(vec![gone, other], Some(Holder::Mover.key()), Limits::default());
    let said = [
        wait(none.soa(&apex())).expect_err("gone"),
        wait(none.transfer(&apex(), SALT)).expect_err("gone"),
        wait(none.ask(&owner("www"), Rtype::A, Over::Udp)).expect_err("gone"),
    ];
    for trouble in said {
        let text = trouble.to_string();
        assert!(matches!(trouble, Trouble::Unreachable(_)), "{text}");
        assert!(text.contains(&gone.to_string()) && text.contains(&other.to_string()), "{text}");
    }
}

/// One that takes a connection and says nothing.
#[test]
fn silence_is_not_waited_for_any_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent = Server::new(vec![listener.local_addr().expect("an address")], None, short());
    for trouble in [
        wait(silent.soa(&apex())).expect_err("silence"),
        wait(silent.transfer(&apex(), SALT)).expect_err("silence"),
    ] {
        assert_eq!(trouble.outcome(), Outcome::Passing, "{trouble}");
        assert!(matches!(wrong(Err::<(), _>(trouble)), Wrong::TimedOut(_)));
    }
    // It may have been done: nobody knows.
    let put = vec![rrset("www", Rtype::A, 60, &["192.0.2.9"])];
    let change = Update { name: owner("www"), prerequisites: vec![], removed: vec![], put };
    let trouble = wait(silent.update(&apex(), &change)).expect_err("silence");
    assert_eq!(trouble.outcome(), Outcome::Unknown, "{trouble}");
}

/// Takes one query to a server and loses its answer, once that is there.
fn losing_answers_of(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a connection");
        let mut server = TcpStream::connect(server).expect("it is there");
        server.write_all(&framed(&mut client)).expect("the query");
        framed(&mut server);
    });
    address
}

/// The next message, with its length.
fn framed(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a message");
    [&length[..], &message].concat()
}

/// An update whose answer is lost is done, and nobody was told: unknown is what it is, and reading back tells. The same
/// again fails its own prerequisite.
#[test]
fn an_update_whose_answer_is_lost_is_unknown() {
    for program in [Program::Bind, Program::Knot, Program::PowerDns] {
        let legacy = start(program, TEXT);
        let behind = losing_answers_of(legacy.address());
        let (old, new) =
            (rrset("www", Rtype::A, 60, &["192.0.2.2"]), rrset("www", Rtype::A, 60, &["192.0.2.9"]));
        let prerequisites = vec![Prerequisite::Is(old)];
        let change = Update { name: owner("www"), prerequisites, removed: vec![], put: vec![new.clone()] };
        let trouble = wait(at(behind, Some(Holder::Mover.key())).update(&apex(), &change)).expect_err("lost");
        assert_eq!(trouble.outcome(), Outcome::Unknown, "{program}: {trouble}");
        let server = server(&legacy, Holder::Mover);
        assert_eq!(
            wait(server.rrset(&apex(), &owner("www"), Rtype::A)).expect("an answer"),
            Some(new.clone())
        );
        assert!(wait(server.holds(&apex(), &[Prerequisite::Is(new)])).expect("an answer"), "{program}");
        let again = wait(server.update(&apex(), &change)).expect_err("a no");
        assert_eq!((again.rcode(), again.outcome()), (Some(Rcode::NXRRSET), Outcome::Final), "{program}");
    }
}

/// A server that is killed at some moment of a transfer gives the zone or nothing.
#[test]
fn a_server_that_is_killed_gives_all_or_nothing() {
    let text = large_text();
    let mut legacy = start(Program::Knot, &text);
    let whole = transfer(&server(&legacy, Holder::Mover));
    let server = server(&legacy, Holder::Mover);
    for round in 0..8u64 {
        let asking = server.clone();
        let transfer = std::thread::spawn(move || wait(asking.transfer(&apex(), SALT)));
        // Spread over the time that a transfer takes: no moment is waited for.
        for _ in 0..round * 300_000 {
            std::hint::spin_loop();
        }
        legacy.stop();
        match transfer.join().expect("no panic") {
            Ok(got) => assert_eq!(got.version.content.digest(), whole.content.digest()),
            Err(trouble) => assert_eq!(trouble.outcome(), Outcome::Passing, "{trouble}"),
        }
        legacy.start_again();
    }
}
