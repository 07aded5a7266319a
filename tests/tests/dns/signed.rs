//! Signed zones, served as they are: by NSEC, NSEC3 and NSEC3 with opt-out, signed by BIND's and ldns's tools.
//!
//! Every name, what is beside and below it and what does not exist is asked of ours and of NSD, Knot and BIND with DO;
//! where two of them agree, ours must say the same, signatures and proofs included. Then a validator that shares no
//! code with any of ours, `delv`, with the zone's key as its anchor, must find each answer right.

use super::PATIENCE;
use port53_tests::Zone;
use port53_tests::ask::{Client, Question, Transport};
use port53_tests::normal::Normal;
use port53_tests::ours::Ours;
use port53_tests::peer::{Peer, Program};
use port53_tests::process;
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// How often two peers must agree for the test to say something.
const LEAST_AGREED: f64 = 0.97;

const TYPES: [&str; 7] = ["A", "TXT", "DS", "NS", "CNAME", "SOA", "DNSKEY"];

/// Who signs, and how. The zone has this name before `signed.`.
const SIGNERS: [(&str, Signer, &[&str]); 5] = [
    ("bind-nsec", Signer::Bind, &[]),
    ("bind-nsec3", Signer::Bind, &["-3", "aabbccdd", "-H", "3"]),
    ("bind-opt-out", Signer::Bind, &["-3", "-", "-H", "0", "-A"]),
    ("ldns-nsec", Signer::Ldns, &[]),
    ("ldns-nsec3", Signer::Ldns, &["-n", "-s", "aabb", "-t", "1"]),
];

#[derive(Clone, Copy)]
enum Signer {
    Bind,
    Ldns,
}

/// What proofs are about: names at every depth, empty non-terminals, wildcards and what they cover, delegations with and
/// without DS, glue in and below them, aliases in and out of the zone.
const RECORDS: &str = "
@ NS ns1
@ NS ns.other.
@ MX 10 mail
ns1 A 192.0.2.1
mail A 192.0.2.2
mail AAAA 2001:db8::2
a.b.c A 192.0.2.3
*.wild TXT wild
*.wild A 192.0.2.4
real.wild A 192.0.2.5
*.alias CNAME mail
www CNAME mail
gone CNAME nothing
out CNAME elsewhere.other.
safe NS ns.safe
safe DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.safe A 192.0.2.6
bare NS ns.bare
bare NS ns.other.
ns.bare A 192.0.2.7
only.under.bare A 192.0.2.8
deep.cut.here NS ns.other.
zz DNAME mail
sub.*.odd TXT below
0 A 192.0.2.9
";

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

#[test]
fn signed_zones_are_answered_as_most_peers_do() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed = sign_all(dir.path());
    let zones: Vec<Zone<'_>> = signed.iter().map(|(apex, text)| Zone { apex, text }).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let peers = [Program::Nsd, Program::Knot, Program::Bind].map(|program| Peer::start(program, &zones));
    let connect = |address| Client::connect(address, PATIENCE).expect("connects");
    let mut us = connect(ours.address());
    let mut them: Vec<Client> = peers.iter().map(|peer| connect(peer.address())).collect();
    let (mut asked, mut agreed, mut wrong) = (0_u32, 0_u32, Vec::new());
    for (apex, _) in &signed {
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
    let signed = sign_all(dir.path());
    let zones: Vec<Zone<'_>> = signed.iter().map(|(apex, text)| Zone { apex, text }).collect();
    let ours = Ours::start(env!("CARGO_BIN_EXE_port53-tested"), &zones);
    let mut wrong = Vec::new();
    for (apex, text) in &signed {
        let anchor = dir.path().join(format!("{apex}anchor"));
        fs::write(&anchor, trust_anchor(apex, text)).expect("a trust anchor");
        for (name, rtype, expected) in [
            ("@", "MX", "fully validated"),
            ("mail", "AAAA", "fully validated"),
            ("x.wild", "TXT", "fully validated"),
            ("y.x.wild", "A", "fully validated"),
            ("x.alias", "A", "fully validated"),
            ("www", "A", "fully validated"),
            ("safe", "DS", "fully validated"),
            ("mail", "TXT", "negative response, fully validated"),
            ("b.c", "A", "negative response, fully validated"),
            ("x.wild", "MX", "negative response, fully validated"),
            ("x.odd", "TXT", "negative response, fully validated"),
            ("x.b.c", "A", "negative response, fully validated"),
            ("nothing", "A", "negative response, fully validated"),
            ("~", "A", "negative response, fully validated"),
        ] {
            let said = delv(ours.address(), &anchor, apex, &absolute(name, apex), rtype);
            // What a span of opt-out covers may be an unsigned delegation (RFC 5155 §9.2): nothing is proved.
            let expected = match (apex.contains("opt-out"), name.starts_with("x.") || name.starts_with("y."))
            {
                (true, true) if expected == "fully validated" => "unsigned answer",
                _ => expected,
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

fn sign_all(dir: &Path) -> Vec<(String, String)> {
    SIGNERS
        .iter()
        .map(|&(name, signer, options)| sign(dir, &format!("{name}.signed."), signer, options))
        .collect()
}

/// The zone signed with keys of its own.
fn sign(dir: &Path, apex: &str, signer: Signer, options: &[&str]) -> (String, String) {
    let dir = dir.join(apex);
    fs::create_dir_all(&dir).expect("a directory");
    let soa = "ns1 hostmaster 7 3600 600 604800 300";
    let text = format!("$ORIGIN {apex}\n$TTL 3600\n@ SOA {soa}{RECORDS}");
    fs::write(dir.join("zone"), text).expect("a zone file");
    let run = |program: &str, arguments: &[&str]| -> String {
        let done = Command::new(process::find(program)).args(arguments).current_dir(&dir).output();
        let done = done.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    };
    match signer {
        Signer::Bind => {
            for flags in [&["-f", "KSK"][..], &[]] {
                run("dnssec-keygen", &[&["-q", "-a", "ECDSAP256SHA256", "-K", "."], flags, &[apex]].concat());
            }
            let fixed = ["-S", "-K", ".", "-o", apex, "-f", "signed", "-O", "full"];
            run("dnssec-signzone", &[&fixed[..], options, &["zone"]].concat());
        }
        Signer::Ldns => {
            let keys = [&["-k"][..], &[]].map(|flags| {
                run(
                    "ldns-keygen",
                    &[&["-a", "ECDSAP256SHA256", "-r", "/dev/urandom"], flags, &[apex]].concat(),
                )
            });
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            run("ldns-signzone", &[&["-o", apex, "-f", "signed"], options, &["zone"], &keys].concat());
        }
    }
    (apex.to_owned(), fs::read_to_string(dir.join("signed")).expect("the signed zone"))
}

/// The key of the zone that signs its keys, as an anchor for delv.
fn trust_anchor(apex: &str, text: &str) -> String {
    let key = text.lines().find_map(|line| {
        let line = line.split(';').next().unwrap_or_default();
        let fields: Vec<&str> = line.split_whitespace().collect();
        let at = fields.iter().position(|field| *field == "DNSKEY")?;
        let &[flags, protocol, algorithm, ref key @ ..] = &fields[at + 1..] else { return None };
        (flags == "257").then(|| format!("257 {protocol} {algorithm} \"{}\"", key.concat()))
    });
    let key = key.unwrap_or_else(|| panic!("no key of {apex} signs keys in:\n{text}"));
    let key = key.replacen("257 ", "static-key 257 ", 1);
    format!("trust-anchors {{ \"{apex}\" {key}; }};\n")
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
