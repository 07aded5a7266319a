//! RFC 8906, §3 and §8: the queries that servers are tested with, and what is expected of each.

use super::edns::{Said, ask_with, question, with_opt};
use super::*;

/// A query, and what is expected: rcode, whether the SOA is there, the flags, and the version of EDNS.
struct Case {
    what: &'static str,
    query: Vec<u8>,
    expected: (u16, bool, &'static str, Option<u8>),
}

const NSID: &[u8] = &[0, 3, 0, 0];
const COOKIE: &[u8] = &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
const EXPIRE: &[u8] = &[0, 9, 0, 0];
const SUBNET: &[u8] = &[0, 8, 0, 4, 0, 1, 0, 0];
const UNKNOWN: &[u8] = &[0, 100, 0, 0];

/// `bits` are the third and fourth octet of the header.
fn plain(qtype: u16, bits: [u8; 2]) -> Vec<u8> {
    let mut query = question("example", qtype, CLASS_IN);
    query[2..4].copy_from_slice(&bits);
    query
}

fn edns(qtype: u16, version: u8, flags: u16, options: &[&[u8]]) -> Vec<u8> {
    with_opt(plain(qtype, [0, 0]), 1232, version, flags, &options.concat())
}

fn cases() -> Vec<Case> {
    const SOA: u16 = 6;
    let case = |what, query, expected| Case { what, query, expected };
    let mut header_only = plain(SOA, [15 << 3, 0]);
    header_only.truncate(12);
    header_only[5] = 0;
    let mut table = vec![
        case("8.1.1 is it configured for the zone", plain(SOA, [0, 0]), (NOERROR, true, "aa", None)),
        case("8.1.2 unknown types", plain(1000, [0, 0]), (NOERROR, false, "aa", None)),
        case("8.1.3.1 CD=1", plain(SOA, [0, 0x10]), (NOERROR, true, "aa cd", None)),
        case("8.1.3.2 AD=1", plain(SOA, [0, 0x20]), (NOERROR, true, "aa", None)),
        case("8.1.3.3 reserved bit", plain(SOA, [0, 0x40]), (NOERROR, true, "aa", None)),
        case("8.1.3.4 RD=1", plain(SOA, [1, 0]), (NOERROR, true, "aa rd", None)),
        case("8.1.4 unknown opcodes", header_only, (NOTIMP, false, "", None)),
        case("8.2.1 minimal EDNS", edns(SOA, 0, 0, &[]), (NOERROR, true, "aa", Some(0))),
        case("8.2.2 EDNS version 1", edns(SOA, 1, 0, &[]), (BADVERS, false, "", Some(0))),
        case("8.2.3 unknown options", edns(SOA, 0, 0, &[UNKNOWN]), (NOERROR, true, "aa", Some(0))),
        case("8.2.4 unknown flags", edns(SOA, 0, 0x40, &[]), (NOERROR, true, "aa", Some(0))),
        case("8.2.5 version 1, unknown flags", edns(SOA, 1, 0x40, &[]), (BADVERS, false, "", Some(0))),
        case("8.2.6 version 1, unknown options", edns(SOA, 1, 0, &[UNKNOWN]), (BADVERS, false, "", Some(0))),
        case("8.2.8 DO=1", edns(SOA, 0, 0x8000, &[]), (NOERROR, true, "aa do", Some(0))),
        case("8.2.9 version 1, DO=1", edns(SOA, 1, 0x8000, &[]), (BADVERS, false, "do", Some(0))),
        case(
            "8.2.10 several defined options",
            edns(SOA, 0, 0, &[COOKIE, NSID, EXPIRE, SUBNET]),
            (NOERROR, true, "aa", Some(0)),
        ),
    ];
    // §3.1.4: every opcode but QUERY, with what NOTIFY, UPDATE and STATUS look like.
    for opcode in 1..16u8 {
        table.push(case("3.1.4 opcodes", plain(SOA, [opcode << 3, 0]), (NOTIMP, false, "", None)));
        let query = with_opt(plain(SOA, [opcode << 3, 0]), 1232, 0, 0, &[]);
        table.push(case("3.1.4 opcodes with EDNS", query, (NOTIMP, false, "", Some(0))));
    }
    // §3.1.2: types without a meaning here, in the ranges for data (RFC 6895 §3.1), are data that is not there.
    for qtype in [3, 9, 99, 127, 258, 1000, 32_767, 65_280, 65_534] {
        table.push(case("3.1.2 types", plain(qtype, [0, 0]), (NOERROR, false, "aa", None)));
    }
    table
}

#[test]
fn rfc8906_8_the_queries_that_servers_are_tested_with() {
    let zones = zones([zone("example", "@ NS ns.test.\nwww A 192.0.2.1")]);
    let settings = Settings {
        cookies: Secrets::new(&[[1; 16]]),
        nsid: Text::new("a").expect("short"),
        ..Default::default()
    };
    for transport in [Transport::Udp, Transport::Tcp] {
        for Case { what, query, expected } in cases() {
            let said = ask_with(&zones, &settings, &asked(transport), &query);
            let (rcode, soa, flags, version) = expected;
            assert_eq!((said.rcode, said.has_soa, &*said.flags), (rcode, soa, flags), "{what} {transport:?}");
            assert_eq!(said.opt.as_ref().map(|opt| opt.version), version, "{what} {transport:?}");
            let codes = said.opt.iter().flat_map(|opt| opt.options.iter().map(|option| option.0));
            for code in codes {
                assert!(matches!(code, 3 | 10 | 15), "{what}: option {code} is not ours to send");
            }
            assert_eq!(said.reserved, 0, "{what}: no reserved bit comes back");
        }
    }
}

/// §8.2.7: a truncated response has its OPT.
#[test]
fn rfc8906_8_2_7_truncated_responses_have_an_opt() {
    let lines: Vec<String> = (0..100).map(|i| format!("wide A 192.0.2.{i}")).collect();
    let zones = zones([zone("example", &lines.join("\n"))]);
    let query = with_opt(question("wide.example", 1, CLASS_IN), 512, 0, 0x8000, &[]);
    let said = ask_with(&zones, &Settings::default(), &asked(Transport::Udp), &query);
    assert_eq!((said.rcode, &*said.flags), (NOERROR, "aa tc do"));
    assert_eq!(said.opt.expect("an OPT").version, 0);
    assert!(said.len <= 512);
}

/// §3.2.4 and RFC 9619: what cannot be read gets FORMERR, and what is a response gets nothing.
#[test]
fn rfc8906_responses_are_never_answered_and_the_malformed_is_formerr() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let settings = Settings::default();
    let mut out = [0; 512];
    for Case { what, mut query, .. } in cases() {
        query[2] |= 0x80;
        assert_eq!(respond(&zones, &settings, &asked(Transport::Udp), &query, &mut out), None, "{what}");
    }
    for questions in [0, 2, 3, 255] {
        let mut query = question("example", 6, CLASS_IN);
        query[5] = questions;
        let said: Said = ask_with(&zones, &settings, &asked(Transport::Udp), &query);
        assert_eq!(said.rcode, FORMERR, "RFC 9619: {questions} questions");
    }
}
