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
use super::qname::QName;
use super::query::Query;
use super::writer::{Flags, Full, Owner, Section, Writer};
use super::{NOERROR, NXDOMAIN, YXDOMAIN};
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
    query: &Query,
    minimal_any: bool,
) -> (u16, Flags) {
    let flags = Flags { authoritative: true, ..Flags::default() };
    let wants_proofs = query.edns.is_some_and(|edns| edns.dnssec_ok);
    let prover = if wants_proofs { Prover::new(image, apex_labels) } else { None };
    let mut response = Response { writer, image, apex_labels, prover, minimal_any, rcode: NOERROR, flags };
    response.chain(query);
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

/// Where a step of a chain goes on in this zone; `None` at its end.
type Next = Option<QName>;

impl<'i> Response<'_, '_, 'i> {
    fn chain(&mut self, query: &Query) {
        let mut visited = [0u64; GREATEST_CHAIN];
        let mut target: Option<QName> = None;
        let mut dnames: [Option<*const u8>; GREATEST_CHAIN] = [None; GREATEST_CHAIN];
        for step in 0..GREATEST_CHAIN {
            let (name, owner) = match &target {
                None => (&query.name, Owner::Question),
                Some(name) => (name, Owner::Name(name.wire())),
            };
            if visited[..step].contains(&name.hash()) {
                return;
            }
            visited[step] = name.hash();
            let found = self.step(name, owner, query.qtype, step == 0, &mut dnames[..=step]);
            target = found
                .or_else(|Full| {
                    self.flags.truncated = true;
                    self.writer.close();
                    self.step(name, owner, query.qtype, step == 0, &mut dnames[..=step])
                })
                .unwrap_or(None);
            if target.is_none() {
                return;
            }
        }
    }

    /// One lookup and what it puts into the response. The last of `dnames` is this step's place; the
    /// others say which DNAMEs are in the answer already.
    fn step(
        &mut self,
        name: &QName,
        owner: Owner<'_>,
        qtype: Rtype,
        is_first: bool,
        dnames: &mut [Option<*const u8>],
    ) -> Result<Next, Full> {
        let Found { outcome, node } = lookup(self.image, self.apex_labels, name, qtype);
        if is_first {
            self.flags.synthesised =
                matches!(node, Node::Wildcard { .. }) || matches!(outcome, Outcome::Dname { .. });
        }
        match outcome {
            Outcome::Answer(rrset) => {
                self.answer(name, owner, &node, &rrset)?;
                self.proofs()?;
                self.targets_addresses(name, owner, &rrset);
                Ok(None)
            }
            Outcome::Soa => {
                self.soa(Section::Answer, owner, self.image.soa().ttl)?;
                Ok(None)
            }
            Outcome::Any { owner: there, is_apex } => {
                self.any(owner, there, is_apex)?;
                Ok(None)
            }
            Outcome::Alias(cname) => {
                self.answer(name, owner, &node, &cname)?;
                Ok(self.inside_zone(cname.values().next().and_then(QName::parse)))
            }
            Outcome::Dname { labels, dname } => {
                self.dname(name, owner, qtype, (labels, &node), &dname, dnames)
            }
            Outcome::Referral { labels, ns } => {
                self.flags.authoritative = !is_first;
                self.referral(name, labels, &node, &ns)?;
                Ok(None)
            }
            Outcome::NoData => {
                self.negative()?;
                if let Some(prover) = &mut self.prover {
                    prover.no_data(name, &node);
                }
                Ok(None)
            }
            Outcome::NameError => {
                self.rcode = NXDOMAIN;
                self.negative()?;
                if let (Some(prover), Node::Missing { encloser }) = (&mut self.prover, &node) {
                    prover.name_error(name, *encloser);
                }
                Ok(None)
            }
        }
    }

    /// The proofs that were gathered. They follow the whole answer and come before anything additional.
    fn proofs(&mut self) -> Result<(), Full> {
        self.prover.as_mut().map_or(Ok(()), |prover| prover.write(self.writer))
    }

    /// An RRset of the answer, with what proves it where that is wanted.
    fn answer(
        &mut self,
        name: &QName,
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

    /// RFC 6672 §3.2: the DNAME, a CNAME made from it with the same TTL, and on to its target. A target
    /// that would be too long is YXDOMAIN.
    fn dname(
        &mut self,
        name: &QName,
        owner: Owner<'_>,
        qtype: Rtype,
        (labels, node): (usize, &Node<'i>),
        dname: &RRsetRef<'i>,
        dnames: &mut [Option<*const u8>],
    ) -> Result<Next, Full> {
        let this = Some(dname.records.as_ptr());
        if !dnames.contains(&this) {
            self.answer(name, Owner::Name(name.suffix(labels)), node, dname)?;
        }
        if let Some(place) = dnames.last_mut() {
            *place = this;
        }
        let Some(value) = dname.values().next() else { return Ok(None) };
        let Some(target) = QName::concat(name.prefix(labels), value) else {
            self.rcode = YXDOMAIN;
            return Ok(None);
        };
        self.writer.record(Section::Answer, owner, Rtype::CNAME, dname.ttl(), target.wire())?;
        if qtype == Rtype::CNAME || qtype == Rtype::ANY {
            return Ok(None);
        }
        Ok(self.inside_zone(Some(target)))
    }

    /// On to `target` if it is in this zone.
    fn inside_zone(&self, target: Option<QName>) -> Next {
        target.filter(|target| self.is_in_zone(target))
    }

    fn is_in_zone(&self, name: &QName) -> bool {
        name.labels() >= self.apex_labels
            && name.suffix(self.apex_labels).eq_ignore_ascii_case(self.image.apex().as_slice())
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
        name: &QName,
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
                let Some(target) = QName::parse(target) else { continue };
                if ends_with(&target, cut) != in_domain {
                    continue;
                }
                for rtype in [Rtype::A, Rtype::AAAA] {
                    let Some((_, glue)) = self.glue(&target, rtype) else { continue };
                    let result = self.writer.rrset(Section::Additional, Owner::Name(target.wire()), &glue);
                    if in_domain {
                        result?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The addresses of a name at or below a delegation, as they stand in the zone.
    fn glue(&self, target: &QName, rtype: Rtype) -> Option<(OwnerRef<'i>, RRsetRef<'i>)> {
        if !self.is_in_zone(target) {
            return None;
        }
        let owner = self.image.find(target.relative(self.apex_labels, target.labels()), target.hash())?;
        Some((owner, owner.rrset(rtype)?))
    }

    /// Addresses of the targets of NS, MX, SRV, SVCB and HTTPS that this zone is authoritative for or holds as
    /// glue, as far as there is room (RFC 1035 §3.3, RFC 2782; RFC 9460 §4.1 adds what the target has of the
    /// type itself). Each target once. `name` is the owner, which SVCB may call ".".
    fn targets_addresses(&mut self, name: &QName, owner: Owner<'_>, rrset: &RRsetRef<'i>) {
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
                (&target, Owner::Name(target.wire()))
            };
            for rtype in types.into_iter().flatten() {
                let Some((at, found)) = self.glue(target, rtype) else { continue };
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

fn ends_with(name: &QName, ancestor: &[u8]) -> bool {
    let wire = name.wire();
    wire.len().checked_sub(ancestor.len()).is_some_and(|offset| {
        (offset == 0 || ancestor.len() == 1 || name.is_label_start(offset))
            && wire[offset..].eq_ignore_ascii_case(ancestor)
    })
}
