//! Digests: of a slice, and of the whole content of a zone.
//!
//! The digest of a slice is SHA-256 over its octets and is its name. The digest of the whole is a sum
//! modulo 2^256 of one SHA-256 per RRset, so that a change costs one subtraction and one addition and the
//! result does not depend on how the content is cut into slices. It detects lost, doubled, changed and
//! stray RRsets, which is what bugs and broken disks make. It is not meant to hold against someone who may
//! choose very many RRsets and search for sums that collide; what comes from people is checked, not trusted
//! for its digest.

use crate::name::Name;
use domain::base::iana::Rtype;
use sha2::{Digest as _, Sha256};
use std::fmt;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 256 bits, shown as 52 characters of base32 in lower case without padding (RFC 4648 §6), which fits a
/// label and a Kubernetes name.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `octets`.
    pub fn of(octets: &[u8]) -> Self {
        Digest(Sha256::digest(octets).into())
    }

    /// The digest with these octets.
    pub fn from_octets(octets: [u8; 32]) -> Self {
        Digest(octets)
    }

    /// The octets.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads what Display writes.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0u8; 32];
        let (mut bits, mut held, mut at) = (0u32, 0u32, 0);
        if text.len() != 52 {
            return None;
        }
        for character in text.bytes() {
            let value = ALPHABET.iter().position(|&letter| letter == character)? as u32;
            bits = (bits << 5 | value) & 0xffff;
            held += 5;
            if held >= 8 {
                held -= 8;
                digest[at] = (bits >> held) as u8;
                at += 1;
            }
        }
        let padding = bits & ((1 << held) - 1);
        (at == 32 && padding == 0).then_some(Digest(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut bits, mut held) = (0u32, 0u32);
        let mut letter = |value: u32| fmt::Write::write_char(f, ALPHABET[value as usize & 31] as char);
        for octet in self.0 {
            bits = (bits << 8 | u32::from(octet)) & 0xffff;
            held += 8;
            while held >= 5 {
                held -= 5;
                letter(bits >> held)?;
            }
        }
        letter(bits << (5 - held))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The digest of the whole while it is kept up: see the module.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    pub(crate) fn add(&mut self, digest: Digest) {
        let mut carry = false;
        for (limb, other) in self.0.iter_mut().zip(limbs(digest)) {
            let (sum, over) = limb.overflowing_add(other);
            let (sum, again) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, over || again);
        }
    }

    pub(crate) fn subtract(&mut self, digest: Digest) {
        let mut borrow = false;
        for (limb, other) in self.0.iter_mut().zip(limbs(digest)) {
            let (difference, under) = limb.overflowing_sub(other);
            let (difference, again) = difference.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (difference, under || again);
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut octets = [0; 32];
        for (place, limb) in octets.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&limb.to_le_bytes());
        }
        Digest(octets)
    }
}

fn limbs(digest: Digest) -> [u64; 4] {
    let mut limbs = [0; 4];
    for (limb, octets) in limbs.iter_mut().zip(digest.0.chunks_exact(8)) {
        *limb = octets.iter().rev().fold(0, |sum, &octet| sum << 8 | u64::from(octet));
    }
    limbs
}

/// What an RRset adds to the digest of the whole: its owner in lower case and everything else as it is.
pub(crate) fn of_rrset<'v>(
    relative: &[u8],
    rtype: Rtype,
    ttl: u32,
    values: impl Iterator<Item = &'v [u8]>,
) -> Digest {
    let mut hash = Sha256::new();
    hash.update([relative.len() as u8]);
    hash.update(relative.to_ascii_lowercase());
    hash.update(rtype.to_int().to_be_bytes());
    hash.update(ttl.to_be_bytes());
    for value in values {
        hash.update((value.len() as u16).to_be_bytes());
        hash.update(value);
    }
    Digest(hash.finalize().into())
}

/// The labels of `name` before `apex`, in wire form. `name` must be at or below it.
pub(crate) fn relative<'n>(name: &'n Name, apex: &Name) -> &'n [u8] {
    &name.as_slice()[..name.as_slice().len() - apex.as_slice().len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10 (base32 of "foobar" begins so) and the known SHA-256 of nothing.
    #[test]
    fn base32_as_others_write_it() {
        let mut octets = [0; 32];
        octets[..6].copy_from_slice(b"foobar");
        assert!(Digest::from_octets(octets).to_string().starts_with("mzxw6ytbo"));
        let nothing = Digest::of(&[]).octets().map(|octet| format!("{octet:02x}")).concat();
        assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let text = Digest::of(&[]).to_string();
        let padded = format!("{}b", &text[..51]);
        assert_eq!((Digest::parse(&text), Digest::parse(&padded)), (Some(Digest::of(&[])), None));
    }

    #[test]
    fn text_and_back() {
        let digest = Digest::of(b"port53");
        let text = digest.to_string();
        assert_eq!(text.len(), 52);
        assert_eq!(Digest::parse(&text), Some(digest));
        assert_eq!(Digest::parse(&text[1..]), None);
        assert_eq!(Digest::parse(&text.to_uppercase()), None);
    }

    #[test]
    fn what_is_added_can_be_taken_away_in_any_order() {
        let digests: Vec<Digest> = (0..20u8).map(|i| Digest::of(&[i])).collect();
        let mut sum = Sum::default();
        digests.iter().for_each(|&digest| sum.add(digest));
        let whole = sum.digest();
        sum.subtract(digests[7]);
        assert_ne!(sum.digest(), whole);
        sum.add(digests[7]);
        assert_eq!(sum.digest(), whole);
        digests.iter().rev().for_each(|&digest| sum.subtract(digest));
        assert_eq!(sum, Sum::default());
    }
}
