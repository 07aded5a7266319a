//! Zones below that are held here too: the parent's NS and glue for them come from them, and what the parent
//! has at or below them is occluded. DS stays with the parent (RFC 4035 §2.4), and so do its proofs about the cut.

use std::collections::HashSet;

use port53_zone::content::Content;
use port53_zone::{Name, RRset, Rdata, Rtype, rdata};

use super::Draft;
use super::candidate::{Candidate, Rank};
use crate::objects::ObjectRef;
use crate::stages::Children;
use crate::stages::gather::Held;

/// The delegations of the zones below, with glue wherever a nameserver is in one of them.
pub(super) fn draft(held: &Held<'_>, children: &Children, draft: &mut Draft) {
    // Zones below may name the same nameserver.
    let mut seen = HashSet::new();
    for apex in &held.children {
        let Some((holder, content)) = children.get(apex) else { continue };
        let Some(nameservers) = content.get(apex, Rtype::NS) else { continue };
        let targets = targets(&nameservers);
        push(draft, holder, nameservers);
        for target in targets {
            if !seen.insert(target.clone()) {
                continue;
            }
            let Some((holder, content)) = child_of(held, children, &target) else { continue };
            for rtype in [Rtype::A, Rtype::AAAA] {
                if let Some(glue) = content.get(&target, rtype) {
                    push(draft, holder, glue);
                }
            }
        }
    }
}

fn push(draft: &mut Draft, holder: &ObjectRef, rrset: RRset) {
    let parts = (rrset.name.clone(), rrset.rtype, vec![rrset.ttl], rrset.values().to_vec());
    draft.candidates.push(Candidate::new(0, &holder.owner(), Rank::Child, 0, parts, None));
}

fn targets(nameservers: &RRset) -> Vec<Name> {
    let mut targets = Vec::new();
    for value in nameservers.values() {
        let wire = value.shared();
        targets.extend(
            rdata::names(Rtype::NS, &wire)
                .filter_map(|at| Name::from_octets(wire.slice(at.start..at.end)).ok()),
        );
    }
    targets
}

/// The zone below that `owner` is in.
pub(super) fn child_of<'a>(
    held: &Held<'_>,
    children: &'a Children,
    owner: &Name,
) -> Option<&'a (ObjectRef, Content)> {
    if held.children.is_empty() {
        return None;
    }
    // Children are not below each other: at most one.
    owner
        .iter_suffixes()
        .take_while(|suffix| *suffix != held.apex)
        .find(|suffix| held.children.binary_search(suffix).is_ok())
        .and_then(|apex| children.get(&apex))
}

/// Whether a record of the parent is taken over by a zone below.
pub(super) fn occludes(child: &(ObjectRef, Content), owner: &Name, rtype: Rtype) -> bool {
    // RFC 4035 §2.3, §2.4: what the parent signs at a cut, and its signatures.
    let is_of_the_parent = matches!(rtype, Rtype::DS | Rtype::NSEC | Rtype::RRSIG);
    !(is_of_the_parent && owner == child.1.apex())
}

/// Whether what a parent keeps at the cut to a zone below was signed when there was no cut: signatures of what the zone
/// below has now, and an NSEC that does not say NS, which validators refuse (RFC 4035 §5.2).
pub(super) fn was_signed_before(rtype: Rtype, value: &Rdata) -> bool {
    let wire = value.as_slice();
    match rtype {
        Rtype::RRSIG => {
            ![Rtype::DS, Rtype::NSEC].iter().any(|covered| wire.starts_with(&covered.to_int().to_be_bytes()))
        }
        // The bitmap is after the next name (RFC 4034 §4.1.2): window 0, its length, bit 2.
        Rtype::NSEC => {
            let bitmap = rdata::names(rtype, wire).next().map_or(&[][..], |next| &wire[next.end..]);
            !matches!(bitmap, [0, _, first, ..] if first & 0x20 != 0)
        }
        _ => false,
    }
}
