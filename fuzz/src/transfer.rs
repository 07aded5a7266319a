//! The messages of a zone transfer, as a legacy server may send them: anything.
//!
//! The first octet of an input says which query they answer (1: IXFR) and whether they are messages as they are (2) or the
//! records of messages whose header and question are right. Each has two octets of length before it, and the records
//! an octet for how many they are.

use port53_legacy::{Limits, Progress, Reader, Transferred, Version};
use port53_zone::content::Content;
use port53_zone::rdata::parse_value;
use port53_zone::{Name, RRset, Rtype, Soa, name};

/// Messages that are read, the longest work of an input.
const MESSAGES: usize = 64;
const SALT: [u8; 16] = [7; 16];

/// Runs one input.
///
/// # Panics
/// When what was taken is no zone, or another one when it is settled at other times.
pub fn run(input: &[u8]) {
    let Some((&kind, rest)) = input.split_first() else { return };
    let parts = split(rest);
    let taken = read(kind, &parts, false);
    let again = read(kind, &parts, true);
    assert_eq!(taken.is_some(), again.is_some());
    let (Some(taken), Some(again)) = (taken, again) else { return };
    assert_eq!(taken.version.content.digest(), again.version.content.digest());
    assert_eq!(taken.version.soa, again.version.soa);
    let apex = apex();
    for (rrset, _) in taken.version.content.iter() {
        assert!(rrset.name.ends_with(&apex));
        assert!(rrset.rtype != Rtype::SOA && !rrset.values().is_empty());
    }
    let rebuilt = Content::build(apex, SALT, taken.version.content.iter()).expect("it is built");
    assert_eq!(rebuilt.digest(), taken.version.content.digest());
}

/// What a reader takes them for; settled after each message, or when it says so.
fn read(kind: u8, parts: &[&[u8]], at_once: bool) -> Option<Transferred> {
    let limits = Limits { records: 2000, ..Limits::default() };
    let mut reader = match kind & 1 {
        0 => Reader::whole(&apex(), SALT, &limits),
        _ => Reader::since(&held(), &limits),
    };
    for part in parts {
        let message = message(kind, reader.query(), part);
        match reader.read(&message).ok()? {
            Progress::Done => return reader.finish().ok()?,
            Progress::Full => reader.settle().ok()?,
            Progress::More if at_once => reader.settle().ok()?,
            Progress::More => {}
        }
    }
    assert!(reader.finish().is_err(), "half a zone is none");
    None
}

fn message(kind: u8, query: &[u8], part: &[u8]) -> Vec<u8> {
    if kind & 2 != 0 {
        let mut message = part.to_vec();
        message.iter_mut().zip(&query[..2]).for_each(|(octet, id)| *octet = *id);
        return message;
    }
    let (count, records) = part.split_first().unwrap_or((&0, &[]));
    let mut message = query[..12 + apex().len() + 4].to_vec();
    message[2] = 0x84;
    message[6..12].copy_from_slice(&[0, *count, 0, 0, 0, 0]);
    message.extend_from_slice(records);
    message
}

fn held() -> Version {
    let values = ["192.0.2.1", "192.0.2.2"].map(|value| parse_value(Rtype::A, value).expect("a value"));
    let rrset = RRset::new(name::parse("a", &apex()).expect("a name"), Rtype::A, 60, values);
    let soa = Soa {
        primary: apex(),
        contact: apex(),
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: 1,
        ttl: 1,
    };
    Version { soa, content: Content::build(apex(), SALT, [(rrset, None)]).expect("a content") }
}

fn apex() -> Name {
    name::parse_absolute("x.").expect("a name")
}

fn split(mut input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while parts.len() < MESSAGES
        && let Some((length, rest)) = input.split_first_chunk::<2>()
    {
        let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        parts.push(part);
        input = rest;
    }
    parts
}
