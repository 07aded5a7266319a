//! `drill` traces: it asks the parent alone, finds the servers of its children in a referral, and validates on the way.

use super::signing::{Signed, sign_all};
use port53_tests::Zone;
use port53_tests::ours::Ours;
use port53_tests::process;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

/// The parent and its nameserver, at whom drill begins, and its children.
const RECORDS: &str = "
@ NS ns1
ns1 A 127.0.0.1
mail A 192.0.2.2
kid NS ns.kid
ns.kid A 127.0.0.2
bare NS ns.bare
ns.bare A 127.0.0.2
";

/// Parents where drill begins, and their children where the glue says, at the same port.
fn start(signed: &[Signed]) -> [Ours; 2] {
    let program = env!("CARGO_BIN_EXE_port53-tested");
    let parents = Ours::start(program, &signed.iter().map(Signed::zone).collect::<Vec<_>>());
    let children: Vec<Zone<'_>> = signed.iter().flat_map(Signed::children).collect();
    let address = ([127, 0, 0, 2], parents.address().port()).into();
    let children = Ours::start_on(address, program, &children);
    [parents, children]
}

#[test]
fn drill_follows_referrals_with_ds_and_with_the_proof_that_there_is_none() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed = sign_all(dir.path(), RECORDS);
    let [parents, _children] = start(&signed);
    for zone in &signed {
        let apex = &zone.apex;
        let said = trace(parents.address(), zone, &format!("www.kid.{apex}"), dir.path());
        assert!(said.contains(&format!("[T] kid.{apex} 3600 IN DS ")), "{said}");
        assert!(said.contains(&format!("[T] www.kid.{apex} 3600 IN A 192.0.2.77")), "{said}");
        let said = trace(parents.address(), zone, &format!("www.bare.{apex}"), dir.path());
        assert!(said.contains(&format!("[T] Existence denied: bare.{apex} DS")), "{said}");
        assert!(said.contains(&format!("[U] www.bare.{apex} 3600 IN A 192.0.2.77")), "{said}");
    }
}

/// So the test above says something.
#[test]
fn drill_finds_an_altered_referral_bogus() {
    let dir = TempDir::new().expect("a temporary directory");
    let signed: Vec<Signed> = sign_all(dir.path(), RECORDS).into_iter().map(Signed::altered).collect();
    let [parents, _children] = start(&signed);
    for zone in &signed {
        let said = trace(parents.address(), zone, &format!("www.bare.{}", zone.apex), dir.path());
        assert!(said.contains(&format!("[T] {} 3600 IN DNSKEY", zone.apex)), "{said}");
        assert!(!said.contains("[T] Existence denied"), "{said}");
    }
}

/// What it says, with one space between any two words.
fn trace(server: SocketAddr, zone: &Signed, name: &str, dir: &Path) -> String {
    fs::write(dir.join("anchor"), format!("{} DNSKEY {}\n", zone.apex, zone.key().join(" ")))
        .expect("an anchor");
    fs::write(dir.join("hints"), ". NS ns.\nns. A 127.0.0.1\n").expect("hints");
    let (server, port) = (format!("@{}", server.ip()), server.port().to_string());
    let fixed = ["-T", "-D", "-k", "anchor", "-r", "hints", "-d", &zone.apex, "-p", &port, &server];
    let said = process::run("drill", &[&fixed[..], &[name, "A"]].concat(), dir);
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    words.join(" ")
}
