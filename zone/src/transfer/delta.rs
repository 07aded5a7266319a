//! What made one version of a zone into the next.
//!
//! The records stand in the order of RFC 1995 §4, with uncompressed names in one run of octets, so that the
//! journal of a zone has exactly the size that it says:
//!
//! ```text
//! old SOA, records that are gone, new SOA, records that are new
//! record: u8 length | labels relative to the apex | u16 type | u32 TTL | u16 length | value
//! ```

use super::Entry;
use crate::content::{Difference, each_difference};
use crate::image::Image;
use crate::rrset::RRset;
use domain::base::iana::Rtype;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delta {
    from: u32,
    to: u32,
    octets: Box<[u8]>,
}

impl Delta {
    /// What makes `before` into `after`, which are versions of one zone. `None` when it takes more than `most`
    /// octets.
    pub fn between(before: &Image, after: &Image, most: usize) -> Option<Self> {
        let (mut gone, mut new) = (Records::from(before), Records::from(after));
        let taken = each_difference(before.content(), after.content(), |difference| {
            let (old, now) = match &difference {
                Difference::Added(now) => (None, Some(now)),
                Difference::Removed(old) => (Some(old), None),
                Difference::Changed { before, after } => (Some(before), Some(after)),
            };
            gone.push_what_is_not_in(old, now);
            new.push_what_is_not_in(now, old);
            match gone.octets.len() + new.octets.len() > most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if taken.is_break() {
            return None;
        }
        let octets = [gone.octets, new.octets].concat();
        let (from, to) = (before.soa().serial, after.soa().serial);
        (octets.len() <= most).then(|| Delta { from, to, octets: octets.into() })
    }

    /// The serial of the version before.
    pub fn from(&self) -> u32 {
        self.from
    }

    /// The serial of the version after.
    pub fn to(&self) -> u32 {
        self.to
    }

    /// Octets that it holds in memory.
    pub fn octets(&self) -> usize {
        size_of::<Self>() + self.octets.len()
    }

    /// The record at an offset, and the offset after it. `None` at the end.
    pub(super) fn entry(&self, at: usize) -> Option<(Entry<'_>, usize)> {
        let octets = self.octets.get(at..)?;
        let (&length, rest) = octets.split_first()?;
        let (owner, rest) = rest.split_at_checked(usize::from(length))?;
        let (fixed, rest) = rest.split_first_chunk::<8>()?;
        let value = rest.get(..usize::from(u16::from_be_bytes([fixed[6], fixed[7]])))?;
        let rtype = Rtype::from_int(u16::from_be_bytes([fixed[0], fixed[1]]));
        let ttl = u32::from_be_bytes([fixed[2], fixed[3], fixed[4], fixed[5]]);
        Some((Entry { owner, rtype, ttl, value }, at + 9 + owner.len() + value.len()))
    }
}

/// One side of a difference: the SOA, and the records of that version only.
struct Records {
    apex: usize,
    octets: Vec<u8>,
}

impl Records {
    fn from(image: &Image) -> Self {
        let mut records = Records { apex: image.apex().len(), octets: Vec::new() };
        records.push(&[], Rtype::SOA, image.soa().ttl, image.soa_rdata());
        records
    }

    /// RFC 1995 §4 speaks of records, not of RRsets: those that are in both are not sent. A TTL is one of all
    /// of them.
    fn push_what_is_not_in(&mut self, ours: Option<&RRset>, theirs: Option<&RRset>) {
        let Some(ours) = ours else { return };
        // That of a signature is in its value.
        let is_same = |theirs: &&RRset| theirs.ttl == ours.ttl || ours.rtype == Rtype::RRSIG;
        let theirs = theirs.filter(is_same).map_or(&[][..], RRset::values);
        let theirs: HashSet<&[u8]> = theirs.iter().map(|value| value.as_slice()).collect();
        let name = ours.name.as_slice();
        let owner = &name[..name.len() - self.apex];
        for value in ours.values().iter().filter(|value| !theirs.contains(value.as_slice())) {
            let Entry { ttl, .. } = Entry::new(owner, ours.rtype, ours.ttl, value.as_slice());
            self.push(owner, ours.rtype, ttl, value.as_slice());
        }
    }

    fn push(&mut self, owner: &[u8], rtype: Rtype, ttl: u32, value: &[u8]) {
        self.octets.push(owner.len() as u8);
        self.octets.extend_from_slice(owner);
        self.octets.extend_from_slice(&rtype.to_int().to_be_bytes());
        self.octets.extend_from_slice(&ttl.to_be_bytes());
        self.octets.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.octets.extend_from_slice(value);
    }
}
