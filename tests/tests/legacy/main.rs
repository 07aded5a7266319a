//! The servers that people move from, as the crate `legacy` talks to them: BIND, Knot, PowerDNS and NSD give their
//! zones, take updates, refuse, and are away; and one of the tests' own, which lies.

mod liars;
mod outages;
mod transfers;
mod updates;

use domain::base::iana::Rcode;
use port53_legacy::{Limits, Outcome, Server, Trouble, Version, Wrong};
use port53_secondaries::keys::Key;
use port53_secondaries::tsig::{Flaw, TsigError};
use port53_tests::legacy::{Holder, Legacy};
use port53_tests::peer::Program;
use port53_tests::{Zone, read};
use port53_zone::rdata::{display_rtype, parse_value};
use port53_zone::{Name, RRset, Rtype, name, rdata};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Runtime;

const APEX: &str = "Move.example.";
const SALT: [u8; 16] = [53; 16];

/// A few records of every kind that matters here.
const TEXT: &str = r#"
$ORIGIN Move.example.
@           3600 IN SOA ns1 hostmaster 2026113001 3600 600 604800 300
@           300  NS     ns1
@           300  NS     ns2.other.example.
@           300  MX     10 Mail
@           300  TXT    "v=spf1 -all" "second"
ns1         60   A      192.0.2.1
Www         60   A      192.0.2.2
Www         60   AAAA   2001:db8::2
alias       60   CNAME  Www
Mail        60   A      192.0.2.3
*.wild      60   TXT    "anything"
a.b.c.d     60   A      192.0.2.4
_sip._tcp   60   SRV    1 2 5060 Www
odd         60   TYPE65280 \# 3 010203
odd         60   CAA    0 issue "ca.example.net"
sub         60   NS     ns.sub
ns.sub      60   A      192.0.2.5
"#;

/// With enough records for several messages, and a set that takes several itself.
fn large_text() -> String {
    let hosts = (0..3000).map(|n| format!("Host{n} 60 A 192.0.2.1\nHost{n} 60 A 192.0.2.2\n"));
    let wide = (0..180).map(|n| format!("wide 60 TXT \"{n}{}\"\n", "x".repeat(240)));
    TEXT.to_owned() + &hosts.chain(wide).collect::<String>()
}

fn apex() -> Name {
    name::parse_absolute(APEX).expect("a name")
}

fn owner(text: &str) -> Name {
    name::parse(text, &apex()).expect("a name")
}

fn rrset(name: &str, rtype: Rtype, ttl: u32, values: &[&str]) -> RRset {
    RRset::new(
        owner(name),
        rtype,
        ttl,
        values.iter().map(|value| parse_value(rtype, value).expect("a value")),
    )
}

fn start(program: Program, text: &str) -> Legacy {
    Legacy::start(program, &[Zone { apex: APEX, text }])
}

fn server(legacy: &Legacy, holder: Holder) -> Server {
    at(legacy.address(), Some(holder.key()))
}

fn at(address: SocketAddr, key: Option<Arc<Key>>) -> Server {
    Server::new(vec![address], key, Limits::default())
}

/// Waits for a future, on a runtime of its own.
fn wait<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().expect("a runtime").block_on(future)
}

fn transfer(server: &Server) -> Version {
    wait(server.transfer(&apex(), SALT)).unwrap_or_else(|trouble| panic!("no transfer: {trouble}")).version
}

/// What a server said that was wrong.
#[track_caller]
fn wrong<T>(result: Result<T, Trouble>) -> Wrong {
    match result {
        Ok(_) => panic!("it went well"),
        Err(Trouble::Server { wrong, .. }) => wrong,
        Err(trouble) => panic!("{trouble}"),
    }
}

/// How a server says no.
#[derive(Clone, Copy, Debug, PartialEq)]
enum No {
    /// It says what is wrong with the signature.
    Tsig(TsigError),
    /// It does not sign that it refuses, although the query was signed.
    Unsigned(Rcode),
    /// The rcode, signed if the query was.
    Rcode(Rcode),
}

/// How it said no, and what is known then.
#[track_caller]
fn no<T>(result: Result<T, Trouble>) -> (Outcome, No) {
    let Err(trouble) = result else { panic!("it went well") };
    let no = match trouble.wrong() {
        Some(Wrong::Refused { said: Some(Flaw::Said(error)), .. }) => No::Tsig(*error),
        Some(Wrong::Refused { rcode, said: Some(Flaw::Unsigned) }) => No::Unsigned(*rcode),
        Some(Wrong::Refused { rcode, said: None }) => No::Rcode(*rcode),
        _ => panic!("{trouble:?}"),
    };
    assert!(!trouble.to_string().contains(Holder::Mover.secret()), "{trouble}");
    (trouble.outcome(), no)
}

/// A wrong secret, an unknown key, a key without rights, and none.
fn who_may_not() -> [Option<Arc<Key>>; 4] {
    let key = |name: &str, text: &str| Some(Arc::new(Key::parse(name, text).expect("a key")));
    [
        key(Holder::Mover.name(), &Holder::Admin.text()),
        key("unknown.key.example", &Holder::Mover.text()),
        Some(Holder::Stranger.key()),
        None,
    ]
}

/// One RRset a line, in canonical order, with the SOA. Names in the case that they have.
fn lines(version: &Version) -> BTreeSet<String> {
    let sets = version.content.iter().map(|(rrset, _)| line(&rrset));
    let soa = rdata::display(Rtype::SOA, &version.soa.rdata());
    sets.chain([format!("{APEX} {} SOA {soa}", version.soa.ttl)]).collect()
}

fn line(rrset: &RRset) -> String {
    let values: Vec<String> = rrset.values().iter().map(|value| rdata::display(rrset.rtype, value)).collect();
    let (name, rtype) = (name::display(&rrset.name), display_rtype(rrset.rtype));
    format!("{name} {} {rtype} {}", rrset.ttl, values.join(" | "))
}

/// What a master file says, as [`lines`] has it.
fn lines_of(text: &str) -> BTreeSet<String> {
    let read = read::read("zone", text.as_bytes(), APEX, None);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let (soa, rrsets) = read.rrsets();
    let soa_line = format!("{APEX} {} SOA {}", soa.ttl, rdata::display(Rtype::SOA, &soa.rdata()));
    rrsets.iter().map(line).chain([soa_line]).collect()
}

fn in_lower_case(lines: &BTreeSet<String>) -> BTreeSet<String> {
    lines.iter().map(|line| line.to_ascii_lowercase()).collect()
}

#[track_caller]
fn assert_same(what: &str, got: &BTreeSet<String>, expected: &BTreeSet<String>) {
    let more: Vec<&String> = got.difference(expected).collect();
    let less: Vec<&String> = expected.difference(got).collect();
    assert!(more.is_empty() && less.is_empty(), "{what}: there {more:#?}, and not {less:#?}");
}
