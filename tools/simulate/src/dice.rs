//! Chance that follows from a seed. Separate, because everything that may happen either way asks here and nowhere else.

use uuid::Uuid;

/// SplitMix64: small, seeded, and good enough for dice.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of their own for something with a name: what others throw does not change them.
    pub(crate) fn of(seed: u64, name: &str) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        Self(seed ^ id.as_u64_pair().0)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From zero up to and without `bound`; zero if that is zero.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    pub(crate) const fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// So many chances in a thousand.
    pub(crate) const fn falls(&mut self, chances: u64) -> bool {
        self.below(1000) < chances
    }
}
