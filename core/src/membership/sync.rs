//! Whether enough is known of the others to act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::MemberId;

/// How often another member is asked what it knows, until then.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);
/// How many times longer than for the first answer is waited for everything to be there.
const FACTOR: u32 = 5;

#[derive(Debug)]
pub(crate) struct Sync {
    alone_after: Instant,
    at_last: Instant,
    /// Up to which version another member knew the records of others.
    wanted: BTreeMap<MemberId, u64>,
    is_complete: bool,
    is_done: bool,
}

impl Sync {
    pub(crate) fn new(now: Instant, alone_after: Duration) -> Self {
        Self {
            alone_after: now + alone_after,
            at_last: now + alone_after * FACTOR,
            wanted: BTreeMap::new(),
            is_complete: false,
            is_done: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What another member knows; `is_last` if that is all.
    pub(crate) fn add(&mut self, versions: impl Iterator<Item = (MemberId, u64)>, is_last: bool) {
        if !self.is_done {
            self.wanted.extend(versions);
            self.is_complete |= is_last;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_done).then_some(self.alone_after.min(self.at_last))
    }

    /// Whether this is the moment.
    pub(crate) fn settle(
        &mut self,
        is_alone: bool,
        has: impl Fn(MemberId, u64) -> bool,
        now: Instant,
    ) -> bool {
        if self.is_done {
            return false;
        }
        self.wanted
            .retain(|member, version| !has(*member, *version));
        let is_complete = self.is_complete && self.wanted.is_empty();
        let is_in_vain = is_alone && now >= self.alone_after;
        if now >= self.alone_after {
            // Somebody is there, but has not said everything yet.
            self.alone_after = self.at_last;
        }
        self.is_done = is_complete || is_in_vain || now >= self.at_last;
        if self.is_done {
            self.wanted.clear();
        }
        self.is_done
    }
}
