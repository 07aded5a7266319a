//! What both sides agreed on last, RRset by RRset: the common base without which it cannot be told who changed. Pure.
//!
//! Of each RRset that was the same on both sides two numbers are kept, 64 bits of SHA-256 each: of its name and type, and
//! of its TTL and values. That is all that is asked of it: whether a side still has what was agreed. So a million RRsets
//! take 16 MB, and they are kept in ConfigMaps, a share of the names in each, of which those are written that changed.
//!
//! ```text
//! NAME.agreed.COUNT.NUMBER   binaryData: {"agreed": 16 octets each: u64 of name and type, u64 of TTL and values}
//! ```
//!
//! When there is too much for COUNT of them, twice as many are written, and then the former deleted: of several counts
//! that are there whole the largest is right.

use std::collections::{BTreeMap, BTreeSet};

use port53_zone::{Name, RRset, Rtype};
use sha2::{Digest, Sha256};

use super::merge::Apart;

/// Entries in a ConfigMap, on the average at the most: 256 KiB, of the MiB that one may have.
const SHARE: usize = 16 * 1024;
/// Octets of an entry.
const ENTRY: usize = 16;

/// A name and type.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Place(u64);

impl Place {
    /// Of this name, without case, and type.
    pub fn of(name: &Name, rtype: Rtype) -> Self {
        let mut hash = Sha256::new();
        hash.update(name.as_slice().to_ascii_lowercase());
        hash.update(rtype.to_int().to_be_bytes());
        Place(first_64_bits(hash))
    }
}

/// A TTL and values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Print(u64);

impl Print {
    /// Of an RRset, in canonical form.
    pub fn of(rrset: &RRset) -> Self {
        let mut hash = Sha256::new();
        hash.update(rrset.ttl.to_be_bytes());
        for value in rrset.values() {
            let value = value.canonical(rrset.rtype);
            hash.update((value.len() as u32).to_be_bytes());
            hash.update(value);
        }
        Print(first_64_bits(hash))
    }
}

fn first_64_bits(hash: Sha256) -> u64 {
    hash.finalize().first_chunk().map_or(0, |octets| u64::from_be_bytes(*octets))
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Agreed {
    entries: BTreeMap<Place, Print>,
    /// Of how many ConfigMaps; 0 before there are any.
    shares: usize,
    /// Those whose entries are others than were written.
    changed: BTreeSet<usize>,
}

/// A ConfigMap of entries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Share {
    /// Of how many.
    pub count: usize,
    /// Which, from 0.
    pub number: usize,
    /// Its entries.
    pub octets: Vec<u8>,
}

impl Agreed {
    /// What was agreed on at a place.
    pub fn at(&self, place: Place) -> Option<Print> {
        self.entries.get(&place).copied()
    }

    /// How many RRsets were agreed on.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing ever was.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes note that both sides have this at a place; nothing where both have nothing.
    pub fn note(&mut self, place: Place, now: Option<Print>) {
        let before = match now {
            Some(print) => self.entries.insert(place, print),
            None => self.entries.remove(&place),
        };
        if before != now && self.shares > 0 {
            self.changed.insert(share_of(place, self.shares));
        }
    }

    /// Takes note of all that both sides have: what is here and not apart. Places that are apart keep what was agreed on.
    pub fn note_all(&mut self, ours: impl Iterator<Item = RRset>, apart: &[Apart]) {
        let apart: BTreeSet<Place> = apart.iter().map(Apart::place).collect();
        let mut gone: BTreeSet<Place> = self.entries.keys().copied().collect();
        for rrset in ours {
            let place = Place::of(&rrset.name, rrset.rtype);
            gone.remove(&place);
            if !apart.contains(&place) {
                self.note(place, Some(Print::of(&rrset)));
            }
        }
        // What neither side has any more.
        gone.difference(&apart).for_each(|place| self.note(*place, None));
    }

    /// Reads what is kept: of the largest count that is there whole.
    pub fn read(shares: &[Share]) -> Self {
        let mut by_count: BTreeMap<usize, BTreeMap<usize, &[u8]>> = BTreeMap::new();
        for share in shares {
            by_count.entry(share.count).or_default().insert(share.number, &share.octets);
        }
        let whole = by_count.iter().rev().find(|(count, shares)| shares.len() == **count);
        let Some((count, shares)) = whole else { return Agreed::default() };
        let entries = shares.values().flat_map(|octets| octets.chunks_exact(ENTRY)).filter_map(|entry| {
            let (place, print) = entry.split_first_chunk::<8>()?;
            Some((Place(u64::from_be_bytes(*place)), Print(u64::from_be_bytes(*print.first_chunk()?))))
        });
        Agreed { entries: entries.collect(), shares: *count, changed: BTreeSet::new() }
    }

    /// What is to be written, and of which count all are to be deleted after that.
    pub fn unwritten(&mut self) -> (Vec<Share>, Option<usize>) {
        let needed = self.entries.len().div_ceil(SHARE).next_power_of_two();
        let mut former = None;
        if needed > self.shares {
            former = Some(self.shares).filter(|count| *count > 0);
            self.shares = needed;
            self.changed = (0..needed).collect();
        }
        let changed = std::mem::take(&mut self.changed);
        // Nearly every time.
        if changed.is_empty() {
            return (Vec::new(), None);
        }
        let mut shares: BTreeMap<usize, Vec<u8>> =
            changed.iter().map(|number| (*number, Vec::new())).collect();
        for (place, print) in &self.entries {
            if let Some(octets) = shares.get_mut(&share_of(*place, self.shares)) {
                octets.extend_from_slice(&place.0.to_be_bytes());
                octets.extend_from_slice(&print.0.to_be_bytes());
            }
        }
        let count = self.shares;
        let shares = shares.into_iter().map(|(number, octets)| Share { count, number, octets });
        (shares.collect(), former)
    }

    /// Takes note that these could not be written.
    pub fn not_written(&mut self, shares: &[Share]) {
        self.changed
            .extend(shares.iter().filter(|share| share.count == self.shares).map(|share| share.number));
    }
}

/// The share of a place, of so many: its first bits.
fn share_of(place: Place, count: usize) -> usize {
    ((u128::from(place.0) * count as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{name, rdata};

    fn rrset(owner: &str, address: &str) -> RRset {
        let value = rdata::parse_value(Rtype::A, address).expect("an address");
        RRset::new(name::parse_absolute(owner).expect("a name"), Rtype::A, 60, [value])
    }

    fn many(count: usize) -> Agreed {
        let mut agreed = Agreed::default();
        for number in 0..count {
            let rrset = rrset(&format!("h{number}.example.com"), "192.0.2.1");
            agreed.note(Place::of(&rrset.name, rrset.rtype), Some(Print::of(&rrset)));
        }
        agreed
    }

    #[test]
    fn what_is_written_is_read_back() {
        for count in [0, 1, SHARE, SHARE + 1, 3 * SHARE] {
            let mut agreed = many(count);
            let (shares, former) = agreed.unwritten();
            assert_eq!(
                (former, shares.iter().map(|share| share.octets.len()).sum::<usize>()),
                (None, count * ENTRY)
            );
            let read = Agreed::read(&shares);
            assert_eq!(read.entries, agreed.entries);
            assert_eq!(agreed.unwritten().0, [], "it is written");
        }
    }

    #[test]
    fn only_shares_that_changed_are_written_again() {
        let mut agreed = many(4 * SHARE);
        assert_eq!(agreed.unwritten().0.len(), 4);
        let one = rrset("h7.example.com", "192.0.2.2");
        agreed.note(Place::of(&one.name, one.rtype), Some(Print::of(&one)));
        let (shares, _) = agreed.unwritten();
        assert_eq!(shares.len(), 1);
        agreed.not_written(&shares);
        assert_eq!(agreed.unwritten().0, shares);
        agreed.note(Place::of(&one.name, one.rtype), Some(Print::of(&one)));
        assert_eq!(agreed.unwritten().0, []);
    }

    /// Killed while it wrote the larger number, or before it deleted the smaller one.
    #[test]
    fn of_several_counts_the_largest_that_is_whole_counts() {
        let mut agreed = many(SHARE);
        let (small, _) = agreed.unwritten();
        let more = rrset("more.example.com", "192.0.2.1");
        agreed.note(Place::of(&more.name, more.rtype), Some(Print::of(&more)));
        let (large, former) = agreed.unwritten();
        assert_eq!((small.len(), large.len(), former), (1, 2, Some(1)));
        assert_eq!(Agreed::read(&[&small[..], &large[..1]].concat()).len(), SHARE);
        assert_eq!(Agreed::read(&[&small[..], &large].concat()).len(), SHARE + 1);
    }

    #[test]
    fn names_count_without_case_and_values_with_their_ttl() {
        let (a, b) = (rrset("WWW.example.com", "192.0.2.1"), rrset("www.example.com", "192.0.2.1"));
        assert_eq!(Place::of(&a.name, a.rtype), Place::of(&b.name, b.rtype));
        assert_eq!(Print::of(&a), Print::of(&b));
        let mut longer = b.clone();
        longer.ttl = 61;
        assert_ne!(Print::of(&longer), Print::of(&b));
    }
}
