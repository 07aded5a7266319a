//! Grants: who beyond the namespace of a zone may attach which records, and how many.

use std::collections::{BTreeMap, BTreeSet};

use port53_crds::{Reason, Zone};
use port53_zone::rdata::{display_rtype, parse_rtype};
use port53_zone::{Name, Rtype, name};

use super::candidate::{Candidate, Standing};
use crate::objects::{ObjectRef, Objects};
use crate::stages::gather::{covers, is_wildcard, labels};
use crate::verdict::Complaint;

/// Which entries of `spec.records` cover the name and type for the namespace, by index.
///
/// # Errors
/// None does: the complaint says what to ask for.
pub(super) fn granted(
    objects: &Objects,
    zone: &Zone,
    holder: &ObjectRef,
    namespace: &str,
    (owner, rtype): (&Name, Rtype),
    apex: &Name,
) -> Result<Vec<usize>, Box<Complaint>> {
    let labels = labels(objects, namespace);
    let of_namespace: Vec<usize> =
        (0..zone.spec.records.len()).filter(|&i| zone.spec.records[i].namespaces.matches(&labels)).collect();
    let of_name: Vec<usize> = of_namespace
        .iter()
        .copied()
        .filter(|&i| zone.spec.records[i].names.iter().any(|pattern| covers(pattern, owner, apex)))
        .collect();
    let all: Vec<usize> =
        of_name.iter().copied().filter(|&i| permits_type(&zone.spec.records[i].types, rtype)).collect();
    if !all.is_empty() {
        return Ok(all);
    }
    let shown = name::display_relative(owner, apex);
    let kind = display_rtype(rtype);
    let (field, what) = if of_namespace.is_empty() {
        ("spec.zoneRef", format!("{holder} grants nothing to namespace {namespace}"))
    } else if of_name.is_empty() {
        let wildcard =
            if is_wildcard(owner) { ", and a wildcard only where it is listed itself" } else { "" };
        (
            "spec.name",
            format!("{holder} does not grant the name \"{shown}\" to namespace {namespace}{wildcard}"),
        )
    } else {
        let listed = if needs_listing(rtype) { ", which it does only where the type is listed" } else { "" };
        (
            "spec.type",
            format!("{holder} does not grant {kind} at \"{shown}\" to namespace {namespace}{listed}"),
        )
    };
    let fix = format!(
        "ask for an entry in spec.records of {holder} with namespace {namespace}, the name \"{shown}\" and the \
         type {kind}, or write the record in the namespace of the zone"
    );
    Err(Box::new(Complaint::error(Reason::NotPermitted, field, what, fix).related_to(holder.clone())))
}

fn needs_listing(rtype: Rtype) -> bool {
    matches!(rtype, Rtype::NS | Rtype::DS | Rtype::DNAME)
}

fn permits_type(types: &[String], rtype: Rtype) -> bool {
    if types.is_empty() {
        return !needs_listing(rtype);
    }
    types.iter().any(|text| parse_rtype(text) == Some(rtype))
}

/// A record that counts against the limits of its grants.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) candidate: usize,
    pub(super) namespace: String,
    pub(super) grants: Vec<usize>,
}

/// Counts records against the limits, by standing: what is published, under whatever name, stays, whatever the
/// limit became, and counts. Returns those for which there is no room.
pub(super) fn over_limit(
    zone: &Zone,
    holder: &ObjectRef,
    mut attached: Vec<Attached>,
    candidates: &[Candidate],
) -> Vec<(usize, Complaint)> {
    let standing = |attached: &Attached| -> (bool, &Standing) {
        let candidate = &candidates[attached.candidate];
        (!candidate.is_published(), &candidate.standing)
    };
    attached.sort_by(|a, b| standing(a).cmp(&standing(b)));
    let mut used: BTreeMap<(usize, &str), u32> = BTreeMap::new();
    let mut over = Vec::new();
    for record in &attached {
        let is_published = candidates[record.candidate].is_published();
        let has_room = |&&grant: &&usize| {
            let limit = zone.spec.records[grant].limit.unwrap_or(u32::MAX);
            used.get(&(grant, record.namespace.as_str())).copied().unwrap_or(0) < limit
        };
        let found = record.grants.iter().find(has_room).or(record.grants.first().filter(|_| is_published));
        if let Some(&grant) = found {
            *used.entry((grant, record.namespace.as_str())).or_default() += 1;
            continue;
        }
        let limits: BTreeSet<String> = record
            .grants
            .iter()
            .filter_map(|&grant| zone.spec.records[grant].limit)
            .map(|limit| limit.to_string())
            .collect();
        let message = format!(
            "namespace {} has as many DNSRecords in this zone as {holder} grants: {}",
            record.namespace,
            limits.into_iter().collect::<Vec<_>>().join(", ")
        );
        let fix = format!(
            "delete records that are not needed, or ask for a higher limit in spec.records of {holder}"
        );
        let complaint = Complaint::error(Reason::QuotaExceeded, "spec.zoneRef", message, fix);
        over.push((record.candidate, complaint.related_to(holder.clone())));
    }
    over
}
