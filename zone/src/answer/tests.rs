//! Questions to built zones, as a table: what the response says in each section.
//!
//! Responses are read back by the `domain` crate's own parser, pointers and all.

mod compliance;
mod edges;
mod edns;
mod limits;
mod messages;

use super::*;
use crate::content::Content;
use crate::image::Image;
use crate::name::{self, Name};
use crate::rdata;
use crate::rrset::{RRset, Soa};
use domain::base::{Message, iana::Rtype};
use domain::rdata::AllRecordData;
use std::sync::Arc;

/// A zone from lines of `owner type value`; records of one owner and type follow one another. TTL 300.
fn zone(apex: &str, lines: &str) -> (Name, ZoneState) {
    let apex = name::parse_absolute(apex).expect("an apex");
    let mut sets: Vec<(Name, Rtype, Vec<crate::Rdata>)> = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().expect("owner type value");
        let owner = name::parse(part(), &apex).expect("an owner");
        let rtype = rdata::parse_rtype(part()).expect("a type");
        let value = rdata::parse_value(rtype, part()).expect("a value");
        match sets.last_mut().filter(|set| set.0 == owner && set.1 == rtype) {
            Some(set) => set.2.push(value),
            None => sets.push((owner, rtype, vec![value])),
        }
    }
    let rrsets = sets.into_iter().map(|(owner, rtype, values)| (RRset::new(owner, rtype, 300, values), None));
    let content = Content::build(apex.clone(), [7; 16], rrsets).expect("a content");
    let soa = Soa {
        primary: name::parse_absolute("ns.test").expect("a name"),
        contact: name::parse_absolute("who.test").expect("a name"),
        serial: 9,
        refresh: 1,
        retry: 2,
        expire: 3,
        minimum: 60,
        ttl: 3600,
    };
    (apex, ZoneState::Serving(Arc::new(Image::new(content, soa))))
}

fn zones(all: impl IntoIterator<Item = (Name, ZoneState)>) -> Zones {
    all.into_iter().fold(Zones::default(), |zones, (apex, state)| zones.put(&apex, state))
}

fn query(question: &str, edns_payload: Option<u16>) -> Vec<u8> {
    let (owner, rtype) = question.split_once(' ').expect("name type");
    let owner = name::parse_absolute(owner).expect("a name");
    let rtype = rdata::parse_rtype(rtype).unwrap_or(Rtype::ANY);
    let mut message = vec![0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns_payload.is_some())];
    message.extend_from_slice(owner.as_slice());
    message.extend_from_slice(&rtype.to_int().to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if let Some(payload) = edns_payload {
        message.extend_from_slice(&[0, 0, 41]);
        message.extend_from_slice(&payload.to_be_bytes());
        message.extend_from_slice(&[0, 0, 0x80, 0, 0, 0]);
    }
    message
}

fn asked(transport: Transport) -> Asked {
    Asked::new(transport, [192, 0, 2, 100].into(), 1_700_000_000_000)
}

fn ask(zones: &Zones, question: &str, transport: Transport, edns: Option<u16>) -> (Responded, Vec<u8>) {
    let mut out = vec![0; 65_535];
    let responded = respond(zones, &Settings::default(), &asked(transport), &query(question, edns), &mut out);
    let responded = responded.expect("a response");
    out.truncate(responded.len);
    (responded, out)
}

/// `RCODE [aa] [tc] | answer | authority | additional`, records as `owner ttl type value`, `; ` between.
fn describe(octets: &[u8]) -> String {
    let message = Message::from_octets(octets).expect("a message");
    let header = message.header();
    let mut text = header.rcode().to_string();
    text.push_str(if header.aa() { " aa" } else { "" });
    text.push_str(if header.tc() { " tc" } else { "" });
    let sections = [message.answer(), message.authority(), message.additional()];
    for section in sections {
        let records: Vec<String> = section
            .expect("a section")
            .limit_to::<AllRecordData<_, _>>()
            .map(|record| record.expect("a record"))
            .filter(|record| record.rtype() != Rtype::OPT)
            .map(|record| {
                let data = record.data().to_string();
                let data: Vec<&str> =
                    data.split(' ').map(|word| word.strip_suffix('.').unwrap_or(word)).collect();
                format!("{} {} {} {}", record.owner(), record.ttl().as_secs(), record.rtype(), data.join(" "))
            })
            .collect();
        text.push_str(" | ");
        text.push_str(&records.join("; "));
    }
    text
}

#[track_caller]
fn check(zones: &Zones, table: &[(&str, &str)]) {
    for (question, expected) in table {
        let (_, octets) = ask(zones, question, Transport::Tcp, Some(1232));
        let normal: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(describe(&octets).split_whitespace().collect::<Vec<_>>(), normal, "{question}");
    }
}

const NEGATIVE: &str = "example 60 SOA ns.test who.test 9 1 2 3 60";

/// The zone of RFC 4592 §2.2.1 and what it says of it in §2.2.1 and §2.2.2.
#[test]
fn rfc4592_2_2_1_wildcards() {
    let zones = zones([zone(
        "example",
        "@ NS ns.example.com.
         @ NS ns.example.net.
         * TXT this is a wildcard
         * MX 10 host1.example.
         sub.* TXT this is not a wildcard
         host1 A 192.0.2.1
         _ssh._tcp.host1 SRV 0 0 22 host1.example.
         _ssh._tcp.host2 SRV 0 0 22 host2.example.
         subdel NS ns.example.com.
         subdel NS ns.example.net.",
    )]);
    let name_error = format!("NXDOMAIN aa | | {NEGATIVE} |");
    let no_data = format!("NOERROR aa | | {NEGATIVE} |");
    check(
        &zones,
        &[
            (
                "host3.example MX",
                "NOERROR aa | host3.example 300 MX 10 host1.example | | host1.example 300 A 192.0.2.1",
            ),
            ("host3.example A", &no_data),
            ("foo.bar.example TXT", "NOERROR aa | foo.bar.example 300 TXT \"this is a wildcard\" | |"),
            ("host1.example MX", &no_data),
            ("sub.*.example MX", &no_data),
            ("_telnet._tcp.host1.example SRV", &name_error),
            (
                "host.subdel.example A",
                "NOERROR | | subdel.example 300 NS ns.example.com; subdel.example 300 NS ns.example.net |",
            ),
            ("ghost.*.example MX", &name_error),
            ("*.example TXT", "NOERROR aa | *.example 300 TXT \"this is a wildcard\" | |"),
            // Empty non-terminals exist: RFC 4592 §2.2.2.
            ("_tcp.host1.example A", &no_data),
            ("_tcp.host2.example A", &no_data),
            ("host2.example A", &no_data),
        ],
    );
}

/// RFC 4592 §4.9: a wildcard without records that has names below it exists, so there is no name error.
#[test]
fn rfc4592_4_9_a_wildcard_that_is_an_empty_non_terminal_is_no_name_error() {
    let zones = zones([zone("example", "foo.*.a A 192.0.2.1\nzz.a A 192.0.2.2")]);
    let no_data = format!("NOERROR aa | | {NEGATIVE} |");
    check(
        &zones,
        &[("q.a.example A", &no_data), ("foo.q.a.example A", &no_data), ("*.a.example A", &no_data)],
    );
}

/// RFC 1034 §4.3.2 step 3b, RFC 9471 (in-domain glue), RFC 4035 §3.1.4.1 (DS).
#[test]
fn delegations() {
    let zones = zones([zone(
        "example",
        "@ NS ns.other.
         cut NS ns.cut.example.
         cut NS ns.side.example.
         cut DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000
         ns.cut A 192.0.2.1
         ns.cut AAAA 2001:db8::1
         side NS ns.side.example.
         ns.side A 192.0.2.2
         to-cut CNAME www.cut.example.",
    )]);
    let sets = "cut.example 300 NS ns.cut.example; cut.example 300 NS ns.side.example | \
                ns.cut.example 300 A 192.0.2.1; ns.cut.example 300 AAAA 2001:db8::1; ns.side.example 300 A 192.0.2.2";
    let referral = format!("NOERROR | | {sets}");
    let through_alias = format!("NOERROR aa | to-cut.example 300 CNAME www.cut.example | {sets}");
    check(
        &zones,
        &[
            ("cut.example A", &referral),
            ("cut.example NS", &referral),
            ("ns.cut.example A", &referral),
            ("a.b.cut.example DS", &referral),
            ("to-cut.example A", &through_alias),
            (
                "cut.example DS",
                "NOERROR aa | cut.example 300 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000 | |",
            ),
            ("side.example DS", &format!("NOERROR aa | | {NEGATIVE} |")),
        ],
    );
}

/// RFC 6672 §3.2, RFC 6604 §3, RFC 1034 §3.6.2.
#[test]
fn aliases() {
    let zones = zones([
        zone(
            "example",
            "a CNAME b.example.
             b CNAME c.example.
             c A 192.0.2.1
             out CNAME www.hosted.
             gone CNAME nothing.example.
             loop CNAME pool.example.
             pool CNAME loop.example.
             *.w CNAME c.example.
             old DNAME new.example.
             x.new A 192.0.2.2
             far DNAME elsewhere.test.",
        ),
        zone("hosted", "www A 192.0.2.9"),
    ]);
    check(
        &zones,
        &[
            (
                "a.example A",
                "NOERROR aa | a.example 300 CNAME b.example; b.example 300 CNAME c.example; c.example 300 A 192.0.2.1 | |",
            ),
            ("a.example CNAME", "NOERROR aa | a.example 300 CNAME b.example | |"),
            ("out.example A", "NOERROR aa | out.example 300 CNAME www.hosted | |"),
            (
                "gone.example A",
                &format!("NXDOMAIN aa | gone.example 300 CNAME nothing.example | {NEGATIVE} |"),
            ),
            (
                "loop.example A",
                "NOERROR aa | loop.example 300 CNAME pool.example; pool.example 300 CNAME loop.example | |",
            ),
            ("q.w.example A", "NOERROR aa | q.w.example 300 CNAME c.example; c.example 300 A 192.0.2.1 | |"),
            (
                "x.old.example A",
                "NOERROR aa | old.example 300 DNAME new.example; x.old.example 300 CNAME x.new.example; x.new.example 300 A 192.0.2.2 | |",
            ),
            (
                "y.old.example A",
                &format!(
                    "NXDOMAIN aa | old.example 300 DNAME new.example; y.old.example 300 CNAME y.new.example | {NEGATIVE} |"
                ),
            ),
            ("old.example A", &format!("NOERROR aa | | {NEGATIVE} |")),
            ("old.example DNAME", "NOERROR aa | old.example 300 DNAME new.example | |"),
            (
                "x.far.example A",
                "NOERROR aa | far.example 300 DNAME elsewhere.test; x.far.example 300 CNAME x.elsewhere.test | |",
            ),
            (
                "x.old.example CNAME",
                "NOERROR aa | old.example 300 DNAME new.example; x.old.example 300 CNAME x.new.example | |",
            ),
        ],
    );
    let too_long = format!("{0}.{0}.{0}.{1}.far.example A", "a".repeat(60), "a".repeat(57));
    assert!(
        describe(&ask(&zones, &too_long, Transport::Udp, None).1)
            .starts_with("YXDOMAIN aa | far.example 300 DNAME")
    );
}

/// Parent and child both here: the longest apex answers, DS is asked of the parent (RFC 4035 §3.1.4.1).
#[test]
fn parent_and_child_both_here() {
    let zones = zones([
        zone(
            "example",
            "child NS ns.child.example.\nns.child A 192.0.2.1\nchild DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000",
        ),
        zone("child.example", "@ NS ns.child.example.\nns A 192.0.2.1"),
    ]);
    check(
        &zones,
        &[
            (
                "child.example DS",
                "NOERROR aa | child.example 300 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000000 | |",
            ),
            (
                "child.example NS",
                "NOERROR aa | child.example 300 NS ns.child.example | | ns.child.example 300 A 192.0.2.1",
            ),
            ("child.example SOA", "NOERROR aa | child.example 3600 SOA ns.test who.test 9 1 2 3 60 | |"),
            ("x.child.example A", "NXDOMAIN aa | | child.example 60 SOA ns.test who.test 9 1 2 3 60 |"),
        ],
    );
}

#[test]
fn never_less_than_is_known() {
    let (apex, _) = zone("example", "");
    let zones = zones([(apex, ZoneState::Assembling)]);
    check(&zones, &[("www.example A", "SERVFAIL | | |"), ("www.other A", "REFUSED | | |")]);
}

/// RFC 2181 §9 and RFC 6891 §6.2.5: an RRset is whole or not there, and TC says so.
#[test]
fn truncation_is_at_the_border_of_rrsets() {
    let addresses: Vec<String> = (0..100).map(|i| format!("many A 192.0.2.{i}")).collect();
    let lines = format!("{}\nalias CNAME many.example.", addresses.join("\n"));
    let zones = zones([zone("example", &lines)]);
    let (responded, octets) = ask(&zones, "many.example A", Transport::Udp, Some(4096));
    assert!(responded.truncated && responded.len <= 1232);
    assert_eq!(describe(&octets), "NOERROR aa tc |  |  | ");
    let (_, octets) = ask(&zones, "alias.example A", Transport::Udp, None);
    assert_eq!(describe(&octets), "NOERROR aa tc | alias.example 300 CNAME many.example |  | ");
    let (responded, octets) = ask(&zones, "many.example A", Transport::Tcp, None);
    assert!(!responded.truncated);
    assert_eq!(describe(&octets).matches(" A 192.0.2.").count(), 100);
}

/// The case of the question comes back as it was asked, and owners follow it (RFC 1035 §2.3.3, RFC 4343).
#[test]
fn the_case_of_the_question_is_preserved() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let (_, octets) = ask(&zones, "wWw.eXample A", Transport::Udp, None);
    assert_eq!(describe(&octets), "NOERROR aa | wWw.eXample 300 A 192.0.2.1 |  | ");
}

/// RFC 8906 §3, RFC 9619, RFC 6891: what is no plain question.
#[test]
fn what_is_no_question() {
    let zones = zones([zone("example", "www A 192.0.2.1")]);
    let respond_to = |message: &[u8]| {
        let mut out = [0; 512];
        respond(&zones, &Settings::default(), &asked(Transport::Udp), message, &mut out)
            .map(|r| (r.rcode, r.len))
    };
    let good = query("www.example A", Some(1232));
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = good.clone();
        change(&mut message);
        respond_to(&message)
    };
    assert_eq!(respond_to(&good).expect("a response").0, NOERROR);
    assert_eq!(respond_to(&good[..11]), None);
    assert_eq!(changed(&|m| m[2] |= 0x80), None, "a response is never answered");
    assert_eq!(changed(&|m| m[2] |= 0x20), Some((NOTIMP, 29)), "opcode NOTIFY, and an OPT for an OPT");
    assert_eq!(changed(&|m| m[5] = 2), Some((FORMERR, 12)), "RFC 9619");
    assert_eq!(changed(&|m| m[5] = 0), Some((FORMERR, 12)), "RFC 9619");
    assert_eq!(changed(&|m| m[12] = 0xc0), Some((FORMERR, 12)), "a pointer in the question");
    assert_eq!(changed(&|m| m.push(0)).map(|r| r.0), Some(FORMERR), "octets left over");
    assert_eq!(changed(&|m| m.truncate(38)).map(|r| r.0), Some(FORMERR), "cut short");
    let version_at = good.len() - 5;
    assert_eq!(changed(&|m| m[version_at] = 1).map(|r| r.0), Some(BADVERS));
    let class_at = good.len() - 12;
    assert_eq!(changed(&|m| m[class_at] = 3).map(|r| r.0), Some(REFUSED), "class CHAOS");
}
