//! The exact index: from the hash of an owner to the numbers of the leaves that may hold it.
//!
//! A persistent extendible hash. The directory has 2^depth pointers to pages of 4 KiB; a page has 64
//! buckets of 16 slots (one cache line); a slot is an 8-bit tag and a 24-bit leaf number. An owner may
//! stand in either of two buckets of its page, the emptier one when it is put in, which keeps pages
//! fuller before one of them must be split. A changed page is copied; all others are shared with the
//! version before, and so is the directory but for one page of its own.
//!
//! The index only has to lead to the right leaf: the leaf compares names. So a slot says no more than
//! "some owner with this tag and bucket is in this leaf", slots left over are harmless, and the one
//! thing that must hold is that every owner is found ([`Index::ensure`]).

use super::paged::Paged;
use std::sync::Arc;

const BUCKETS: usize = 64;
const SLOTS: usize = 16;
const EMPTY: u32 = 0;
/// Beyond this depth a page is not split. The hash is keyed, so it takes more names than a leaf number can
/// count to get here.
const GREATEST_DEPTH: u32 = 24;

/// Greatest leaf number that a slot can hold.
pub(crate) const GREATEST_LEAF: u32 = (1 << 24) - 2;

#[derive(Clone)]
struct Page {
    buckets: [Bucket; BUCKETS],
    /// How many leading bits of the hash all owners in this page share.
    depth: u32,
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([u32; SLOTS]);

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

    /// The numbers of the leaves that may hold an owner with this hash; nearly always none or one.
    pub(crate) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let page = &self.directory[self.page_of(hash)];
        let tag = tag_of(hash);
        buckets_of(hash)
            .into_iter()
            .flat_map(move |bucket| page.buckets[bucket].0.iter())
            .filter(move |&&slot| slot != EMPTY && slot >> 24 == tag)
            .map(|slot| (slot & 0x00ff_ffff) - 1)
    }

    /// Makes the owner with `hash` in `leaf` findable. `hashes_of` gives the hashes of all owners of a
    /// leaf; it is asked only when a page has to be split.
    pub(crate) fn ensure<I>(&mut self, hash: u64, leaf: u32, hashes_of: &impl Fn(u32) -> I)
    where
        I: IntoIterator<Item = u64>,
    {
        if self.candidates(hash).any(|candidate| candidate == leaf) {
            return;
        }
        loop {
            let at = self.page_of(hash);
            if self.change(at, |buckets| put(buckets, hash, leaf)) {
                return;
            }
            if self.directory[at].depth >= GREATEST_DEPTH {
                return;
            }
            self.split(at, hashes_of);
        }
    }

    /// Frees the slot of an owner that left `leaf`. The caller ensures the owners that stay: the slot may
    /// have served one of them too.
    pub(crate) fn remove(&mut self, hash: u64, leaf: u32) {
        let at = self.page_of(hash);
        let slot_value = slot(hash, leaf);
        for bucket in buckets_of(hash) {
            if let Some(place) = self.directory[at].buckets[bucket].0.iter().position(|&s| s == slot_value) {
                return self.change(at, |buckets| buckets[bucket].0[place] = EMPTY);
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
    fn split<I>(&mut self, at: usize, hashes_of: &impl Fn(u32) -> I)
    where
        I: IntoIterator<Item = u64>,
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
            slots.filter(|&slot| slot != EMPTY).map(|slot| (slot & 0x00ff_ffff) - 1).collect();
        leaves.sort_unstable();
        leaves.dedup();
        for leaf in leaves {
            for hash in hashes_of(leaf) {
                if page.depth == 0 || hash >> (64 - page.depth) == prefix {
                    let half = (hash >> (64 - depth)) as usize & 1;
                    if !put(&mut halves[half], hash, leaf) {
                        without_room.push((hash, leaf));
                    }
                }
            }
        }
        let [low, high] = halves.map(|buckets| Arc::new(Page { depth, buckets }));
        for i in 0..run {
            self.directory.set(place + i, if i < run / 2 { low.clone() } else { high.clone() });
        }
        for (hash, leaf) in without_room {
            self.ensure(hash, leaf, hashes_of);
        }
    }
}

fn tag_of(hash: u64) -> u32 {
    (hash >> 6) as u32 & 0xff
}

fn slot(hash: u64, leaf: u32) -> u32 {
    debug_assert!(leaf <= GREATEST_LEAF);
    tag_of(hash) << 24 | (leaf + 1)
}

/// Two different buckets, from bits that neither the tag nor the directory uses.
fn buckets_of(hash: u64) -> [usize; 2] {
    let first = hash as usize % BUCKETS;
    let second = (hash >> 14) as usize % BUCKETS;
    [first, if second == first { first ^ 1 } else { second }]
}

/// Puts an owner into the emptier of its buckets. False when both are full.
fn put(buckets: &mut [Bucket; BUCKETS], hash: u64, leaf: u32) -> bool {
    let value = slot(hash, leaf);
    let places = buckets_of(hash);
    if places.iter().any(|&bucket| buckets[bucket].0.contains(&value)) {
        return true;
    }
    let free = |bucket: usize| buckets[bucket].0.iter().filter(|&&s| s == EMPTY).count();
    let bucket = if free(places[0]) >= free(places[1]) { places[0] } else { places[1] };
    match buckets[bucket].0.iter().position(|&s| s == EMPTY) {
        Some(place) => {
            buckets[bucket].0[place] = value;
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

    #[test]
    fn every_owner_is_found_while_leaves_come_and_go_and_older_versions_stay() {
        let mut leaves: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        let mut index = Index::new();
        for leaf in 0..2_000u32 {
            leaves.insert(leaf, (0..60).map(|i| spread(u64::from(leaf) * 100 + i)).collect());
            for &hash in &leaves[&leaf] {
                index.ensure(hash, leaf, &|n| leaves[&n].clone());
            }
        }
        let before = index.clone();
        let leaves_before = leaves.clone();
        for leaf in (0..2_000u32).step_by(3) {
            let gone: Vec<u64> = leaves.get_mut(&leaf).expect("there").split_off(30);
            for hash in gone {
                index.remove(hash, leaf);
            }
            for &hash in &leaves[&leaf] {
                index.ensure(hash, leaf, &|n| leaves[&n].clone());
            }
        }
        for (version, leaves) in [(&index, &leaves), (&before, &leaves_before)] {
            for (leaf, hashes) in leaves {
                for &hash in hashes {
                    assert!(version.candidates(hash).any(|candidate| candidate == *leaf));
                }
            }
        }
        let per_owner = before.memory_octets() as f64 / 120_000.0;
        assert!(per_owner < 10.0, "{per_owner} octets an owner");
    }
}
