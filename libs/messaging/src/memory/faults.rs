//! What goes wrong, and the dice that say when. Separate, so that one seed decides all of it.

/// Chances in a thousand; nothing goes wrong by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// A publish call takes effect and its receipt never comes, as when the process is cut off from the broker.
    pub lost_receipts: u32,
    /// A record is appended twice, as when a zombie publishes what its successor publishes too.
    pub repeated_records: u32,
    /// A lane's next batch is held back for a while and comes in small pieces.
    pub delayed_batches: u32,
}

/// SplitMix64: small, seeded, and good enough for dice.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn falls(&mut self, chances_in_a_thousand: u32) -> bool {
        self.below(1000) < u64::from(chances_in_a_thousand)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}
