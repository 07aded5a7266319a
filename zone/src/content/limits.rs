//! What fits into the format: limits that the rules of [`crate::rules`] stay far below.

/// Greatest number of owners in a leaf, and of children of an inner node.
pub(crate) const GREATEST_OWNERS: usize = 256;

/// Greatest number of octets of an RRset with its owners compressed: a message has no more (RFC 1035
/// §4.2.2).
pub(crate) const GREATEST_RRSET: usize = 65_535;

/// Greatest number of types at one owner. So the RRsets of a leaf can be numbered in 16 bits: owners before
/// the last fill at most 64 KiB, which is room for 3,276 RRsets.
pub(crate) const GREATEST_TYPES: usize = 32_767;

/// Greatest number of octets of the text that says who owns an RRset.
pub(crate) const GREATEST_OWNED_BY: usize = 4_096;

/// Greatest offset of an owner in its leaf, which an index keeps in 24 bits. A leaf that this crate cuts ends with the
/// owner that reaches 64 KiB.
pub(crate) const GREATEST_OFFSET: usize = (1 << 24) - 1;
