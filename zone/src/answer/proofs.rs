//! What a signed zone adds for those who ask for it (DO, RFC 4035 §3.1): signatures beside what is answered, and
//! proofs that something is not there, by NSEC (RFC 4035 §3.1.3) or NSEC3 (RFC 5155 §7.2).
//!
//! Everything is served as it stands in the zone: no key is here, and nothing is signed. What is not signed has no
//! signature to add, which is right for delegations and glue.

use super::lookup::{GREATEST_RELATIVE, Node, wildcard_below};
use super::qname::QName;
use super::writer::{Full, Owner, Section, Writer};
use crate::content::{OwnerRef, RRsetRef};
use crate::image::{Image, Nsec3, Proofs, nsec3_owner};
use domain::base::iana::Rtype;

/// NSEC or NSEC3 in one response: for the last name of a chain a closest encloser, the next closer name and a wildcard,
/// for those before it one each that came from a wildcard.
const GREATEST: usize = 24;

/// The proofs of one response: gathered on the way, written when its answer is complete.
pub(crate) struct Prover<'i> {
    image: &'i Image,
    apex_labels: usize,
    /// DS, NSEC or NSEC3 of these owners, each once.
    wanted: [Option<(OwnerRef<'i>, Rtype)>; GREATEST],
    /// How many of them are in the response.
    written: usize,
}

/// Writes the RRset and, where the zone has any, its signatures.
pub(crate) fn signed(
    writer: &mut Writer<'_>,
    section: Section,
    owner: Owner<'_>,
    node: OwnerRef<'_>,
    rrset: &RRsetRef<'_>,
) -> Result<(), Full> {
    writer.rrset(section, owner, rrset)?;
    signatures(writer, section, owner, Some(node), rrset.rtype, rrset.ttl())
}

/// Writes the signatures of the RRset of a type, whose TTL they have (RFC 4034 §3).
pub(crate) fn signatures(
    writer: &mut Writer<'_>,
    section: Section,
    owner: Owner<'_>,
    node: Option<OwnerRef<'_>>,
    covered: Rtype,
    ttl: u32,
) -> Result<(), Full> {
    let Some(all) = node.and_then(|node| node.rrset(Rtype::RRSIG)) else { return Ok(()) };
    let covering = all.values().filter(|value| covers(value, covered));
    writer.records(section, owner, Rtype::RRSIG, ttl, covering)
}

/// Whether a signature is of the RRset of this type (RFC 4034 §3.1.1).
pub(crate) fn covers(signature: &[u8], covered: Rtype) -> bool {
    signature.starts_with(&covered.to_int().to_be_bytes())
}

impl<'i> Prover<'i> {
    /// One for a zone that is signed and whose proofs were asked for.
    pub(crate) fn new(image: &'i Image, apex_labels: usize) -> Option<Self> {
        let is_signed = !matches!(image.proofs(), Proofs::None);
        is_signed.then_some(Prover { image, apex_labels, wanted: [None; GREATEST], written: 0 })
    }

    /// That what was answered from a wildcard has no name of its own (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    pub(crate) fn wildcard(&mut self, name: &QName<'_>, encloser: usize) {
        match self.image.proofs() {
            Proofs::None => {}
            Proofs::Nsec => self.nsec_before(self.relative(name)),
            Proofs::Nsec3(chain) => self.nsec3_covering(chain, name.suffix(encloser + 1)),
        }
    }

    /// That a name has no data of a type (RFC 4035 §3.1.3.1 and §3.1.3.4, RFC 5155 §7.2.3 to §7.2.5).
    pub(crate) fn no_data(&mut self, name: &QName<'_>, node: &Node<'i>) {
        let mut buffer = [0; GREATEST_RELATIVE];
        match (self.image.proofs(), node) {
            (Proofs::None, _) | (_, Node::Missing { .. }) => {}
            (Proofs::Nsec, Node::Owner(owner)) => self.want(*owner, Rtype::NSEC),
            (Proofs::Nsec, Node::EmptyNonTerminal) => self.nsec_before(self.relative(name)),
            (Proofs::Nsec, Node::Wildcard { encloser, owner }) => {
                match owner {
                    Some(owner) => self.want(*owner, Rtype::NSEC),
                    None => {
                        let encloser = name.relative(self.apex_labels, *encloser);
                        self.nsec_before(wildcard_below(&mut buffer, encloser));
                    }
                }
                self.nsec_before(self.relative(name));
            }
            (Proofs::Nsec3(chain), Node::Owner(_) | Node::EmptyNonTerminal) => {
                self.nsec3_of(chain, name, name.labels());
            }
            (Proofs::Nsec3(chain), Node::Wildcard { encloser, .. }) => {
                self.closest_encloser(chain, name, *encloser);
                let wildcard = wildcard_below(&mut buffer, name.suffix(*encloser));
                self.nsec3(&chain.hash(wildcard));
            }
        }
    }

    /// That a name does not exist, nor a wildcard for it (RFC 4035 §3.1.3.2, RFC 5155 §7.2.2).
    pub(crate) fn name_error(&mut self, name: &QName<'_>, encloser: usize) {
        let mut buffer = [0; GREATEST_RELATIVE];
        match self.image.proofs() {
            Proofs::None => {}
            Proofs::Nsec => {
                self.nsec_before(self.relative(name));
                let encloser = name.relative(self.apex_labels, encloser);
                self.nsec_before(wildcard_below(&mut buffer, encloser));
            }
            Proofs::Nsec3(chain) => {
                let encloser = self.closest_encloser(chain, name, encloser);
                let wildcard = wildcard_below(&mut buffer, name.suffix(encloser));
                self.nsec3_covering(chain, wildcard);
            }
        }
    }

    /// The DS of a delegation, or that it has none (RFC 4035 §3.1.4, RFC 5155 §7.2.7).
    pub(crate) fn delegation(&mut self, name: &QName<'_>, labels: usize, cut: OwnerRef<'i>) {
        if cut.rrset(Rtype::DS).is_some() {
            return self.want(cut, Rtype::DS);
        }
        match self.image.proofs() {
            Proofs::None => {}
            Proofs::Nsec => self.want(cut, Rtype::NSEC),
            Proofs::Nsec3(chain) => self.nsec3_of(chain, name, labels),
        }
    }

    /// Writes what was gathered since the last time.
    pub(crate) fn write(&mut self, writer: &mut Writer<'_>) -> Result<(), Full> {
        let apex = self.image.apex().as_slice();
        for (owner, rtype) in self.wanted[self.written..].iter().flatten() {
            self.written += 1;
            let Some(rrset) = owner.rrset(*rtype) else { continue };
            let relative = owner.name();
            let mut name = [0; 255];
            let name = &mut name[..relative.len() + apex.len()];
            name[..relative.len()].copy_from_slice(relative);
            name[relative.len()..].copy_from_slice(apex);
            signed(writer, Section::Authority, Owner::Name(name), *owner, &rrset)?;
        }
        Ok(())
    }

    fn relative<'n>(&self, name: &QName<'n>) -> &'n [u8] {
        name.relative(self.apex_labels, name.labels())
    }

    /// The NSEC of the last name at or before this one that has any.
    fn nsec_before(&mut self, relative: &[u8]) {
        let mut key = crate::name::KeyBuffer::new();
        let (before, _) = self.image.content().neighbours(key.write(relative));
        let Some(before) = before else { return };
        // What is occluded has none, and neither has anything between it and the delegation or DNAME above it.
        let mut above = before.name();
        loop {
            if let Some(owner) = self.image.find_relative(above)
                && owner.rrset(Rtype::NSEC).is_some()
            {
                return self.want(owner, Rtype::NSEC);
            }
            let Some(&length) = above.first() else { return };
            above = &above[1 + usize::from(length)..];
        }
    }

    /// The NSEC3 of the ancestor of a name with so many labels; where opt-out left it away, that of the closest
    /// encloser that has one (RFC 5155 §7.2.1, §7.2.4).
    fn nsec3_of(&mut self, chain: &Nsec3, name: &QName<'_>, labels: usize) {
        let hash = chain.hash(name.suffix(labels));
        if chain.has(&hash) || labels == self.apex_labels {
            self.nsec3(&hash);
        } else {
            self.closest_encloser(chain, name, labels - 1);
        }
    }

    /// The closest encloser that has an NSEC3, at most with so many labels, and that the next closer name has none.
    /// Returns how many labels it has.
    fn closest_encloser(&mut self, chain: &Nsec3, name: &QName<'_>, labels: usize) -> usize {
        for labels in (self.apex_labels..=labels).rev() {
            let hash = chain.hash(name.suffix(labels));
            if chain.has(&hash) {
                self.nsec3(&hash);
                self.nsec3_covering(chain, name.suffix(labels + 1));
                return labels;
            }
        }
        self.apex_labels
    }

    fn nsec3_covering(&mut self, chain: &Nsec3, absolute: &[u8]) {
        self.nsec3(&chain.before(&chain.hash(absolute)));
    }

    fn nsec3(&mut self, hash: &[u8; 20]) {
        if let Some(owner) = self.image.find_relative(&nsec3_owner(hash)) {
            self.want(owner, Rtype::NSEC3);
        }
    }

    /// Has an RRset written once.
    fn want(&mut self, owner: OwnerRef<'i>, rtype: Rtype) {
        let place = |owner: &OwnerRef<'i>| owner.name().as_ptr();
        for wanted in &mut self.wanted {
            match wanted {
                Some((there, of)) if place(there) == place(&owner) && *of == rtype => return,
                Some(_) => {}
                None => return *wanted = Some((owner, rtype)),
            }
        }
    }
}
