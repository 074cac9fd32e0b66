//! What is heard of one VIP on the segment, and whether whoever answers for it is believed: one that
//! answers and then stops costs the time until that is noticed, and may do so again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::interface::MacAddress;

use super::other::{Intruder, Intrusion, Others, Reply, Silenced};

/// For how long whoever answers has to do so before it is believed, where one has answered before and
/// then stopped; twice as long each time, up to the other.
const PROOF: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(64)];
/// After how long that is forgotten.
const FORGIVEN: Duration = Duration::from_secs(600);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Daemons of other nodes that say on the segment to have it.
    pub(super) others: Others,
    /// The last of them that had it, and then did not answer any more.
    pub(super) silenced: Option<Silenced>,
    /// The stations that are asked for it, as was told last, and of each whether it answers, as was
    /// heard last: that is heard again only when it changes.
    pub(super) asked: BTreeMap<MacAddress, Option<bool>>,
    /// [`crate::announcement::Asked::round`].
    pub(super) asked_round: u32,
    /// How often somebody answered for it for a while and then not any more, and when last.
    pub(super) deceived: Option<(u32, Instant)>,
    /// Other stations have it that are not yielded to: the last one of each sort.
    pub(super) intruders: BTreeMap<Intrusion, Intruder>,
}

impl Segment {
    /// What is known of whether a station answers for it that is to be asked.
    pub(super) fn reply(&self, station: MacAddress, now: Instant) -> Reply {
        match self.asked.get(&station).copied().flatten() {
            Some(true) => Reply::Given,
            Some(false) => Reply::Missing,
            None => Reply::Awaited(now),
        }
    }

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
