//! The lookup: what one zone says about a name and a type (RFC 1034 §4.3.2, step 3, as clarified by
//! RFC 2181, 4592, 6672 and 8020).
//!
//! From the apex towards the name: a DNAME above the name or a delegation at or above it ends the walk.
//! Then the name itself. When it does not exist, the names before and after it in canonical order tell
//! whether it is an empty non-terminal, and which ancestor is the closest encloser, whose wildcard is
//! then tried.

use super::qname::{QName, common_labels};
use crate::content::{OwnerRef, RRsetRef};
use crate::image::{Image, Proofs, child_hash};
use crate::name::KeyBuffer;
use domain::base::iana::Rtype;

/// What was looked up.
pub(crate) struct Found<'a> {
    pub(crate) outcome: Outcome<'a>,
    pub(crate) node: Node<'a>,
}

/// The node that an outcome comes from: what signatures and proofs are about.
pub(crate) enum Node<'a> {
    /// The name itself, or the delegation or DNAME above it.
    Owner(OwnerRef<'a>),
    /// The wildcard that stands for it, below the ancestor with so many labels. Without an owner it is an empty
    /// non-terminal itself.
    Wildcard { encloser: usize, owner: Option<OwnerRef<'a>> },
    /// The name exists, and nothing stands at it.
    EmptyNonTerminal,
    /// It does not exist, and its closest encloser has so many labels.
    Missing { encloser: usize },
}

/// How a lookup ends. Owners and RRsets are those of the image.
pub(crate) enum Outcome<'a> {
    /// The RRset asked for, of the name itself or of the wildcard that stands for it.
    Answer(RRsetRef<'a>),
    /// The SOA, which is kept beside the content.
    Soa,
    /// QTYPE ANY: everything at this owner (`None`: nothing but the SOA), and the SOA when it is the apex.
    Any { owner: Option<OwnerRef<'a>>, is_apex: bool },
    /// A CNAME stands where another type was asked for.
    Alias(RRsetRef<'a>),
    /// The ancestor with this many labels has a DNAME.
    Dname { labels: usize, dname: RRsetRef<'a> },
    /// The ancestor (or the name itself) with this many labels is delegated.
    Referral { labels: usize, ns: RRsetRef<'a> },
    /// The name exists, the type does not.
    NoData,
    /// The name does not exist (RFC 8020: nor does anything below it).
    NameError,
}

/// Looks `name` up in the zone of `image`, whose apex has `apex_labels` labels and is an ancestor of it.
pub(crate) fn lookup<'a>(image: &'a Image, apex_labels: usize, name: &QName<'_>, qtype: Rtype) -> Found<'a> {
    if let Some(found) = walk_down(image, apex_labels, name, qtype) {
        return found;
    }
    let is_apex = name.labels() == apex_labels;
    match image.find(name.relative(apex_labels, name.labels()), name.hash()) {
        Some(owner) if !is_proof(image, owner) => {
            Found { outcome: at_owner(owner, qtype, is_apex), node: Node::Owner(owner) }
        }
        None if is_apex => {
            let outcome = match qtype {
                Rtype::SOA => Outcome::Soa,
                Rtype::ANY => Outcome::Any { owner: None, is_apex },
                _ => Outcome::NoData,
            };
            Found { outcome, node: Node::EmptyNonTerminal }
        }
        _ => not_found(image, apex_labels, name, qtype),
    }
}

/// Whether an owner is there for nothing but the NSEC3 of another name: then it does not exist (RFC 5155 §7.2.8).
fn is_proof(image: &Image, owner: OwnerRef<'_>) -> bool {
    matches!(image.proofs(), Proofs::Nsec3(_))
        && owner.rrset(Rtype::NSEC3).is_some()
        && owner.rrsets().all(|rrset| matches!(rrset.rtype, Rtype::NSEC3 | Rtype::RRSIG))
}

/// Delegations and DNAMEs between the apex and the name. Only depths where the zone has any are probed.
fn walk_down<'a>(image: &'a Image, apex_labels: usize, name: &QName<'_>, qtype: Rtype) -> Option<Found<'a>> {
    let content = image.content();
    let (cuts, dnames) = (content.cut_depths(), content.dname_depths());
    for labels in apex_labels..=name.labels() {
        let depth = labels - apex_labels;
        let at_name = labels == name.labels();
        let may_be_cut = depth > 0 && cuts.any_at(depth);
        let may_be_dname = !at_name && dnames.any_at(depth);
        if !may_be_cut && !may_be_dname {
            continue;
        }
        let Some(owner) = image.find(name.relative(apex_labels, labels), name.hash_of(labels)) else {
            continue;
        };
        if may_be_cut && let Some(ns) = owner.rrset(Rtype::NS) {
            // DS belongs to the parent's side of the cut (RFC 4035 §3.1.4.1).
            let outcome = Outcome::Referral { labels, ns };
            let found = Found { outcome, node: Node::Owner(owner) };
            return if at_name && qtype == Rtype::DS { None } else { Some(found) };
        }
        if may_be_dname && let Some(dname) = owner.rrset(Rtype::DNAME) {
            return Some(Found { outcome: Outcome::Dname { labels, dname }, node: Node::Owner(owner) });
        }
    }
    None
}

fn at_owner(owner: OwnerRef<'_>, qtype: Rtype, is_apex: bool) -> Outcome<'_> {
    if qtype == Rtype::ANY {
        return Outcome::Any { owner: Some(owner), is_apex };
    }
    if is_apex && qtype == Rtype::SOA {
        return Outcome::Soa;
    }
    if let Some(rrset) = owner.rrset(qtype) {
        return Outcome::Answer(rrset);
    }
    match owner.rrset(Rtype::CNAME) {
        Some(cname) => Outcome::Alias(cname),
        None => Outcome::NoData,
    }
}

/// The name has no records of its own: empty non-terminal, wildcard, or nothing.
fn not_found<'a>(image: &'a Image, apex_labels: usize, name: &QName<'_>, qtype: Rtype) -> Found<'a> {
    let relative = name.relative(apex_labels, name.labels());
    let mut wildcard = [0; GREATEST_RELATIVE];
    let mut key = KeyBuffer::new();
    let (before, after) = image.content().neighbours(key.write(relative));
    // An NSEC3 is no node, and stands right below the apex.
    let common = |owner: Option<OwnerRef<'_>>| match owner {
        Some(owner) if is_proof(image, owner) => 0,
        Some(owner) => common_labels(owner.name(), relative),
        None => 0,
    };
    let (before, after) = (common(before), common(after));
    // An empty non-terminal exists (RFC 4592 §2.2.2, RFC 8020 §3): some owner lies below it, and the first
    // of those is the name's successor.
    if after == name.labels() - apex_labels {
        return Found { outcome: Outcome::NoData, node: Node::EmptyNonTerminal };
    }
    let encloser = apex_labels + before.max(after);
    let wildcard = wildcard_below(&mut wildcard, name.relative(apex_labels, encloser));
    match image.find(wildcard, child_hash(name.hash_of(encloser), b"*")) {
        Some(owner) => {
            let node = Node::Wildcard { encloser, owner: Some(owner) };
            Found { outcome: at_owner(owner, qtype, false), node }
        }
        None if is_empty_non_terminal(image, wildcard, encloser + 1 - apex_labels) => {
            Found { outcome: Outcome::NoData, node: Node::Wildcard { encloser, owner: None } }
        }
        None => Found { outcome: Outcome::NameError, node: Node::Missing { encloser } },
    }
}

/// Octets of the longest wildcard below an encloser that itself has at most 253 without the root.
pub(super) const GREATEST_RELATIVE: usize = 256;

/// The wildcard below the closest encloser (RFC 4592 §3.3.1), relative to the apex.
pub(super) fn wildcard_below<'b>(buffer: &'b mut [u8; GREATEST_RELATIVE], encloser: &[u8]) -> &'b [u8] {
    let wildcard = &mut buffer[..2 + encloser.len()];
    wildcard[..2].copy_from_slice(b"\x01*");
    wildcard[2..].copy_from_slice(encloser);
    wildcard
}

/// Whether a wildcard without records exists all the same, because an owner stands below it: then it is the
/// source of synthesis, and has no data (RFC 4592 §2.2.2, §3.3.1). Few zones have such a name at any depth.
fn is_empty_non_terminal(image: &Image, wildcard: &[u8], depth: usize) -> bool {
    if !image.content().asterisk_depths().any_at(depth) {
        return false;
    }
    let mut key = KeyBuffer::new();
    let (_, after) = image.content().neighbours(key.write(wildcard));
    after.is_some_and(|owner| common_labels(owner.name(), wildcard) == depth)
}
