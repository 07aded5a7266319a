//! From the outcome of lookups to the sections of a response.
//!
//! A chain of CNAMEs and DNAMEs is followed inside the zone and stops at its border: following it into
//! another zone on the same server would let one tenant answer for another's names. The rcode is that of
//! the last lookup (RFC 6604 §3), AA that of the first owner (RFC 1034 §4.3.2, RFC 1035 §4.1.1).
//!
//! What does not fit is cut at the border of an RRset with TC set, but for additional records, which are
//! left out; the glue that a referral needs is not such (RFC 9471). The chain is followed to its end all the
//! same, for the rcode is that of the end.

use super::lookup::{Found, Node, Outcome, lookup};
use super::proofs::{self, Prover};
use super::qname::{GREATEST_NAME, QName, is_at_or_below, join};
use super::query::Query;
use super::writer::{Flags, Full, Owner, Section, Writer};
use super::{NOERROR, NXDOMAIN, YXDOMAIN};
use crate::caseless;
use crate::content::{OwnerRef, RRsetRef};
use crate::image::Image;
use crate::rrset::wire_name_len;
use domain::base::iana::Rtype;

/// Lookups for one question. Longer chains end with what was found; BIND stops after as many.
const GREATEST_CHAIN: usize = 16;
/// Targets whose addresses are added to one response.
const GREATEST_TARGETS: usize = 128;

/// Fills the sections for `query`, whose name is in the zone of `image`. Returns rcode and flags. With
/// `minimal_any`, ANY gets one RRset of those there (RFC 8482 §4.1).
pub(crate) fn fill(
    writer: &mut Writer<'_>,
    image: &Image,
    apex_labels: usize,
    query: &Query<'_>,
    minimal_any: bool,
) -> (u16, Flags) {
    let flags = Flags { authoritative: true, ..Flags::default() };
    let wants_proofs = query.edns.is_some_and(|edns| edns.dnssec_ok);
    let prover = if wants_proofs { Prover::new(image, apex_labels) } else { None };
    let mut response = Response { writer, image, apex_labels, prover, minimal_any, rcode: NOERROR, flags };
    response.follow(&query.name, Owner::Question, query.qtype, &mut Chain::default());
    if response.proofs().is_err() {
        response.flags.truncated = true;
    }
    (response.rcode, response.flags)
}

struct Response<'r, 'w, 'i> {
    writer: &'r mut Writer<'w>,
    image: &'i Image,
    apex_labels: usize,
    /// Where the zone is signed, and who asks wants to see it.
    prover: Option<Prover<'i>>,
    minimal_any: bool,
    /// Of the last lookup, whether what was found on the way fits or not.
    rcode: u16,
    flags: Flags,
}

/// What was looked up for one question so far.
#[derive(Default)]
struct Chain {
    lookups: usize,
    /// Hashes of the names.
    names: [u64; GREATEST_CHAIN],
    /// Those DNAMEs that are in the answer: where their records are.
    dnames: [Option<*const u8>; GREATEST_CHAIN],
}

impl Chain {
    /// Whether a name is to be looked up: the first time, and if it is not too much.
    fn admits(&mut self, name: &QName<'_>) -> bool {
        if self.lookups == GREATEST_CHAIN || self.names[..self.lookups].contains(&name.hash()) {
            return false;
        }
        self.names[self.lookups] = name.hash();
        self.lookups += 1;
        true
    }

    fn is_first(&self) -> bool {
        self.lookups == 1
    }

    /// Whether the DNAME of an owner is in the answer.
    fn has_dname_of(&self, owner: OwnerRef<'_>) -> bool {
        owner.rrset(Rtype::DNAME).is_some_and(|dname| self.dnames.contains(&Some(dname.records.as_ptr())))
    }

    /// Whether a DNAME is met for the first time.
    fn admits_dname(&mut self, dname: &RRsetRef<'_>) -> bool {
        let this = Some(dname.records.as_ptr());
        let before = &mut self.dnames[..self.lookups];
        if before.contains(&this) {
            return false;
        }
        if let Some(place) = before.last_mut() {
            *place = this;
        }
        true
    }
}

impl<'i> Response<'_, '_, 'i> {
    /// Looks a name up, puts what is found into the response, and goes on to where that leads inside the zone.
    fn follow(&mut self, name: &QName<'_>, owner: Owner<'_>, qtype: Rtype, chain: &mut Chain) {
        if !chain.admits(name) {
            return;
        }
        let found = lookup(self.image, self.apex_labels, name, qtype);
        if chain.is_first() {
            self.flags.synthesised =
                matches!(found.node, Node::Wildcard { .. }) || matches!(found.outcome, Outcome::Dname { .. });
        }
        if let Err(Full) = self.found(name, owner, &found, chain) {
            self.flags.truncated = true;
            self.writer.close();
            // Nothing is written any more, so nothing is full: the rcode is that of the end.
            let _ = self.found(name, owner, &found, chain);
        }
        match &found.outcome {
            Outcome::Alias(cname) => {
                let target = cname.values().next().and_then(QName::parse);
                self.follow_target(target, qtype, chain);
            }
            Outcome::Dname { labels, dname } if qtype != Rtype::CNAME && qtype != Rtype::ANY => {
                let mut buffer = [0; GREATEST_NAME];
                let target = redirected(name, *labels, dname, &mut buffer).and_then(QName::parse);
                self.follow_target(target, qtype, chain);
            }
            _ => {}
        }
    }

    fn follow_target(&mut self, target: Option<QName<'_>>, qtype: Rtype, chain: &mut Chain) {
        if let Some(target) = target.filter(|target| self.is_in_zone(target)) {
            self.follow(&target, Owner::Name(target.wire()), qtype, chain);
        }
    }

    /// Puts what one lookup found into the response.
    fn found(
        &mut self,
        name: &QName<'_>,
        owner: Owner<'_>,
        found: &Found<'i>,
        chain: &mut Chain,
    ) -> Result<(), Full> {
        let node = &found.node;
        match &found.outcome {
            Outcome::Answer(rrset) => {
                match (node, rrset.rtype) {
                    // A DNAME that a chain leads back to is there already,
                    (Node::Owner(_), Rtype::DNAME) if !chain.admits_dname(rrset) => {}
                    // and so are its signatures.
                    (Node::Owner(at), Rtype::RRSIG) if self.prover.is_some() && chain.has_dname_of(*at) => {
                        let others = rrset.values().filter(|value| !proofs::covers(value, Rtype::DNAME));
                        self.writer.records(Section::Answer, owner, Rtype::RRSIG, rrset.ttl(), others)?;
                    }
                    _ => self.answer(name, owner, node, rrset)?,
                }
                self.proofs()?;
                self.targets_addresses(name, owner, rrset);
            }
            Outcome::Soa => self.soa(Section::Answer, owner, self.image.soa().ttl)?,
            Outcome::Any { owner: there, is_apex } => self.any(owner, *there, *is_apex)?,
            Outcome::Alias(cname) => self.answer(name, owner, node, cname)?,
            Outcome::Dname { labels, dname } => {
                if chain.admits_dname(dname) {
                    self.answer(name, Owner::Name(name.suffix(*labels)), node, dname)?;
                }
                self.alias_by_dname(name, owner, *labels, dname)?;
            }
            Outcome::Referral { labels, ns } => {
                self.flags.authoritative = !chain.is_first();
                self.referral(name, *labels, node, ns)?;
            }
            Outcome::NoData => {
                self.negative()?;
                if let Some(prover) = &mut self.prover {
                    prover.no_data(name, node);
                }
            }
            Outcome::NameError => {
                self.rcode = NXDOMAIN;
                self.negative()?;
                if let (Some(prover), Node::Missing { encloser }) = (&mut self.prover, node) {
                    prover.name_error(name, *encloser);
                }
            }
        }
        Ok(())
    }

    /// The proofs that were gathered. They follow the whole answer and come before anything additional.
    fn proofs(&mut self) -> Result<(), Full> {
        self.prover.as_mut().map_or(Ok(()), |prover| prover.write(self.writer))
    }

    /// An RRset of the answer, with what proves it where that is wanted.
    fn answer(
        &mut self,
        name: &QName<'_>,
        owner: Owner<'_>,
        node: &Node<'i>,
        rrset: &RRsetRef<'i>,
    ) -> Result<(), Full> {
        let Some(prover) = &mut self.prover else { return self.writer.rrset(Section::Answer, owner, rrset) };
        match node {
            Node::Owner(at) => proofs::signed(self.writer, Section::Answer, owner, *at, rrset),
            Node::Wildcard { encloser, owner: Some(at) } => {
                prover.wildcard(name, *encloser);
                proofs::signed(self.writer, Section::Answer, owner, *at, rrset)
            }
            _ => self.writer.rrset(Section::Answer, owner, rrset),
        }
    }

    /// RFC 6672 §3.2: with a DNAME comes a CNAME made from it, with the same TTL. A target that would be too long is
    /// YXDOMAIN.
    fn alias_by_dname(
        &mut self,
        name: &QName<'_>,
        owner: Owner<'_>,
        labels: usize,
        dname: &RRsetRef<'i>,
    ) -> Result<(), Full> {
        let mut buffer = [0; GREATEST_NAME];
        match redirected(name, labels, dname, &mut buffer) {
            Some(target) => self.writer.record(Section::Answer, owner, Rtype::CNAME, dname.ttl(), target),
            None => {
                self.rcode = YXDOMAIN;
                Ok(())
            }
        }
    }

    fn is_in_zone(&self, name: &QName<'_>) -> bool {
        name.labels() >= self.apex_labels
            && caseless::eq(name.suffix(self.apex_labels), self.image.apex().as_slice())
    }

    fn any(&mut self, owner: Owner<'_>, node: Option<OwnerRef<'i>>, is_apex: bool) -> Result<(), Full> {
        if self.minimal_any {
            let first = node.and_then(|node| Some((node, node.rrsets().next()?)));
            return match first {
                _ if is_apex => self.soa(Section::Answer, owner, self.image.soa().ttl),
                Some((node, rrset)) if self.prover.is_some() => {
                    proofs::signed(self.writer, Section::Answer, owner, node, &rrset)
                }
                Some((_, rrset)) => self.writer.rrset(Section::Answer, owner, &rrset),
                None => Ok(()),
            };
        }
        if is_apex {
            // Its signatures are among those of the apex.
            let (ttl, value) = (self.image.soa().ttl, self.image.soa_rdata());
            self.writer.record(Section::Answer, owner, Rtype::SOA, ttl, value)?;
        }
        node.into_iter()
            .flat_map(|node| node.rrsets())
            .try_for_each(|rrset| self.writer.rrset(Section::Answer, owner, &rrset))
    }

    /// RFC 2308 §3: the SOA with the TTL of negative answers.
    fn negative(&mut self) -> Result<(), Full> {
        self.soa(
            Section::Authority,
            Owner::Name(self.image.apex().as_slice()),
            self.image.soa().negative_ttl(),
        )
    }

    fn soa(&mut self, section: Section, owner: Owner<'_>, ttl: u32) -> Result<(), Full> {
        self.writer.record(section, owner, Rtype::SOA, ttl, self.image.soa_rdata())?;
        if self.prover.is_none() {
            return Ok(());
        }
        proofs::signatures(self.writer, section, owner, self.image.find_relative(&[]), Rtype::SOA, ttl)
    }

    /// The NS of the cut, and the addresses of those nameservers that this zone knows: in-domain glue is
    /// needed, so without room for it the response is truncated (RFC 9471 §3.1); sibling glue is not.
    fn referral(
        &mut self,
        name: &QName<'_>,
        labels: usize,
        node: &Node<'i>,
        ns: &RRsetRef<'i>,
    ) -> Result<(), Full> {
        let cut = name.suffix(labels);
        self.writer.rrset(Section::Authority, Owner::Name(cut), ns)?;
        if let (Some(prover), Node::Owner(owner)) = (&mut self.prover, node) {
            prover.delegation(name, labels, *owner);
        }
        self.proofs()?;
        for in_domain in [true, false] {
            for target in ns.values().take(GREATEST_TARGETS) {
                if is_at_or_below(target, cut) != in_domain {
                    continue;
                }
                let Some(target) = QName::parse(target) else { continue };
                let Some(glue) = self.glue(&target) else { continue };
                let owner = self.writer.owner(target.wire());
                for rrset in [Rtype::A, Rtype::AAAA].into_iter().filter_map(|rtype| glue.rrset(rtype)) {
                    let result = self.writer.rrset(Section::Additional, owner, &rrset);
                    if in_domain {
                        result?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Where the addresses of a name stand, which may be at or below a delegation.
    fn glue(&self, target: &QName<'_>) -> Option<OwnerRef<'i>> {
        if !self.is_in_zone(target) {
            return None;
        }
        self.image.find(target.relative(self.apex_labels, target.labels()), target.hash())
    }

    /// Addresses of the targets of NS, MX, SRV, SVCB and HTTPS that this zone is authoritative for or holds as
    /// glue, as far as there is room (RFC 1035 §3.3, RFC 2782; RFC 9460 §4.1 adds what the target has of the
    /// type itself). Each target once. `name` is the owner, which SVCB may call ".".
    fn targets_addresses(&mut self, name: &QName<'_>, owner: Owner<'_>, rrset: &RRsetRef<'i>) {
        let Some(offset) = target_offset(rrset.rtype) else { return };
        let is_service = matches!(rrset.rtype, Rtype::SVCB | Rtype::HTTPS);
        let target_of = |value: &'i [u8]| -> Option<&'i [u8]> {
            let name = value.get(offset..)?;
            name.get(..wire_name_len(name)?)
        };
        for (i, value) in rrset.values().take(GREATEST_TARGETS).enumerate() {
            let Some(wire) = target_of(value) else { continue };
            let before = rrset.values().take(i).filter_map(target_of);
            if before.into_iter().any(|earlier| earlier.eq_ignore_ascii_case(wire)) {
                continue;
            }
            let is_owner = is_service && wire == [0];
            let types =
                [Some(Rtype::A), Some(Rtype::AAAA), Some(rrset.rtype).filter(|_| is_service && !is_owner)];
            let target;
            let (target, owner) = if is_owner {
                (name, owner)
            } else {
                let Some(parsed) = QName::parse(wire) else { continue };
                target = parsed;
                (&target, self.writer.owner(target.wire()))
            };
            let Some(at) = self.glue(target) else { continue };
            for rtype in types.into_iter().flatten() {
                let Some(found) = at.rrset(rtype) else { continue };
                if self.writer.rrset(Section::Additional, owner, &found).is_err() {
                    return;
                }
                if self.prover.is_some() {
                    // Left out where there is no room, and nobody is told to ask again (RFC 4035 §3.1.1).
                    let (section, ttl) = (Section::Additional, found.ttl());
                    let _ = proofs::signatures(self.writer, section, owner, Some(at), rtype, ttl);
                }
            }
        }
    }
}

/// Where the target stands in a value of the types whose targets' addresses are added.
fn target_offset(rtype: Rtype) -> Option<usize> {
    match rtype {
        Rtype::NS => Some(0),
        Rtype::MX | Rtype::SVCB | Rtype::HTTPS => Some(2),
        Rtype::SRV => Some(6),
        _ => None,
    }
}

/// Where a DNAME at the ancestor with so many labels leads a name. `None` when that would be too long.
fn redirected<'b>(
    name: &QName<'_>,
    labels: usize,
    dname: &RRsetRef<'_>,
    buffer: &'b mut [u8; GREATEST_NAME],
) -> Option<&'b [u8]> {
    let target = dname.values().next()?;
    join(name.prefix(labels), target.get(..wire_name_len(target)?)?, buffer)
}
