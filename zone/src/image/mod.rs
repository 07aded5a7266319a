//! What a resolver holds of a zone in memory, immutable and shared.
//!
//! An [`Image`] is one version of one zone: its content (a persistent tree whose leaves hold RRsets ready
//! for the wire), its SOA, and an exact index from the hash of an owner to its leaf. A change makes a new
//! image that copies the leaves and index pages it touches and shares all others.
//!
//! Facts that look across leaves (is this name below a delegation, is it an empty non-terminal) are not
//! stored with RRsets, because one new NS would then change everything below it. They are found at query
//! time: delegations and DNAMEs by a count per depth (most zones have them at one depth or none, so most
//! queries probe nothing), empty non-terminals and the closest encloser by the order of names.
//!
//! A zone of a few leaves has no index: a search over their least keys is as quick, and ten thousand small
//! zones stay small.
//!
//! [`Zones`] is what is served: one pointer to it is all that a worker needs.

mod hash;
mod index;
mod nsec3;
mod paged;
mod zones;

pub(crate) use zones::Found;
pub use zones::{Forward, ZoneState, Zones};

pub(crate) use hash::{child_hash, hash_below, root_hash};
pub(crate) use nsec3::{Nsec3, owner as nsec3_owner};

use crate::content::{Applied, Content, Leaf, OwnerRef};
use crate::name::{KeyBuffer, Name};
use crate::rdata::Rdata;
use crate::rrset::Soa;
use domain::base::iana::Rtype;
use index::{Index, Place};
use paged::Paged;
use std::sync::Arc;

/// From this many leaves on, a zone has an exact index.
const LEAVES_WITHOUT_INDEX: usize = 4;

/// From this many leaves on, of some kilobytes each, a zone does not fit the caches of a processor.
const LARGE: usize = 4096;

/// One version of one zone, ready to answer. Cloning shares everything.
#[derive(Clone)]
pub struct Image {
    content: Content,
    soa: Soa,
    soa_rdata: Rdata,
    /// Hash of the apex; the hashes of owners are chained to it.
    apex_hash: u64,
    exact: Option<Exact>,
    proofs: Proofs,
}

/// How a zone that is signed proves that something is not there.
#[derive(Clone)]
pub(crate) enum Proofs {
    /// It is not signed.
    None,
    /// By the order of names (RFC 4035 §3.1.3).
    Nsec,
    /// By the order of their hashes (RFC 5155 §7.2).
    Nsec3(Nsec3),
}

/// The exact index and the numbering of leaves that it speaks of.
#[derive(Clone)]
struct Exact {
    index: Index,
    leaves: Paged<Option<Arc<Leaf>>>,
    free: Vec<u32>,
}

impl Image {
    /// The image of `content` with `soa`, from nothing: time and memory in proportion to the content.
    pub fn new(content: Content, soa: Soa) -> Self {
        let apex_hash = hash_below(root_hash(), content.apex().as_slice());
        let soa_rdata = soa.rdata();
        let proofs = Proofs::of(&content);
        let mut image = Image { content, soa, soa_rdata, apex_hash, exact: None, proofs };
        image.exact = image.index_of_all();
        image
    }

    /// The image of the next version: what [`Content::apply`] left alone is shared with this one.
    pub fn with(&self, applied: Applied, soa: Soa) -> Self {
        let Applied { content, removed, added } = applied;
        let soa_rdata = soa.rdata();
        let proofs = Proofs::of(&content);
        let mut image = Image { content, soa, soa_rdata, apex_hash: self.apex_hash, exact: None, proofs };
        image.exact = match &self.exact {
            None => image.index_of_all(),
            Some(exact) => {
                let mut exact = exact.clone();
                exact.replace(&removed, &added, self.apex_hash);
                Some(exact)
            }
        };
        image
    }

    /// The apex of the zone.
    pub fn apex(&self) -> &Name {
        self.content.apex()
    }

    /// The SOA of this version.
    pub fn soa(&self) -> &Soa {
        &self.soa
    }

    /// The value of the SOA in wire form.
    pub(crate) fn soa_rdata(&self) -> &[u8] {
        self.soa_rdata.as_slice()
    }

    /// All RRsets but the SOA.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Octets held in memory for this version, what it shares with others included.
    pub fn memory_octets(&self) -> usize {
        let exact = self.exact.as_ref().map_or(0, |exact| {
            exact.index.memory_octets() + exact.leaves.len() * size_of::<Option<Arc<Leaf>>>()
        });
        let proofs = match &self.proofs {
            Proofs::Nsec3(chain) => chain.memory_octets(),
            Proofs::None | Proofs::Nsec => 0,
        };
        self.content.memory_octets() + exact + proofs
    }

    /// The owner `relative` (labels relative to the apex in wire form, any case), whose hash is `hash`.
    /// No allocation.
    pub(crate) fn find(&self, relative: &[u8], hash: u64) -> Option<OwnerRef<'_>> {
        match &self.exact {
            Some(exact) => exact.index.candidates(hash).find_map(|place| {
                exact.leaves.get(place.leaf as usize)?.as_ref()?.owner_at(place.offset, relative)
            }),
            None => {
                let mut key = KeyBuffer::new();
                self.content.leaf_for(key.write(relative))?.find(relative)
            }
        }
    }

    /// Whether it is worth while to read before what a lookup will read.
    pub(crate) fn is_large(&self) -> bool {
        self.exact.as_ref().is_some_and(|exact| exact.leaves.len() - exact.free.len() >= LARGE)
    }

    /// Where an owner with this hash may stand, the first such place, if the zone has an index.
    pub(crate) fn place(&self, hash: u64) -> Option<Place> {
        self.exact.as_ref()?.index.candidates(hash).next()
    }

    /// The leaf of a place, and the offset in it.
    pub(crate) fn leaf_at(&self, place: Place) -> Option<(&Leaf, usize)> {
        let leaf = self.exact.as_ref()?.leaves.get(place.leaf as usize)?.as_ref()?;
        Some((leaf, place.offset as usize))
    }

    /// The owner `relative`, whose hash is not known. No allocation.
    pub(crate) fn find_relative(&self, relative: &[u8]) -> Option<OwnerRef<'_>> {
        self.find(relative, hash_below(self.apex_hash, relative))
    }

    /// How it proves that something is not there.
    pub(crate) fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    fn index_of_all(&self) -> Option<Exact> {
        self.content.leaves().nth(LEAVES_WITHOUT_INDEX)?;
        let mut exact = Exact { index: Index::new(), leaves: Paged::new(), free: Vec::new() };
        for leaf in self.content.leaves() {
            exact.add(leaf, self.apex_hash);
        }
        Some(exact)
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} {})", self.apex().fmt_with_dot(), self.soa.serial)
    }
}

impl Proofs {
    fn of(content: &Content) -> Self {
        let apex = content.leaf_for(&[]).and_then(|leaf| leaf.find(&[]));
        match apex {
            Some(apex) if apex.rrset(Rtype::RRSIG).is_none() => Proofs::None,
            Some(apex) if apex.rrset(Rtype::NSEC).is_some() => Proofs::Nsec,
            Some(_) => Nsec3::of(content).map_or(Proofs::None, Proofs::Nsec3),
            None => Proofs::None,
        }
    }
}

impl Exact {
    fn replace(&mut self, removed: &[Arc<Leaf>], added: &[Arc<Leaf>], apex_hash: u64) {
        for leaf in removed {
            self.drop_leaf(leaf, apex_hash);
        }
        for leaf in added {
            self.add(leaf, apex_hash);
        }
    }

    fn add(&mut self, leaf: &Arc<Leaf>, apex_hash: u64) {
        let number = match self.free.pop() {
            Some(number) => {
                self.leaves.set(number as usize, Some(leaf.clone()));
                number
            }
            None => {
                self.leaves.push(Some(leaf.clone()));
                (self.leaves.len() - 1) as u32
            }
        };
        let leaves = &self.leaves;
        let owners_of = |number: u32| {
            leaves
                .get(number as usize)
                .and_then(Option::as_ref)
                .map(|leaf| owners(leaf, apex_hash))
                .unwrap_or_default()
        };
        for (hash, offset) in owners(leaf, apex_hash) {
            self.index.ensure(hash, Place { leaf: number, offset }, &owners_of);
        }
    }

    fn drop_leaf(&mut self, leaf: &Arc<Leaf>, apex_hash: u64) {
        let owners = owners(leaf, apex_hash);
        let is_leaf = |number: u32| {
            self.leaves
                .get(number as usize)
                .and_then(Option::as_ref)
                .is_some_and(|held| Arc::ptr_eq(held, leaf))
        };
        let places = owners.first().into_iter().flat_map(|&(hash, _)| self.index.candidates(hash));
        let Some(number) = places.map(|place| place.leaf).find(|&number| is_leaf(number)) else { return };
        for &(hash, offset) in &owners {
            self.index.remove(hash, Place { leaf: number, offset });
        }
        self.leaves.set(number as usize, None);
        self.free.push(number);
    }
}

/// Hash and offset of each owner of a leaf.
fn owners(leaf: &Leaf, apex_hash: u64) -> Vec<(u64, u32)> {
    leaf.owners()
        .zip(leaf.offsets())
        .map(|(owner, &offset)| (hash_below(apex_hash, owner.name()), offset))
        .collect()
}
