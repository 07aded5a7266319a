//! Numbers for tests alone.

/// Where numbers come from.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
    octets: Vec<u8>,
    at: usize,
}

impl Chance {
    /// Numbers that `seed` says (splitmix64).
    pub fn seeded(seed: u64) -> Self {
        Chance { state: seed, octets: Vec::new(), at: 0 }
    }

    /// Numbers from `octets`, then from what they say together.
    pub fn from_octets(octets: &[u8]) -> Self {
        let fold = |state: u64, &octet: &u8| (state ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        Chance { state: octets.iter().fold(53, fold), octets: octets.to_vec(), at: 0 }
    }

    /// A number below `bound`, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if let Some(&octet) = self.octets.get(self.at) {
            self.at += 1;
            return usize::from(octet) % bound;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 33) as usize % bound
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
