//! The records of a Zone that is written as an object.

use port53_crds::{DNSRecord, Reason, Zone};
use port53_zone::{Name, Rtype, name};

use super::candidate::{self, Candidate, Rank, Version};
use super::grants::{self, Attached};
use super::{Draft, below, record};
use crate::objects::{ObjectRef, created};
use crate::stages::gather::Held;
use crate::stages::{Children, Inputs};
use crate::verdict::{Complaint, Outcome, Verdict};

pub(super) fn draft(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    zone: &Zone,
    children: &Children,
    draft: &mut Draft,
) {
    if let Some(ns) = &held.terms.nameservers {
        let parts = (ns.name.clone(), ns.rtype, vec![ns.ttl], ns.values().to_vec());
        draft.candidates.push(Candidate::new(0, &held.object.owner(), Rank::Default, 0, parts, None));
    }
    let mut attached = Vec::new();
    for record in &held.records {
        attached.extend(one(inputs, held, zone, children, record, draft));
    }
    for (candidate, complaint) in grants::over_limit(zone, &held.object, attached, &draft.candidates) {
        let candidate = &mut draft.candidates[candidate];
        candidate.last_good = None;
        candidate.version = Version::Out;
        draft.verdicts[candidate.source].complaints.push(complaint);
    }
}

/// Drafts one record. Returns how it counts against the limits of grants, if it does.
fn one(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    zone: &Zone,
    children: &Children,
    record: &DNSRecord,
    draft: &mut Draft,
) -> Option<Attached> {
    let object = ObjectRef::of_record(record);
    let owner = object.owner();
    let read = record::read(record, &held.apex, zone.spec.default_ttl);
    let source = draft.verdicts.len();
    draft.verdicts.push(Verdict {
        object: object.clone(),
        generation: record.metadata.generation.unwrap_or(0),
        zone: Some(held.apex.clone()),
        name: read.name.clone(),
        outcome: Outcome::Accepted,
        complaints: read.complaints,
    });
    let verdict = &mut draft.verdicts[source];
    let (Some(name), Some(rtype)) = (read.name, read.rtype) else {
        verdict.outcome = Outcome::Rejected;
        return None;
    };
    let namespace = object.namespace().unwrap_or_default();
    let mut grants = Vec::new();
    if held.object.namespace() != Some(namespace) {
        let wanted = (&name, rtype);
        match grants::granted(inputs.objects, zone, &held.object, namespace, wanted, &held.apex) {
            Ok(granted) => grants = granted,
            Err(complaint) => {
                verdict.complaints.push(*complaint);
                verdict.outcome = Outcome::Rejected;
                return None;
            }
        }
    }
    if let Some(complaint) = occluded(held, children, &name, rtype) {
        verdict.complaints.push(complaint);
        verdict.outcome = Outcome::Rejected;
        return None;
    }
    let published = inputs.published.get(&held.apex);
    let created = created(&record.metadata).unwrap_or(i64::MAX);
    let parts = if verdict.complaints.is_empty() {
        (name, rtype, vec![read.ttl], read.values)
    } else {
        let last = published.and_then(|zone| candidate::last_good(zone, &name, rtype, &owner));
        let Some(last) = last else {
            verdict.outcome = Outcome::Rejected;
            return None;
        };
        (name, rtype, vec![last.ttl], last.values().to_vec())
    };
    let is_written = verdict.complaints.is_empty();
    let mut candidate = Candidate::new(source, &owner, Rank::Newcomer, created, parts, published);
    if !is_written {
        candidate.version = Version::LastGood;
    }
    draft.candidates.push(candidate);
    let (candidate, namespace) = (draft.candidates.len() - 1, namespace.to_owned());
    (!grants.is_empty()).then_some(Attached { candidate, namespace, grants })
}

fn occluded(held: &Held<'_>, children: &Children, owner: &Name, rtype: Rtype) -> Option<Complaint> {
    let child = below::child_of(held, children, owner)?;
    if !below::occludes(child, owner, rtype) {
        return None;
    }
    let apex = name::display(child.1.apex());
    let message = format!("{} is in zone {apex}, which {} holds", name::display(owner), child.0);
    let fix = match rtype {
        Rtype::NS | Rtype::A | Rtype::AAAA => format!(
            "delete it: NS and glue of {apex} come from that zone; other records of it are written there"
        ),
        _ => format!("write the record into zone {apex}"),
    };
    Some(Complaint::error(Reason::Occluded, "spec.name", message, fix).related_to(child.0.clone()))
}
