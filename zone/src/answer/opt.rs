//! The OPT record of a response (RFC 6891 §6.1), made on the stack before anything else, so that there is
//! room for it whatever is cut.

use super::query::{Edns, code};

/// Octets of an OPT without options.
const FIXED: usize = 11;
/// The longest that one here can be: NSID, cookie, keepalive, zone version, extended error.
pub(crate) const GREATEST: usize = FIXED + (4 + GREATEST_NSID) + (4 + 24) + (4 + 2) + (4 + 6) + (4 + 2);
/// Octets of the longest NSID that may be set. With it, the longest question and all else fit in 512.
pub(crate) const GREATEST_NSID: usize = 128;
/// Responses are padded to a multiple of this (RFC 8467 §4.1).
const PADDED_TO: usize = 468;

/// An OPT record in the making.
pub(crate) struct Opt {
    octets: [u8; GREATEST],
    len: usize,
}

/// Why there is no answer, for people who look (RFC 8914 §4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExtendedError {
    /// The zone's content is not complete yet.
    NotReady = 14,
    /// Allowed to others perhaps, not to this client.
    Prohibited = 18,
    /// None of our zones.
    NotAuthoritative = 20,
    /// Nothing that this server does.
    NotSupported = 21,
    /// A type that is none (RFC 9824 §3.5).
    InvalidQueryType = 30,
}

impl Opt {
    /// Without options. DO comes back as it was sent (RFC 3225 §3), no other flag does.
    pub(crate) fn new(theirs: Edns, our_payload: u16) -> Self {
        let mut octets = [0; GREATEST];
        let payload = our_payload.to_be_bytes();
        let flags = if theirs.dnssec_ok { 0x80 } else { 0 };
        octets[..8].copy_from_slice(&[0, 0, 41, payload[0], payload[1], 0, 0, flags]);
        Opt { octets, len: FIXED }
    }

    /// Octets that it takes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds an option. One that there is no room for is left out, which cannot be: [`GREATEST`] counts all.
    pub(crate) fn option(&mut self, code: u16, value: &[u8]) {
        let (begin, end) = (self.len + 4, self.len + 4 + value.len());
        if end > GREATEST {
            return;
        }
        self.octets[self.len..self.len + 2].copy_from_slice(&code.to_be_bytes());
        self.octets[self.len + 2..begin].copy_from_slice(&(value.len() as u16).to_be_bytes());
        self.octets[begin..end].copy_from_slice(value);
        self.len = end;
    }

    /// Says why there is no answer.
    pub(crate) fn extended_error(&mut self, error: ExtendedError) {
        self.option(code::EXTENDED_ERROR, &(error as u16).to_be_bytes());
    }

    /// The record, with the upper bits of `rcode` (RFC 6891 §6.1.3).
    pub(crate) fn octets(&mut self, rcode: u16) -> &[u8] {
        self.octets[5] = (rcode >> 4) as u8;
        self.octets[9..FIXED].copy_from_slice(&((self.len - FIXED) as u16).to_be_bytes());
        &self.octets[..self.len]
    }
}

/// Adds a Padding option (RFC 7830) to a message that ends with an OPT of `opt` octets at `len`, and returns the
/// new length. Whatever has no room for it stays as it is.
pub(crate) fn pad(out: &mut [u8], len: usize, opt: usize) -> usize {
    let padded = (len + 4).next_multiple_of(PADDED_TO);
    if padded > out.len().min(usize::from(u16::MAX)) {
        return len;
    }
    let padding = padded - len - 4;
    out[len..padded].fill(0);
    out[len..len + 2].copy_from_slice(&code::PADDING.to_be_bytes());
    out[len + 2..len + 4].copy_from_slice(&(padding as u16).to_be_bytes());
    let length_at = len - opt + FIXED - 2;
    let rdata = (padded - (len - opt) - FIXED) as u16;
    out[length_at..length_at + 2].copy_from_slice(&rdata.to_be_bytes());
    padded
}
