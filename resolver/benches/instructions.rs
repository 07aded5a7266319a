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
use port53_zone::answer::{self, Secrets};
use port53_zone::content::Content;
use port53_zone::image::{Image, ZoneState, Zones};
use port53_zone::rdata::parse_value;
use port53_zone::{Name, RRset, Rtype, Soa, name};
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

/// Queries that are counted together.
const QUERIES: usize = 32;
/// Milliseconds since 1970.
const NOW: u64 = 1_795_536_000_000;
const CLIENT: [u8; 4] = [203, 0, 113, 7];

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
    let of = |number: usize| query(&owner.replace('#', &number.to_string()), qtype, edns);
    let mut asking = Asking { gate: gate(), zones: zones(), queries: Vec::new(), out: vec![0; 4096] };
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

/// A zone: RRsets by owner, type and values, in which `#` counts where there are many.
struct Sets {
    apex: Name,
    sets: Vec<RRset>,
}

impl Sets {
    fn of(apex: &str) -> Self {
        Sets { apex: name::parse_absolute(apex).expect("an apex"), sets: Vec::new() }
    }

    fn put(mut self, owner: &str, rtype: Rtype, values: &[&str]) -> Self {
        let values = values.iter().map(|value| parse_value(rtype, value).expect("a value"));
        self.sets.push(RRset::new(name::parse(owner, &self.apex).expect("an owner"), rtype, 300, values));
        self
    }

    fn many(self, count: usize, owner: &str, rtype: Rtype, values: &[&str]) -> Self {
        (0..count).fold(self, |sets, number| {
            let of = |text: &str| text.replace('#', &number.to_string());
            let values: Vec<String> = values.iter().map(|value| of(value)).collect();
            sets.put(&of(owner), rtype, &values.iter().map(String::as_str).collect::<Vec<_>>())
        })
    }

    fn serve(self, zones: &Zones) -> Zones {
        let Sets { apex, sets } = self;
        let content = Content::build(apex.clone(), [7; 16], sets.into_iter().map(|rrset| (rrset, None)));
        let (primary, contact) = (apex.clone(), apex.clone());
        let (refresh, retry, expire, minimum) = (3600, 600, 604_800, 300);
        let soa = Soa { primary, contact, serial: 1, refresh, retry, expire, minimum, ttl: 3600 };
        zones.put(&apex, ZoneState::Serving(Arc::new(Image::new(content.expect("a content"), soa))))
    }
}

fn zones() -> Zones {
    let hosts = Sets::of("hosts.test.")
        .put("@", Rtype::NS, &["ns1.hosts.test.", "ns2.hosts.test."])
        .put("mail", Rtype::A, &["192.0.2.25"])
        .put("mail", Rtype::AAAA, &["2001:db8::25"])
        .put("*.wild", Rtype::A, &["192.0.2.4"])
        .many(5000, "host-#", Rtype::A, &["192.0.2.1"])
        .many(64, "many-#", Rtype::A, &["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])
        .many(64, "mx-#", Rtype::MX, &["10 mail.hosts.test."])
        .many(64, "alias-#", Rtype::CNAME, &["host-#.hosts.test."])
        .many(64, "first-#", Rtype::CNAME, &["second-#.hosts.test."])
        .many(64, "second-#", Rtype::CNAME, &["third-#.hosts.test."])
        .many(64, "third-#", Rtype::CNAME, &["host-#.hosts.test."]);
    // Delegations as the root zone has them: four nameservers below the cut, each with two addresses.
    let nameservers = ["a.nic.tld-#.", "b.nic.tld-#.", "c.nic.tld-#.", "d.nic.tld-#."];
    let cuts =
        Sets::of(".").put("@", Rtype::NS, &["ns1.hosts.test."]).many(1200, "tld-#", Rtype::NS, &nameservers);
    let cuts = nameservers.iter().fold(cuts, |cuts, nameserver| {
        let cuts = cuts.many(1200, nameserver, Rtype::A, &["192.0.2.1"]);
        cuts.many(1200, nameserver, Rtype::AAAA, &["2001:db8::1"])
    });
    // As a signed zone looks; nobody here checks the signatures.
    let at_apex = "2 300 20300101000000 20200101000000 1 signed.test. AAAA";
    let at_host = "3 300 20300101000000 20200101000000 1 signed.test. AAAA";
    let [soa, nsec] = ["SOA", "NSEC"].map(|covered| format!("{covered} 13 {at_apex}"));
    let [a, host_nsec] = ["A", "NSEC"].map(|covered| format!("{covered} 13 {at_host}"));
    let signed = Sets::of("signed.test.")
        .put("@", Rtype::NS, &["ns1.hosts.test."])
        .put("@", Rtype::NSEC, &["host-0.signed.test. NS SOA RRSIG NSEC"])
        .put("@", Rtype::RRSIG, &[&soa, &nsec])
        .many(1000, "host-#", Rtype::A, &["192.0.2.1"])
        .many(1000, "host-#", Rtype::NSEC, &["host-#-next.signed.test. A RRSIG NSEC"])
        .many(1000, "host-#", Rtype::RRSIG, &[&a, &host_nsec]);
    [hosts, cuts, signed].into_iter().fold(Zones::default(), |zones, sets| sets.serve(&zones))
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
