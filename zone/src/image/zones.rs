//! What is served: zones by the name of their apex, in a table that is replaced, never changed.
//!
//! The table is in shards, so that a change of one zone among ten thousand copies a few dozen entries. It
//! is searched by the hashes of the ancestors of a question, the longest first.

use super::{Image, hash};
use crate::caseless;
use crate::name::Name;
use std::sync::Arc;

const SHARDS: usize = 256;

/// What can be said of a zone.
#[derive(Clone, Debug)]
pub enum ZoneState {
    /// The zone exists, and its content is not complete yet: SERVFAIL, never less than is known.
    Assembling,
    /// Answered from this version.
    Serving(Arc<Image>),
}

impl ZoneState {
    fn is_large(&self) -> bool {
        matches!(self, ZoneState::Serving(image) if image.is_large())
    }
}

/// Who else answers the questions for a zone, as a number of whoever passes them on. Its meaning is not known here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forward(pub u32);

/// The zone that a name is in.
#[derive(Clone, Copy)]
pub(crate) struct Found<'z> {
    /// Labels of its apex.
    pub(crate) labels: usize,
    pub(crate) state: &'z ZoneState,
    /// Who else is to be asked.
    pub(crate) forward: Option<Forward>,
}

#[derive(Clone)]
struct Entry {
    hash: u64,
    apex: Name,
    state: ZoneState,
    forward: Option<Forward>,
}

/// All zones that are served. Cloning and changing cost the shards touched, not the zones.
#[derive(Clone)]
pub struct Zones {
    shards: Box<[Arc<Vec<Entry>>]>,
    /// How many apexes have N labels, so that only those depths are searched.
    depths: Arc<[u32; 128]>,
    /// How many zones are large ([`Image::is_large`]).
    large: usize,
}

impl Default for Zones {
    fn default() -> Self {
        let empty = Arc::new(Vec::new());
        Zones { shards: vec![empty; SHARDS].into_boxed_slice(), depths: Arc::new([0; 128]), large: 0 }
    }
}

impl Zones {
    /// The table with `apex` in `state`, whatever it was before. Who else answers for it stays.
    #[must_use]
    pub fn put(&self, apex: &Name, state: ZoneState) -> Self {
        let mut zones = self.clone();
        let hash = hash_of(apex);
        let shard = Arc::make_mut(&mut zones.shards[shard_of(hash)]);
        zones.large += usize::from(state.is_large());
        match shard.iter_mut().find(|entry| entry.apex == *apex) {
            Some(entry) => {
                zones.large -= usize::from(entry.state.is_large());
                entry.state = state;
            }
            None => {
                shard.push(Entry { hash, apex: apex.clone(), state, forward: None });
                Arc::make_mut(&mut zones.depths)[labels(apex)] += 1;
            }
        }
        zones
    }

    /// The table in which `forward` answers for `apex`; we do for `None`. A zone that is not there stays so.
    #[must_use]
    pub fn forward(&self, apex: &Name, forward: Option<Forward>) -> Self {
        let mut zones = self.clone();
        let shard = Arc::make_mut(&mut zones.shards[shard_of(hash_of(apex))]);
        if let Some(entry) = shard.iter_mut().find(|entry| entry.apex == *apex) {
            entry.forward = forward;
        }
        zones
    }

    /// The table without `apex`.
    #[must_use]
    pub fn remove(&self, apex: &Name) -> Self {
        let mut zones = self.clone();
        let shard = Arc::make_mut(&mut zones.shards[shard_of(hash_of(apex))]);
        if let Some(at) = shard.iter().position(|entry| entry.apex == *apex) {
            zones.large -= usize::from(shard.swap_remove(at).state.is_large());
            Arc::make_mut(&mut zones.depths)[labels(apex)] -= 1;
        }
        zones
    }

    /// The state of the zone whose apex is exactly `apex`.
    pub fn get(&self, apex: &Name) -> Option<&ZoneState> {
        let hash = hash_of(apex);
        self.shards[shard_of(hash)].iter().find(|entry| entry.apex == *apex).map(|entry| &entry.state)
    }

    /// Who else answers for the zone whose apex is exactly `apex`.
    pub fn forward_of(&self, apex: &Name) -> Option<Forward> {
        let hash = hash_of(apex);
        self.shards[shard_of(hash)].iter().find(|entry| entry.apex == *apex)?.forward
    }

    /// All zones, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &ZoneState)> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|entry| (&entry.apex, &entry.state))
    }

    /// How many zones there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is a zone that does not fit the caches of a processor.
    pub fn has_large(&self) -> bool {
        self.large > 0
    }

    /// Whether there is no zone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The zone with the most labels, at most `greatest`, that holds a name. `hash(n)` is the hash of
    /// its ancestor with n labels, `suffix(n)` the ancestor itself in wire form with its root label.
    /// No allocation.
    pub(crate) fn longest_match<'n>(
        &self,
        greatest: usize,
        hash: impl Fn(usize) -> u64,
        suffix: impl Fn(usize) -> &'n [u8],
    ) -> Option<Found<'_>> {
        (0..=greatest).rev().filter(|&n| self.depths[n] > 0).find_map(|n| {
            let hash = hash(n);
            self.shards[shard_of(hash)]
                .iter()
                .find(|entry| entry.hash == hash && caseless::eq(entry.apex.as_slice(), suffix(n)))
                .map(|entry| Found { labels: n, state: &entry.state, forward: entry.forward })
        })
    }
}

fn hash_of(apex: &Name) -> u64 {
    hash::hash_below(hash::root_hash(), apex.as_slice())
}

fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// Labels without the root.
fn labels(name: &Name) -> usize {
    name.label_count() - 1
}
