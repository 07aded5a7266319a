//! What counts as a difference between a zone here and the same in another DNS. Pure.
//!
//! Each side has its own SOA serial and its own proofs: what signing makes is never carried over, and neither is what
//! BIND keeps of signing that is under way (TYPE65534). NS at the apex are each side's own too, unless a migration says
//! otherwise; and so is what its `spec.compare.leaveOut` names. Names are compared without case, values in their canonical
//! form, in no order, once each.

use std::collections::{BTreeMap, BTreeSet};

use port53_crds::LeftOut;
use port53_zone::content::Content;
use port53_zone::{Name, Rtype, name, rdata};

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
    /// What else does not.
    pub left_out: NotCounted,
}

impl Scope {
    /// Whether RRsets of this name and type count.
    pub fn takes(&self, name: &Name, rtype: Rtype) -> bool {
        let is_apex_ns = rtype == Rtype::NS && *name == self.apex;
        !OF_A_VERSION.contains(&rtype)
            && rtype != SIGNING
            && (self.apex_ns || !is_apex_ns)
            && !self.left_out.has(name, rtype)
    }

    /// How many RRsets of a content count.
    pub fn count(&self, content: &Content) -> usize {
        content.iter().filter(|(rrset, _)| self.takes(&rrset.name, rrset.rtype)).count()
    }
}

/// RRsets that each side has of its own, as a migration says: of these types, or all of the name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NotCounted(BTreeMap<Name, Types>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Types {
    All,
    These(BTreeSet<Rtype>),
}

impl NotCounted {
    /// Reads `spec.compare.leaveOut` of a migration of the zone at `apex`.
    ///
    /// # Errors
    /// With the entry that is wrong.
    pub fn read(entries: &[LeftOut], apex: &Name) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        for (place, entry) in entries.iter().enumerate() {
            let field = format!("spec.compare.leaveOut[{place}]");
            let name = name::parse(&entry.name, apex)
                .map_err(|error| format!("{field}.name: \"{}\" {error}", entry.name))?;
            if !name.ends_with(apex) || name::with_forgotten_dot(&entry.name, apex).is_some() {
                return Err(format!(
                    "{field}.name: \"{}\" is no name in {}: write it relative to that, or with the last dot",
                    entry.name,
                    name::display(apex)
                ));
            }
            let types = all.entry(name).or_insert_with(|| Types::These(BTreeSet::new()));
            let Some(text) = &entry.type_ else {
                *types = Types::All;
                continue;
            };
            let rtype = rdata::parse_rtype(text).ok_or_else(|| {
                format!(
                    "{field}.type: \"{text}\" is no type: write one such as CNAME, or its number as TYPE65401"
                )
            })?;
            if let Types::These(these) = types {
                these.insert(rtype);
            }
        }
        Ok(NotCounted(all))
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }

    /// Whether there is anything of this name.
    pub fn has_name(&self, name: &Name) -> bool {
        self.0.contains_key(name)
    }

    /// Whether an RRset is among them.
    pub fn has(&self, name: &Name, rtype: Rtype) -> bool {
        match self.0.get(name) {
            None => false,
            Some(Types::All) => true,
            Some(Types::These(these)) => these.contains(&rtype),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(text: &str) -> Name {
        name::parse_absolute(text).expect(text)
    }

    #[test]
    fn what_each_side_has_of_its_own_does_not_count() {
        let mut scope =
            Scope { apex: name_of("example.com"), apex_ns: false, left_out: NotCounted::default() };
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

    #[test]
    fn what_a_migration_leaves_out_does_not_count() {
        let read = |entries: &[(&str, Option<&str>)]| {
            let entries = entries
                .iter()
                .map(|(name, type_)| LeftOut { name: (*name).to_owned(), type_: type_.map(str::to_owned) });
            NotCounted::read(&entries.collect::<Vec<_>>(), &name_of("example.com"))
        };
        let left_out = read(&[
            ("@", Some("TYPE65401")),
            ("Dyn", Some("A")),
            ("dyn.example.com.", Some("aaaa")),
            ("_acme-challenge.www", None),
        ]);
        let scope = Scope {
            apex: name_of("example.com"),
            apex_ns: false,
            left_out: left_out.expect("they are right"),
        };
        for (owner, rtype, expected) in [
            ("example.com", "TYPE65401", false),
            ("example.com", "A", true),
            ("dyn.example.com", "A", false),
            ("DYN.example.com", "AAAA", false),
            ("dyn.example.com", "TXT", true),
            ("_acme-challenge.www.example.com", "TXT", false),
            ("_acme-challenge.www.example.com", "CNAME", false),
            ("www.example.com", "TXT", true),
        ] {
            let rtype = rdata::parse_rtype(rtype).expect(rtype);
            assert_eq!(scope.takes(&name_of(owner), rtype), expected, "{owner} {rtype}");
        }
        let wrong = read(&[("@", None), ("www", Some("ALIAS"))]).expect_err("ALIAS is no type");
        assert!(wrong.contains("leaveOut[1].type") && wrong.contains("TYPE65401"), "{wrong}");
        for outside in ["www.example.net.", "www.Example.com", "example.com"] {
            let wrong = read(&[(outside, None)]).expect_err(outside);
            assert!(wrong.contains("is no name in example.com."), "{wrong}");
        }
        assert!(read(&[("notexample.com", None)]).is_ok(), "notexample.com.example.com");
        let entry = LeftOut { name: "www".to_owned(), type_: None };
        assert!(NotCounted::read(&[entry], &name::root()).is_ok(), "in the root");
        let wrong = read(&[("www..shop", None)]).expect_err("an empty label");
        assert!(wrong.contains("leaveOut[0].name: \"www..shop\""), "{wrong}");
    }
}
