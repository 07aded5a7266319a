use super::*;
use crate::content::{Change, Content};
use crate::image::Image;
use crate::rdata::parse_value;
use crate::rrset::{RRset, Soa};
use crate::{Name, name};
use domain::base::iana::Class;
use domain::base::{Message, Name as AnyName, ParsedName, Record, ToName};
use domain::rdata::AllRecordData;
use std::collections::BTreeSet;
use std::sync::Arc;

const APEX: &str = "Example.org.";

fn soa(serial: u32) -> Soa {
    Soa {
        primary: name::parse_absolute("ns1.Example.org").expect("a name"),
        contact: name::parse_absolute("hostmaster.elsewhere.net").expect("a name"),
        serial,
        refresh: 3600,
        retry: 600,
        expire: 604_800,
        minimum: 300,
        ttl: 3600,
    }
}

fn rrset(owner: &str, rtype: Rtype, ttl: u32, values: &[&str]) -> RRset {
    let owner = name::parse(owner, &apex()).expect("a name");
    RRset::new(owner, rtype, ttl, values.iter().map(|value| parse_value(rtype, value).expect("a value")))
}

fn apex() -> Name {
    name::parse_absolute(APEX).expect("a name")
}

fn image(serial: u32, rrsets: Vec<RRset>) -> Arc<Image> {
    let content = Content::build(apex(), [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    Arc::new(Image::new(content.expect("a content"), soa(serial)))
}

fn basic() -> Vec<RRset> {
    vec![
        rrset("@", Rtype::NS, 300, &["ns1.Example.org.", "ns.elsewhere.net."]),
        rrset("@", Rtype::MX, 300, &["10 Mail.Example.org.", "20 mail.example.ORG."]),
        rrset("Mail", Rtype::A, 60, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]),
        rrset("Mail", Rtype::TXT, 60, &["\"a\"", "\"b\""]),
        rrset("*.wild", Rtype::CNAME, 60, &["Mail.Example.org."]),
        rrset("_sip._tcp", Rtype::SRV, 60, &["1 2 3 Mail.Example.org."]),
    ]
}

fn many(count: usize) -> Vec<RRset> {
    let hosts = (0..count).map(|n| rrset(&format!("Host{n}"), Rtype::A, 60, &["192.0.2.1", "192.0.2.2"]));
    basic().into_iter().chain(hosts).collect()
}

/// A query, with the SOA that the client has.
fn query(apex: &str, rtype: Rtype, held: Option<u32>) -> Vec<u8> {
    let mut message = vec![0x47, 0x11, 1, 0, 0, 1, 0, 0, 0, u8::from(held.is_some()), 0, 0];
    message.extend_from_slice(name::parse_absolute(apex).expect("a name").as_slice());
    message.extend_from_slice(&rtype.to_int().to_be_bytes());
    message.extend_from_slice(&[0, 1]);
    if let Some(serial) = held {
        let value = soa(serial).rdata();
        message.extend_from_slice(&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0]);
        message.extend_from_slice(&(value.as_slice().len() as u16).to_be_bytes());
        message.extend_from_slice(value.as_slice());
    }
    message
}

fn request(rtype: Rtype, held: Option<u32>) -> Request {
    Request::read(&query(APEX, rtype, held)).expect("a request")
}

/// A record as text, its case kept.
fn text(owner: &str, ttl: u32, rtype: Rtype, value: &[u8]) -> String {
    format!("{owner} {ttl} {rtype} {value:02x?}")
}

/// All messages, and the records in them with values uncompressed.
fn run(mut sequence: Sequence, target: usize) -> (Vec<Vec<u8>>, Vec<String>) {
    let mut messages = Vec::new();
    let mut records = Vec::new();
    let mut out = Vec::new();
    while sequence.next_into(&mut out, target) {
        let (length, message) = out.split_first_chunk::<2>().expect("a length");
        assert_eq!(usize::from(u16::from_be_bytes(*length)), message.len());
        let read = Message::from_octets(message).expect("a message");
        assert_eq!(&message[..4], &[0x47, 0x11, 0x85, 0], "ID, QR, AA, RD, NOERROR");
        for record in read.answer().expect("a section") {
            records.push(record_text(&record.expect("a record")));
        }
        messages.push(message.to_vec());
        out.clear();
    }
    assert!(sequence.is_complete());
    (messages, records)
}

fn record_text(record: &domain::base::ParsedRecord<'_, &[u8]>) -> String {
    assert_eq!(record.class(), Class::IN);
    let owner: AnyName<Vec<u8>> = record.owner().to_name();
    let (ttl, rtype) = (record.ttl().as_secs(), record.rtype());
    let mut value = Vec::new();
    type Any<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;
    let data: Record<_, Any<'_>> = record.to_record().expect("a value").expect("a type");
    domain::base::rdata::ComposeRecordData::compose_rdata(data.data(), &mut value).expect("composes");
    text(&owner.fmt_with_dot().to_string(), ttl, rtype, &value)
}

/// What a zone holds, as the records of a transfer, without the SOA.
fn records_of(image: &Image) -> Vec<String> {
    let all = image.content().iter().flat_map(|(rrset, _)| rrset.records().collect::<Vec<_>>());
    all.map(|r| text(&r.name.fmt_with_dot().to_string(), r.ttl, r.rtype, r.rdata.as_slice())).collect()
}

fn soa_text(serial: u32) -> String {
    let soa = soa(serial);
    text(APEX, soa.ttl, Rtype::SOA, soa.rdata().as_slice())
}

/// RFC 5936 §2.2: the SOA first and last, every other record once; §3.4: case is kept, whatever case the
/// client asked in.
#[test]
fn rfc5936_2_2_the_whole_zone_between_two_soas() {
    let image = image(7, many(3000));
    let expected: Vec<String> = [vec![soa_text(7)], records_of(&image), vec![soa_text(7)]].concat();
    for asked in [APEX, "eXAMPLE.oRG."] {
        let request = Request::read(&query(asked, Rtype::AXFR, None)).expect("a request");
        for target in [512, TARGET, 65_535] {
            let (messages, records) = run(Sequence::whole(request.clone(), image.clone()), target);
            assert_eq!(records, expected, "{asked} in messages of {target}");
            assert!(messages.iter().all(|message| message.len() <= target));
            // A host takes 24 octets and 16 more, its second record pointing to the owner before, as far as
            // pointers reach.
            let octets: usize = messages.iter().map(Vec::len).sum();
            let is_reached = target <= TARGET;
            assert!(!is_reached || octets < 3000 * 42 + messages.len() * 40 + 400, "{octets}");
        }
    }
}

#[test]
fn an_empty_zone_and_the_root_are_transferred() {
    let (_, records) = run(Sequence::whole(request(Rtype::AXFR, None), image(1, Vec::new())), TARGET);
    assert_eq!(records, [soa_text(1), soa_text(1)]);
    let com = name::parse_absolute("com").expect("a name");
    let ns =
        RRset::new(com, Rtype::NS, 60, [parse_value(Rtype::NS, "a.gtld-servers.net.").expect("a value")]);
    let content = Content::build(name::root(), [7; 16], [(ns, None)]).expect("a content");
    let root = Arc::new(Image::new(content, soa(1)));
    let request = Request::read(&query(".", Rtype::AXFR, None)).expect("a request");
    let (_, records) = run(Sequence::whole(request, root.clone()), TARGET);
    assert_eq!(records[1..2], records_of(&root));
}

/// RFC 1035 §4.2.2: a message has at most 65,535 octets, and one record may need nearly all of them.
#[test]
fn the_greatest_record_is_alone_in_its_message() {
    let text = format!("\"{}\" ", "x".repeat(255)).repeat(255);
    let mut rrsets = basic();
    rrsets.push(rrset("large", Rtype::TXT, 60, &[&text]));
    let image = image(1, rrsets);
    let (messages, records) = run(Sequence::whole(request(Rtype::AXFR, None), image.clone()), TARGET);
    assert_eq!(records[1..records.len() - 1], records_of(&image));
    assert_eq!(messages.iter().filter(|message| message.len() > TARGET).count(), 1);
}

/// RFC 1995 §4: new SOA; then for each difference old SOA, gone, SOA after it, new; then the new SOA.
#[test]
fn rfc1995_4_differences() {
    let first = image(1, basic());
    let changes = [
        Change::Put { rrset: rrset("Mail", Rtype::A, 60, &["192.0.2.2", "192.0.2.9"]), owner: None },
        Change::Put { rrset: rrset("Mail", Rtype::TXT, 61, &["\"a\"", "\"b\""]), owner: None },
        Change::Remove { name: name::parse("_sip._tcp", &apex()).expect("a name"), rtype: Rtype::SRV },
        Change::Put { rrset: rrset("new", Rtype::A, 60, &["192.0.2.7"]), owner: None },
    ];
    let applied = first.content().apply(&changes).expect("applies");
    let second = Arc::new(first.with(applied, soa(5)));
    let third = Arc::new(Image::new(second.content().clone(), soa(6)));
    let deltas: Vec<Arc<Delta>> = [(&first, &second), (&second, &third)]
        .map(|(before, after)| Arc::new(Delta::between(before, after, 10_000).expect("small")))
        .into();
    assert_eq!((deltas[0].from(), deltas[0].to()), (1, 5));
    let before: BTreeSet<String> = records_of(&first).into_iter().collect();
    let after: BTreeSet<String> = records_of(&second).into_iter().collect();
    for target in [512, TARGET] {
        let sequence = Sequence::differences(request(Rtype::IXFR, Some(1)), third.clone(), deltas.clone());
        assert_eq!(sequence.request().kind, Kind::Ixfr { serial: Some(1) });
        let (_, records) = run(sequence, target);
        let places: Vec<usize> = (0..records.len()).filter(|&i| records[i].contains(" SOA ")).collect();
        let soas: Vec<&String> = places.iter().map(|&i| &records[i]).collect();
        assert_eq!(soas, [6, 1, 5, 5, 6, 6].map(soa_text).each_ref());
        let gone: BTreeSet<String> = records[places[1] + 1..places[2]].iter().cloned().collect();
        let new: BTreeSet<String> = records[places[2] + 1..places[3]].iter().cloned().collect();
        assert_eq!(gone, &before - &after);
        assert_eq!(new, &after - &before);
        // Of the addresses one stays; of the texts all have another TTL.
        assert_eq!((gone.len(), new.len()), (2 + 2 + 1, 1 + 2 + 1));
    }
    assert_eq!(Delta::between(&first, &second, 100), None, "more than it may be");
}

/// RFC 4034 §3: the TTL of a signature is that of what it covers. A name keeps one for all of its signatures, and it
/// was sent for all of them.
#[test]
fn a_signature_was_sent_with_the_ttl_of_another() {
    let signature = |covered: &str, ttl: u32| {
        format!("{covered} 8 2 {ttl} 20300101000000 20200101000000 1 Example.org. AAAA")
    };
    let signatures =
        |ttl: u32| rrset("Mail", Rtype::RRSIG, ttl, &[&signature("A", 60), &signature("TXT", 86_400)]);
    let signed = |serial, ttl| image(serial, basic().into_iter().chain([signatures(ttl)]).collect());
    let ttls = |records: &[String]| -> Vec<String> {
        let of_signatures = records.iter().filter(|record| record.contains(" RRSIG "));
        of_signatures.map(|record| record.split(' ').nth(1).expect("a TTL").to_owned()).collect()
    };
    let (_, records) = run(Sequence::whole(request(Rtype::AXFR, None), signed(1, 60)), TARGET);
    assert_eq!(ttls(&records), ["60", "86400"]);
    // Another TTL of the whole set is no other TTL of any of them.
    let delta = Arc::new(Delta::between(&signed(1, 60), &signed(2, 86_400), 10_000).expect("small"));
    let sequence = Sequence::differences(request(Rtype::IXFR, Some(1)), signed(2, 86_400), vec![delta]);
    assert_eq!(ttls(&run(sequence, TARGET).1), [""; 0]);
    let delta = Arc::new(Delta::between(&image(1, basic()), &signed(2, 60), 10_000).expect("small"));
    let sequence = Sequence::differences(request(Rtype::IXFR, Some(1)), signed(2, 60), vec![delta]);
    assert_eq!(ttls(&run(sequence, TARGET).1), ["60", "86400"]);
}

#[test]
fn what_is_no_request_for_a_transfer() {
    assert!(Request::read(&query(APEX, Rtype::A, None)).is_none());
    assert!(Request::read(&[]).is_none());
    let mut response = query(APEX, Rtype::AXFR, None);
    response[2] |= 0x80;
    assert!(Request::read(&response).is_none());
    let mut chaos = query(APEX, Rtype::AXFR, None);
    let last = chaos.len() - 1;
    chaos[last] = 3;
    assert!(Request::read(&chaos).is_none());
    assert_eq!(request(Rtype::IXFR, None).kind, Kind::Ixfr { serial: None });
    // The SOA of another zone says nothing about this one.
    let mut other = query(APEX, Rtype::IXFR, Some(9));
    let at = 12 + apex().len() + 4;
    other[at + 1] = 12 + 8;
    assert_eq!(Request::read(&other).expect("a request").kind, Kind::Ixfr { serial: None });
    // Nor one of another class; and two OPTs are malformed, whatever is asked.
    let mut chaos = query(APEX, Rtype::IXFR, Some(9));
    chaos[at + 5] = 3;
    assert_eq!(Request::read(&chaos).expect("a request").kind, Kind::Ixfr { serial: None });
    let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
    let mut two = [&query(APEX, Rtype::AXFR, None)[..], &opt, &opt].concat();
    two[11] = 2;
    assert!(Request::read(&two).is_none());
    for length in 0..other.len() {
        let _ = Request::read(&other[..length]);
    }
}

/// RFC 5936 §2.2.5: who sent an OPT gets one.
#[test]
fn rfc5936_2_2_5_the_first_message_has_the_opt() {
    let mut with_opt = query(APEX, Rtype::AXFR, None);
    with_opt[11] = 1;
    with_opt.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    let request = Request::read(&with_opt).expect("a request");
    let (messages, _) = run(Sequence::whole(request.clone(), image(1, many(100))), 512);
    let with_opt: Vec<bool> = messages
        .iter()
        .map(|message| Message::from_octets(&message[..]).expect("a message").opt().is_some())
        .collect();
    assert!(with_opt[0] && with_opt.len() > 5 && !with_opt[1..].contains(&true));
    assert!(Message::from_octets(request.refuse(5)).expect("a message").opt().is_some());
}

/// What is told apart at a glance would be told apart by all that is read of it.
#[test]
fn what_is_ordinary_is_neither_signed_nor_for_a_transfer() {
    let query = |counts: [u8; 8], rtype: u8, rest: &[u8]| {
        [&[1, 2, 0, 0][..], &counts, b"\x03www\x04test\0\0", &[rtype, 0, 1], rest].concat()
    };
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let plain = [0, 1, 0, 0, 0, 0, 0, 0];
    let with_one_more = [0, 1, 0, 0, 0, 0, 0, 1];
    assert!(is_ordinary(&query(plain, 1, b"")));
    assert!(is_ordinary(&query(with_one_more, 1, opt)));
    for (message, why) in [
        (query(plain, 252, b""), "AXFR"),
        (query(with_one_more, 251, opt), "IXFR"),
        (query(with_one_more, 1, b"\0\0\xfa\0\xff\0\0\0\0\0\0"), "a TSIG"),
        (query(with_one_more, 1, b"\x01k\0\0\xfa\0\xff\0\0\0\0\0\0"), "a TSIG of a key"),
        (query([0, 1, 0, 0, 0, 0, 0, 2], 1, opt), "perhaps a TSIG behind it"),
        (query([0, 1, 0, 0, 0, 1, 0, 0], 1, opt), "another section"),
        (query([0, 2, 0, 0, 0, 0, 0, 0], 1, b""), "two questions"),
        (query(plain, 1, b"")[..20].to_vec(), "cut"),
        (b"\x01\x02\0\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01".to_vec(), "a pointer"),
    ] {
        assert!(!is_ordinary(&message), "{why}");
    }
}
