//! What is not a plain query is never forwarded: "what is forwarded, and what is not" of `resolver/src/forward`. Legacy sees
//! our address, to which it may allow more than to the client.

use super::{image, resolver, to};
use port53_secondaries::now;
use port53_secondaries::tsig::Signer;
use port53_store::Forwarding;
use port53_tests::legacy::Holder;
use port53_tests::ports::free_address;
use port53_tests::{PATIENCE, eventually};
use port53_zone::name;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

const APEX: &str = "moving.test.";
const TEXT: &str = "\
moving.test. 300 IN SOA ns1 host 1 2 3 4 300
moving.test. 300 IN NS ns1.moving.test.
ns1.moving.test. 300 IN A 192.0.2.53
www.moving.test. 300 IN A 192.0.2.1
";

const A: u16 = 1;
const SOA: u16 = 6;
const TXT: u16 = 16;
const OPT: u16 = 41;
const TKEY: u16 = 249;
const IXFR: u16 = 251;
const AXFR: u16 = 252;
const MAILB: u16 = 253;

const IN: u16 = 1;
const CHAOS: u16 = 3;
const HESIOD: u16 = 4;
const NONE: u16 = 254;

const QUERY: u8 = 0;
const STATUS: u8 = 2;
const NOTIFY: u8 = 4;
const UPDATE: u8 = 5;

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const NOTAUTH: u16 = 9;
const BADVERS: u16 = 16;
/// RFC 8945 §3, in the error field of the TSIG.
const BADKEY: u16 = 17;

/// A message with one question.
fn message(opcode: u8, owner: &str, rtype: u16, class: u16) -> Vec<u8> {
    let owner = name::parse_absolute(owner).expect("a name");
    let mut message = vec![0x53, 0x53, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(owner.as_slice());
    message.extend([rtype, class].map(u16::to_be_bytes).concat());
    message
}

/// The same with an OPT of this version of EDNS (RFC 6891 §6.1.2).
fn with_edns(mut message: Vec<u8>, version: u8) -> Vec<u8> {
    message.extend([0, 0, 41, 4, 208, 0, version, 0, 0, 0, 0]);
    message[11] += 1;
    message
}

fn over_udp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.send_to(query, server).expect("sent");
    let mut answer = vec![0; 4096];
    let length = socket.recv(&mut answer).expect("an answer");
    answer.truncate(length);
    answer
}

fn over_tcp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&[&(query.len() as u16).to_be_bytes()[..], query].concat()).expect("sent");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).expect("an answer");
    answer
}

/// The RCODE, with the bits that an OPT adds (RFC 6891 §6.1.3), which is the only record then.
fn rcode(answer: &[u8]) -> u16 {
    let low = u16::from(answer[3] & 0x0f);
    // Where the message could not be understood, the question is not repeated.
    let end = match answer[5] {
        0 => 12,
        _ => name::from_message(answer, 12).expect("the question").1 + 4,
    };
    let opt = answer.get(end..).filter(|rest| rest.len() >= 11 && rest[..3] == [0, 0, 41]);
    low | opt.map_or(0, |opt| u16::from(opt[5]) << 4)
}

#[test]
fn what_is_no_plain_query_is_answered_here_and_legacy_hears_nothing_of_it() {
    // It hears all, and says nothing.
    let legacy = free_address();
    let packets = UdpSocket::bind(legacy).expect("a port");
    let connections = TcpListener::bind(legacy).expect("the same port");
    packets.set_nonblocking(true).expect("no waiting");
    connections.set_nonblocking(true).expect("no waiting");
    let forwarding = Forwarding { timeout: Duration::from_millis(200), ..to(legacy) };
    let resolver = resolver([image(APEX, TEXT)], &forwarding);
    let server = resolver.address();
    let plain = message(QUERY, "www.moving.test", A, IN);
    let signed_by_a_stranger = {
        let mut query = plain.clone();
        assert!(Signer::of_query(Holder::Stranger.key(), now()).sign(&mut query, now()));
        query
    };
    let two_questions = {
        let mut query = [&plain[..], &plain[12..]].concat();
        query[5] = 2;
        query
    };
    for (what, query, expected) in [
        ("NOTIFY", message(NOTIFY, APEX, SOA, IN), NOTIMP),
        ("UPDATE", message(UPDATE, APEX, SOA, IN), NOTIMP),
        ("STATUS", message(STATUS, APEX, SOA, IN), NOTIMP),
        ("AXFR", message(QUERY, APEX, AXFR, IN), REFUSED),
        ("IXFR", message(QUERY, APEX, IXFR, IN), REFUSED),
        ("a TSIG of another key", signed_by_a_stranger, NOTAUTH),
        // This server has no version to tell: legacy's is not told instead.
        ("class CHAOS", message(QUERY, "version.bind", TXT, CHAOS), REFUSED),
        ("a name of the zone in class CHAOS", message(QUERY, "www.moving.test", A, CHAOS), REFUSED),
        ("class HESIOD", message(QUERY, "www.moving.test", A, HESIOD), REFUSED),
        ("class NONE", message(QUERY, "www.moving.test", A, NONE), REFUSED),
        ("OPT as a type", message(QUERY, "www.moving.test", OPT, IN), FORMERR),
        ("TKEY", message(QUERY, "www.moving.test", TKEY, IN), FORMERR),
        ("MAILB", message(QUERY, "www.moving.test", MAILB, IN), NOTIMP),
        ("EDNS of version 1", with_edns(plain.clone(), 1), BADVERS),
        ("two questions", two_questions, FORMERR),
    ] {
        for (over, answer) in [("UDP", over_udp(server, &query)), ("TCP", over_tcp(server, &query))] {
            assert_eq!(rcode(&answer), expected, "{what} over {over}: {answer:?}");
            assert_eq!(answer[2] & 0x80, 0x80, "{what} over {over} is a response");
            if expected == NOTAUTH {
                // RFC 8945 §5.2.1: the error stands before the last field, which is empty, and there is no MAC.
                let error = answer[answer.len() - 4..][..2].try_into().expect("two octets");
                assert_eq!(u16::from_be_bytes(error), BADKEY, "{what} over {over}: {answer:?}");
            }
        }
    }
    let mut heard = [0; 512];
    assert_eq!(packets.recv(&mut heard).expect_err("no packet").kind(), ErrorKind::WouldBlock);
    assert_eq!(connections.accept().expect_err("no connection").kind(), ErrorKind::WouldBlock);
    // It would have heard: a plain query comes to it. Nobody answers it there, so it is answered here.
    assert_eq!(rcode(&over_udp(server, &plain)), NOERROR);
    let length =
        eventually("a forwarded query", || packets.recv(&mut heard).map_err(|error| error.to_string()));
    assert!(
        name::from_message(&heard[..length], 12)
            .is_some_and(|(owner, _)| { name::display(&owner).eq_ignore_ascii_case("www.moving.test.") })
    );
    assert_eq!(rcode(&over_tcp(server, &plain)), NOERROR);
    eventually("a forwarded connection", || match connections.accept() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
}
