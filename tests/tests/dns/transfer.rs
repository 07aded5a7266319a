//! Zone transfers out of Port53: NSD, Knot and BIND as secondaries that follow a series of changes, and dig and
//! kdig as clients with and without keys.

use domain::base::iana::Rtype;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Message, Name as AnyName, ParsedName, Record, ToName};
use domain::rdata::AllRecordData;
use port53_resolver::serve::{self, Drain, Listeners, Settings};
use port53_resolver::source::Publisher;
use port53_resolver::traffic::Traffic;
use port53_resolver::transfer::{self, Policy, Transfers};
use port53_secondaries::keys::{Key, Keys};
use port53_tests::peer::{Peer, Program, Secondary};
use port53_tests::process::{self, Finished};
use port53_tests::{PATIENCE, eventually, soa};
use port53_zone::content::{Change, Content};
use port53_zone::image::Image;
use port53_zone::rdata::parse_value;
use port53_zone::transfer::{Request, Sequence, TARGET};
use port53_zone::{RRset, name};
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const APEX: &str = "transfer.example.";
const SECRET: &str = "c2VjcmV0IG9mIGJvdGggc2lkZXMgb2YgYSB0cmFuc2Zlcg==";
/// Another secret.
const WRONG: &str = "bm90IHRoZSBzZWNyZXQgb2YgYm90aCBzaWRlcw==";
const KEY: &str = "xfr.key.example";

/// Port53 in this process, with one zone whose changes the test makes.
pub(super) struct Primary {
    /// Ends with the rest.
    _runtime: Runtime,
    publisher: Publisher,
    transfers: Arc<Transfers>,
    address: SocketAddr,
    image: Image,
    leave: CancellationToken,
}

impl Primary {
    /// With a key of `algorithm`, and that key alone may have the zone.
    pub(super) fn start(algorithm: &str, image: Image) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let publisher = Publisher::new();
        let key = Key::parse(KEY, &format!("{algorithm}:{SECRET}")).expect("a key");
        let policy =
            Policy { allow: vec![format!("key:{KEY}").parse().expect("an entry")], notify: Vec::new() };
        let settings = transfer::Settings { policy, ..transfer::Settings::default() };
        let transfers = Arc::new(Transfers::new(settings, Keys::new([key])));
        let listeners = Listeners::bind(&[([127, 0, 0, 1], 0).into()], 1).expect("a free port");
        let address = listeners.addresses()[0];
        let drain =
            Drain { quiet: std::time::Duration::ZERO, most: std::time::Duration::ZERO, ..Drain::default() };
        let settings = Settings { transfers: transfers.clone(), drain, ..Settings::default() };
        let leave = CancellationToken::new();
        publisher.put(image.clone()).expect("newer");
        let guard = runtime.enter();
        transfers.follow(&publisher, None, leave.clone()).expect("a thread");
        let traffic = Arc::new(Traffic::default());
        runtime.spawn(serve::run(listeners, publisher.zones(), settings, traffic, leave.clone()));
        drop(guard);
        Primary { _runtime: runtime, publisher, transfers, address, image, leave }
    }

    /// The same key as `dig -y` takes it.
    pub(super) fn key(algorithm: &str) -> String {
        format!("{algorithm}:{KEY}:{SECRET}")
    }

    /// From now on `secondary` is told of changes.
    fn tell(&self, secondary: SocketAddr) {
        let policy = self.transfers.policies().of(self.image.apex());
        let policy = Policy { notify: vec![secondary], ..(*policy).clone() };
        self.transfers.policies().set(self.image.apex(), Some(policy));
    }

    /// Takes the next version into service.
    fn change(&mut self, changes: &[Change]) {
        let serial = self.image.soa().serial + 1;
        let applied = self.image.content().apply(changes).expect("applies");
        self.image = self.image.with(applied, soa(self.image.apex(), serial));
        self.publisher.put(self.image.clone()).expect("newer");
    }

    /// What is in service, as records of a transfer.
    fn records(&self) -> BTreeSet<String> {
        let request = Request::read(&axfr_query()).expect("a request");
        let mut sequence = Sequence::whole(request, Arc::new(self.image.clone()));
        let (mut records, mut out) = (BTreeSet::new(), Vec::new());
        while sequence.next_into(&mut out, TARGET) {
            records.extend(records_in(&out[2..]));
            out.clear();
        }
        records
    }

    /// `dig` or `kdig`, to the end.
    pub(super) fn run(&self, program: &str, arguments: &[&str]) -> Finished {
        let port = self.address.port().to_string();
        let arguments = [&["@127.0.0.1", "-p", &port], arguments].concat();
        process::run(program, &arguments, Path::new("/"))
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        self.leave.cancel();
    }
}

fn rrset(owner: &str, rtype: Rtype, ttl: u32, values: &[&str]) -> RRset {
    let apex = name::parse_absolute(APEX).expect("a name");
    let owner = name::parse(owner, &apex).expect("a name");
    RRset::new(owner, rtype, ttl, values.iter().map(|value| parse_value(rtype, value).expect("a value")))
}

fn put(rrset: RRset) -> Change {
    Change::Put { rrset, owner: None }
}

fn remove(owner: &str, rtype: Rtype) -> Change {
    let RRset { name, .. } = rrset(owner, Rtype::A, 0, &["192.0.2.1"]);
    Change::Remove { name, rtype }
}

/// A zone of many types, and `hosts` further names with an address each.
fn image(hosts: usize) -> Image {
    let mut rrsets = vec![
        rrset("@", Rtype::NS, 300, &["ns1.transfer.example.", "ns2.transfer.example."]),
        rrset("@", Rtype::MX, 300, &["10 mail.transfer.example.", "20 mail.elsewhere.example."]),
        rrset("ns1", Rtype::A, 300, &["127.0.0.1"]),
        rrset("ns2", Rtype::AAAA, 300, &["2001:db8::2"]),
        rrset("www", Rtype::CNAME, 60, &["host0.transfer.example."]),
        rrset("*.wild", Rtype::TXT, 60, &["\"any\" \"thing\""]),
        rrset("_sip._tcp", Rtype::SRV, 60, &["1 2 5060 mail.transfer.example."]),
        rrset("child", Rtype::NS, 300, &["ns.child.transfer.example."]),
        rrset("ns.child", Rtype::A, 300, &["192.0.2.99"]),
        rrset("other", Rtype::from_int(65_400), 300, &["\\# 3 010203"]),
    ];
    rrsets.extend((0..hosts).map(|n| rrset(&format!("host{n}"), Rtype::A, 300, &["198.51.100.7"])));
    let apex = name::parse_absolute(APEX).expect("a name");
    let soa = soa(&apex, 1);
    let content = Content::build(apex, [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    Image::new(content.expect("a content"), soa)
}

fn axfr_query() -> Vec<u8> {
    let mut query = vec![0x53, 0x53, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend_from_slice(name::parse_absolute(APEX).expect("a name").as_slice());
    query.extend_from_slice(&[0, 252, 0, 1]);
    query
}

/// The records in the answer of a message, in canonical form.
fn records_in(message: &[u8]) -> Vec<String> {
    let message = Message::from_octets(message).expect("a message");
    assert_eq!(message.header().rcode(), domain::base::iana::Rcode::NOERROR);
    let text = |record: domain::base::ParsedRecord<'_, &[u8]>| {
        let owner: AnyName<Vec<u8>> = record.owner().to_name();
        let (ttl, rtype) = (record.ttl().as_secs(), record.rtype());
        type Any<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;
        let data: Record<_, Any<'_>> = record.to_record().expect("a value").expect("a type");
        let mut value = Vec::new();
        data.data().compose_canonical_rdata(&mut value).expect("composes");
        format!("{} {ttl} {rtype} {value:02x?}", owner.to_string().to_lowercase())
    };
    message.answer().expect("a section").map(|record| text(record.expect("a record"))).collect()
}

/// All records of the zone at `server`, which gives it to everyone here. NSD ends connections when it takes a
/// new version.
fn axfr(server: SocketAddr) -> io::Result<BTreeSet<String>> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let query = axfr_query();
    stream.write_all(&[&[0, query.len() as u8], &query[..]].concat())?;
    let (mut records, mut soas) = (BTreeSet::new(), 0);
    while soas < 2 {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message)?;
        let found = records_in(&message);
        soas += found.iter().filter(|record| record.contains(" SOA ")).count();
        records.extend(found);
    }
    Ok(records)
}

/// One version after another.
fn series() -> Vec<Vec<Change>> {
    let many = |from: usize, to: usize, address: &str| {
        (from..to).map(|n| put(rrset(&format!("new{n}"), Rtype::A, 60, &[address]))).collect::<Vec<_>>()
    };
    vec![
        vec![put(rrset("host1", Rtype::A, 300, &["198.51.100.8", "198.51.100.9"]))],
        vec![put(rrset("host1", Rtype::A, 300, &["198.51.100.9", "198.51.100.10"]))],
        vec![put(rrset("host1", Rtype::A, 60, &["198.51.100.9", "198.51.100.10"]))],
        vec![remove("host1", Rtype::A), put(rrset("deep.below.host1", Rtype::TXT, 60, &["\"x\""]))],
        vec![remove("child", Rtype::NS), remove("ns.child", Rtype::A)],
        many(0, 1500, "203.0.113.1"),
        many(500, 1000, "203.0.113.2"),
        (0..1500).map(|n| remove(&format!("new{n}"), Rtype::A)).collect(),
        vec![put(rrset("www", Rtype::CNAME, 60, &["host2.transfer.example."]))],
        Vec::new(),
    ]
}

#[track_caller]
fn follows(program: Program, algorithm: &str) {
    let mut primary = Primary::start(algorithm, image(300));
    let secondary = Secondary { primary: primary.address, apexes: &[APEX], key: [algorithm, KEY, SECRET] };
    let peer = Peer::start_secondary(program, &secondary);
    assert_eq!(axfr(peer.address()).expect("a transfer"), primary.records(), "{program} at first");
    let [whole, differences] = primary.transfers.sent();
    assert!(whole >= 1);
    primary.tell(peer.address());
    for (step, changes) in series().iter().enumerate() {
        primary.change(changes);
        let expected = primary.records();
        eventually(&format!("{program} at change {step}"), || {
            let found = axfr(peer.address()).map_err(|error| error.to_string())?;
            let differing = found.symmetric_difference(&expected).take(4).collect::<Vec<_>>();
            if differing.is_empty() { Ok(()) } else { Err(format!("{differing:?}\n{}", peer.output())) }
        });
    }
    let [whole_after, differences_after] = primary.transfers.sent();
    assert_eq!(whole_after, whole, "{program} took the zone again:\n{}", peer.output());
    assert_eq!(differences_after - differences, series().len() as u64, "{program}");
    let [_, answered, given_up] = primary.transfers.notified();
    assert_eq!((answered, given_up), (series().len() as u64, 0), "{program}");
}

#[test]
fn nsd_follows_by_ixfr() {
    follows(Program::Nsd, "hmac-sha256");
}

#[test]
fn knot_follows_by_ixfr() {
    follows(Program::Knot, "hmac-sha384");
}

#[test]
fn bind_follows_by_ixfr() {
    follows(Program::Bind, "hmac-sha512");
}

/// As dig and kdig count them, and with their check of every signature: a hundred thousand records.
#[test]
fn dig_and_kdig_count_all_records() {
    for (algorithm, hosts) in [("hmac-sha256", 100_000), ("hmac-sha1", 10), ("hmac-sha224", 10)] {
        let primary = Primary::start(algorithm, image(hosts));
        let records = hosts + 14;
        let key = Primary::key(algorithm);
        let dig = primary.run("dig", &["-y", &key, "AXFR", APEX]);
        assert!(dig.stdout.contains(&format!("XFR size: {records} records")), "{algorithm} {}", tail(&dig));
        assert!(!dig.stdout.contains("verify"), "{algorithm} {}", tail(&dig));
        let kdig = primary.run("kdig", &["-y", &key, "AXFR", APEX]);
        assert!(kdig.stdout.contains(&format!(", {records} records)")), "{algorithm} {}", tail(&kdig));
        assert!(kdig.success && !kdig.stderr.contains("WARNING"), "{algorithm} {}", tail(&kdig));
    }
}

fn tail(finished: &Finished) -> String {
    let lines: Vec<&str> = finished.stdout.lines().rev().take(20).collect();
    format!("{}\n{}", lines.into_iter().rev().collect::<Vec<_>>().join("\n"), finished.stderr)
}

/// Nobody without the key, and nobody with another secret or another key (RFC 8945 §5.2).
#[test]
fn a_transfer_without_the_right_key_is_refused() {
    let primary = Primary::start("hmac-sha256", image(10));
    let without = primary.run("dig", &["AXFR", APEX]);
    assert!(without.stdout.contains("Transfer failed"), "{}", tail(&without));
    for (key, said) in [
        (format!("hmac-sha256:{KEY}:{WRONG}"), "BADSIG"),
        (format!("hmac-sha256:other.example:{SECRET}"), "BADKEY"),
        (format!("hmac-sha512:{KEY}:{SECRET}"), "BADKEY"),
    ] {
        let refused = primary.run("kdig", &["-y", &key, "AXFR", APEX]);
        let all = format!("{}{}", refused.stdout, refused.stderr);
        assert!(all.contains(said) && !all.contains("host1"), "{key}: {all}");
    }
    let over_udp = primary.run("kdig", &["+notcp", "+ignore", "AXFR", APEX]);
    assert!(!over_udp.stdout.contains("host1"), "{}", tail(&over_udp));
}

/// RFC 8945 §5.3: whoever signs gets a signed answer, over UDP and TCP, also when it is truncated; dig and kdig
/// check it.
#[test]
fn a_signed_query_was_answered_unsigned() {
    let mut primary = Primary::start("hmac-sha256", image(10));
    let long = "x".repeat(250);
    let values: Vec<String> = (0..8).map(|n| format!("\"{n}\" \"{long}\"")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    primary.change(&[put(rrset("large", Rtype::TXT, 60, &values))]);
    let key = Primary::key("hmac-sha256");
    let large = format!("large.{APEX}");
    let host = format!("host1.{APEX}");
    for arguments in [&["+notcp", &host, "A"], &["+tcp", &host, "A"], &["+tcp", &large, "TXT"]] {
        let dig = primary.run("dig", &[&["-y", &key], &arguments[..]].concat());
        assert!(
            dig.stdout.contains("status: NOERROR") && dig.stdout.contains("TSIG PSEUDOSECTION"),
            "{}",
            tail(&dig)
        );
        assert!(!dig.stdout.contains("verify"), "{}", tail(&dig));
        let kdig = primary.run("kdig", &[&["-y", &key], &arguments[..]].concat());
        assert!(kdig.success && !kdig.stderr.contains("WARNING"), "{}", tail(&kdig));
    }
    let cut = primary.run("dig", &["-y", &key, "+notcp", "+ignore", &large, "TXT"]);
    assert!(cut.stdout.contains(" tc") && cut.stdout.contains("TSIG PSEUDOSECTION"), "{}", tail(&cut));
    assert!(!cut.stdout.contains("verify"), "{}", tail(&cut));
    let other = format!("hmac-sha256:other.example:{SECRET}");
    let unknown = primary.run("dig", &["-y", &other, &host, "A"]);
    assert!(unknown.stdout.contains("status: NOTAUTH"), "{}", tail(&unknown));
    let unknown = primary.run("kdig", &["-y", &other, &host, "A"]);
    assert!(unknown.stdout.contains("BADKEY"), "{}", tail(&unknown));
}
