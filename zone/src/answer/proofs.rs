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

/// NSEC or NSEC3 in one response: a closest encloser, the next closer name, a wildcard.
const GREATEST: usize = 8;

/// The proofs of one response.
pub(crate) struct Prover<'i> {
    image: &'i Image,
    apex_labels: usize,
    /// What is in the response already, by the place of its records.
    written: [Option<*const u8>; GREATEST],
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
    let covers = |value: &&[u8]| value.starts_with(&covered.to_int().to_be_bytes());
    writer.records(section, owner, Rtype::RRSIG, ttl, all.values().filter(covers))
}

impl<'i> Prover<'i> {
    /// One for a zone that is signed and whose proofs were asked for.
    pub(crate) fn new(image: &'i Image, apex_labels: usize) -> Option<Self> {
        let is_signed = !matches!(image.proofs(), Proofs::None);
        is_signed.then_some(Prover { image, apex_labels, written: [None; GREATEST] })
    }

    /// That what was answered from a wildcard has no name of its own (RFC 4035 §3.1.3.3, RFC 5155 §7.2.6).
    pub(crate) fn wildcard(
        &mut self,
        writer: &mut Writer<'_>,
        name: &QName,
        encloser: usize,
    ) -> Result<(), Full> {
        match self.image.proofs() {
            Proofs::None => Ok(()),
            Proofs::Nsec => self.nsec_before(writer, self.relative(name)),
            Proofs::Nsec3(chain) => self.nsec3_covering(writer, chain, name.suffix(encloser + 1)),
        }
    }

    /// That a name has no data of a type (RFC 4035 §3.1.3.1 and §3.1.3.4, RFC 5155 §7.2.3 to §7.2.5).
    pub(crate) fn no_data(
        &mut self,
        writer: &mut Writer<'_>,
        name: &QName,
        node: &Node<'i>,
    ) -> Result<(), Full> {
        let mut buffer = [0; GREATEST_RELATIVE];
        match (self.image.proofs(), node) {
            (Proofs::None, _) | (_, Node::Missing { .. }) => Ok(()),
            (Proofs::Nsec, Node::Owner(owner)) => self.proof(writer, *owner, Rtype::NSEC),
            (Proofs::Nsec, Node::EmptyNonTerminal) => self.nsec_before(writer, self.relative(name)),
            (Proofs::Nsec, Node::Wildcard { encloser, owner }) => {
                match owner {
                    Some(owner) => self.proof(writer, *owner, Rtype::NSEC)?,
                    None => {
                        let encloser = name.relative(self.apex_labels, *encloser);
                        self.nsec_before(writer, wildcard_below(&mut buffer, encloser))?;
                    }
                }
                self.nsec_before(writer, self.relative(name))
            }
            (Proofs::Nsec3(chain), Node::Owner(_) | Node::EmptyNonTerminal) => {
                self.nsec3_of(writer, chain, name, name.labels())
            }
            (Proofs::Nsec3(chain), Node::Wildcard { encloser, .. }) => {
                self.closest_encloser(writer, chain, name, *encloser)?;
                let wildcard = wildcard_below(&mut buffer, name.suffix(*encloser));
                self.nsec3(writer, &chain.hash(wildcard))
            }
        }
    }

    /// That a name does not exist, nor a wildcard for it (RFC 4035 §3.1.3.2, RFC 5155 §7.2.2).
    pub(crate) fn name_error(
        &mut self,
        writer: &mut Writer<'_>,
        name: &QName,
        encloser: usize,
    ) -> Result<(), Full> {
        let mut buffer = [0; GREATEST_RELATIVE];
        match self.image.proofs() {
            Proofs::None => Ok(()),
            Proofs::Nsec => {
                self.nsec_before(writer, self.relative(name))?;
                let encloser = name.relative(self.apex_labels, encloser);
                self.nsec_before(writer, wildcard_below(&mut buffer, encloser))
            }
            Proofs::Nsec3(chain) => {
                let encloser = self.closest_encloser(writer, chain, name, encloser)?;
                let wildcard = wildcard_below(&mut buffer, name.suffix(encloser));
                self.nsec3_covering(writer, chain, wildcard)
            }
        }
    }

    /// The DS of a delegation, or that it has none (RFC 4035 §3.1.4, RFC 5155 §7.2.7).
    pub(crate) fn delegation(
        &mut self,
        writer: &mut Writer<'_>,
        name: &QName,
        labels: usize,
        cut: OwnerRef<'i>,
    ) -> Result<(), Full> {
        if let Some(ds) = cut.rrset(Rtype::DS) {
            return signed(writer, Section::Authority, Owner::Name(name.suffix(labels)), cut, &ds);
        }
        match self.image.proofs() {
            Proofs::None => Ok(()),
            Proofs::Nsec => self.proof(writer, cut, Rtype::NSEC),
            Proofs::Nsec3(chain) => self.nsec3_of(writer, chain, name, labels),
        }
    }

    fn relative<'n>(&self, name: &'n QName) -> &'n [u8] {
        name.relative(self.apex_labels, name.labels())
    }

    /// The NSEC of the last name at or before this one that has any.
    fn nsec_before(&mut self, writer: &mut Writer<'_>, relative: &[u8]) -> Result<(), Full> {
        let mut key = crate::name::KeyBuffer::new();
        let (before, _) = self.image.content().neighbours(key.write(relative));
        let Some(before) = before else { return Ok(()) };
        // What is occluded has none, and neither has anything between it and the delegation or DNAME above it.
        let mut above = before.name();
        loop {
            if let Some(owner) = self.image.find_relative(above)
                && owner.rrset(Rtype::NSEC).is_some()
            {
                return self.proof(writer, owner, Rtype::NSEC);
            }
            let Some(&length) = above.first() else { return Ok(()) };
            above = &above[1 + usize::from(length)..];
        }
    }

    /// The NSEC3 of the ancestor of a name with so many labels; where opt-out left it away, that of the closest
    /// encloser that has one (RFC 5155 §7.2.1, §7.2.4).
    fn nsec3_of(
        &mut self,
        writer: &mut Writer<'_>,
        chain: &Nsec3,
        name: &QName,
        labels: usize,
    ) -> Result<(), Full> {
        let hash = chain.hash(name.suffix(labels));
        match chain.has(&hash) || labels == self.apex_labels {
            true => self.nsec3(writer, &hash),
            false => self.closest_encloser(writer, chain, name, labels - 1).map(drop),
        }
    }

    /// The closest encloser that has an NSEC3, at most with so many labels, and that the next closer name has none.
    /// Returns how many labels it has.
    fn closest_encloser(
        &mut self,
        writer: &mut Writer<'_>,
        chain: &Nsec3,
        name: &QName,
        labels: usize,
    ) -> Result<usize, Full> {
        for labels in (self.apex_labels..=labels).rev() {
            let hash = chain.hash(name.suffix(labels));
            if chain.has(&hash) {
                self.nsec3(writer, &hash)?;
                self.nsec3_covering(writer, chain, name.suffix(labels + 1))?;
                return Ok(labels);
            }
        }
        Ok(self.apex_labels)
    }

    fn nsec3_covering(
        &mut self,
        writer: &mut Writer<'_>,
        chain: &Nsec3,
        absolute: &[u8],
    ) -> Result<(), Full> {
        self.nsec3(writer, &chain.before(&chain.hash(absolute)))
    }

    fn nsec3(&mut self, writer: &mut Writer<'_>, hash: &[u8; 20]) -> Result<(), Full> {
        match self.image.find_relative(&nsec3_owner(hash)) {
            Some(owner) => self.proof(writer, owner, Rtype::NSEC3),
            None => Ok(()),
        }
    }

    /// Writes an NSEC or NSEC3 with its signatures, once.
    fn proof(&mut self, writer: &mut Writer<'_>, owner: OwnerRef<'i>, rtype: Rtype) -> Result<(), Full> {
        let Some(rrset) = owner.rrset(rtype) else { return Ok(()) };
        let this = Some(rrset.records.as_ptr());
        if self.written.contains(&this) {
            return Ok(());
        }
        if let Some(place) = self.written.iter_mut().find(|place| place.is_none()) {
            *place = this;
        }
        let (relative, apex) = (owner.name(), self.image.apex().as_slice());
        let mut name = [0; 255];
        let name = &mut name[..relative.len() + apex.len()];
        name[..relative.len()].copy_from_slice(relative);
        name[relative.len()..].copy_from_slice(apex);
        signed(writer, Section::Authority, Owner::Name(name), owner, &rrset)
    }
}
