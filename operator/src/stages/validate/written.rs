//! The records of a Zone that is written as an object.

use port53_crds::{DNSRecord, Reason, Zone};
use port53_zone::{Name, Rtype, name};

use super::candidate::{Candidate, Rank, Version};
use super::grants::{self, Attached};
use super::record::{self, Read};
use super::{Draft, below};
use crate::objects::{ObjectRef, created};
use crate::stages::before::Before;
use crate::stages::gather::Held;
use crate::stages::{Apex, Children, Inputs, apex};
use crate::verdict::{Complaint, Outcome, Verdict};

pub(super) fn draft(
    inputs: &Inputs<'_>,
    held: &Held<'_>,
    zone: &Zone,
    children: &Children,
    before: &Before,
    draft: &mut Draft,
) {
    let shown = inputs.settings.apexes.get(&held.apex).unwrap_or(&Apex::Port53);
    let published = inputs.published.get(&held.apex);
    if let (Some(ns), is_other) = apex::nameservers(shown, &held.terms, published) {
        let parts = (ns.name.clone(), ns.rtype, vec![ns.ttl], ns.values().to_vec());
        let rank = if is_other { Rank::Legacy } else { Rank::Default };
        draft.candidates.push(Candidate::new(0, &held.object.owner(), rank, 0, parts, None));
    }
    let zone = Place { inputs, held, zone, children };
    draft.verdicts.reserve(held.records.len());
    draft.candidates.reserve(held.records.len());
    let mut attached = Vec::new();
    for record in held.records.iter() {
        attached.extend(zone.draft(&ObjectRef::of_record(record), record, before, draft));
    }
    for (candidate, complaint) in grants::over_limit(zone.zone, &held.object, attached, &draft.candidates) {
        let candidate = &mut draft.candidates[candidate];
        candidate.last_good = None;
        candidate.version = Version::Out;
        draft.verdicts[candidate.source].complaints.push(complaint);
    }
}

/// The zone that records are drafted for.
struct Place<'a> {
    inputs: &'a Inputs<'a>,
    held: &'a Held<'a>,
    zone: &'a Zone,
    children: &'a Children,
}

impl Place<'_> {
    /// Drafts one record: as it is written, else as it is published, where it may still be. Returns how it
    /// counts against the limits of grants, if it does.
    fn draft(
        &self,
        object: &ObjectRef,
        record: &DNSRecord,
        before: &Before,
        draft: &mut Draft,
    ) -> Option<Attached> {
        let owner = object.owner();
        let namespace = object.namespace().unwrap_or_default();
        let Read { name, rtype, ttl, values, mut complaints } =
            record::read(record, &self.held.apex, self.zone.spec.default_ttl);
        let mut grants = Vec::new();
        if let (Some(name), Some(rtype)) = (&name, rtype) {
            match self.permitted(namespace, name, rtype) {
                Ok(granted) => grants = granted,
                Err(complaint) => complaints.push(*complaint),
            }
        }
        let last = before.of_owner(&owner);
        let source = draft.verdicts.len();
        let candidate = match (name.clone(), rtype) {
            (Some(name), Some(rtype)) if complaints.is_empty() => {
                let created = created(&record.metadata).unwrap_or(i64::MAX);
                let parts = (name, rtype, vec![ttl], values);
                Some(Candidate::new(source, &owner, Rank::Newcomer, created, parts, last))
            }
            _ => last.and_then(|last| match self.permitted(namespace, &last.name, last.rtype) {
                Ok(granted) => {
                    grants = granted;
                    Some(Candidate::of_last_good(source, &owner, last))
                }
                Err(complaint) => {
                    complaints.push(*complaint);
                    None
                }
            }),
        };
        draft.verdicts.push(Verdict {
            object: object.clone(),
            generation: record.metadata.generation.unwrap_or(0),
            zone: Some(self.held.apex.clone()),
            name,
            outcome: if candidate.is_some() { Outcome::Accepted } else { Outcome::Rejected },
            complaints,
        });
        draft.candidates.push(candidate?);
        let candidate = draft.candidates.len() - 1;
        (!grants.is_empty()).then(|| Attached { candidate, namespace: namespace.to_owned(), grants })
    }

    /// Whether a record of a namespace may have this name and type here. Returns the grants that say so; none
    /// are needed in the zone's own namespace.
    fn permitted(&self, namespace: &str, name: &Name, rtype: Rtype) -> Result<Vec<usize>, Box<Complaint>> {
        let Place { inputs, held, zone, children } = self;
        let mut grants = Vec::new();
        if held.object.namespace() != Some(namespace) {
            grants =
                grants::granted(inputs.objects, zone, &held.object, namespace, (name, rtype), &held.apex)?;
        }
        match occluded(held, children, name, rtype) {
            Some(complaint) => Err(Box::new(complaint)),
            None => Ok(grants),
        }
    }
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
