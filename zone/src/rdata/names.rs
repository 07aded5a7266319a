//! The names inside values: where they stand in wire form and in presentation form.

use super::{Token, gateway};
use crate::rrset::wire_name_len;
use domain::base::iana::Rtype;
use std::ops::Range;

/// A name inside a value, as a range of its wire form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NameIn {
    /// Offset of its first octet.
    pub start: usize,
    /// Offset after its root label.
    pub end: usize,
    /// Whether it may be compressed in a message: only in the types of RFC 1035 (RFC 3597 §4).
    pub compressible: bool,
}

/// Where the names of a type stand.
enum Place {
    /// In wire form after so many octets, so many names; in presentation form from this token on.
    After(usize, u8, usize),
    /// NAPTR: two numbers and three strings, then a name.
    Naptr,
}

fn place(rtype: Rtype) -> Option<Place> {
    Some(match rtype {
        Rtype::NS | Rtype::CNAME | Rtype::PTR | Rtype::DNAME | Rtype::NSEC => Place::After(0, 1, 0),
        Rtype::MB | Rtype::MG | Rtype::MR | Rtype::MD | Rtype::MF | Rtype::NSAPPTR => Place::After(0, 1, 0),
        Rtype::SOA | Rtype::MINFO | Rtype::RP | Rtype::TALINK => Place::After(0, 2, 0),
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::LP | Rtype::SVCB | Rtype::HTTPS => {
            Place::After(2, 1, 1)
        }
        Rtype::PX => Place::After(2, 2, 1),
        Rtype::DSYNC => Place::After(5, 1, 3),
        Rtype::SRV => Place::After(6, 1, 3),
        Rtype::RRSIG => Place::After(18, 1, 7),
        Rtype::NAPTR => Place::Naptr,
        _ => return None,
    })
}

/// The names inside a value, from left to right. No allocation. What is not well formed has none.
pub fn names(rtype: Rtype, wire: &[u8]) -> impl Iterator<Item = NameIn> + '_ {
    let compressible = is_of_rfc1035(rtype);
    let (mut at, mut left) = match place(rtype) {
        Some(Place::After(octets, count, _)) => (octets, count),
        Some(Place::Naptr) => (after_strings(wire, 4, 3), 1),
        None => (0, 0),
    };
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let start = at;
        at += wire_name_len(wire.get(start..)?)?;
        Some(NameIn { start, end: at, compressible })
    })
}

/// Greatest number of octets of a name (RFC 1035 §2.3.4).
const GREATEST_NAME: usize = 255;

/// Whether all names that the type has inside are there, uncompressed, none of more than 255 octets.
pub(crate) fn are_whole(rtype: Rtype, wire: &[u8]) -> bool {
    let expected = match place(rtype) {
        Some(Place::After(_, count, _)) => usize::from(count),
        Some(Place::Naptr) => 1,
        None => 0,
    };
    names(rtype, wire).filter(|name| name.end - name.start <= GREATEST_NAME).count() == expected
}

/// The value at `range` of a message in wire form, with the names inside expanded that are compressed: those of the
/// types of RFC 1035 may be, and those of later ones that RFC 3597 §4 names are by some. `None` when it cannot be one.
/// Whether it is a value of its type is for [`from_wire`](super::from_wire) to say.
pub fn expand(rtype: Rtype, message: &[u8], range: Range<usize>) -> Option<Vec<u8>> {
    let value = message.get(range.clone())?;
    let (octets, count) = match place(rtype) {
        Some(Place::After(octets, count, _)) => (octets, count),
        Some(Place::Naptr) => (after_strings(value, 4, 3), 1),
        None => (0, 0),
    };
    // One that is too short for its type has no names.
    let Some(before) = value.get(..octets) else { return Some(value.to_vec()) };
    let mut wire = before.to_vec();
    let mut at = range.start + octets;
    for _ in 0..count {
        at = crate::name::read_from_message(message, at, &mut wire)?;
    }
    // What a name did not leave room for is no value.
    wire.extend_from_slice(message.get(at..range.end)?);
    Some(wire)
}

fn after_strings(wire: &[u8], from: usize, count: usize) -> usize {
    (0..count).fold(from, |at, _| at + 1 + wire.get(at).map_or(0, |&length| usize::from(length)))
}

fn is_of_rfc1035(rtype: Rtype) -> bool {
    matches!(
        rtype,
        Rtype::NS
            | Rtype::CNAME
            | Rtype::SOA
            | Rtype::PTR
            | Rtype::MX
            | Rtype::MB
            | Rtype::MG
            | Rtype::MR
            | Rtype::MINFO
            | Rtype::MD
            | Rtype::MF
    )
}

/// Whether the names inside are put in lower case for canonical form (RFC 4034 §6.2, RFC 6840 §5.1: not
/// NSEC; not SVCB, RFC 9460 §2.2, nor LP, which came later).
pub(crate) fn are_lowercased(rtype: Rtype) -> bool {
    is_of_rfc1035(rtype)
        || matches!(
            rtype,
            Rtype::RP
                | Rtype::AFSDB
                | Rtype::RT
                | Rtype::PX
                | Rtype::NAPTR
                | Rtype::KX
                | Rtype::SRV
                | Rtype::DNAME
                | Rtype::RRSIG
        )
}

/// The wire form with the names inside in lower case.
pub(crate) fn lowercased(rtype: Rtype, wire: &[u8]) -> Vec<u8> {
    let mut lowercased = wire.to_vec();
    for name in names(rtype, wire) {
        lowercased[name.start..name.end].make_ascii_lowercase();
    }
    lowercased
}

/// Which tokens of the presentation form are names, counted from 0.
pub(crate) fn tokens_of(rtype: Rtype, tokens: &[Token]) -> Vec<usize> {
    if gateway::knows(rtype) {
        return gateway::name_tokens(rtype, tokens);
    }
    match place(rtype) {
        None => Vec::new(),
        Some(Place::After(_, count, first)) => (first..first + usize::from(count)).collect(),
        Some(Place::Naptr) => vec![5],
    }
}
