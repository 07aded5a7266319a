//! The NSEC3 chain of a zone that is signed so (RFC 5155): the hashes that have an NSEC3, in order.
//!
//! NSEC3 records stand among the other owners, whose order says nothing about the order of hashes once ten thousand
//! names lie between two of them. So the hashes are kept once more, 20 octets each, and gathered anew from the content
//! whenever it changes: what signs a zone rewrites its proofs anyway.

use std::sync::Arc;

use domain::base::iana::Rtype;
use sha1::{Digest, Sha1};

use crate::content::{Content, RRsetRef};

/// A hash of a name.
pub(crate) type Hash = [u8; 20];

/// Octets of the owner of an NSEC3 relative to its apex: one label of 32.
pub(crate) const OWNER: usize = 33;

/// More than this is taken for nobody's wish but an attacker's: proofs are left out (RFC 9276 §3.2).
const GREATEST_ITERATIONS: u16 = 50;
/// SHA-1, the only one there is (RFC 5155 §11).
const SHA1: u8 = 1;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// See the module. Cloning shares the hashes.
#[derive(Clone, Debug)]
pub(crate) struct Nsec3 {
    iterations: u16,
    salt: Box<[u8]>,
    hashes: Arc<[Hash]>,
}

/// What NSEC3 and NSEC3PARAM begin with.
#[derive(Clone, Copy, PartialEq)]
struct Parameters<'a> {
    iterations: u16,
    salt: &'a [u8],
}

impl Nsec3 {
    /// The chain that the NSEC3PARAM at the apex names (RFC 5155 §4); of several the first that is there.
    pub(crate) fn of(content: &Content) -> Option<Self> {
        let apex = content.leaf_for(&[])?.find(&[])?;
        let offered = apex.rrset(Rtype::NSEC3PARAM)?;
        offered.values().filter_map(parameters).find_map(|wanted| {
            let owners = content.leaves().flat_map(|leaf| leaf.owners());
            let mut hashes: Vec<Hash> = owners
                .filter(|owner| owner.rrset(Rtype::NSEC3).is_some_and(|nsec3| is_of(&nsec3, wanted)))
                .filter_map(|owner| read_owner(owner.name()))
                .collect();
            hashes.sort_unstable();
            let Parameters { iterations, salt } = wanted;
            (!hashes.is_empty()).then(|| Nsec3 { iterations, salt: salt.into(), hashes: hashes.into() })
        })
    }

    /// The hash of an absolute name in wire form (RFC 5155 §5).
    pub(crate) fn hash(&self, name: &[u8]) -> Hash {
        let mut lowercase = [0; 255];
        let lowercase = &mut lowercase[..name.len()];
        lowercase.copy_from_slice(name);
        lowercase.make_ascii_lowercase();
        let once = |octets: &[u8]| -> Hash {
            Sha1::new().chain_update(octets).chain_update(&self.salt).finalize().into()
        };
        (0..self.iterations).fold(once(lowercase), |hash, _| once(&hash))
    }

    /// Whether this hash has an NSEC3.
    pub(crate) fn has(&self, hash: &Hash) -> bool {
        self.hashes.binary_search(hash).is_ok()
    }

    /// The hash whose NSEC3 covers this one, which has none: the last before it, in a circle.
    pub(crate) fn before(&self, hash: &Hash) -> Hash {
        let place = self.hashes.partition_point(|other| other < hash);
        self.hashes[(place + self.hashes.len() - 1) % self.hashes.len()]
    }

    /// Octets held in memory.
    pub(crate) fn memory_octets(&self) -> usize {
        self.hashes.len() * size_of::<Hash>() + self.salt.len()
    }
}

/// The owner of the NSEC3 of a hash, relative to the apex.
pub(crate) fn owner(hash: &Hash) -> [u8; OWNER] {
    let mut owner = [0; OWNER];
    owner[0] = (OWNER - 1) as u8;
    // 5 octets are 8 characters (RFC 4648 §7), and 20 are four times that.
    for (octets, text) in hash.chunks(5).zip(owner[1..].chunks_mut(8)) {
        let bits = octets.iter().fold(0u64, |bits, &octet| bits << 8 | u64::from(octet));
        for (i, character) in text.iter_mut().enumerate() {
            *character = ALPHABET[(bits >> (35 - 5 * i)) as usize & 0x1f];
        }
    }
    owner
}

fn read_owner(relative: &[u8]) -> Option<Hash> {
    let (&length, text) = relative.split_first()?;
    if relative.len() != OWNER || usize::from(length) != OWNER - 1 {
        return None;
    }
    let mut hash = [0; 20];
    for (text, octets) in text.chunks(8).zip(hash.chunks_mut(5)) {
        let mut bits = 0u64;
        for character in text {
            let place = ALPHABET.iter().position(|known| *known == character.to_ascii_lowercase())?;
            bits = bits << 5 | place as u64;
        }
        octets.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(hash)
}

fn is_of(nsec3: &RRsetRef<'_>, wanted: Parameters<'_>) -> bool {
    nsec3.values().any(|value| parameters(value) == Some(wanted))
}

fn parameters(value: &[u8]) -> Option<Parameters<'_>> {
    let iterations = u16::from_be_bytes([*value.get(2)?, *value.get(3)?]);
    let salt = value.get(5..5 + usize::from(*value.get(4)?))?;
    (value[0] == SHA1 && iterations <= GREATEST_ITERATIONS).then_some(Parameters { iterations, salt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name;

    /// RFC 5155 Appendix A: salt aabbccdd, 12 more iterations.
    #[test]
    fn hashes_of_rfc5155_appendix_a() {
        let chain = Nsec3 { iterations: 12, salt: [0xaa, 0xbb, 0xcc, 0xdd].into(), hashes: [].into() };
        for (name, expected) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("*.w.Example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("x.y.w.example", "2vptu5timamqttgl4luu9kg21e0aor3s"),
        ] {
            let hash = chain.hash(name::parse_absolute(name).expect("a name").as_slice());
            let owner = owner(&hash);
            assert_eq!((owner[0], &owner[1..]), (32, expected.as_bytes()), "{name}");
            assert_eq!(read_owner(&owner), Some(hash));
            assert_eq!(read_owner(&owner.to_ascii_uppercase()), Some(hash));
        }
    }

    #[test]
    fn what_covers_a_hash_is_found_in_a_circle() {
        let hashes = [[1; 20], [5; 20], [9; 20]];
        let chain = Nsec3 { iterations: 0, salt: [].into(), hashes: hashes.into() };
        assert!(chain.has(&[5; 20]) && !chain.has(&[6; 20]));
        assert_eq!(chain.before(&[6; 20]), [5; 20]);
        assert_eq!(chain.before(&[0; 20]), [9; 20]);
        assert_eq!(chain.before(&[10; 20]), [9; 20]);
    }

    #[test]
    fn other_labels_are_no_hashes() {
        let short = [b"\x1f".as_slice(), &[b'0'; 31]].concat();
        let wrong = [b"\x20".as_slice(), &[b'w'; 32]].concat();
        let deep = [b"\x20".as_slice(), &[b'0'; 32], b"\x01a"].concat();
        assert!([&short, &wrong, &deep].iter().all(|label| read_owner(label).is_none()));
    }
}
