//! Which counters have come already.

/// Which counters were seen: the highest, and those right below it.
#[derive(Debug, Default)]
pub(crate) struct Window {
    highest: u64,
    /// Bit i: the one that is i lower.
    seen: u128,
}

impl Window {
    /// Whether this one is new.
    pub(crate) fn accept(&mut self, counter: u64) -> bool {
        if counter > self.highest || self.seen == 0 {
            let up = u32::try_from(counter.saturating_sub(self.highest)).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(up).unwrap_or(0) | 1;
            self.highest = counter;
            return true;
        }
        let Some(bit) = u32::try_from(self.highest - counter)
            .ok()
            .and_then(|back| 1_u128.checked_shl(back))
        else {
            return false;
        };
        let is_new = self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}
