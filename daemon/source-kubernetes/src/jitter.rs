//! Delays that differ from daemon to daemon, and are the same for the same seed.

use std::time::Duration;

/// A generator of small delays (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// A generator of the delays that belong to this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A delay below this one.
    pub(crate) fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        limit / 1024 * u32::try_from(z & 1023).unwrap_or(0)
    }
}
