//! Signed zones, served as they are: by NSEC, NSEC3 and NSEC3 with opt-out, signed by BIND's and ldns's tools.
//!
//! Every name, what is beside and below it and what does not exist is asked of ours and of NSD, Knot and BIND with DO;
//! where two of them agree, ours must say the same, signatures and proofs included. Then validators that share no
//! code with any of ours must find each answer right: `delv` alone, with the zone's key as its anchor, and `unbound`
//! ([`resolving`]), which resolves; `drill` goes from a parent to its children ([`referrals`]). What is transferred is checked as a whole by `ldns-verify-zone` ([`whole`]).

mod referrals;
mod resolving;
mod signing;
mod whole;

use super::PATIENCE;
use port53_tests::Zone;
use port53_tests::ask::{Client, Question, Transport};
use port53_tests::normal::Normal;
use port53_tests::ours::Ours;
use port53_tests::peer::{Peer, Program};
use port53_tests::process;
use signing::{RECORDS, Signed, sign_all};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// How often two peers must agree for the test to say something.
const LEAST_AGREED: f64 = 0.97;

const TYPES: [&str; 7] = ["A", "TXT", "DS", "NS", "CNAME", "SOA", "DNSKEY"];

/// Names that are asked for beside the owners: what is not there, at every depth.
const OTHERS: [&str; 24] = [
    "c",
    "b.c",
    "x.c",
    "x.b.c",
    "x.a.b.c",
    "wild",
    "x.wild",
    "y.x.wild",
    "x.real.wild",
    "alias",
    "x.alias",
    "nothing",
    "x.nothing",
    "ns.safe",
    "x.safe",
    "x.y.bare",
    "here",
    "cut.here",
    "x.deep.cut.here",
    "x.zz",
    "odd",
    "x.odd",
    "*.odd",
    "~",
];

/// What is asked of validators: every kind of proof.
struct Case {
    name: &'static str,
    rtype: &'static str,
    says: Says,
    /// Whether it is proved that a name is not there, so that a span of opt-out leaves open whether there is an unsigned
    /// delegation (RFC 5155 §9.2).
    denies: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Says {
    Records,
    NoData,
    NameError,
}

const CASES: [Case; 15] = [
    is("@", "MX", Says::Records),
    is("@", "DNSKEY", Says::Records),
    is("mail", "AAAA", Says::Records),
    is("www", "A", Says::Records),
    is("safe", "DS", Says::Records),
    is("mail", "TXT", Says::NoData),
    is("b.c", "A", Says::NoData),
    denies("x.wild", "TXT", Says::Records),
    denies("y.x.wild", "A", Says::Records),
    denies("x.alias", "A", Says::Records),
    denies("x.wild", "MX", Says::NoData),
    denies("x.odd", "TXT", Says::NoData),
    denies("x.b.c", "A", Says::NameError),
    denies("nothing", "A", Says::NameError),
    denies("~", "A", Says::NameError),
];

const fn is(name: &'static str, rtype: &'static str, says: Says) -> Case {
    Case { name, rtype, says, denies: false }
}

const fn denies(name: &'static str, rtype: &'static str, says: Says) -> Case {
    Case { name, rtype, says, denies: true }
}

#[test]
fn signed_zones_are_answered_as_most_peers_do() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed = sign_all(dir.path(), RECORDS);
    let zones: Vec<Zone<'_>> = signed.iter().map(Signed::zone).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let peers = [Program::Nsd, Program::Knot, Program::Bind].map(|program| Peer::start(program, &zones));
    let connect = |address| Client::connect(address, PATIENCE).expect("connects");
    let mut us = connect(ours.address());
    let mut them: Vec<Client> = peers.iter().map(|peer| connect(peer.address())).collect();
    let (mut asked, mut agreed, mut wrong) = (0_u32, 0_u32, Vec::new());
    for Signed { apex, .. } in &signed {
        for text in questions(apex) {
            let question = Question::new(&text, Some(4096)).with_dnssec_ok();
            let ask =
                |client: &mut Client| Normal::of(&client.ask(&question, Transport::Tcp).expect("an answer"));
            let theirs: Vec<Normal> = them.iter_mut().map(ask).collect();
            asked += 1;
            let most = theirs.iter().find(|one| theirs.iter().filter(|other| other == one).count() >= 2);
            let Some(most) = most else { continue };
            agreed += 1;
            let got = ask(&mut us);
            if got != *most && !(apex.contains("-nsec.") && proves_more(&text, &got, most)) {
                wrong.push(format!("{question}\n    most peers {most}\n    ours       {got}"));
            }
        }
    }
    let count = wrong.len();
    wrong.truncate(10);
    assert!(
        wrong.is_empty(),
        "most peers agree with each other, {count} times not with us:\n{}",
        wrong.join("\n")
    );
    let share = f64::from(agreed) / f64::from(asked);
    assert!(share > LEAST_AGREED, "most peers agree on {agreed} of {asked} questions only");
}

#[test]
fn delv_validates_every_answer() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed = sign_all(dir.path(), RECORDS);
    let zones: Vec<Zone<'_>> = signed.iter().map(Signed::zone).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let mut wrong = Vec::new();
    for zone in &signed {
        let apex = &zone.apex;
        let anchor = dir.path().join(format!("{apex}anchor"));
        let [flags, protocol, algorithm, key] = zone.key();
        let key = format!("static-key {flags} {protocol} {algorithm} \"{key}\"");
        fs::write(&anchor, format!("trust-anchors {{ \"{apex}\" {key}; }};\n")).expect("a trust anchor");
        for Case { name, rtype, says, denies } in CASES {
            let said = delv(ours.address(), &anchor, apex, &absolute(name, apex), rtype);
            let expected = match says {
                // What a span of opt-out covers may be an unsigned delegation (RFC 5155 §9.2): nothing is proved.
                Says::Records if denies && apex.contains("opt-out") => "unsigned answer",
                Says::Records => "fully validated",
                Says::NoData | Says::NameError => "negative response, fully validated",
            };
            if !said.lines().any(|line| line.trim_start_matches("; ") == expected) {
                wrong.push(format!("{} {rtype}: not {expected}:\n{said}", absolute(name, apex)));
            }
        }
        // Where there is no DS, opt-out or not, it is proved that there is none.
        let said = delv(ours.address(), &anchor, apex, &absolute("bare", apex), "DS");
        let is_proved = ["negative response, fully validated", "negative response, unsigned answer"];
        if !said.lines().any(|line| is_proved.contains(&line.trim_start_matches("; "))) {
            wrong.push(format!("bare.{apex} DS:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// RFC 4592 §4.9: below `odd` stands a wildcard without records, for there is a name below it. That it exists, and that
/// there is no name error, only the NSEC around it shows, which NSD and Knot leave out; a validator needs it.
fn proves_more(question: &str, got: &Normal, most: &Normal) -> bool {
    let same = Normal { authority: most.authority.clone(), ..got.clone() };
    question.starts_with("x.odd.") && same == *most && got.authority.is_superset(&most.authority)
}

fn absolute(name: &str, apex: &str) -> String {
    if name == "@" { apex.to_owned() } else { format!("{name}.{apex}") }
}

fn questions(apex: &str) -> Vec<String> {
    let owners: BTreeSet<&str> = RECORDS.lines().filter_map(|line| line.split(' ').next()).collect();
    let names = owners.into_iter().filter(|name| !name.is_empty()).chain(OTHERS);
    names.flat_map(|name| TYPES.map(|rtype| format!("{} {rtype}", absolute(name, apex)))).collect()
}

fn delv(server: SocketAddr, anchor: &Path, apex: &str, name: &str, rtype: &str) -> String {
    let anchor = anchor.to_str().expect("a path in UTF-8");
    let done = Command::new(process::find("delv"))
        .args([&format!("@{}", server.ip()), "-p", &server.port().to_string(), "-a", anchor])
        .args([&format!("+root={apex}"), "+multi", name, rtype])
        .output()
        .expect("delv runs");
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}
