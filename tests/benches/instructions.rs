//! Instructions of an answer of each kind, through the gate of a UDP thread as it is shipped: parsing, cookies,
//! lookup, writing, rate limits. Counted by valgrind, so that the same code gives the same numbers on any machine:
//! `make bench-instructions` compares them with those that are kept.
//!
//! Each kind is asked [`QUERIES`] times, for names of its own where it has more than one, after as many that are not
//! counted. The keys of hashes are drawn anew by each process, so numbers differ by a few instructions.

#![expect(missing_docs, reason = "macros make modules and functions for the benchmark")]

use arc_swap::ArcSwap;
use gungraun::prelude::*;
use gungraun::{Callgrind, EntryPoint};
use port53_resolver::limits::{Answering, Gate, Outcome, Rates};
use port53_resolver::traffic::{Traffic, Transport};
use port53_tests::read::read;
use port53_zone::answer::{self, Secrets};
use port53_zone::content::Content;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::name;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

/// Queries that are counted together.
const QUERIES: usize = 32;
/// Milliseconds since 1970.
const NOW: u64 = 1_795_536_000_000;
const CLIENT: [u8; 4] = [203, 0, 113, 7];

/// What zones have in common; `$ORIGIN` is before it.
const CORNERS: &str = "\
@ 3600 IN SOA ns1 hostmaster 1 3600 600 604800 300
@ 3600 NS ns1
@ 3600 NS ns2
@ 3600 MX 10 mail
@ 3600 TXT \"v=spf1 mx -all\"
ns1 3600 A 192.0.2.53
ns2 3600 A 192.0.2.54
mail 300 A 192.0.2.25
mail 300 AAAA 2001:db8::25
$GENERATE 0-4999 host-$ 300 A 192.0.2.1
$GENERATE 0-63 alias-$ 300 CNAME host-$
$GENERATE 0-63 first-$ 300 CNAME second-$
$GENERATE 0-63 second-$ 300 CNAME third-$
$GENERATE 0-63 third-$ 300 CNAME host-$
$GENERATE 0-63 mx-$ 300 MX 10 mail
$GENERATE 0-63 many-$ 300 A 192.0.2.1
$GENERATE 0-63 many-$ 300 A 192.0.2.2
$GENERATE 0-63 many-$ 300 A 192.0.2.3
$GENERATE 0-63 many-$ 300 A 192.0.2.4
*.wild 300 A 192.0.2.4
";

/// Delegations as the root zone has them: four nameservers below the cut, each with two addresses.
const CUTS: &str = "\
$GENERATE 0-1199 tld-$ 172800 NS a.nic.tld-$
$GENERATE 0-1199 tld-$ 172800 NS b.nic.tld-$
$GENERATE 0-1199 tld-$ 172800 NS c.nic.tld-$
$GENERATE 0-1199 tld-$ 172800 NS d.nic.tld-$
$GENERATE 0-1199 tld-$ 86400 DS 8 8 2 0000000000000000000000000000000000000000000000000000000000000000
$GENERATE 0-1199 a.nic.tld-$ 172800 A 192.0.2.1
$GENERATE 0-1199 a.nic.tld-$ 172800 AAAA 2001:db8::1
$GENERATE 0-1199 b.nic.tld-$ 172800 A 192.0.2.2
$GENERATE 0-1199 b.nic.tld-$ 172800 AAAA 2001:db8::2
$GENERATE 0-1199 c.nic.tld-$ 172800 A 192.0.2.3
$GENERATE 0-1199 c.nic.tld-$ 172800 AAAA 2001:db8::3
$GENERATE 0-1199 d.nic.tld-$ 172800 A 192.0.2.4
$GENERATE 0-1199 d.nic.tld-$ 172800 AAAA 2001:db8::4
";

/// As a signed zone looks; nobody here checks the signatures.
const SIGNED: &str = "\
@ 3600 IN SOA ns1 hostmaster 1 3600 600 604800 300
@ 3600 NS ns1
@ 3600 NSEC host-0 NS SOA RRSIG NSEC
@ 3600 RRSIG SOA 13 2 3600 20300101000000 20200101000000 1 @ AAAA
@ 3600 RRSIG NSEC 13 2 3600 20300101000000 20200101000000 1 @ AAAA
ns1 3600 A 192.0.2.53
$GENERATE 0-999 host-$ 300 A 192.0.2.1
$GENERATE 0-999 host-$ 300 NSEC host-$-next A RRSIG NSEC
$GENERATE 0-999 host-$ 300 RRSIG A 13 3 300 20300101000000 20200101000000 1 @ AAAA
$GENERATE 0-999 host-$ 300 RRSIG NSEC 13 3 300 20300101000000 20200101000000 1 @ AAAA
";

/// What is behind the question.
#[derive(Clone, Copy)]
enum Edns {
    None,
    Plain,
    DnssecOk,
    /// A client's cookie.
    Cookie,
}

const A: u16 = 1;
const MX: u16 = 15;
const AAAA: u16 = 28;
const OPT: u16 = 41;
const AXFR: u16 = 252;
const ANY: u16 = 255;

/// What is asked, and with what.
struct Asking {
    gate: Gate,
    zones: Zones,
    queries: Vec<Vec<u8>>,
    out: Vec<u8>,
}

/// Queries for `owner`, in which `#` is a number.
fn asking(owner: &str, qtype: u16, edns: Edns) -> Asking {
    let zones =
        [zone("hosts.test.", &[CORNERS]), zone(".", &[CORNERS, CUTS]), zone("signed.test.", &[SIGNED])]
            .into_iter()
            .fold(Zones::default(), |zones, (apex, state)| zones.put(&apex, state));
    let of = |number: usize| query(&owner.replace('#', &number.to_string()), qtype, edns);
    let mut asking = Asking { gate: gate(), zones, queries: Vec::new(), out: vec![0; 4096] };
    asking.queries = (QUERIES..2 * QUERIES).map(of).collect();
    let mut asking = answer(asking);
    asking.queries = (0..QUERIES).map(of).collect();
    asking
}

/// With the settings that are shipped, and a secret for cookies.
fn gate() -> Gate {
    let answer = answer::Settings { cookies: Secrets::new(&[[1; 16]]), ..answer::Settings::default() };
    let shared = Arc::new(ArcSwap::from_pointee(Answering { answer, rates: Rates::default() }));
    Gate::new(shared, Arc::default(), Traffic::default().worker(Transport::Udp))
}

fn zone(apex: &str, texts: &[&str]) -> (port53_zone::Name, ZoneState) {
    let text = format!("$ORIGIN {apex}\n{}", texts.concat());
    let read = read("zone", text.as_bytes(), apex, None);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let apex = name::parse_absolute(apex).expect("an apex");
    let (soa, rrsets) = read.rrsets();
    let content = Content::build(apex.clone(), [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    (apex, ZoneState::Serving(Arc::new(Image::new(content.expect("a content"), soa))))
}

fn query(owner: &str, qtype: u16, edns: Edns) -> Vec<u8> {
    let additional = u8::from(!matches!(edns, Edns::None));
    let mut message = vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, additional];
    message.extend_from_slice(name::parse_absolute(owner).expect("a name").as_slice());
    message.extend_from_slice(&qtype.to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    message.extend_from_slice(match edns {
        Edns::None => &[],
        Edns::Plain => b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
        Edns::DnssecOk => b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00",
        Edns::Cookie => b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0c\x00\x0a\x00\x0812345678",
    });
    message
}

fn answer(mut asking: Asking) -> Asking {
    for query in &asking.queries {
        let outcome = asking.gate.answer(&asking.zones, IpAddr::from(CLIENT), NOW, query, &mut asking.out);
        assert!(matches!(black_box(outcome), Outcome::Answered(_)));
    }
    asking
}

/// What is counted, in whatever thread.
#[inline(never)]
fn counted(asking: Asking) -> Asking {
    answer(black_box(asking))
}

#[library_benchmark]
#[bench::address(asking("host-#.hosts.test.", A, Edns::Plain))]
#[bench::address_without_edns(asking("host-#.hosts.test.", A, Edns::None))]
#[bench::address_with_cookie(asking("host-#.hosts.test.", A, Edns::Cookie))]
#[bench::four_addresses(asking("many-#.hosts.test.", A, Edns::Plain))]
#[bench::mail(asking("mx-#.hosts.test.", MX, Edns::Plain))]
#[bench::any(asking("many-#.hosts.test.", ANY, Edns::Plain))]
#[bench::alias(asking("alias-#.hosts.test.", A, Edns::Plain))]
#[bench::chain_of_three(asking("first-#.hosts.test.", A, Edns::Plain))]
#[bench::wildcard(asking("name-#.wild.hosts.test.", A, Edns::Plain))]
#[bench::no_data(asking("host-#.hosts.test.", AAAA, Edns::Plain))]
#[bench::name_error(asking("none-#.hosts.test.", A, Edns::Plain))]
#[bench::referral(asking("www.example.tld-#.", A, Edns::Plain))]
#[bench::signed_address(asking("host-#.signed.test.", A, Edns::DnssecOk))]
#[bench::signed_no_data(asking("host-#.signed.test.", AAAA, Edns::DnssecOk))]
#[bench::signed_name_error(asking("host-#-none.signed.test.", A, Edns::DnssecOk))]
#[bench::refused_transfer(asking("hosts.test.", AXFR, Edns::Plain))]
#[bench::malformed(asking("host-#.hosts.test.", OPT, Edns::Plain))]
fn answers(asking: Asking) -> Asking {
    counted(asking)
}

// Each thread with a gate of its own and the same zones, as UDP threads are: what they shared would have to be waited
// for, and waiting is instructions.
#[library_benchmark]
#[bench::one(asking_in_threads(1))]
#[bench::two(asking_in_threads(2))]
#[bench::four(asking_in_threads(4))]
fn addresses_in_threads(asking: Vec<Asking>) {
    std::thread::scope(|scope| {
        for asking in asking {
            scope.spawn(|| counted(asking));
        }
    });
}

fn asking_in_threads(threads: usize) -> Vec<Asking> {
    let first = asking("host-#.hosts.test.", A, Edns::Plain);
    let others: Vec<Asking> = (1..threads)
        .map(|_| {
            let others = Asking {
                gate: gate(),
                zones: first.zones.clone(),
                queries: first.queries.clone(),
                out: vec![0; 4096],
            };
            answer(others)
        })
        .collect();
    [first].into_iter().chain(others).collect()
}

library_benchmark_group!(name = kinds, benchmarks = [answers, addresses_in_threads]);
main!(
    config = LibraryBenchmarkConfig::default().tool(
        Callgrind::with_args(["--cache-sim=yes"]).entry_point(EntryPoint::Custom("*instructions::counted*".to_owned()))
    );
    library_benchmark_groups = kinds
);
