//! A name that is being looked up: its labels, and the hash of each of its ancestors.

use crate::caseless;
use crate::image::{child_hash, hash_below, root_hash};
use crate::name::label_starts;

/// Greatest number of labels in a name, without the root: 127 of one octet each.
pub(crate) const GREATEST_LABELS: usize = 127;
/// Octets of the longest name, its root label included.
pub(crate) const GREATEST_NAME: usize = 255;
/// Hashes are kept of all ancestors with fewer labels than this, which most names have,
const NEAR: usize = 12;
/// and of each that has so many labels or a multiple: no other is far from one of these.
const APART: usize = 8;

/// A name in a message or an image, taken apart once.
pub(crate) struct QName<'w> {
    wire: &'w [u8],
    /// Where each label starts, from the left.
    starts: [u8; GREATEST_LABELS],
    labels: u8,
    hash: u64,
    /// Hash of the ancestor with n labels, the root being 0.
    near: [u64; NEAR],
    /// Of the ancestor with n times [`APART`] labels.
    far: [u64; GREATEST_LABELS / APART + 1],
}

impl<'w> QName<'w> {
    /// Reads the uncompressed name at the start of `octets`. `None` when there is none: cut short, too
    /// long, or with a pointer (a question has nothing to point to).
    #[inline]
    pub(crate) fn parse(octets: &'w [u8]) -> Option<Self> {
        let mut starts = [0; GREATEST_LABELS];
        let mut labels = 0;
        let mut at = 0;
        loop {
            let length = usize::from(*octets.get(at)?);
            if length == 0 {
                break;
            }
            if length > 63 || at + 1 + length > GREATEST_NAME - 1 {
                return None;
            }
            starts[labels] = at as u8;
            labels += 1;
            at += 1 + length;
        }
        let wire = octets.get(..=at)?;
        let (mut near, mut far) = ([0; NEAR], [0; GREATEST_LABELS / APART + 1]);
        let mut hash = root_hash();
        near[0] = hash;
        for (n, &start) in (1..).zip(starts[..labels].iter().rev()) {
            let (length, rest) = wire[usize::from(start)..].split_first()?;
            hash = child_hash(hash, &rest[..usize::from(*length)]);
            if let Some(kept) = near.get_mut(n) {
                *kept = hash;
            } else if n % APART == 0 {
                far[n / APART] = hash;
            }
        }
        Some(QName { wire, starts, labels: labels as u8, hash, near, far })
    }

    /// The whole name in wire form, in the case it came in.
    pub(crate) fn wire(&self) -> &'w [u8] {
        self.wire
    }

    /// Labels without the root.
    pub(crate) fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// Hash of the ancestor with so many labels, at most [`QName::labels`].
    pub(crate) fn hash_of(&self, labels: usize) -> u64 {
        match self.near.get(labels) {
            _ if labels == self.labels() => self.hash,
            Some(&hash) => hash,
            None => {
                let (from, hash) = match labels / APART * APART {
                    from if from < NEAR => (NEAR - 1, self.near[NEAR - 1]),
                    from => (from, self.far[from / APART]),
                };
                hash_below(hash, self.relative(from, labels))
            }
        }
    }

    /// Hash of the whole name.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The ancestor with `labels` labels, in wire form with its root label.
    pub(crate) fn suffix(&self, labels: usize) -> &'w [u8] {
        &self.wire[self.start_of_suffix(labels)..]
    }

    /// The labels to the left of the ancestor with `labels` labels.
    pub(crate) fn prefix(&self, labels: usize) -> &'w [u8] {
        &self.wire[..self.start_of_suffix(labels)]
    }

    /// The ancestor with `labels` labels, relative to the one with `apex_labels`.
    pub(crate) fn relative(&self, apex_labels: usize, labels: usize) -> &'w [u8] {
        &self.wire[self.start_of_suffix(labels)..self.start_of_suffix(apex_labels)]
    }

    /// Whether a label starts at this offset of the wire form.
    pub(crate) fn is_label_start(&self, offset: usize) -> bool {
        self.starts[..self.labels()].iter().any(|&start| usize::from(start) == offset)
    }

    fn start_of_suffix(&self, labels: usize) -> usize {
        if labels == 0 { self.wire.len() - 1 } else { usize::from(self.starts[self.labels() - labels]) }
    }
}

/// The name that has the labels `prefix` (wire form, no root) before `suffix` (wire form with root), in `buffer`.
/// `None` when it would be longer than 255 octets.
pub(crate) fn join<'b>(
    prefix: &[u8],
    suffix: &[u8],
    buffer: &'b mut [u8; GREATEST_NAME],
) -> Option<&'b [u8]> {
    let whole = buffer.get_mut(..prefix.len() + suffix.len())?;
    whole[..prefix.len()].copy_from_slice(prefix);
    whole[prefix.len()..].copy_from_slice(suffix);
    Some(whole)
}

/// Whether the name `wire` is `ancestor` or below it, both in wire form with their root labels.
pub(crate) fn is_at_or_below(wire: &[u8], ancestor: &[u8]) -> bool {
    let mut at = 0;
    while wire.len().saturating_sub(at) > ancestor.len() {
        at += 1 + usize::from(wire[at]);
    }
    wire.get(at..).is_some_and(|suffix| caseless::eq(suffix, ancestor))
}

/// How many labels two relative names (wire form without root) have in common, from the right.
pub(crate) fn common_labels(a: &[u8], b: &[u8]) -> usize {
    let (mut starts_a, mut starts_b) = ([0u8; 128], [0u8; 128]);
    let (count_a, count_b) = (label_starts(a, &mut starts_a), label_starts(b, &mut starts_b));
    let label = |wire: &[u8], start: u8| -> std::ops::Range<usize> {
        let start = usize::from(start);
        start..start + 1 + usize::from(wire[start])
    };
    (0..count_a.min(count_b))
        .take_while(|i| {
            let range_a = label(a, starts_a[count_a - 1 - i]);
            let range_b = label(b, starts_b[count_b - 1 - i]);
            a[range_a].eq_ignore_ascii_case(&b[range_b])
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart() {
        let wire = b"\x03wWw\x07example\x03com\x00rest";
        let name = QName::parse(wire).expect("a name");
        assert_eq!(name.wire(), b"\x03wWw\x07example\x03com\x00");
        assert_eq!(name.labels(), 3);
        assert_eq!(name.suffix(2), b"\x07example\x03com\x00");
        assert_eq!(name.suffix(0), b"\x00");
        assert_eq!(name.relative(2, 3), b"\x03wWw");
        assert_eq!(name.relative(2, 2), b"");
        assert_eq!(name.relative(0, 2), b"\x07example\x03com");
        assert_eq!(name.prefix(1), b"\x03wWw\x07example");
        assert!(name.is_label_start(4) && !name.is_label_start(5));
    }

    #[test]
    fn every_ancestor_has_the_hash_of_its_name() {
        let longest: Vec<u8> = [b"\x01A".repeat(127), vec![0]].concat();
        for wire in [&b"\0"[..], b"\x03www\x07Example\x0bexample-com\0", &longest] {
            let name = QName::parse(wire).expect("a name");
            assert_eq!(name.hash(), name.hash_of(name.labels()));
            for labels in 0..=name.labels() {
                assert_eq!(name.hash_of(labels), hash_below(root_hash(), name.suffix(labels)), "{labels}");
            }
        }
    }

    #[test]
    fn what_is_below_ends_with_whole_labels() {
        for (wire, ancestor, is_below) in [
            (&b"\x01a\x02bC\0"[..], &b"\x02Bc\0"[..], true),
            (b"\x02bc\0", b"\x02bc\0", true),
            (b"\x01a\0", b"\0", true),
            (b"\0", b"\0", true),
            (b"\0", b"\x01a\0", false),
            (b"\x04a\x02bc\0", b"\x02bc\0", false),
            (b"\x01a\x02bd\0", b"\x02bc\0", false),
            // No name, from a slice that somebody else wrote.
            (b"\0\xff\0\0\0\0\0", b"\x01a\0", false),
        ] {
            assert_eq!(is_at_or_below(wire, ancestor), is_below, "{wire:?} {ancestor:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for octets in [&b""[..], b"\x03ww", b"\x03www", b"\xc0\x0c", b"\x40", b"\x01a\xc0\x00"] {
            assert!(QName::parse(octets).is_none(), "{octets:?}");
        }
        let longest: Vec<u8> = [b"\x01a".repeat(127), vec![0]].concat();
        assert_eq!(QName::parse(&longest).expect("255 octets").labels(), 127);
        let too_long: Vec<u8> = [b"\x01a".repeat(126), b"\x02aa\x00".to_vec()].concat();
        assert!(QName::parse(&too_long).is_none());
    }

    #[test]
    fn labels_in_common() {
        assert_eq!(common_labels(b"\x01a\x01b", b"\x01x\x01B"), 1);
        assert_eq!(common_labels(b"\x01b", b"\x01a\x01b"), 1);
        assert_eq!(common_labels(b"", b"\x01a"), 0);
    }
}
