//! A name that is being looked up: its labels, and the hash of each of its ancestors.

use crate::image::{child_hash, root_hash};

/// Greatest number of labels in a name, without the root: 127 of one octet each.
pub(crate) const GREATEST_LABELS: usize = 127;

/// A name on the stack, taken apart once.
pub(crate) struct QName {
    wire: [u8; 255],
    len: u8,
    /// Where each label starts, from the left.
    starts: [u8; GREATEST_LABELS],
    labels: u8,
    /// Hash of the ancestor with n labels, the root being 0.
    hashes: [u64; GREATEST_LABELS + 1],
}

impl QName {
    /// Reads the uncompressed name at the start of `octets`. `None` when there is none: cut short, too
    /// long, or with a pointer (a question has nothing to point to).
    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let mut name = QName {
            wire: [0; 255],
            len: 0,
            starts: [0; GREATEST_LABELS],
            labels: 0,
            hashes: [0; GREATEST_LABELS + 1],
        };
        let mut at = 0;
        loop {
            let length = usize::from(*octets.get(at)?);
            if length == 0 {
                break;
            }
            if length > 63 || at + 1 + length > 254 {
                return None;
            }
            name.starts[usize::from(name.labels)] = at as u8;
            name.labels += 1;
            at += 1 + length;
        }
        name.wire[..=at].copy_from_slice(octets.get(..=at)?);
        name.len = at as u8 + 1;
        name.hash_ancestors();
        Some(name)
    }

    /// The name that has the labels `prefix` (wire form, no root) before `suffix` (wire form with root).
    /// `None` when it would be longer than 255 octets.
    pub(crate) fn concat(prefix: &[u8], suffix: &[u8]) -> Option<Self> {
        let mut wire = [0u8; 255];
        let whole = wire.get_mut(..prefix.len() + suffix.len())?;
        whole[..prefix.len()].copy_from_slice(prefix);
        whole[prefix.len()..].copy_from_slice(suffix);
        Self::parse(whole)
    }

    /// The whole name in wire form, in the case it came in.
    pub(crate) fn wire(&self) -> &[u8] {
        &self.wire[..usize::from(self.len)]
    }

    /// Labels without the root.
    pub(crate) fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// Hash of the ancestor with n labels, for each n up to [`QName::labels`].
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes[..=self.labels()]
    }

    /// Hash of the whole name.
    pub(crate) fn hash(&self) -> u64 {
        self.hashes[self.labels()]
    }

    /// The ancestor with `labels` labels, in wire form with its root label.
    pub(crate) fn suffix(&self, labels: usize) -> &[u8] {
        &self.wire[self.start_of_suffix(labels)..usize::from(self.len)]
    }

    /// The labels to the left of the ancestor with `labels` labels.
    pub(crate) fn prefix(&self, labels: usize) -> &[u8] {
        &self.wire[..self.start_of_suffix(labels)]
    }

    /// The ancestor with `labels` labels, relative to the one with `apex_labels`.
    pub(crate) fn relative(&self, apex_labels: usize, labels: usize) -> &[u8] {
        &self.wire[self.start_of_suffix(labels)..self.start_of_suffix(apex_labels)]
    }

    /// Whether a label starts at this offset of the wire form.
    pub(crate) fn is_label_start(&self, offset: usize) -> bool {
        self.starts[..self.labels()].binary_search(&(offset as u8)).is_ok()
    }

    fn start_of_suffix(&self, labels: usize) -> usize {
        if labels == 0 { usize::from(self.len) - 1 } else { usize::from(self.starts[self.labels() - labels]) }
    }

    fn hash_ancestors(&mut self) {
        let mut lowercase = self.wire;
        lowercase.make_ascii_lowercase();
        let mut hash = root_hash();
        self.hashes[0] = hash;
        for n in 1..=self.labels() {
            let start = usize::from(self.starts[self.labels() - n]);
            let length = usize::from(self.wire[start]);
            hash = child_hash(hash, &lowercase[start + 1..start + 1 + length]);
            self.hashes[n] = hash;
        }
    }
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

fn label_starts(wire: &[u8], starts: &mut [u8; 128]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < wire.len() && wire[at] != 0 {
        starts[count] = at as u8;
        count += 1;
        at += 1 + usize::from(wire[at]);
    }
    count
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
