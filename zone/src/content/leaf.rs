//! A leaf: about a hundred RRsets in one run of octets, which is at once what is stored and what is
//! answered from.
//!
//! Format 1, all numbers big-endian, owners in canonical order, types ascending:
//!
//! ```text
//! owner:  u8 length | labels relative to the apex in wire form, as written, no root (none: the apex)
//!         u16 number of RRsets | the RRsets
//! RRset:  u16 type | u16 number of records | u32 octets of the records | the records
//! record: C0 0C | u16 type | u16 class (1) | u32 TTL | u16 length | value
//! ```
//!
//! A record is ready for the wire: its owner is a pointer to the question. Beside the octets a leaf has a
//! table of a tag and an offset per owner, made when the leaf is. Octets from elsewhere go through
//! [`Leaf::check`] first, so every reader may rely on the structure.

use super::digest::Digest;
use super::{ContentError, check};
use crate::caseless;
use crate::name::compare_to_key;
use crate::rdata::Rdata;
use bytes::Bytes;
use domain::base::iana::Rtype;
use std::sync::{Arc, OnceLock};

/// Octets before a value in a record that is ready for the wire.
pub(crate) const RECORD_HEAD: usize = 12;

/// How many tags are compared at once.
const STRIDE: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct Leaf {
    octets: Bytes,
    tags: Box<[u16]>,
    offsets: Box<[u32]>,
    rrsets: u32,
    /// Who owns each RRset, in order; empty when that is not kept.
    owned_by: Box<[Option<Arc<str>>]>,
    digest: OnceLock<Digest>,
}

impl Leaf {
    /// Takes octets of format 1 after checking all of them ([`check`]), for a zone whose apex leaves names
    /// `room` octets. `owned_by` has one entry an RRset, or none.
    pub(crate) fn check(
        octets: Bytes,
        owned_by: Box<[Option<Arc<str>>]>,
        room: usize,
    ) -> Result<Self, ContentError> {
        let rrsets = check::leaf(&octets, room)?;
        if !owned_by.is_empty() && owned_by.len() != rrsets {
            return Err(ContentError::Malformed("not one owner for each RRset"));
        }
        Ok(Self::from_trusted(octets, owned_by))
    }

    /// Takes octets that were written by this crate from what was checked.
    pub(crate) fn from_trusted(octets: Bytes, owned_by: Box<[Option<Arc<str>>]>) -> Self {
        let mut tags = Vec::new();
        let mut offsets = Vec::new();
        let mut rrsets = 0;
        let mut at = 0;
        while at < octets.len() {
            let owner = OwnerRef { entry: &octets[at..] };
            tags.push(tag(owner.name()));
            offsets.push(at as u32);
            let mut left = owner.rrsets();
            rrsets += left.by_ref().count() as u32;
            at = octets.len() - left.rest.len();
        }
        let (tags, offsets) = (tags.into_boxed_slice(), offsets.into_boxed_slice());
        Leaf { octets, tags, offsets, rrsets, owned_by, digest: OnceLock::new() }
    }

    /// The octets of each owner, in order, shared.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Bytes> + '_ {
        let ends = self.offsets.iter().skip(1).map(|&end| end as usize).chain([self.octets.len()]);
        self.offsets.iter().zip(ends).map(|(&start, end)| self.octets.slice(start as usize..end))
    }

    /// The octets of format 1.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// Who owns each RRset, in order; empty when that is not kept.
    pub(crate) fn owned_by(&self) -> &[Option<Arc<str>>] {
        &self.owned_by
    }

    /// Number of RRsets.
    pub fn len(&self) -> usize {
        self.rrsets as usize
    }

    /// Whether there is no owner.
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Number of owners.
    pub fn owner_count(&self) -> usize {
        self.offsets.len()
    }

    /// The owner at a place in canonical order.
    pub fn owner(&self, place: usize) -> Option<OwnerRef<'_>> {
        self.offsets.get(place).map(|&offset| OwnerRef { entry: &self.octets[offset as usize..] })
    }

    /// The owners in canonical order.
    pub fn owners(&self) -> impl DoubleEndedIterator<Item = OwnerRef<'_>> + '_ {
        self.offsets.iter().map(|&offset| OwnerRef { entry: &self.octets[offset as usize..] })
    }

    /// The owner with these labels (relative to the apex, wire form without root, any case).
    pub fn find(&self, relative: &[u8]) -> Option<OwnerRef<'_>> {
        let wanted = tag(relative);
        for (strides, tags) in self.tags.chunks(STRIDE).enumerate() {
            // All of a stride, without an early exit: the compiler compares them together.
            if !tags.iter().fold(false, |any, &tag| any | (tag == wanted)) {
                continue;
            }
            for place in (0..tags.len()).filter(|&place| tags[place] == wanted) {
                let offset = self.offsets[strides * STRIDE + place];
                let owner = OwnerRef { entry: &self.octets[offset as usize..] };
                if caseless::eq(owner.name(), relative) {
                    return Some(owner);
                }
            }
        }
        None
    }

    /// Where each owner begins in the octets, in order.
    pub(crate) fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The owner that begins at this octet, when it is the one with these labels.
    pub(crate) fn owner_at(&self, offset: u32, relative: &[u8]) -> Option<OwnerRef<'_>> {
        let entry = self.octets.get(offset as usize..)?;
        let (&length, rest) = entry.split_first()?;
        let name = rest.get(..usize::from(length))?;
        caseless::eq(name, relative).then_some(OwnerRef { entry })
    }

    /// The place of the first owner whose sort key is not below `key`; the number of owners when all are.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        self.offsets.partition_point(|&offset| {
            let owner = OwnerRef { entry: &self.octets[offset as usize..] };
            compare_to_key(owner.name(), key).is_lt()
        })
    }

    /// Octets held in memory, the counts of references included, the overhead of the allocator not.
    pub fn memory_octets(&self) -> usize {
        let counts = 2 * size_of::<usize>();
        let owned_by: usize = self.owned_by.iter().flatten().map(|text| text.len() + counts).sum();
        counts
            + size_of::<Self>()
            + self.octets.len()
            + self.tags.len() * (size_of::<u16>() + size_of::<u32>())
            + size_of_val(&*self.owned_by)
            + owned_by
    }

    pub(crate) fn digest_cell(&self) -> &OnceLock<Digest> {
        &self.digest
    }
}

/// A short hash of a relative name without regard to case, which tells most owners of a leaf apart.
fn tag(relative: &[u8]) -> u16 {
    let hash = caseless::fold(relative, relative.len() as u64, |hash, word| {
        let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
        (product ^ product >> 64) as u64
    });
    (hash >> 32) as u16
}

/// An owner in a leaf.
#[derive(Clone, Copy)]
pub struct OwnerRef<'a> {
    /// From the owner to the end of the leaf.
    entry: &'a [u8],
}

impl<'a> OwnerRef<'a> {
    pub(crate) fn at_start_of(entry: &'a [u8]) -> Self {
        OwnerRef { entry }
    }

    /// Its labels relative to the apex, in wire form without root; none for the apex.
    pub fn name(&self) -> &'a [u8] {
        &self.entry[1..1 + usize::from(self.entry[0])]
    }

    /// Its RRset of a type.
    pub fn rrset(&self, rtype: Rtype) -> Option<RRsetRef<'a>> {
        self.rrsets().take_while(|rrset| rrset.rtype <= rtype).find(|rrset| rrset.rtype == rtype)
    }

    /// Its RRsets, by ascending type.
    pub fn rrsets(&self) -> RRsets<'a> {
        let at = 1 + usize::from(self.entry[0]);
        RRsets { left: u16_at(self.entry, at), rest: &self.entry[at + 2..] }
    }
}

/// The RRsets of an owner.
pub struct RRsets<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Iterator for RRsets<'a> {
    type Item = RRsetRef<'a>;

    fn next(&mut self) -> Option<RRsetRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let octets = u32_at(self.rest, 4) as usize;
        let rrset = RRsetRef {
            rtype: Rtype::from_int(u16_at(self.rest, 0)),
            count: u16_at(self.rest, 2),
            records: &self.rest[8..8 + octets],
        };
        self.rest = &self.rest[8 + octets..];
        Some(rrset)
    }
}

/// An RRset in a leaf.
#[derive(Clone, Copy)]
pub struct RRsetRef<'a> {
    /// The type.
    pub rtype: Rtype,
    /// How many records, at least one.
    pub count: u16,
    /// The records, ready for the wire, owned by a pointer to the question.
    pub records: &'a [u8],
}

impl<'a> RRsetRef<'a> {
    /// Seconds, the same for all records.
    pub fn ttl(&self) -> u32 {
        u32_at(self.records, 6)
    }

    /// The values, in canonical order when this crate wrote them.
    pub fn values(&self) -> Values<'a> {
        Values { rest: self.records }
    }

    /// The values as [`Rdata`], copied.
    pub(crate) fn rdata(&self) -> impl Iterator<Item = Rdata> + 'a {
        self.values().map(|value| Rdata::from_trusted_wire(Bytes::copy_from_slice(value)))
    }
}

/// The values of an RRset.
#[derive(Clone)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = RECORD_HEAD + usize::from(u16_at(self.rest, 10));
        let value = &self.rest[RECORD_HEAD..end];
        self.rest = &self.rest[end..];
        Some(value)
    }
}

/// Appends an RRset in format 1.
pub(crate) fn write_rrset<'v>(
    out: &mut Vec<u8>,
    rtype: Rtype,
    ttl: u32,
    values: impl Iterator<Item = &'v [u8]>,
) {
    out.extend_from_slice(&rtype.to_int().to_be_bytes());
    let counts_at = out.len();
    out.extend_from_slice(&[0; 6]);
    let mut count = 0u16;
    for value in values {
        count += 1;
        out.extend_from_slice(&[0xc0, 0x0c]);
        out.extend_from_slice(&rtype.to_int().to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&ttl.to_be_bytes());
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(value);
    }
    let octets = (out.len() - counts_at - 6) as u32;
    out[counts_at..counts_at + 2].copy_from_slice(&count.to_be_bytes());
    out[counts_at + 2..counts_at + 6].copy_from_slice(&octets.to_be_bytes());
}

pub(crate) fn u16_at(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

pub(crate) fn u32_at(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
}
