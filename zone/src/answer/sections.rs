//! From the outcome of lookups to the sections of a response.
//!
//! A chain of CNAMEs and DNAMEs is followed inside the zone and stops at its border: following it into
//! another zone on the same server would let one tenant answer for another's names. The rcode is that of
//! the last lookup (RFC 6604 §3), AA that of the first owner (RFC 1034 §4.3.2, RFC 1035 §4.1.1).
//!
//! What does not fit is cut at the border of an RRset with TC set, but for additional records, which are
//! left out; the glue that a referral needs is not such (RFC 9471). The chain is followed to its end all the
//! same, for the rcode is that of the end.

use super::lookup::{Outcome, lookup};
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

/// Fills the sections for `query`, whose name is in the zone of `image`. Returns rcode and flags.
pub(crate) fn fill(
    writer: &mut Writer<'_>,
    image: &Image,
    apex_labels: usize,
    query: &Query,
) -> (u16, Flags) {
    let flags = Flags { authoritative: true, truncated: false };
    let mut response = Response { writer, image, apex_labels, rcode: NOERROR, flags };
    response.chain(query);
    (response.rcode, response.flags)
}

struct Response<'r, 'w, 'i> {
    writer: &'r mut Writer<'w>,
    image: &'i Image,
    apex_labels: usize,
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
        match lookup(self.image, self.apex_labels, name, qtype) {
            Outcome::Answer(rrset) => {
                self.writer.rrset(Section::Answer, owner, &rrset)?;
                self.targets_addresses(name, owner, &rrset);
                Ok(None)
            }
            Outcome::Soa => {
                self.soa(Section::Answer, owner, self.image.soa().ttl)?;
                Ok(None)
            }
            Outcome::Any { owner: node, is_apex } => {
                self.any(owner, node, is_apex)?;
                Ok(None)
            }
            Outcome::Alias(cname) => {
                self.writer.rrset(Section::Answer, owner, &cname)?;
                Ok(self.inside_zone(cname.values().next().and_then(QName::parse)))
            }
            Outcome::Dname { labels, dname } => self.dname(name, owner, qtype, labels, &dname, dnames),
            Outcome::Referral { labels, ns } => {
                self.flags.authoritative = !is_first;
                self.referral(name.suffix(labels), &ns)?;
                Ok(None)
            }
            Outcome::NoData => {
                self.negative()?;
                Ok(None)
            }
            Outcome::NameError => {
                self.rcode = NXDOMAIN;
                self.negative()?;
                Ok(None)
            }
        }
    }

    /// RFC 6672 §3.2: the DNAME, a CNAME made from it with the same TTL, and on to its target. A target
    /// that would be too long is YXDOMAIN.
    fn dname(
        &mut self,
        name: &QName,
        owner: Owner<'_>,
        qtype: Rtype,
        labels: usize,
        dname: &RRsetRef<'i>,
        dnames: &mut [Option<*const u8>],
    ) -> Result<Next, Full> {
        let this = Some(dname.records.as_ptr());
        if !dnames.contains(&this) {
            self.writer.rrset(Section::Answer, Owner::Name(name.suffix(labels)), dname)?;
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
        if is_apex {
            self.soa(Section::Answer, owner, self.image.soa().ttl)?;
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
        self.writer.record(section, owner, Rtype::SOA, ttl, self.image.soa_rdata())
    }

    /// The NS of the cut, and the addresses of those nameservers that this zone knows: in-domain glue is
    /// needed, so without room for it the response is truncated (RFC 9471 §3.1); sibling glue is not.
    fn referral(&mut self, cut: &[u8], ns: &RRsetRef<'i>) -> Result<(), Full> {
        self.writer.rrset(Section::Authority, Owner::Name(cut), ns)?;
        for in_domain in [true, false] {
            for target in ns.values().take(GREATEST_TARGETS) {
                let Some(target) = QName::parse(target) else { continue };
                if ends_with(&target, cut) != in_domain {
                    continue;
                }
                for rtype in [Rtype::A, Rtype::AAAA] {
                    let Some(glue) = self.glue(&target, rtype) else { continue };
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
    fn glue(&self, target: &QName, rtype: Rtype) -> Option<RRsetRef<'i>> {
        if !self.is_in_zone(target) {
            return None;
        }
        self.image.find(target.relative(self.apex_labels, target.labels()), target.hash())?.rrset(rtype)
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
                if let Some(found) = self.glue(target, rtype)
                    && self.writer.rrset(Section::Additional, owner, &found).is_err()
                {
                    return;
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
