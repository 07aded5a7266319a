use super::*;
use crate::message::Section;
use crate::{Note, Notes};
use port53_zone::RRset;
use port53_zone::content::Change;
use port53_zone::image::Image;
use port53_zone::rdata::{Rdata, parse_value};
use port53_zone::transfer::{Delta, Request, Sequence};
use proptest::prelude::*;
use std::sync::Arc;

const APEX: &str = "Example.org.";
const SALT: [u8; 16] = [7; 16];

fn apex() -> Name {
    owner("@")
}

fn owner(text: &str) -> Name {
    name::parse(text, &name::parse_absolute(APEX).expect("a name")).expect("a name")
}

fn soa(serial: u32) -> Soa {
    let (primary, contact) = (owner("ns1"), owner("hostmaster"));
    Soa { primary, contact, serial, refresh: 3600, retry: 600, expire: 604_800, minimum: 300, ttl: 3600 }
}

fn rrset(name: &str, rtype: Rtype, ttl: u32, values: &[&str]) -> RRset {
    let values = values.iter().map(|value| parse_value(rtype, value).expect("a value"));
    RRset::new(owner(name), rtype, ttl, values)
}

fn version(serial: u32, rrsets: impl IntoIterator<Item = RRset>) -> Version {
    let rrsets = rrsets.into_iter().map(|rrset| (rrset, None));
    Version { soa: soa(serial), content: Content::build(apex(), SALT, rrsets).expect("a content") }
}

fn basic() -> Vec<RRset> {
    vec![
        rrset("@", Rtype::NS, 300, &["ns1.Example.org.", "ns.elsewhere.net."]),
        rrset("@", Rtype::MX, 300, &["10 Mail.Example.org."]),
        rrset("Mail", Rtype::A, 60, &["192.0.2.1", "192.0.2.2"]),
        rrset("*.wild", Rtype::TXT, 60, &["a", "b"]),
        rrset("odd", Rtype::from_int(65280), 60, &["\\# 3 010203"]),
        rrset("_sip._tcp", Rtype::SRV, 60, &["1 2 3 Mail.Example.org."]),
    ]
}

/// A record of a transfer as a test writes it.
#[derive(Clone, Debug)]
struct Line {
    name: Name,
    rtype: Rtype,
    class: u16,
    ttl: u32,
    value: Vec<u8>,
}

fn line(name: &str, rtype: Rtype, ttl: u32, value: &str) -> Line {
    let value = parse_value(rtype, value).expect("a value").as_slice().to_vec();
    Line { name: owner(name), rtype, class: IN, ttl, value }
}

fn a(name: &str, value: &str) -> Line {
    line(name, Rtype::A, 60, value)
}

fn start(serial: u32) -> Line {
    let soa = soa(serial);
    Line { name: apex(), rtype: Rtype::SOA, class: IN, ttl: soa.ttl, value: soa.rdata().as_slice().to_vec() }
}

/// A message that answers `query` with these records.
fn message(query: &[u8], lines: &[Line]) -> Vec<u8> {
    let end = HEADER_AND_QUESTION;
    let mut octets = query[..end].to_vec();
    octets[2] |= 0x84;
    octets[6..12].fill(0);
    octets[6..8].copy_from_slice(&(lines.len() as u16).to_be_bytes());
    for Line { name, rtype, class, ttl, value } in lines {
        octets.extend_from_slice(name.as_slice());
        octets.extend_from_slice(&rtype.to_int().to_be_bytes());
        octets.extend_from_slice(&class.to_be_bytes());
        octets.extend_from_slice(&ttl.to_be_bytes());
        octets.extend_from_slice(&(value.len() as u16).to_be_bytes());
        octets.extend_from_slice(value);
    }
    octets
}

/// A header, the apex, a type and a class.
const HEADER_AND_QUESTION: usize = 12 + 13 + 4;

fn whole() -> Reader {
    Reader::whole(&apex(), SALT, &Limits::default())
}

/// Reads messages until one says that nothing comes any more.
fn read(mut reader: Reader, messages: &[Vec<u8>]) -> Result<Option<Transferred>, Wrong> {
    for (number, message) in messages.iter().enumerate() {
        match reader.read(message)? {
            Progress::More => {}
            Progress::Full => reader.settle()?,
            Progress::Done => assert_eq!(number, messages.len() - 1, "the last message"),
        }
    }
    reader.finish()
}

/// Reads records, in messages of so many.
fn read_lines(reader: Reader, lines: &[Line], in_each: usize) -> Result<Option<Transferred>, Wrong> {
    let query = reader.query().to_vec();
    let messages: Vec<Vec<u8>> = lines.chunks(in_each).map(|lines| message(&query, lines)).collect();
    read(reader, &messages)
}

fn wrong(reader: Reader, lines: &[Line]) -> Wrong {
    let query = reader.query().to_vec();
    match read(reader, &[message(&query, lines)]) {
        Ok(taken) => panic!("it was taken: {taken:?}"),
        Err(wrong) => wrong,
    }
}

#[track_caller]
fn assert_same(transferred: &Transferred, expected: &Version) {
    let text = |version: &Version| -> Vec<String> {
        version.content.iter().map(|(rrset, _)| format!("{rrset:?}")).collect()
    };
    assert_eq!(text(&transferred.version), text(expected));
    assert_eq!(transferred.version.soa, expected.soa);
    assert_eq!(transferred.version.content.digest(), expected.content.digest());
}

/// RFC 5936 §2.2: however the records are spread over messages, the first SOA alone in one included.
#[test]
fn rfc5936_2_2_a_whole_zone() {
    let expected = version(7, basic());
    let body = basic().into_iter().flat_map(|rrset| {
        let RRset { name, rtype, ttl, .. } = rrset.clone();
        let line = move |value: &Rdata| Line {
            name: name.clone(),
            rtype,
            class: IN,
            ttl,
            value: value.as_slice().to_vec(),
        };
        rrset.values().iter().map(line).collect::<Vec<_>>()
    });
    let mut lines: Vec<Line> = [start(7)].into_iter().chain(body).chain([start(7)]).collect();
    for in_each in [1, 2, 3, lines.len()] {
        let got = read_lines(whole(), &lines, in_each).expect("a zone").expect("changed");
        assert_same(&got, &expected);
        assert_eq!(got.notes, Notes::default());
    }
    // RFC 5936 §2.2: in no order; and a record twice is one (RFC 2181 §5).
    let last = lines.len() - 1;
    lines[1..last].reverse();
    lines.insert(1, lines[3].clone());
    let got = read_lines(whole(), &lines, 2).expect("a zone").expect("changed");
    assert_eq!(got.version.content.digest(), expected.content.digest());
}

/// RFC 1995 §4: many differences in a row, one, none, or the whole zone.
#[test]
fn rfc1995_4_what_may_answer_ixfr() {
    let held =
        version(1, [rrset("a", Rtype::A, 60, &["192.0.2.1"]), rrset("b", Rtype::A, 60, &["192.0.2.2"])]);
    let since = || Reader::since(&held, &Limits::default());
    let lines = [
        start(3),
        start(1),
        a("a", "192.0.2.1"),
        start(2),
        a("a", "192.0.2.7"),
        a("c", "192.0.2.3"),
        start(2),
        a("b", "192.0.2.2"),
        a("c", "192.0.2.3"),
        start(3),
        a("c", "192.0.2.4"),
        start(3),
    ];
    let expected =
        version(3, [rrset("a", Rtype::A, 60, &["192.0.2.7"]), rrset("c", Rtype::A, 60, &["192.0.2.4"])]);
    for in_each in [1, 2, 5, lines.len()] {
        let got = read_lines(since(), &lines, in_each).expect("differences").expect("changed");
        assert_same(&got, &expected);
    }
    let all = [start(3), a("a", "192.0.2.7"), a("c", "192.0.2.4"), start(3)];
    for in_each in [1, 2, 4] {
        assert_same(&read_lines(since(), &all, in_each).expect("whole").expect("changed"), &expected);
    }
    assert!(read_lines(since(), &[start(1)], 1).expect("nothing new").is_none());
    // RFC 1995 §4: a difference may be of the SOA alone.
    let only_soa = [start(2), start(1), start(2), start(2)];
    let got = read_lines(since(), &only_soa, 1).expect("differences").expect("changed");
    assert_eq!((got.version.soa.serial, got.version.content.digest()), (2, held.content.digest()));
    // All records of a set, with another TTL: both are removed and come again.
    let slower =
        [start(2), start(1), a("a", "192.0.2.1"), start(2), line("A", Rtype::A, 90, "192.0.2.1"), start(2)];
    let got = read_lines(since(), &slower, 2).expect("differences").expect("changed");
    assert_eq!(got.version.content.get(&owner("a"), Rtype::A).expect("it is there").ttl, 90);
    assert_eq!(got.notes.kept, []);
}

/// A lie is an error and never a part of a zone.
#[test]
fn what_is_not_the_zone_is_refused() {
    let of_other = Line { name: name::parse_absolute("example.net").expect("a name"), ..start(7) };
    let below = Line { name: owner("sub"), ..start(7) };
    let outside =
        Line { name: name::parse_absolute("www.example.net").expect("a name"), ..a("x", "192.0.2.1") };
    let chaos = Line { class: 3, ..a("x", "192.0.2.1") };
    let x = a("x", "192.0.2.1");
    let is = |lines: &[Line], expected: fn(&Wrong) -> bool| {
        let wrong = wrong(whole(), lines);
        assert!(expected(&wrong), "{wrong:?}");
    };
    is(&[of_other.clone(), x.clone(), of_other], |wrong| matches!(wrong, Wrong::AnotherZone(_)));
    is(&[start(7), below, start(7)], |wrong| matches!(wrong, Wrong::AnotherZone(_)));
    is(&[start(7), outside, start(7)], |wrong| matches!(wrong, Wrong::OutOfZone(_)));
    is(&[start(7), chaos, start(7)], |wrong| matches!(wrong, Wrong::Class(3)));
    is(&[start(7), x.clone(), start(8)], |wrong| matches!(wrong, Wrong::TwoVersions { first: 7, last: 8 }));
    is(&[start(7), start(8)], |wrong| matches!(wrong, Wrong::TwoVersions { .. }));
    is(&[start(7), x.clone(), start(7), x.clone()], |wrong| matches!(wrong, Wrong::AfterTheEnd));
    is(&[start(7), x.clone(), start(7), start(7)], |wrong| matches!(wrong, Wrong::AfterTheEnd));
    is(&[x.clone(), start(7)], |wrong| matches!(wrong, Wrong::Malformed(_)));
    is(&[start(7), x.clone()], |wrong| matches!(wrong, Wrong::Half(2)));
    is(&[], |wrong| matches!(wrong, Wrong::NotAuthoritative(_)));
    let other_expire = { Soa { expire: 1, ..soa(7) } };
    let same_serial = Line { value: other_expire.rdata().as_slice().to_vec(), ..start(7) };
    is(&[start(7), x, same_serial], |wrong| matches!(wrong, Wrong::TwoVersions { first: 7, last: 7 }));
}

/// RFC 1995 §4: differences go from what is held to what is offered, one after another.
#[test]
fn differences_that_do_not_follow_are_refused() {
    let held = version(10, [rrset("a", Rtype::A, 60, &["192.0.2.1"])]);
    let is = |lines: &[Line], expected: fn(&Wrong) -> bool| {
        let wrong = wrong(Reader::since(&held, &Limits::default()), lines);
        assert!(expected(&wrong), "{wrong:?}");
    };
    let (gone, other, new) = (a("a", "192.0.2.1"), a("a", "192.0.2.9"), a("n", "192.0.2.3"));
    is(&[start(9)], |wrong| matches!(wrong, Wrong::Older { offered: 9, held: 10 }));
    is(&[start(9), new.clone(), start(9)], |wrong| matches!(wrong, Wrong::Older { .. }));
    is(&[start(12), start(9), start(12), start(12)], |wrong| matches!(wrong, Wrong::Chain { .. }));
    is(&[start(12), start(10), start(9), start(12)], |wrong| matches!(wrong, Wrong::Chain { .. }));
    is(&[start(12), start(10), start(13)], |wrong| matches!(wrong, Wrong::Chain { .. }));
    is(&[start(12), start(10), start(11), start(12)], |wrong| {
        matches!(wrong, Wrong::Chain { from: 12, expected: 11, .. })
    });
    is(&[start(12), start(10), other, start(12), start(12)], |wrong| matches!(wrong, Wrong::Differences(_)));
    is(&[start(12), start(10), start(12), gone.clone(), start(12)], |wrong| {
        matches!(wrong, Wrong::Differences(_))
    });
    is(&[start(12), start(10), gone.clone(), gone.clone(), start(12), start(12)], |wrong| {
        matches!(wrong, Wrong::Differences(_))
    });
    is(&[start(12), start(10), gone.clone(), start(12), new.clone()], |wrong| {
        matches!(wrong, Wrong::Half(5))
    });
    is(&[start(12), start(10), gone, start(12), start(12), new], |wrong| matches!(wrong, Wrong::AfterTheEnd));
}

type Damage = fn(&mut Vec<u8>);

#[test]
fn messages_of_something_else_are_refused() {
    let lines = [start(7), a("x", "192.0.2.1"), start(7)];
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let reader = whole();
        let mut message = message(reader.query(), &lines);
        change(&mut message);
        read(reader, &[message]).map(|taken| taken.is_some())
    };
    assert!(changed(&|_| ()).expect("taken as it is"));
    let malformed: [(&str, Damage); 9] = [
        ("another ID", |message| message[1] ^= 1),
        ("a query", |message| message[2] &= 0x7f),
        ("an UPDATE", |message| message[2] |= 0x28),
        ("truncated", |message| message[2] |= 2),
        ("another name", |message| message[13] ^= 1),
        ("another type", |message| message[HEADER_AND_QUESTION - 3] = 251),
        ("another class", |message| message[HEADER_AND_QUESTION - 1] = 3),
        ("cut off", |message| message.truncate(HEADER_AND_QUESTION + 20)),
        ("authority", |message| message[9] = 1),
    ];
    for (what, change) in malformed {
        let changed = changed(&change);
        assert!(matches!(changed, Err(Wrong::Malformed(_))), "{what}: {changed:?}");
    }
    assert!(matches!(changed(&|message| message.truncate(5)), Err(Wrong::Malformed(_))));
    assert!(changed(&|message| message[2] &= !4).expect("as Knot sends it: without AA"));
    assert!(matches!(changed(&|message| message[3] = 5), Err(Wrong::Refused { rcode: Rcode::REFUSED, .. })));
    // The owner of the first record becomes a pointer to itself, and to what is ahead.
    for target in [HEADER_AND_QUESTION, HEADER_AND_QUESTION + 40] {
        let looped = changed(&|message| {
            message[HEADER_AND_QUESTION..HEADER_AND_QUESTION + 2].copy_from_slice(&[0xc0, target as u8]);
        });
        assert!(matches!(looped, Err(Wrong::Malformed(_))), "{looped:?}");
    }
    // RFC 5936 §2.2: any rcode ends it, in a later message too.
    let reader = whole();
    let first = message(reader.query(), &lines[..2]);
    let mut second = message(reader.query(), &lines[2..]);
    second[3] = 2;
    assert!(matches!(read(reader, &[first, second]), Err(Wrong::Refused { rcode: Rcode::SERVFAIL, .. })));
}

#[test]
fn limits_hold() {
    let lines = [start(7), a("x", "192.0.2.1"), a("y", "192.0.2.1"), start(7)];
    let limited = |limits: Limits| read_lines(Reader::whole(&apex(), SALT, &limits), &lines, 4).map(drop);
    assert!(limited(Limits { records: 4, ..Limits::default() }).is_ok());
    assert!(matches!(limited(Limits { records: 3, ..Limits::default() }), Err(Wrong::TooManyRecords(3))));
    assert!(matches!(limited(Limits { octets: 100, ..Limits::default() }), Err(Wrong::TooManyOctets(100))));
}

/// What cannot be served is left out alone and noted, and what goes with a difference is not missed then.
#[test]
fn what_is_not_a_record_is_left_out_alone() {
    let short = Line { value: vec![192, 0, 2], ..a("short", "192.0.2.1") };
    let meta = Line { rtype: Rtype::from_int(249), ..a("meta", "192.0.2.1") };
    let lines = [start(7), short.clone(), a("x", "192.0.2.1"), meta, start(7)];
    let got = read_lines(whole(), &lines, 2).expect("a zone").expect("changed");
    assert_same(&got, &version(7, [rrset("x", Rtype::A, 60, &["192.0.2.1"])]));
    let left: Vec<String> = got.notes.kept.iter().map(Note::to_string).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].starts_with("short.Example.org. A \\# 3 C00002 is left out"), "{left:?}");

    let reader = Reader::since(&got.version, &Limits::default());
    let lines = [start(8), start(7), short, start(8), a("y", "192.0.2.1"), start(8)];
    let after = read_lines(reader, &lines, 6).expect("differences").expect("changed");
    assert_eq!((after.version.content.len(), after.notes.kept.len()), (2, 0));
}

/// RFC 2181 §5.2: the lowest TTL counts, wherever the records come. RFC 2181 §8: the highest bit is none.
#[test]
fn rfc2181_5_2_ttls_that_differ() {
    let lines = [
        start(7),
        line("x", Rtype::A, 60, "192.0.2.1"),
        line("y", Rtype::A, 60, "192.0.2.1"),
        line("x", Rtype::A, 30, "192.0.2.2"),
        line("x", Rtype::A, 90, "192.0.2.3"),
        line("z", Rtype::A, 0x8000_0001, "192.0.2.3"),
        start(7),
    ];
    let got = read_lines(whole(), &lines, 1).expect("a zone").expect("changed");
    let ttl = |name: &str| got.version.content.get(&owner(name), Rtype::A).expect("it is there").ttl;
    assert_eq!((ttl("x"), ttl("y"), ttl("z")), (30, 60, 0));
    assert_eq!(
        got.notes.kept,
        [
            Note::Ttls { name: owner("x"), rtype: Rtype::A, lowest: 30, other: 60 },
            Note::GreatTtl { name: owner("z"), rtype: Rtype::A, ttl: 0x8000_0001 }
        ]
    );
}

/// Names in values are expanded, in the types of RFC 1035 and in those that RFC 3597 §4 names.
#[test]
fn rfc3597_4_compressed_names_in_values() {
    let reader = whole();
    // "mail" and a pointer to the apex in the question; a whole pointer for the second.
    let mx = [0, 10, 4, b'M', b'a', b'i', b'l', 0xc0, 12];
    let srv = [0, 1, 0, 2, 0, 3, 0xc0, 12];
    let compressed = |rtype, value: &[u8]| Line { rtype, value: value.to_vec(), ..a("x", "192.0.2.1") };
    let lines = [start(7), compressed(Rtype::MX, &mx), compressed(Rtype::SRV, &srv), start(7)];
    let query = reader.query().to_vec();
    let got = read(reader, &[message(&query, &lines)]).expect("a zone").expect("changed");
    let expected = [
        rrset("x", Rtype::MX, 60, &["10 Mail.Example.org."]),
        rrset("x", Rtype::SRV, 60, &["1 2 3 Example.org."]),
    ];
    assert_same(&got, &version(7, expected));
    // A pointer to itself.
    let at = HEADER_AND_QUESTION + 13 + 10 + start(7).value.len() + 15 + 10 + 2;
    let looped = [0, 10, 0xc0 | (at >> 8) as u8, at as u8];
    let lines = [start(7), compressed(Rtype::MX, &looped), start(7)];
    assert!(matches!(wrong(whole(), &lines), Wrong::Malformed("a name in a value cannot be read")));
}

#[test]
fn the_query_says_what_is_held() {
    let reader = Reader::since(&version(42, basic()), &Limits::default());
    let message = Message::read(reader.query()).expect("a message");
    let records: Vec<Raw> = message.records(Section::Authority).collect::<Result<_, _>>().expect("records");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].soa(&message).expect("a SOA").serial, 42);
}

/// What our own resolver sends to secondaries.
fn sent(mut sequence: Sequence, target: usize) -> Vec<Vec<u8>> {
    let (mut messages, mut out) = (Vec::new(), Vec::new());
    while sequence.next_into(&mut out, target) {
        messages.push(out.split_off(2));
        out.clear();
    }
    messages
}

fn image(version: &Version) -> Arc<Image> {
    Arc::new(Image::new(version.content.clone(), version.soa.clone()))
}

/// RRsets of few names, so that versions share some of them.
fn some_rrsets() -> impl Strategy<Value = Vec<RRset>> {
    let one = (0..12u8, 0..4usize, 1..4u8, 0..3u32).prop_map(|(name, kind, values, ttl)| {
        let name = ["@", "Www", "*.wild", "a.b.c"]
            .get(usize::from(name))
            .map_or(format!("n{name}"), |&name| name.into());
        let (rtype, text): (_, fn(u8) -> String) = [
            (Rtype::A, (|value| format!("192.0.2.{value}")) as fn(u8) -> String),
            (Rtype::MX, |value| format!("{value} mail{value}.Example.org.")),
            (Rtype::TXT, |value| "x".repeat(usize::from(value) * 150)),
            (Rtype::from_int(65280), |value| format!("\\# 2 00{value:02X}")),
        ][kind];
        let values: Vec<String> = (0..values).map(text).collect();
        rrset(&name, rtype, 60 + ttl, &values.iter().map(String::as_str).collect::<Vec<_>>())
    });
    prop::collection::vec(one, 0..30)
}

proptest! {
    /// RFC 5936 and RFC 1995 with our own resolver at the other end: what comes is what it has, however it comes.
    #[test]
    fn what_was_sent_comes(versions in prop::collection::vec(some_rrsets(), 2..5), target in 100usize..2000) {
        let numbered = (1..).zip(versions);
        let versions: Vec<Version> = numbered.map(|(serial, rrsets)| version(serial, rrsets)).collect();
        let [first, .., last] = &versions[..] else { panic!("two at least") };
        let request = |reader: &Reader| Request::read(reader.query()).expect("a request");

        let reader = whole();
        let messages = sent(Sequence::whole(request(&reader), image(last)), target);
        assert_same(&read(reader, &messages).expect("a zone").expect("changed"), last);

        let deltas = versions.windows(2).map(|pair| {
            Arc::new(Delta::between(&image(&pair[0]), &image(&pair[1]), usize::MAX).expect("no limit"))
        });
        let reader = Reader::since(first, &Limits::default());
        let messages = sent(Sequence::differences(request(&reader), image(last), deltas.collect()), target);
        let got = read(reader, &messages).expect("differences").expect("changed");
        prop_assert_eq!(got.version.content.digest(), last.content.digest());
        prop_assert_eq!(&got.version.soa, &last.soa);

        // Cut anywhere, it is half a zone and nothing else.
        for until in 0..messages.len() {
            let half = read(Reader::since(first, &Limits::default()).answered_as(&messages), &messages[..until]);
            prop_assert!(matches!(half, Err(Wrong::Half(_))), "{:?}", half.map(drop));
        }
    }

    /// Whatever octets come: an error, or a zone whose SOAs are the same.
    #[test]
    fn damage_is_never_a_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let reader = whole();
        let version = version(7, basic());
        let mut messages = sent(Sequence::whole(Request::read(reader.query()).expect("a request"), image(&version)), 200);
        for (at, octet) in damage {
            let number = at.index(messages.len());
            let place = at.index(messages[number].len());
            messages[number][place] = octet;
        }
        let mut reader = reader;
        for message in &messages {
            match reader.read(message) {
                Ok(Progress::Done) | Err(_) => break,
                Ok(_) => {}
            }
        }
        if let Ok(Some(taken)) = reader.finish() {
            prop_assert!(taken.version.content.iter().all(|(rrset, _)| rrset.name.ends_with(&apex())));
        }
    }
}

impl Reader {
    /// The same reader for messages that answer another query of the same kind.
    fn answered_as(mut self, messages: &[Vec<u8>]) -> Self {
        if let Some(first) = messages.first() {
            self.query[..2].copy_from_slice(&first[..2]);
        }
        self
    }
}

/// Records of many names in no order, in sets that come apart, settled many times: what is there is whole.
#[test]
fn sets_that_come_apart_over_chunks_are_whole() {
    let names = 20_000u32;
    let (mut lines, mut changes) = (vec![start(7)], Vec::new());
    for value in 1..=2 {
        // 7,919 is a prime that is no divisor of the number of names: each comes once, far from its neighbours.
        let line = |n: u32| a(&format!("h{}", n * 7_919 % names), &format!("192.0.2.{value}"));
        lines.extend((0..names).map(line));
    }
    lines.push(start(7));
    for n in 0..names {
        let rrset = rrset(&format!("h{n}"), Rtype::A, 60, &["192.0.2.1", "192.0.2.2"]);
        changes.push(Change::Put { rrset, owner: None });
    }
    let expected = Content::empty(apex(), SALT).apply(&changes).expect("a content").content;
    let reader = whole();
    let query = reader.query().to_vec();
    let messages: Vec<Vec<u8>> = lines.chunks(500).map(|lines| message(&query, lines)).collect();
    let mut reader = reader;
    let mut settled = 0;
    for message in &messages {
        if reader.read(message).expect("right") == Progress::Full {
            reader.settle().expect("it fits");
            settled += 1;
        }
    }
    let got = reader.finish().expect("a zone").expect("changed");
    assert_eq!(got.version.content.digest(), expected.digest());
    assert_eq!(got.version.content.len(), names as usize);
    assert!(settled > 4, "settled {settled} times");
}
