//! What must be answered when every RRset of a zone is asked for.

use crate::ask::text_of;
use crate::input::{Input, Key};
use domain::base::iana::Rtype;
use hickory_proto::op::Message;
use port53_tests::normal::{Line, Normal};
use port53_zone::serial;
use std::collections::BTreeSet;

/// Real zones with names that a person found to be wrong when they were brought here: who refuses more, or less, has
/// read them otherwise, and so may have who derives it from the input.
const WRONG: [(&str, &[&str]); 1] = [("hackclub.com.", &["docs.hackclub.com.", "haven.hackclub.com."])];

/// What is wrong with the names that are refused of a zone, where it is known which they are.
pub(crate) fn refused_otherwise<'k>(
    zone: &str,
    refused: impl IntoIterator<Item = &'k Key>,
) -> Option<String> {
    let (_, wrong) = WRONG.iter().find(|(known, _)| *known == zone)?;
    let refused: BTreeSet<String> = refused.into_iter().map(|(owner, _)| text_of(owner)).collect();
    let wrong: BTreeSet<String> = wrong.iter().map(|name| (*name).to_owned()).collect();
    (refused != wrong).then(|| format!("refused are {refused:?}, and known to be wrong are {wrong:?}"))
}

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
    fn of_a_zone_that_is_known_exactly_the_names_that_are_wrong_may_be_refused() {
        let key = |owner: &str, rtype: Rtype| {
            let owner = port53_zone::name::parse_absolute(owner).expect("a name");
            (owner.as_slice().to_vec(), rtype.to_int())
        };
        let docs = key("docs.hackclub.com", Rtype::CAA);
        let haven = [key("haven.hackclub.com", Rtype::MX), key("haven.hackclub.com", Rtype::CNAME)];
        let both = || haven.iter().chain([&docs]);
        let www = key("www.hackclub.com", Rtype::A);
        assert_eq!(refused_otherwise("hackclub.com.", both()), None);
        let too_much = refused_otherwise("hackclub.com.", both().chain([&www])).expect("it is told");
        assert!(too_much.contains("www.hackclub.com."), "{too_much}");
        assert!(refused_otherwise("hackclub.com.", &haven).is_some());
        assert!(refused_otherwise("hackclub.com.", []).is_some());
        assert_eq!(refused_otherwise("example.com.", [&www]), None);
    }

    #[test]
    fn a_later_serial_and_nothing_else_may_differ() {
        assert!(is_later_soa(&soa(7, 4), &soa(9, 4)));
        assert!(!is_later_soa(&soa(7, 4), &soa(6, 4)));
        assert!(!is_later_soa(&soa(7, 4), &soa(9, 5)));
        assert!(!is_later_soa(&soa(7, 4), &BTreeSet::new()));
    }
}
