//! What must be answered when every RRset of a zone is asked for.

use crate::input::{Input, Key};
use domain::base::iana::Rtype;
use hickory_proto::op::Message;
use port53_tests::normal::{Line, Normal};
use port53_zone::serial;
use std::collections::BTreeSet;

/// What came of one question.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// As the input has it: the RRset, or the delegation that it is at or below.
    Right,
    /// Cut off, as it must be over UDP when it does not fit.
    Truncated,
    /// Nothing of the kind is there.
    Absent,
    /// Anything else; what was got.
    Wrong(String),
}

/// Which serial the SOA has to have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Serial {
    /// That of the input.
    Same,
    /// That of the input or a later one, because records came one after another.
    NotEarlier,
}

/// Judges the answer to the question for an RRset of the input.
pub(crate) fn judge(input: &Input, (owner, rtype): &Key, message: &Message, serial: Serial) -> Verdict {
    let got = Normal::of(message);
    if got.truncated {
        return Verdict::Truncated;
    }
    let rrset = &input.rrsets[&(owner.clone(), *rtype)];
    let is_right = match input.cut_above(owner) {
        // RFC 4035 §3.1.4.1: the DS of a cut is the parent's to answer.
        Some(cut) if !(cut == owner.as_slice() && *rtype == Rtype::DS.to_int()) => {
            is_referral(input, cut, &got)
        }
        _ => {
            let is_soa = serial == Serial::NotEarlier && *rtype == Rtype::SOA.to_int();
            got.rcode == "NOERROR"
                && got.authoritative
                && (got.answer == *rrset || (is_soa && is_later_soa(rrset, &got.answer)))
        }
    };
    match () {
        () if is_right => Verdict::Right,
        () if got.answer.is_disjoint(rrset) && got.authoritative => Verdict::Absent,
        () => Verdict::Wrong(got.to_string()),
    }
}

/// Whether `got` is the SOA `expected` but for a later serial (RFC 1035 §3.3.13: five numbers at its end, the serial
/// first).
fn is_later_soa(expected: &BTreeSet<Line>, got: &BTreeSet<Line>) -> bool {
    let (Some(expected), Some(got)) = (expected.first(), got.first()) else { return false };
    let Some(at) = expected.value().len().checked_sub(20) else { return false };
    let serial = |line: &Line| line.value().get(at..)?.first_chunk::<4>().copied();
    let (Some(before), Some(after)) = (serial(expected), serial(got)) else { return false };
    let mut value = expected.value().to_vec();
    value[at..at + 4].copy_from_slice(&after);
    let is_same = Line::from_wire(expected.owner(), expected.rtype(), expected.ttl(), &value) == *got;
    is_same && serial::is_newer(u32::from_be_bytes(after), u32::from_be_bytes(before))
}

fn is_referral(input: &Input, cut: &[u8], got: &Normal) -> bool {
    let servers: &BTreeSet<Line> = &input.rrsets[&(cut.to_vec(), Rtype::NS.to_int())];
    let ds = input.rrsets.get(&(cut.to_vec(), Rtype::DS.to_int()));
    let is_delegation = |line: &Line| servers.contains(line) || ds.is_some_and(|ds| ds.contains(line));
    got.rcode == "NOERROR"
        && !got.authoritative
        && got.answer.is_empty()
        && got.authority.is_superset(servers)
        && got.authority.iter().all(is_delegation)
        && got.glue.is_superset(&input.glue(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The SOA of the root with this serial and minimum.
    fn soa(serial: u32, minimum: u32) -> BTreeSet<Line> {
        let numbers = [serial, 1, 2, 3, minimum].map(u32::to_be_bytes).concat();
        let value = [vec![0, 0], numbers].concat();
        BTreeSet::from([Line::from_wire(&[0], Rtype::SOA.to_int(), 60, &value)])
    }

    #[test]
    fn a_later_serial_and_nothing_else_may_differ() {
        assert!(is_later_soa(&soa(7, 4), &soa(9, 4)));
        assert!(!is_later_soa(&soa(7, 4), &soa(6, 4)));
        assert!(!is_later_soa(&soa(7, 4), &soa(9, 5)));
        assert!(!is_later_soa(&soa(7, 4), &BTreeSet::new()));
    }
}
