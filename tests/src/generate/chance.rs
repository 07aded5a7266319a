//! Numbers for tests alone.

use super::random::Random;

/// Where numbers come from.
#[derive(Clone, Debug)]
pub struct Chance {
    random: Random,
    octets: Vec<u8>,
    at: usize,
}

impl Chance {
    /// Numbers that `seed` says (splitmix64).
    pub fn seeded(seed: u64) -> Self {
        Chance { random: Random(seed), octets: Vec::new(), at: 0 }
    }

    /// Numbers from `octets`, then from what they say together.
    pub fn from_octets(octets: &[u8]) -> Self {
        let fold = |state: u64, &octet: &u8| (state ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        Chance { random: Random(octets.iter().fold(53, fold)), octets: octets.to_vec(), at: 0 }
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if let Some(&octet) = self.octets.get(self.at) {
            self.at += 1;
            return usize::from(octet) % bound;
        }
        (self.random.next() >> 33) as usize % bound
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
