//! The errors: what cannot be answered.

use super::view::Owner;
use super::{Found, Limits, Rule, View};
use crate::name::{SortKey, display};
use crate::rdata::{Rdata, display_rtype};
use domain::base::iana::Rtype;

/// Header, the longest question, OPT with room for a cookie, and TSIG with the longest names.
const AROUND_AN_RRSET: usize = 12 + 259 + 64 + 600;

pub(crate) fn out_of_zone(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let outside = view.owners().iter().filter(|owner| !view.is_in_zone(owner.name));
    outside
        .map(|owner| {
            let message = format!("{} is not in zone {}", display(owner.name), display(view.apex));
            view.found(view.indices(owner).to_vec(), Vec::new(), message)
        })
        .collect()
}

pub(crate) fn soa_off_apex(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let with_soa = view.owners().iter().filter_map(|owner| {
        let soas = view.of_type(owner, Rtype::SOA);
        let (concerned, related, what) = if view.is_apex(owner) {
            let (first, others) = soas.split_first()?;
            (others.to_vec(), vec![*first], "more than one SOA")
        } else {
            (soas.to_vec(), Vec::new(), "a SOA, and is not the apex")
        };
        let message = || format!("{} has {what}", display(owner.name));
        (!concerned.is_empty()).then(|| view.found(concerned, related, message()))
    });
    with_soa.collect()
}

/// RRSIG, NSEC and KEY may stand beside a CNAME (RFC 2181 §10.1, RFC 4034 §3 and §4).
fn may_stand_beside_cname(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC | Rtype::KEY | Rtype::SIG | Rtype::NXT)
}

pub(crate) fn cname_and_other_data(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let clashes = view.owners().iter().filter_map(|owner| {
        let mut items = view.of_type(owner, Rtype::CNAME).to_vec();
        if items.is_empty() {
            return None;
        }
        let is_other = |&index: &usize| !may_stand_beside_cname(view.item(index).rtype);
        let others: Vec<usize> = view.indices(owner).iter().copied().filter(is_other).collect();
        // The SOA of the apex cannot be left out, and the apex cannot be an alias: the CNAME goes alone.
        if view.is_apex(owner) {
            let message = format!("{} is the apex and has a CNAME beside its SOA", display(owner.name));
            return Some(view.found(items, others, message));
        }
        if others.is_empty() {
            return None;
        }
        let mut types: Vec<String> =
            others.iter().map(|&index| display_rtype(view.item(index).rtype)).collect();
        types.dedup();
        items.extend(others);
        let message = format!("{} has CNAME and other data ({})", display(owner.name), types.join(", "));
        Some(view.found(items, Vec::new(), message))
    });
    clashes.collect()
}

pub(crate) fn multiple_cnames(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    more_than_one(view, Rtype::CNAME)
}

pub(crate) fn multiple_dnames(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    more_than_one(view, Rtype::DNAME)
}

/// Sets of a type that may have one value, and have more.
fn more_than_one(view: &View<'_, '_>, rtype: Rtype) -> Vec<Found> {
    let doubled = view.owners().iter().filter_map(|owner| {
        let items = view.of_type(owner, rtype);
        let count = distinct(view, items).len();
        let message = || format!("{} has {count} different values of {rtype}", display(owner.name));
        (count > 1).then(|| view.found(items.to_vec(), Vec::new(), message()))
    });
    doubled.collect()
}

/// The values of items of one type, in canonical order, each once: more are a warning and left away.
fn distinct<'i>(view: &View<'_, 'i>, items: &[usize]) -> Vec<&'i Rdata> {
    let Some(&first) = items.first() else { return Vec::new() };
    let rtype = view.item(first).rtype;
    let mut values: Vec<_> = items.iter().flat_map(|&index| view.item(index).values).collect();
    if values.len() > 1 {
        values.sort_by(|a, b| a.canonical_cmp(b, rtype));
        values.dedup_by(|a, b| a.canonical_cmp(b, rtype).is_eq());
    }
    values
}

pub(crate) fn count_distinct(view: &View<'_, '_>, items: &[usize]) -> usize {
    distinct(view, items).len()
}

pub(crate) fn data_below_dname(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let mut found = Vec::new();
    // Canonical order: a DNAME below another is among the data below that one.
    let mut covered_to: Option<&SortKey> = None;
    for owner in view.owners().iter().filter(|owner| view.is_in_zone(owner.name)) {
        if covered_to.is_some_and(|end| owner.key <= *end) || !has_right_dname(view, owner) {
            continue;
        }
        let dname = view.of_type(owner, Rtype::DNAME)[..1].to_vec();
        for below in view.below(owner) {
            let message = format!("{} is below the DNAME of {}", display(below.name), display(owner.name));
            found.push(view.found(view.indices(below).to_vec(), dname.clone(), message));
            covered_to = Some(&below.key);
        }
    }
    found
}

/// Whether a name has a DNAME that no other rule leaves out and no delegation occludes: what is below one
/// that is not served is, or is glue.
fn has_right_dname(view: &View<'_, '_>, owner: &Owner<'_>) -> bool {
    let is_left_out = || view.has(owner, Rtype::CNAME) || view.is_delegated(owner.name);
    distinct(view, view.of_type(owner, Rtype::DNAME)).len() == 1 && (view.is_apex(owner) || !is_left_out())
}

pub(crate) fn dname_at_delegation(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let both = view
        .owners()
        .iter()
        .filter(|owner| !view.is_apex(owner) && view.has(owner, Rtype::NS) && view.has(owner, Rtype::DNAME));
    both.map(|owner| {
        let mut items = view.of_type(owner, Rtype::NS).to_vec();
        items.extend(view.of_type(owner, Rtype::DNAME));
        view.found(items, Vec::new(), format!("{} has both NS and DNAME", display(owner.name)))
    })
    .collect()
}

pub(crate) fn too_many_records(_: &Rule, view: &View<'_, '_>, limits: &Limits) -> Vec<Found> {
    over_sets(view, |owner, rtype, set| {
        let (count, limit) = (count_distinct(view, set), limits.records_per_rrset);
        (count > limit).then(|| {
            format!("{} {} has {count} records: at most {limit}", display(owner.name), display_rtype(rtype))
        })
    })
}

pub(crate) fn too_many_types(_: &Rule, view: &View<'_, '_>, limits: &Limits) -> Vec<Found> {
    let limit = limits.types_per_name;
    let crowded = view.owners().iter().filter_map(|owner| {
        let count = view.sets(owner).count();
        let message = || format!("{} has {count} types: at most {limit}", display(owner.name));
        (count > limit).then(|| view.found(view.indices(owner).to_vec(), Vec::new(), message()))
    });
    crowded.collect()
}

pub(crate) fn rrset_too_large(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let limit = usize::from(u16::MAX) - AROUND_AN_RRSET;
    over_sets(view, |owner, rtype, set| {
        let octets = octets_of_set(view, set);
        (octets > limit).then(|| {
            format!(
                "{} {} takes {octets} octets in a message: at most {limit}",
                display(owner.name),
                display_rtype(rtype)
            )
        })
    })
}

pub(crate) fn name_too_large(_: &Rule, view: &View<'_, '_>, limits: &Limits) -> Vec<Found> {
    let limit = limits.octets_per_name;
    let large = view.owners().iter().filter_map(|owner| {
        let octets = octets(view, owner);
        let message =
            || format!("the records of {} take {octets} octets: at most {limit}", display(owner.name));
        (octets > limit).then(|| view.found(view.indices(owner).to_vec(), Vec::new(), message()))
    });
    large.collect()
}

/// Octets that the records of one name take, each once.
fn octets(view: &View<'_, '_>, owner: &Owner<'_>) -> usize {
    view.sets(owner).map(|set| octets_of_set(view, set)).sum()
}

fn octets_of_set(view: &View<'_, '_>, set: &[usize]) -> usize {
    distinct(view, set).into_iter().map(|value| 12 + value.as_slice().len()).sum()
}

/// Each RRset about which `message` has something to say.
fn over_sets(
    view: &View<'_, '_>,
    message: impl Fn(&Owner<'_>, Rtype, &[usize]) -> Option<String>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for owner in view.owners() {
        for set in view.sets(owner) {
            if let Some(message) = message(owner, view.item(set[0]).rtype, set) {
                found.push(view.found(set.to_vec(), Vec::new(), message));
            }
        }
    }
    found
}
