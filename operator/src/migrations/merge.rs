//! Who changed what: both sides, and what they agreed on last, RRset by RRset (a three-way merge). Pure.
//!
//! | here | there | |
//! |---|---|---|
//! | as agreed | another | legacy changed: it may be brought over |
//! | another | as agreed | Port53 changed: it may be written there |
//! | another | another still | both did, or never agreed: for a person to settle, never the last writer's |
//!
//! "As agreed" is also: both had nothing. So a record that was deleted here is not brought over again because legacy still
//! has it, and one that is new there is.

use port53_zone::content::{Content, Difference, diff};
use port53_zone::{Name, RRset, Rtype};

use super::agreed::{Agreed, Place, Print};
use super::scope::Scope;

/// Whose side changed since both agreed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Changed {
    /// This one.
    Port53,
    /// Legacy.
    Legacy,
    /// Both, or they never agreed.
    Both,
}

/// An RRset that both sides have otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Apart {
    /// Its owner.
    pub name: Name,
    /// Its type.
    pub rtype: Rtype,
    /// As it is here.
    pub ours: Option<RRset>,
    /// As legacy has it.
    pub theirs: Option<RRset>,
    /// Whose side changed.
    pub changed: Changed,
}

impl Apart {
    /// Its name and type.
    pub fn place(&self) -> Place {
        Place::of(&self.name, self.rtype)
    }
}

/// What differs, in canonical order.
pub fn apart(ours: &Content, theirs: &Content, scope: &Scope, agreed: &Agreed) -> Vec<Apart> {
    let mut apart = Vec::new();
    for difference in diff(ours, theirs) {
        let (ours, theirs) = match difference {
            Difference::Added(theirs) => (None, Some(theirs)),
            Difference::Removed(ours) => (Some(ours), None),
            Difference::Changed { before, after } if before.says_the_same_as(&after) => continue,
            Difference::Changed { before, after } => (Some(before), Some(after)),
        };
        let Some(one) = ours.as_ref().or(theirs.as_ref()) else { continue };
        let (name, rtype) = (one.name.clone(), one.rtype);
        if scope.takes(&name, rtype) {
            let base = agreed.at(Place::of(&name, rtype));
            let changed = changed(base, ours.as_ref(), theirs.as_ref());
            apart.push(Apart { name, rtype, ours, theirs, changed });
        }
    }
    apart
}

fn changed(base: Option<Print>, ours: Option<&RRset>, theirs: Option<&RRset>) -> Changed {
    if theirs.map(Print::of) == base {
        Changed::Port53
    } else if ours.map(Print::of) == base {
        Changed::Legacy
    } else {
        Changed::Both
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::scope::NotCounted;
    use port53_zone::{name, rdata};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn apex() -> Name {
        name::parse_absolute("example.com").expect("a name")
    }

    fn scope() -> Scope {
        Scope { apex: apex(), apex_ns: false, left_out: NotCounted::default() }
    }

    fn rrset(host: u8, address: u8) -> RRset {
        let owner = name::parse(&format!("h{host}"), &apex()).expect("a name");
        let value = rdata::parse_value(Rtype::A, &format!("192.0.2.{address}")).expect("an address");
        RRset::new(owner, Rtype::A, 60, [value])
    }

    /// Addresses by host.
    type Side = BTreeMap<u8, u8>;

    fn content(side: &Side) -> Content {
        let rrsets = side.iter().map(|(host, address)| (rrset(*host, *address), None));
        Content::build(apex(), [1; 16], rrsets).expect("a content")
    }

    fn agreed_on(side: &Side) -> Agreed {
        let mut agreed = Agreed::default();
        agreed.note_all(content(side).iter().map(|(rrset, _)| rrset), &[]);
        agreed
    }

    fn any_side() -> impl Strategy<Value = Side> {
        proptest::collection::btree_map(0..6u8, 1..4u8, 0..6)
    }

    proptest! {
        /// Against the three texts themselves, host by host.
        #[test]
        fn who_changed_is_who_has_something_else_than_was_agreed(base in any_side(), ours in any_side(), theirs in any_side()) {
            let found = apart(&content(&ours), &content(&theirs), &scope(), &agreed_on(&base));
            for host in 0..6u8 {
                let name = rrset(host, 1).name;
                let one = found.iter().find(|apart| apart.name == name);
                let [base, ours, theirs] = [&base, &ours, &theirs].map(|side| side.get(&host));
                let expected = match (ours == theirs, ours == base, theirs == base) {
                    (true, ..) => None,
                    (false, true, _) => Some(Changed::Legacy),
                    (false, _, true) => Some(Changed::Port53),
                    (false, false, false) => Some(Changed::Both),
                };
                prop_assert_eq!(one.map(|apart| apart.changed), expected);
            }
        }

        /// What is agreed on after a look is what both have, and what is apart stays as it was.
        #[test]
        fn a_look_agrees_on_what_both_have(base in any_side(), ours in any_side(), theirs in any_side()) {
            let mut agreed = agreed_on(&base);
            let found = apart(&content(&ours), &content(&theirs), &scope(), &agreed);
            agreed.note_all(content(&ours).iter().map(|(rrset, _)| rrset), &found);
            for host in 0..6u8 {
                let place = Place::of(&rrset(host, 1).name, Rtype::A);
                let kept = if ours.get(&host) == theirs.get(&host) { ours.get(&host) } else { base.get(&host) };
                prop_assert_eq!(agreed.at(place), kept.map(|address| Print::of(&rrset(host, *address))));
            }
        }
    }

    #[test]
    fn the_case_of_names_in_values_is_no_difference() {
        let with = |target: &str| {
            let owner = name::parse("www", &apex()).expect("a name");
            let value = rdata::parse_value(Rtype::CNAME, target).expect("a name");
            Content::build(apex(), [1; 16], [(RRset::new(owner, Rtype::CNAME, 60, [value]), None)])
                .expect("a content")
        };
        let none: Vec<Apart> = Vec::new();
        assert_eq!(
            apart(&with("Shop.example.com."), &with("shop.EXAMPLE.com."), &scope(), &Agreed::default()),
            none
        );
    }
}
