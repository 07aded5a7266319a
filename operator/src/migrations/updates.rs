//! What is to be written to legacy so that it has what is here: one UPDATE for each name (RFC 2136). Pure.
//!
//! Each says what was seen there before it, RRset by RRset, so that what somebody changed there meanwhile is not written
//! over. A TTL is no prerequisite (RFC 2136 §2.4.2), so one that alone was changed is. Whatever the answer says, what is
//! there is read back.

use std::collections::BTreeMap;

use port53_legacy::{Prerequisite, Update};
use port53_zone::name::SortKey;

use super::merge::Apart;

/// An update, and what it is to settle.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// What is sent.
    pub(crate) update: Update,
    /// What is apart at that name.
    pub(crate) apart: Vec<Apart>,
}

/// One update for each name, in canonical order.
pub(crate) fn updates<'a>(apart: impl IntoIterator<Item = &'a Apart>) -> Vec<Planned> {
    let mut by_name: BTreeMap<SortKey, Vec<&Apart>> = BTreeMap::new();
    for one in apart {
        by_name.entry(SortKey::of(&one.name)).or_default().push(one);
    }
    let planned = by_name.into_values().filter_map(|apart| {
        let name = apart.first()?.name.clone();
        let prerequisites = apart.iter().map(|one| match &one.theirs {
            Some(theirs) => Prerequisite::Is(theirs.clone()),
            None => Prerequisite::IsNot { name: one.name.clone(), rtype: one.rtype },
        });
        let update = Update {
            prerequisites: prerequisites.collect(),
            removed: apart.iter().filter(|one| one.theirs.is_some()).map(|one| one.rtype).collect(),
            // Spelled alike, for it is one name.
            put: apart
                .iter()
                .filter_map(|one| one.ours.clone())
                .map(|mut rrset| {
                    rrset.name = name.clone();
                    rrset
                })
                .collect(),
            name,
        };
        Some(Planned { update, apart: apart.into_iter().cloned().collect() })
    });
    planned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::merge::Changed;
    use port53_zone::{RRset, Rtype, name, rdata};

    fn rrset(owner: &str, rtype: Rtype, value: &str) -> RRset {
        let value = rdata::parse_value(rtype, value).expect(value);
        RRset::new(name::parse_absolute(owner).expect(owner), rtype, 60, [value])
    }

    fn apart(ours: Option<RRset>, theirs: Option<RRset>) -> Apart {
        let one = ours.as_ref().or(theirs.as_ref()).expect("one of them");
        Apart { name: one.name.clone(), rtype: one.rtype, ours, theirs, changed: Changed::Port53 }
    }

    /// A CNAME that becomes addresses is two DNSRecords, and one update: two would be ignored without a word, one of them
    /// beside the CNAME (RFC 2136 §3.4.2.2).
    #[test]
    fn an_alias_that_becomes_addresses_is_one_update() {
        let all = [
            apart(None, Some(rrset("www.example.com", Rtype::CNAME, "shop.example.com."))),
            apart(Some(rrset("WWW.example.com", Rtype::A, "192.0.2.1")), None),
            apart(Some(rrset("a.example.com", Rtype::A, "192.0.2.1")), None),
        ];
        let planned = updates(&all);
        assert_eq!(planned.len(), 2);
        let www = &planned[1].update;
        assert_eq!(www.removed, [Rtype::CNAME]);
        assert_eq!(www.put.len(), 1);
        assert_eq!(www.put[0].name.as_slice(), www.name.as_slice(), "spelled alike");
        let is_there = |prerequisite: &Prerequisite| matches!(prerequisite, Prerequisite::Is(rrset) if rrset.rtype == Rtype::CNAME);
        let is_not = |prerequisite: &Prerequisite| matches!(prerequisite, Prerequisite::IsNot { rtype, .. } if *rtype == Rtype::A);
        assert!(www.prerequisites.iter().any(is_there) && www.prerequisites.iter().any(is_not));
    }
}
