//! What is written is read as the same records.

use super::*;
use crate::content::Content;
use crate::rrset::{RRset, Record, Soa};
use domain::base::iana::Rtype;

/// Every line of the table of values: type, value as it is written.
fn values() -> Vec<(Rtype, &'static str)> {
    let text = include_str!("../../../tests/fixtures/values.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut values: Vec<(Rtype, &str)> = Vec::new();
    for line in lines {
        let mut parts = line.trim_start_matches('*').split(" | ");
        let mut part = || parts.next().expect("type and value");
        values.push((rdata::parse_rtype(part()).expect("a type"), part()));
    }
    values
}

fn read_one(line: &str, origin: &crate::Name) -> Record {
    let options = Options { origin: Some(origin.clone()), ..Options::default() };
    let found: Vec<_> = Reader::new("f", Box::new(line.as_bytes()), options).collect();
    match &found[..] {
        [Ok(record)] => record.value.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

/// Values of every type, as a line of a master file, which is not split into words as a value alone is.
#[test]
fn values_of_every_type_are_read_as_lines() {
    let origin = name::parse_absolute("o.test").expect("a name");
    for (rtype, text) in values() {
        let line = format!("a 5 IN {} {text} ; a comment", rdata::display_rtype(rtype));
        let record = read_one(&line, &origin);
        let mut written = Vec::new();
        write_record(&mut written, &record).expect("writes to memory");
        let written = String::from_utf8(written).expect("ASCII");
        assert_eq!(read_one(&written, &origin), record, "{written}");
        let manifest = rdata::display(rtype, &record.rdata);
        assert_eq!(rdata::parse_value(rtype, &manifest).as_ref(), Ok(&record.rdata), "{manifest}");
    }
}

fn any_owner() -> impl Strategy<Value = crate::Name> {
    let label = prop::collection::vec(any::<u8>(), 1..8);
    prop::collection::vec(label, 0..4).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(label.len() as u8);
            wire.extend(label);
        }
        wire.extend_from_slice(b"\x01z\x04test\x00");
        crate::Name::from_octets(wire.into()).expect("a name")
    })
}

fn any_value() -> impl Strategy<Value = (Rtype, crate::Rdata)> {
    let known = prop::sample::select(values()).prop_map(|(rtype, text)| {
        let line = format!(". 5 {} {text}", rdata::display_rtype(rtype));
        let found = Reader::new("f", Box::new(std::io::Cursor::new(line)), Options::default()).next();
        (rtype, found.expect("a record").expect("a right one").value.rdata)
    });
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    let unknown = octets.clone().prop_map(|octets| {
        let rtype = Rtype::from_int(65_280);
        (rtype, rdata::from_wire(rtype, octets.into()).expect("any octets"))
    });
    let text = octets.prop_map(|octets| {
        let wire = [&[octets.len() as u8], &octets[..]].concat();
        (Rtype::TXT, rdata::from_wire(Rtype::TXT, wire.into()).expect("a string"))
    });
    prop_oneof![known, unknown, text]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A zone that is written is read as the same zone: the digest of the whole says so.
    #[test]
    fn a_zone_is_read_as_it_was_written(sets in prop::collection::vec((any_owner(), any_value(), 0u32..=i32::MAX as u32), 0..20)) {
        let apex = name::parse_absolute("z.test").expect("a name");
        let rrsets = sets.into_iter().filter(|(_, (rtype, _), _)| *rtype != Rtype::SOA).map(|(owner, (rtype, rdata), ttl)| {
            (RRset::new(owner, rtype, ttl, [rdata]), None)
        });
        let content = Content::build(apex.clone(), [1; 16], rrsets).expect("a content");
        let soa = Soa {
            primary: apex.clone(), contact: apex.clone(), serial: u32::MAX, refresh: u32::MAX, retry: 0, expire: 1, minimum: 2, ttl: 3,
        };
        let mut written = Vec::new();
        write(&mut written, &apex, &soa, content.iter().map(|(rrset, _)| rrset)).expect("writes to memory");
        let mut read: Vec<Record> = Vec::new();
        for found in Reader::new("f", Box::new(&written[..]), Options::default()) {
            read.push(found.map_err(|problem| TestCaseError::fail(problem.to_string()))?.value);
        }
        let first = read.remove(0);
        prop_assert_eq!(Soa::from_rdata(&first.rdata, first.ttl), Some(soa));
        let again = read.into_iter().map(|record| (RRset::new(record.name, record.rtype, record.ttl, [record.rdata]), None));
        prop_assert_eq!(Content::build(apex, [1; 16], again).expect("a content").digest(), content.digest());
    }
}
