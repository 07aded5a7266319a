//! Zone transfers: AXFR (RFC 5936) and IXFR (RFC 1995), from a version of a zone to the messages that carry it.
//!
//! ```text
//! query ──Request──▶ Sequence: SOA, records or differences, SOA ──next_into──▶ one message after another
//! ```
//!
//! A [`Sequence`] holds the leaves of one version and a place among them, so a transfer copies no zone, sees
//! one version from its first record to its last, and goes on whenever the client has taken what it got.
//! A [`Delta`] is what made one version into the next, in the order in which IXFR sends it.

mod allow;
mod delta;
mod message;
mod request;
mod sequence;

#[cfg(test)]
mod tests;

pub use allow::Allow;
pub use delta::Delta;
pub use request::{Kind, Request, is_ordinary};
pub use sequence::{Extent, Sequence, TARGET};

use domain::base::iana::Rtype;

/// A record on its way into a message.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Labels relative to the apex, in wire form without root; none for the apex.
    pub(crate) owner: &'a [u8],
    pub(crate) rtype: Rtype,
    pub(crate) ttl: u32,
    pub(crate) value: &'a [u8],
}

impl<'a> Entry<'a> {
    /// A record of an RRset with this TTL. A signature has that of what it covers, which it states (RFC 4034 §3,
    /// §3.1.4), whatever others of its name have.
    pub(crate) fn new(owner: &'a [u8], rtype: Rtype, ttl: u32, value: &'a [u8]) -> Self {
        let stated = value.get(4..8).and_then(|octets| octets.try_into().ok()).map(u32::from_be_bytes);
        let ttl = stated.filter(|_| rtype == Rtype::RRSIG).unwrap_or(ttl);
        Entry { owner, rtype, ttl, value }
    }
}
