//! The records of a master file: lines of one name and type are one RRset.

use std::collections::BTreeMap;

use port53_crds::Reason;
use port53_zone::master::{Located, Position};
use port53_zone::name::SortKey;
use port53_zone::{Name, Rdata, Record, Rtype, name, rdata};

use super::candidate::{Candidate, Rank};
use super::{Draft, below};
use crate::objects::{MasterZone, ObjectRef};
use crate::stages::Children;
use crate::stages::before::Before;
use crate::stages::gather::Held;
use crate::verdict::{Complaint, Severity};

/// The lines of one RRset: TTLs, values and places side by side.
#[derive(Debug, Default)]
struct Lines {
    ttls: Vec<u32>,
    values: Vec<Rdata>,
    positions: Vec<Position>,
}

pub(super) fn draft(
    held: &Held<'_>,
    master: &MasterZone,
    children: &Children,
    before: &Before,
    draft: &mut Draft,
) {
    let mut sets: BTreeMap<(SortKey, u16), (Name, Rtype, Lines)> = BTreeMap::new();
    for line in &master.records {
        let Located { value: Record { name, rtype, ttl, rdata }, position, .. } = line;
        if let Err(complaint) = kept(held, children, line) {
            if let Some(complaint) = complaint {
                draft.rejected += usize::from(complaint.severity == Severity::Error);
                draft.verdicts[0].complaints.push(*complaint);
            }
            continue;
        }
        let key = (SortKey::of(name), rtype.to_int());
        let (_, _, lines) = sets.entry(key).or_insert_with(|| (name.clone(), *rtype, Lines::default()));
        lines.ttls.push(*ttl);
        lines.values.push(rdata.clone());
        lines.positions.push(position.clone());
    }
    let owner = held.object.owner();
    if master.unread > 0 {
        keep_unread(held, children, before, &sets, draft);
    }
    for (name, rtype, lines) in sets.into_values() {
        let last_good = before.at(&name, rtype, &owner);
        let parts = (name, rtype, lines.ttls, lines.values);
        let mut candidate = Candidate::new(0, &owner, Rank::Newcomer, i64::MAX, parts, last_good);
        candidate.positions = lines.positions;
        draft.candidates.push(candidate);
    }
}

/// Whether a line is for this zone to answer; if not, what there is to say about it.
fn kept(held: &Held<'_>, children: &Children, line: &Located<Record>) -> Result<(), Option<Box<Complaint>>> {
    let Record { name: owner, rtype, rdata, .. } = &line.value;
    let at = |mut complaint: Complaint| {
        complaint.position = Some(line.position.clone());
        Box::new(complaint)
    };
    if *rtype == Rtype::SOA && *owner == held.apex {
        let message = format!("{} has more than one SOA", name::display(owner));
        let complaint = Complaint::error(Reason::RuleViolated, "", message, "keep one SOA, at the apex");
        return Err(Some(at(Complaint { rule: Some("soa-off-apex"), ..complaint })));
    }
    let Some(child) = below::child_of(held, children, owner) else { return Ok(()) };
    let (holder, content) = child;
    if !below::occludes(child, owner, *rtype) {
        if !below::was_signed_before(*rtype, rdata) {
            return Ok(());
        }
        let (name, rtype) = (name::display(owner), rdata::display_rtype(*rtype));
        let message =
            format!("{name} {rtype} was signed before zone {name}, which {holder} holds, was cut off");
        let fix = format!("sign the zone again, with NS at {name}");
        let complaint = Complaint::error(Reason::Occluded, "", message, fix).related_to(holder.clone());
        return Err(Some(at(complaint)));
    }
    let says_the_same = content
        .get(owner, *rtype)
        .is_some_and(|rrset| rrset.values().iter().any(|value| value.canonical_cmp(rdata, *rtype).is_eq()));
    let is_delegation = matches!(*rtype, Rtype::NS | Rtype::A | Rtype::AAAA);
    if is_delegation && says_the_same {
        return Err(None);
    }
    let apex = name::display(content.apex());
    let message = format!(
        "{} {} is in zone {apex}, which {holder} holds",
        name::display(owner),
        rdata::display_rtype(*rtype)
    );
    let fix = format!("remove the record, or write it into zone {apex}: NS and glue come from there");
    let complaint = at(Complaint::error(Reason::Occluded, "", message, fix).related_to(holder.clone()));
    Err(Some(if is_delegation { Box::new(complaint.as_warning()) } else { complaint }))
}

/// Keeps what is published from the file and no longer found in it, while some of it cannot be read.
fn keep_unread(
    held: &Held<'_>,
    children: &Children,
    before: &Before,
    sets: &BTreeMap<(SortKey, u16), (Name, Rtype, Lines)>,
    draft: &mut Draft,
) {
    let ObjectRef::MasterFile(_) = held.object else { return };
    let owner = held.object.owner();
    let mut kept = Vec::new();
    for (rrset, held_by) in before.rrsets() {
        let is_found = sets.contains_key(&(SortKey::of(&rrset.name), rrset.rtype.to_int()));
        let is_occluded = below::child_of(held, children, &rrset.name)
            .is_some_and(|child| below::occludes(child, &rrset.name, rrset.rtype));
        if is_found || is_occluded || held_by.as_ref() != Some(&owner) {
            continue;
        }
        kept.push(format!("{} {}", name::display(&rrset.name), rdata::display_rtype(rrset.rtype)));
        draft.candidates.push(Candidate::of_last_good(0, &owner, rrset));
    }
    if !kept.is_empty() {
        let more = if kept.len() > 10 { format!(" and {} more", kept.len() - 10) } else { String::new() };
        kept.truncate(10);
        let message = format!(
            "some of the file cannot be read; what it no longer has stays in service: {}{more}",
            kept.join(", ")
        );
        let fix = "correct the lines that cannot be read";
        let complaint = Complaint::error(Reason::LastGoodKept, "", message, fix).as_warning();
        draft.verdicts[0].complaints.push(complaint);
    }
}
