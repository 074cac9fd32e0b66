//! Whether whoever answers for a VIP is believed: one that answers and then stops costs the time until
//! that is noticed, and may do so again.

use std::time::{Duration, Instant};

use crate::interface::MacAddress;

use super::other::Intrusion;
use super::vip::Vip;

/// For how long whoever answers has to do so before it is believed, where one has answered before and
/// then stopped; twice as long each time, up to the other.
const PROOF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(64)];
/// After how long that is forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

impl Vip {
    /// For how long a station that is not yielded to has answered.
    pub(super) fn answered_for(&self, station: MacAddress, now: Instant) -> Duration {
        let answering = self.intruders.get(&Intrusion::Yielding);
        let answering = answering.filter(|one| one.station == station);
        let first = answering.map(|one| one.first);
        now.saturating_duration_since(first.unwrap_or(now))
    }

    /// Whether a station that answers is believed to go on with that.
    pub(super) fn believes(&self, station: MacAddress, now: Instant) -> bool {
        let Some((count, _)) = self.deceived else {
            return true;
        };
        let [least, most] = PROOF;
        let wanted = least.saturating_mul(1_u32.checked_shl(count - 1).unwrap_or(u32::MAX));
        self.answered_for(station, now) >= wanted.min(most)
    }

    /// Who was yielded to does not answer any more.
    pub(super) fn note_deceit(&mut self, now: Instant) {
        let before = self.deceived.map_or(0, |(count, _)| count);
        self.deceived = Some((before.saturating_add(1), now));
    }

    /// Forgets that after a while.
    pub(super) fn forgive(&mut self, now: Instant) {
        let is_over = |(_, last): &(u32, Instant)| now >= *last + FORGIVEN;
        self.deceived = self.deceived.filter(|one| !is_over(one));
    }
}
