//! What counts as a difference between a zone here and the same in another DNS. Pure.
//!
//! Each side has its own SOA serial and its own proofs: what signing makes is never carried over, and neither is what
//! BIND keeps of signing that is under way (TYPE65534). NS at the apex are each side's own too, unless a migration says
//! otherwise. Names are compared without case, values in their canonical form, in no order, once each.

use port53_zone::content::Content;
use port53_zone::{Name, Rtype};

/// Types that come with the signing of a zone, or say something of the version as a whole.
const OF_A_VERSION: [Rtype; 9] = [
    Rtype::SOA,
    Rtype::RRSIG,
    Rtype::NSEC,
    Rtype::NSEC3,
    Rtype::NSEC3PARAM,
    Rtype::DNSKEY,
    Rtype::CDS,
    Rtype::CDNSKEY,
    Rtype::ZONEMD,
];
/// BIND's record of signing that is under way.
const SIGNING: Rtype = Rtype::from_int(65_534);

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scope {
    /// The apex of the zone.
    pub apex: Name,
    /// Whether NS at the apex count.
    pub apex_ns: bool,
}

impl Scope {
    /// Whether RRsets of this name and type count.
    pub fn takes(&self, name: &Name, rtype: Rtype) -> bool {
        let is_apex_ns = rtype == Rtype::NS && *name == self.apex;
        !OF_A_VERSION.contains(&rtype) && rtype != SIGNING && (self.apex_ns || !is_apex_ns)
    }

    /// How many RRsets of a content count.
    pub fn count(&self, content: &Content) -> usize {
        content.iter().filter(|(rrset, _)| self.takes(&rrset.name, rrset.rtype)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{name, rdata};

    fn name_of(text: &str) -> Name {
        name::parse_absolute(text).expect(text)
    }

    #[test]
    fn what_each_side_has_of_its_own_does_not_count() {
        let mut scope = Scope { apex: name_of("example.com"), apex_ns: false };
        for (owner, rtype, expected) in [
            ("example.com", "A", true),
            ("example.com", "NS", false),
            ("EXAMPLE.com", "NS", false),
            ("shop.example.com", "NS", true),
            ("shop.example.com", "DS", true),
            ("www.example.com", "RRSIG", false),
            ("example.com", "DNSKEY", false),
            ("example.com", "TYPE65534", false),
        ] {
            let rtype = rdata::parse_rtype(rtype).expect(rtype);
            assert_eq!(scope.takes(&name_of(owner), rtype), expected, "{owner} {rtype}");
        }
        scope.apex_ns = true;
        assert!(scope.takes(&name_of("example.com"), Rtype::NS));
    }
}
