//! The exact index: from the hash of an owner to the places where it may stand.
//!
//! A persistent extendible hash. The directory has 2^depth pointers to pages of 4 KiB; a page has 64
//! buckets of 8 slots (one cache line); a slot is a tag of 16 bits, the number of a leaf, and the offset of the
//! owner in it, 24 bits each. An owner may stand in either of two buckets of its page, the emptier one when it
//! is put in, which keeps pages fuller before one of them must be split. A changed page is copied; all others
//! are shared with the version before, and so is the directory but for one page of its own.
//!
//! The index only has to lead to the right place: who looks there compares names. So a slot says no more than
//! "an owner with this tag and bucket stands there", and two things must hold: every owner is found
//! ([`Index::ensure`]), and nothing is left of those that are gone or moved ([`Index::remove`]).

use super::paged::Paged;
use std::sync::Arc;

const BUCKETS: usize = 64;
const SLOTS: usize = 8;
const EMPTY: u64 = 0;
/// Beyond this depth a page is not split. The hash is keyed, so it takes more names than a leaf number can
/// count to get here.
const GREATEST_DEPTH: u32 = 24;

/// Bits of the number of a leaf and of an offset in one.
const NUMBER: u32 = 24;
const NUMBERS: u64 = (1 << NUMBER) - 1;

/// Where an owner stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// The number of its leaf.
    pub(crate) leaf: u32,
    /// Its first octet there.
    pub(crate) offset: u32,
}

#[derive(Clone)]
struct Page {
    buckets: [Bucket; BUCKETS],
    /// How many leading bits of the hash all owners in this page share.
    depth: u32,
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([u64; SLOTS]);

impl Bucket {
    /// The places in slots with this tag.
    fn with_tag(&self, tag: u64) -> impl Iterator<Item = Place> + '_ {
        // All slots without an early exit: there is nothing to predict.
        let bits = self.0.iter().enumerate().map(|(at, slot)| u32::from(slot >> (2 * NUMBER) == tag) << at);
        let mut left = bits.fold(0, |all, bit| all | bit);
        std::iter::from_fn(move || {
            let slot = *self.0.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(place_of(slot))
        })
    }
}

const NO_OWNERS: [Bucket; BUCKETS] = [Bucket([EMPTY; SLOTS]); BUCKETS];

/// See the module.
#[derive(Clone)]
pub(crate) struct Index {
    depth: u32,
    directory: Paged<Arc<Page>>,
    /// Stands in the directory for a page that is being changed.
    placeholder: Arc<Page>,
}

impl Index {
    pub(crate) fn new() -> Self {
        let page = Arc::new(Page { depth: 0, buckets: NO_OWNERS });
        Index { depth: 0, directory: std::iter::once(page.clone()).collect(), placeholder: page }
    }

    /// Where an owner with this hash may stand; nearly always none or one.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = Place> + '_ {
        let page = &self.directory[self.page_of(hash)];
        let tag = tag_of(hash);
        buckets_of(hash).into_iter().flat_map(move |bucket| page.buckets[bucket].with_tag(tag))
    }

    /// Makes the owner with `hash` at `place` findable. `owners_of` gives the hashes and offsets of all owners of
    /// a leaf; it is asked only when a page has to be split.
    pub(crate) fn ensure<I>(&mut self, hash: u64, place: Place, owners_of: &impl Fn(u32) -> I)
    where
        I: IntoIterator<Item = (u64, u32)>,
    {
        if self.candidates(hash).any(|candidate| candidate == place) {
            return;
        }
        loop {
            let at = self.page_of(hash);
            if self.change(at, |buckets| put(buckets, hash, place)) {
                return;
            }
            if self.directory[at].depth >= GREATEST_DEPTH {
                return;
            }
            self.split(at, owners_of);
        }
    }

    /// Frees the slot of an owner that stood at `place`.
    pub(crate) fn remove(&mut self, hash: u64, place: Place) {
        let at = self.page_of(hash);
        let slot_value = slot(hash, place);
        for bucket in buckets_of(hash) {
            if let Some(i) = self.directory[at].buckets[bucket].0.iter().position(|&s| s == slot_value) {
                return self.change(at, |buckets| buckets[bucket].0[i] = EMPTY);
            }
        }
    }

    /// Octets of the directory and its pages.
    pub(crate) fn memory_octets(&self) -> usize {
        let pages = self.pages().count();
        self.directory.len() * size_of::<Arc<Page>>() + pages * (size_of::<Page>() + 2 * size_of::<usize>())
    }

    fn pages(&self) -> impl Iterator<Item = &Arc<Page>> {
        let mut last: Option<*const Page> = None;
        self.directory.iter().filter(move |page| last.replace(Arc::as_ptr(page)) != Some(Arc::as_ptr(page)))
    }

    fn page_of(&self, hash: u64) -> usize {
        // A shift by 64 is not a shift by everything, so depth 0 is apart.
        if self.depth == 0 { 0 } else { (hash >> (64 - self.depth)) as usize }
    }

    /// Changes the page at `at` of the directory, for all places that point to it. The page is copied only
    /// if another version has it too.
    fn change<T>(&mut self, at: usize, change: impl FnOnce(&mut [Bucket; BUCKETS]) -> T) -> T {
        let run = 1usize << (self.depth - self.directory[at].depth);
        let places = at & !(run - 1)..(at & !(run - 1)) + run;
        let mut page = self.directory[at].clone();
        places.clone().for_each(|place| self.directory.set(place, self.placeholder.clone()));
        let result = change(&mut Arc::make_mut(&mut page).buckets);
        places.for_each(|place| self.directory.set(place, page.clone()));
        result
    }

    /// Splits the page at `at` of the directory in two, by the next bit of the hash. Slots do not hold
    /// whole hashes, so both halves are filled from the leaves that the page names.
    fn split<I>(&mut self, at: usize, owners_of: &impl Fn(u32) -> I)
    where
        I: IntoIterator<Item = (u64, u32)>,
    {
        let page = self.directory[at].clone();
        let mut at = at;
        if page.depth == self.depth {
            self.directory = self.directory.iter().flat_map(|page| [page.clone(), page.clone()]).collect();
            self.depth += 1;
            at *= 2;
        }
        let depth = page.depth + 1;
        // The run of directory places that point to the page: its first half goes low, its second high.
        let run = 1usize << (self.depth - page.depth);
        let place = at & !(run - 1);
        let prefix = (place >> (self.depth - page.depth)) as u64;

        let mut halves = [NO_OWNERS; 2];
        let mut without_room = Vec::new();
        let slots = page.buckets.iter().flat_map(|bucket| bucket.0);
        let mut leaves: Vec<u32> =
            slots.filter(|&slot| slot != EMPTY).map(|slot| place_of(slot).leaf).collect();
        leaves.sort_unstable();
        leaves.dedup();
        for leaf in leaves {
            for (hash, offset) in owners_of(leaf) {
                if page.depth == 0 || hash >> (64 - page.depth) == prefix {
                    let half = (hash >> (64 - depth)) as usize & 1;
                    let place = Place { leaf, offset };
                    if !put(&mut halves[half], hash, place) {
                        without_room.push((hash, place));
                    }
                }
            }
        }
        let [low, high] = halves.map(|buckets| Arc::new(Page { depth, buckets }));
        for i in 0..run {
            self.directory.set(place + i, if i < run / 2 { low.clone() } else { high.clone() });
        }
        for (hash, place) in without_room {
            self.ensure(hash, place, owners_of);
        }
    }
}

/// Never 0, which empty slots have.
fn tag_of(hash: u64) -> u64 {
    (hash >> 6 & 0xffff).max(1)
}

fn slot(hash: u64, place: Place) -> u64 {
    debug_assert!(u64::from(place.leaf) <= NUMBERS && u64::from(place.offset) <= NUMBERS);
    tag_of(hash) << (2 * NUMBER) | u64::from(place.leaf) << NUMBER | u64::from(place.offset)
}

fn place_of(slot: u64) -> Place {
    Place { leaf: (slot >> NUMBER & NUMBERS) as u32, offset: (slot & NUMBERS) as u32 }
}

/// Two different buckets, from bits that neither the tag nor the directory uses.
fn buckets_of(hash: u64) -> [usize; 2] {
    let first = hash as usize % BUCKETS;
    let second = (hash >> 22) as usize % BUCKETS;
    [first, if second == first { first ^ 1 } else { second }]
}

/// Puts an owner into the emptier of its buckets. False when both are full.
fn put(buckets: &mut [Bucket; BUCKETS], hash: u64, place: Place) -> bool {
    let value = slot(hash, place);
    let places = buckets_of(hash);
    if places.iter().any(|&bucket| buckets[bucket].0.contains(&value)) {
        return true;
    }
    let free = |bucket: usize| buckets[bucket].0.iter().filter(|&&s| s == EMPTY).count();
    let bucket = if free(places[0]) >= free(places[1]) { places[0] } else { places[1] };
    match buckets[bucket].0.iter().position(|&s| s == EMPTY) {
        Some(free) => {
            buckets[bucket].0[free] = value;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A hash that spreads as the real one does, but the same in every run.
    fn spread(n: u64) -> u64 {
        let product =
            u128::from(n ^ 0x243f_6a88_85a3_08d3).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        (product as u64) ^ ((product >> 64) as u64)
    }

    /// Owners of a leaf: hash and offset of each.
    type Owners = Vec<(u64, u32)>;

    fn has_exactly(index: &Index, leaves: &BTreeMap<u32, Owners>) {
        for (&leaf, owners) in leaves {
            for &(hash, offset) in owners {
                let found = index.candidates(hash).filter(|place| *place == Place { leaf, offset }).count();
                assert_eq!(found, 1, "owner {offset} of leaf {leaf}");
            }
        }
        let slots = index.pages().flat_map(|page| page.buckets.iter().flat_map(|bucket| bucket.0));
        assert_eq!(slots.filter(|&slot| slot != EMPTY).count(), leaves.values().map(Vec::len).sum::<usize>());
    }

    #[test]
    fn every_owner_is_found_and_no_other_while_leaves_come_and_go_and_older_versions_stay() {
        let owners = |leaf: u32, count: u32| -> Owners {
            (0..count).map(|i| (spread(u64::from(leaf) * 100 + u64::from(i)), i * 30)).collect()
        };
        let mut leaves: BTreeMap<u32, Owners> = BTreeMap::new();
        let mut index = Index::new();
        let put = |index: &mut Index, leaves: &mut BTreeMap<u32, Owners>, leaf: u32, new: Owners| {
            for (hash, offset) in leaves.insert(leaf, new).into_iter().flatten() {
                index.remove(hash, Place { leaf, offset });
            }
            for &(hash, offset) in &leaves[&leaf] {
                index.ensure(hash, Place { leaf, offset }, &|n| leaves[&n].clone());
            }
        };
        for leaf in 0..2_000u32 {
            put(&mut index, &mut leaves, leaf, owners(leaf, 60));
        }
        let (before, leaves_before) = (index.clone(), leaves.clone());
        for leaf in (0..2_000u32).step_by(3) {
            // Those that stay have moved.
            let moved = owners(leaf, 30).into_iter().map(|(hash, offset)| (hash, offset + 7)).collect();
            put(&mut index, &mut leaves, leaf, moved);
        }
        has_exactly(&index, &leaves);
        has_exactly(&before, &leaves_before);
        let per_owner = before.memory_octets() as f64 / 120_000.0;
        assert!(per_owner < 20.0, "{per_owner} octets an owner");
    }
}
