//! Whether enough is known of the others to act.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::MemberId;

/// How often another member is asked what it knows, until then.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);
/// How many times longer than for the first answer is waited for everything to be there.
const FACTOR: u32 = 5;

/// Until when is waited.
#[derive(Clone, Copy, Debug)]
struct Wait {
    alone_after: Instant,
    at_last: Instant,
}

#[derive(Debug)]
pub(crate) struct Sync {
    patience: Duration,
    /// It begins when it is known where others may be: before, nobody can be missed.
    wait: Option<Wait>,
    /// Up to which version another member knew the records of others.
    wanted: BTreeMap<MemberId, u64>,
    is_complete: bool,
    is_done: bool,
}

impl Sync {
    /// `patience`: how long to wait for the first answer.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            wait: None,
            wanted: BTreeMap::new(),
            is_complete: false,
            is_done: false,
        }
    }

    /// From now on, others are looked for.
    pub(crate) fn begin(&mut self, now: Instant) {
        let patience = self.patience;
        self.wait.get_or_insert_with(|| Wait {
            alone_after: now + patience,
            at_last: now + patience * FACTOR,
        });
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
        let wait = self.wait.filter(|_| !self.is_done)?;
        Some(wait.alone_after.min(wait.at_last))
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
        let mut is_over = false;
        if let Some(wait) = self.wait.as_mut().filter(|wait| now >= wait.alone_after) {
            is_over = is_alone || now >= wait.at_last;
            // Somebody is there, but has not said everything yet.
            wait.alone_after = wait.at_last;
        }
        self.is_done = is_complete || is_over;
        if self.is_done {
            self.wanted.clear();
        }
        self.is_done
    }
}
