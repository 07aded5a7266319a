//! The hash of a name, keyed and computed from the root outward.
//!
//! One pass over a question gives the hash of the name and of every ancestor: of `www.example.com.` the
//! hashes of `.`, `com.`, `example.com.` and itself, in that order. Zones are found by the hashes of the
//! ancestors and owners by the hash of the whole. The key is drawn once a process, so that nobody who
//! chooses names can choose their buckets.

use crate::caseless;
use crate::name::label_starts;
use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

/// Hash of the root, where every chain of hashes begins.
pub(crate) fn root_hash() -> u64 {
    key().0
}

/// Hash of a name from the hash of its parent and its leftmost label, in any case.
pub(crate) fn child_hash(parent: u64, label: &[u8]) -> u64 {
    let multiplier = key().1;
    let start = parent ^ (label.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    caseless::fold(label, start, |hash, word| folded_multiply(hash ^ word, multiplier))
}

/// Hash of the uncompressed name or run of labels in `wire`, whose parent has the hash `parent`.
pub(crate) fn hash_below(parent: u64, wire: &[u8]) -> u64 {
    let mut starts = [0u8; 128];
    let count = label_starts(wire, &mut starts);
    starts[..count].iter().rev().fold(parent, |hash, &start| {
        let start = usize::from(start);
        child_hash(hash, &wire[start + 1..start + 1 + usize::from(wire[start])])
    })
}

fn folded_multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// (start of every chain, odd multiplier)
fn key() -> (u64, u64) {
    static KEY: OnceLock<(u64, u64)> = OnceLock::new();
    *KEY.get_or_init(|| {
        let random = std::hash::RandomState::new();
        let draw = |n: u64| {
            let mut hasher = random.build_hasher();
            hasher.write_u64(n);
            hasher.finish()
        };
        (draw(1), draw(2) | 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    #[test]
    fn case_does_not_count_and_borders_of_labels_do() {
        let hash =
            |text: &str| hash_below(root_hash(), name::parse_absolute(text).expect("a name").as_slice());
        assert_eq!(hash("www.Example.COM."), hash("WWW.example.com."));
        assert_ne!(hash("ab.c."), hash("a.bc."));
        assert_ne!(hash("abc."), hash("ab.c."));
        assert_eq!(hash("."), root_hash());
    }
}
