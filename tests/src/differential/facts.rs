//! A difference, and what exemptions ask of it.

use super::round::Served;
use crate::generate::Asked;
use crate::normal::{Line, Normal};
use crate::peer::Program;
use port53_zone::{Rtype, name};

/// Two answers to one question that are not alike.
#[derive(Debug)]
pub struct Difference<'a> {
    /// Who differs from us.
    pub program: Program,
    /// All zones that are served.
    pub zones: &'a [Served],
    /// The one that was asked for.
    pub zone: &'a Served,
    /// The question.
    pub asked: &'a Asked,
    /// What we say.
    pub ours: &'a Normal,
    /// What they say.
    pub theirs: &'a Normal,
    /// The same, as it is when there is room.
    pub our_sections: &'a Normal,
    /// What they say, with the sections although TC is set.
    pub their_sections: &'a Normal,
}

/// A name in wire form and lower case.
pub(super) type Wire = Vec<u8>;

/// Octets beside names and values: the header and the end of a question; an OPT; what a record has.
const MESSAGE: usize = 12 + 4;
const OPT: usize = 11;
const RECORD: usize = 10;
/// The least that a message over UDP can be, and the most that each server is set to send.
const LEAST_UDP: u16 = 512;
const MOST_UDP: u16 = 1232;

impl Difference<'_> {
    /// The name that was asked for.
    pub(super) fn owner(&self) -> Wire {
        wire(&self.asked.owner)
    }

    /// The zone of ours that the name is in, by longest match.
    pub(super) fn nearest(&self, name: &[u8]) -> Option<Wire> {
        let apexes = self.zones.iter().map(|zone| wire(&zone.apex));
        apexes.filter(|apex| is_at_or_below(name, apex)).max_by_key(Vec::len)
    }

    /// The names that the CNAMEs of our answer lead through, from the one asked for to the last. A loop ends
    /// with the name that it comes back to.
    pub(super) fn chain(&self) -> Vec<Wire> {
        let mut chain = vec![self.owner()];
        loop {
            let at = &chain[chain.len() - 1];
            let alias = |line: &&Line| line.owner() == at && line.rtype() == Rtype::CNAME.to_int();
            let Some(next) = self.our_sections.answer.iter().find(alias).map(|line| line.value().to_vec())
            else {
                return chain;
            };
            let is_loop = chain.contains(&next);
            chain.push(next);
            if is_loop {
                return chain;
            }
        }
    }

    /// Whether our chain comes back to where it was.
    pub(super) fn is_loop(&self) -> bool {
        let chain = self.chain();
        chain.split_last().is_some_and(|(last, before)| before.contains(last))
    }

    /// Whether our chain leads into another zone that is served. That is also the zone above one of which the DS is
    /// asked for (RFC 4035 §3.1.4.1).
    pub(super) fn leads_to_other_zone(&self) -> bool {
        let here = self.nearest(&self.owner());
        let chain = self.chain();
        let leads_up = self.asked.rtype == "DS" && chain[1..].iter().any(|name| here.as_ref() == Some(name));
        leads_up || chain.iter().any(|name| self.nearest(name).is_some_and(|apex| Some(apex) != here))
    }

    /// Whether a DNAME of our answer leads below itself, so that each step is longer than the last.
    pub(super) fn grows(&self) -> bool {
        let mut dnames = self.our_sections.answer.iter().filter(|line| line.rtype() == Rtype::DNAME.to_int());
        dnames.any(|dname| is_at_or_below(dname.value(), dname.owner()))
    }

    /// How many steps of our chain go through one DNAME, the one that most do.
    pub(super) fn steps_through_one_dname(&self) -> usize {
        let chain = self.chain();
        let through = |dname: &Line| {
            let is_below =
                |name: &&Wire| name.as_slice() != dname.owner() && is_at_or_below(name, dname.owner());
            chain.iter().filter(is_below).count()
        };
        let dnames = self.our_sections.answer.iter().filter(|line| line.rtype() == Rtype::DNAME.to_int());
        dnames.map(through).max().unwrap_or(0)
    }

    /// Whether all but the addresses of nameservers is alike.
    pub(super) fn is_of_glue_alone(&self) -> bool {
        let (ours, theirs) = (self.ours, self.theirs);
        ours.rcode == theirs.rcode
            && ours.authoritative == theirs.authoritative
            && ours.truncated == theirs.truncated
            && ours.answer == theirs.answer
            && ours.authority == theirs.authority
    }

    /// Whether the address `line` is of a nameserver inside of the zone that our answer refers to.
    pub(super) fn is_in_domain(&self, line: &Line) -> bool {
        self.referral().any(|ns| is_at_or_below(line.owner(), ns.owner()))
    }

    /// The NS of the cut that our answer refers to.
    pub(super) fn referral(&self) -> impl Iterator<Item = &Line> {
        self.our_sections.authority.iter().filter(|line| line.rtype() == Rtype::NS.to_int())
    }

    /// Whether an ancestor of `name` has a wildcard.
    pub(super) fn zone_has_wildcard_above(&self, name: &[u8]) -> bool {
        let mut above = name;
        while let Some(&length) = above.first()
            && length > 0
        {
            above = &above[1 + usize::from(length)..];
            if self.zone.owners.contains(&[b"\x01*", above].concat()) {
                return true;
            }
        }
        false
    }

    /// Whether a label of the zone holds the octet 0 or 1.
    pub(super) fn zone_has_low_octets(&self) -> bool {
        self.zone.owners.iter().any(|owner| labels(owner).flatten().any(|octet| *octet < 2))
    }

    /// What a message may be long; `None` over TCP.
    pub(super) fn limit(&self) -> Option<usize> {
        let limit = self.asked.payload.unwrap_or(LEAST_UDP).clamp(LEAST_UDP, MOST_UDP);
        (!self.asked.is_tcp).then_some(usize::from(limit))
    }

    /// Octets of an answer without compression. What is no glue in the additional section does not count.
    pub(super) fn uncompressed(&self, sections: &Normal) -> usize {
        let lines = [&sections.answer, &sections.authority, &sections.glue].into_iter().flatten();
        let records: usize = lines.map(|line| line.owner().len() + RECORD + line.value().len()).sum();
        MESSAGE + self.owner().len() + if self.asked.payload.is_some() { OPT } else { 0 } + records
    }

    /// Whether ours has no room for all of its sections without compression.
    pub(super) fn is_large_uncompressed(&self) -> bool {
        self.limit().is_some_and(|limit| self.uncompressed(self.our_sections) > limit)
    }

    /// Whether theirs is truncated and ours is not, and both begin alike.
    pub(super) fn is_truncated_alone(&self) -> bool {
        self.theirs.truncated
            && !self.ours.truncated
            && self.theirs.rcode == self.ours.rcode
            && self.theirs.authoritative == self.ours.authoritative
    }

    /// Whether ours has an address of a nameserver.
    pub(super) fn ours_has_address_of(&self, ns: &Line) -> bool {
        self.our_sections.glue.iter().any(|line| line.owner() == ns.value())
    }
}

pub(super) fn wire(text: &str) -> Wire {
    let name = name::parse_absolute(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    name.as_slice().to_ascii_lowercase()
}

/// The labels of a name, without the root's.
fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first()?;
        let (label, others) = after.split_at(usize::from(length));
        rest = others;
        (length > 0).then_some(label)
    })
}

/// Whether `name` is `ancestor` or below it, on the border of a label.
pub(super) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = name;
    loop {
        if rest == ancestor {
            return true;
        }
        match rest.first() {
            None | Some(0) => return false,
            Some(&length) => rest = &rest[1 + usize::from(length)..],
        }
    }
}
