//! The warnings: what can be answered, but is hardly meant.

use super::errors::count_distinct;
use super::view::Owner;
use super::{Found, Limits, Rule, View};
use crate::name::{Name, SortKey, display};
use crate::rdata::{display_rtype, names};
use domain::base::iana::Rtype;
use std::collections::HashSet;

pub(crate) fn many_records(_: &Rule, view: &View<'_, '_>, limits: &Limits) -> Vec<Found> {
    over_sets(view, |owner, rtype, set| {
        let (count, limit) = (count_distinct(view, set), limits.records_elsewhere);
        let message = || {
            format!(
                "{} {} has {count} records: others take {limit} by default",
                display(owner.name),
                display_rtype(rtype)
            )
        };
        (count > limit).then(|| (set.to_vec(), message()))
    })
}

pub(crate) fn no_apex_nameservers(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let has = view.owner(view.apex).is_some_and(|apex| view.has(apex, Rtype::NS));
    let message = format!("zone {} has no NS at its apex", display(view.apex));
    if has { Vec::new() } else { vec![view.found(Vec::new(), Vec::new(), message)] }
}

pub(crate) fn occluded(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let mut found = Vec::new();
    let nameservers = nameservers(view);
    for owner in view.owners().iter().filter(|owner| !view.is_apex(owner)) {
        let is_cut = |above: &Owner<'_>| view.has(above, Rtype::NS);
        let cut_above = view.nearest_above(owner.name, false, is_cut);
        let is_at_cut = view.has(owner, Rtype::NS);
        let Some(cut) = cut_above.or(is_at_cut.then_some(owner)) else { continue };
        let items: Vec<usize> = view
            .indices(owner)
            .iter()
            .copied()
            .filter(|&index| match view.item(index).rtype {
                Rtype::A | Rtype::AAAA => !nameservers.contains(&owner.key),
                Rtype::NS | Rtype::DS | Rtype::NSEC | Rtype::RRSIG => cut_above.is_some(),
                _ => true,
            })
            .collect();
        if !items.is_empty() {
            let message = format!(
                "{} is at or below the delegation of {}, so this is never answered",
                display(owner.name),
                display(cut.name)
            );
            found.push(view.found(items, view.of_type(cut, Rtype::NS)[..1].to_vec(), message));
        }
    }
    found
}

/// The nameservers that the zone names: what their addresses are below a delegation is glue.
fn nameservers(view: &View<'_, '_>) -> HashSet<SortKey> {
    let with_ns = view.owners().iter().filter(|owner| view.has(owner, Rtype::NS));
    let targets = with_ns.flat_map(|owner| targets(view, owner));
    targets.filter(|(_, rtype, _)| *rtype == Rtype::NS).map(|(_, _, target)| SortKey::of(&target)).collect()
}

/// The targets of the owner's NS, MX and SRV: item, type, name.
fn targets(view: &View<'_, '_>, owner: &Owner<'_>) -> Vec<(usize, Rtype, Name)> {
    let mut targets = Vec::new();
    for &index in view.indices(owner) {
        let item = view.item(index);
        if !matches!(item.rtype, Rtype::NS | Rtype::MX | Rtype::SRV) {
            continue;
        }
        for value in item.values {
            let wire = value.shared();
            targets.extend(names(item.rtype, &wire).filter_map(|place| {
                let target = Name::from_octets(wire.slice(place.start..place.end)).ok()?;
                (!target.is_root()).then_some((index, item.rtype, target))
            }));
        }
    }
    targets
}

/// Every target in the zone about which `message` has something to say.
fn over_targets(
    view: &View<'_, '_>,
    message: impl Fn(&Owner<'_>, Rtype, &Name) -> Option<(String, Vec<usize>)>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for owner in view.owners() {
        for (index, rtype, target) in targets(view, owner) {
            if let Some((message, related)) = message(owner, rtype, &target) {
                found.push(view.found(vec![index], related, message));
            }
        }
    }
    found
}

pub(crate) fn target_is_alias(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    over_targets(view, |owner, rtype, target| {
        if !view.is_in_zone(target) || view.is_delegated(target) {
            return None;
        }
        let is_dname = |above: &Owner<'_>| view.has(above, Rtype::DNAME);
        let (alias, kind) = match view.owner(target).filter(|owner| view.has(owner, Rtype::CNAME)) {
            Some(alias) => (alias, Rtype::CNAME),
            None => (view.nearest_above(target, true, is_dname)?, Rtype::DNAME),
        };
        let related = view.of_type(alias, kind)[..1].to_vec();
        let message = format!("{} {rtype} names {}, which is an alias", display(owner.name), display(target));
        Some((message, related))
    })
}

pub(crate) fn missing_glue(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    over_targets(view, |owner, rtype, target| {
        let is_cut = rtype == Rtype::NS && !view.is_apex(owner);
        if !is_cut || !target.ends_with(owner.name) || view.has_address(target) {
            return None;
        }
        let message =
            format!("{} is delegated to {}, which has no address here", display(owner.name), display(target));
        Some((message, Vec::new()))
    })
}

pub(crate) fn missing_address(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    over_targets(view, |owner, rtype, target| {
        let is_glue = rtype == Rtype::NS && !view.is_apex(owner) && target.ends_with(owner.name);
        if is_glue || !view.is_in_zone(target) || view.is_delegated(target) || view.has_address(target) {
            return None;
        }
        let is_alias = view
            .owner(target)
            .or_else(|| view.wildcard_for(target))
            .is_some_and(|at| view.has(at, Rtype::CNAME));
        let is_below_dname =
            view.nearest_above(target, true, |above| view.has(above, Rtype::DNAME)).is_some();
        if is_alias || is_below_dname {
            return None;
        }
        let what = if view.exists(target) { "has no address" } else { "does not exist" };
        Some((format!("{} {rtype} names {}, which {what}", display(owner.name), display(target)), Vec::new()))
    })
}

pub(crate) fn duplicate_value(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    over_sets(view, |owner, rtype, set| {
        if set.iter().map(|&index| view.item(index).values.len()).sum::<usize>() < 2 {
            return None;
        }
        let mut values: Vec<_> = set
            .iter()
            .flat_map(|&index| view.item(index).values.iter().map(move |value| (value, index)))
            .collect();
        values.sort_by(|a, b| a.0.canonical_cmp(b.0, rtype).then(a.1.cmp(&b.1)));
        let doubled: Vec<usize> = values
            .windows(2)
            .filter(|pair| pair[0].0.canonical_cmp(pair[1].0, rtype).is_eq())
            .map(|pair| pair[1].1)
            .collect();
        let message =
            || format!("{} {} has a value more than once", display(owner.name), display_rtype(rtype));
        (!doubled.is_empty()).then(|| (doubled, message()))
    })
}

pub(crate) fn ttls_differ(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    over_sets(view, |owner, rtype, set| {
        let lowest = set.iter().map(|&index| view.item(index).ttl).min()?;
        let others: Vec<usize> =
            set.iter().copied().filter(|&index| view.item(index).ttl != lowest).collect();
        // Each RRSIG goes with the TTL of what it covers (RFC 4034 §3).
        if others.is_empty() || rtype == Rtype::RRSIG {
            return None;
        }
        let message = format!(
            "{} {} has different TTLs: {lowest}, the lowest, counts",
            display(owner.name),
            display_rtype(rtype)
        );
        Some((others, message))
    })
}

fn over_sets(
    view: &View<'_, '_>,
    check: impl Fn(&Owner<'_>, Rtype, &[usize]) -> Option<(Vec<usize>, String)>,
) -> Vec<Found> {
    let mut found = Vec::new();
    for owner in view.owners() {
        for set in view.sets(owner) {
            if let Some((items, message)) = check(owner, view.item(set[0]).rtype, set) {
                found.push(view.found(items, Vec::new(), message));
            }
        }
    }
    found
}

pub(crate) fn wildcard_ns(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    at_wildcards(view, Rtype::NS)
}

pub(crate) fn wildcard_dname(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    at_wildcards(view, Rtype::DNAME)
}

fn at_wildcards(view: &View<'_, '_>, rtype: Rtype) -> Vec<Found> {
    let wildcards = view
        .owners()
        .iter()
        .filter(|owner| owner.name.as_slice().starts_with(b"\x01*") && view.has(owner, rtype));
    wildcards
        .map(|owner| {
            let message = format!("{} is a wildcard with {rtype}", display(owner.name));
            view.found(view.of_type(owner, rtype).to_vec(), Vec::new(), message)
        })
        .collect()
}

pub(crate) fn ds_without_delegation(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let alone = view
        .owners()
        .iter()
        .filter(|owner| view.has(owner, Rtype::DS) && (view.is_apex(owner) || !view.has(owner, Rtype::NS)));
    alone
        .map(|owner| {
            let message = format!("{} has DS and is not delegated here", display(owner.name));
            view.found(view.of_type(owner, Rtype::DS).to_vec(), Vec::new(), message)
        })
        .collect()
}

pub(crate) fn too_many_nameservers(_: &Rule, view: &View<'_, '_>, limits: &Limits) -> Vec<Found> {
    let cuts = view.owners().iter().filter(|owner| !view.is_apex(owner));
    cuts.filter_map(|owner| {
        let items = view.of_type(owner, Rtype::NS);
        let count: usize = items.iter().map(|&index| view.item(index).values.len()).sum();
        let limit = limits.nameservers_per_cut;
        let message =
            || format!("{} is delegated to {count} nameservers: more than {limit}", display(owner.name));
        (count > limit).then(|| view.found(items.to_vec(), Vec::new(), message()))
    })
    .collect()
}

pub(crate) fn relative_name_meant(_: &Rule, view: &View<'_, '_>, _: &Limits) -> Vec<Found> {
    let mut found = Vec::new();
    for owner in view.owners() {
        for &index in view.indices(owner) {
            let item = view.item(index);
            for value in item.values {
                let wire = value.shared();
                let inside = names(item.rtype, &wire)
                    .filter_map(|place| Name::from_octets(wire.slice(place.start..place.end)).ok());
                found.extend(inside.filter_map(|target| meant_below(view, owner, index, &target)));
            }
        }
    }
    found
}

fn meant_below(view: &View<'_, '_>, owner: &Owner<'_>, index: usize, target: &Name) -> Option<Found> {
    if target.is_root() || view.is_in_zone(target) || view.apex.is_root() {
        return None;
    }
    let labels = &target.as_slice()[..target.len() - 1];
    let below = Name::from_octets([labels, view.apex.as_slice()].concat().into()).ok()?;
    let related = view.owner(&below)?;
    let message = format!(
        "{} {} names {}, and {} exists",
        display(owner.name),
        display_rtype(view.item(index).rtype),
        display(target),
        display(&below)
    );
    Some(view.found(vec![index], view.indices(related)[..1].to_vec(), message))
}
