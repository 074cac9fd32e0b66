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
    /// From then on, nobody is waited for who does not take part.
    at_last: Instant,
    /// Up to when was looked whether it is over.
    seen: Instant,
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
            seen: now,
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
        let moments = [wait.alone_after, wait.at_last].into_iter();
        moments.filter(|moment| *moment > wait.seen).min()
    }

    /// Whether this is the moment: somebody has told everything, or nobody is there. As long as one
    /// takes part who has told nothing, nothing is known of what others have.
    pub(crate) fn settle(
        &mut self,
        is_alone: bool,
        is_alive: impl Fn(MemberId) -> bool,
        has: impl Fn(MemberId, u64) -> bool,
        now: Instant,
    ) -> bool {
        if self.is_done {
            return false;
        }
        let is_late = self.wait.is_some_and(|wait| now >= wait.at_last);
        // One that is missing is enough, so the others are not looked at for every datagram.
        while let Some(first) = self.wanted.first_entry() {
            let member = *first.key();
            if !has(member, *first.get()) && (!is_late || is_alive(member)) {
                break;
            }
            first.remove();
        }
        let is_complete = self.is_complete && self.wanted.is_empty();
        let is_over = self.wait.is_some_and(|wait| now >= wait.alone_after);
        if let Some(wait) = &mut self.wait {
            wait.seen = now;
        }
        self.is_done = is_complete || (is_over && is_alone);
        if self.is_done {
            self.wanted.clear();
        }
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who has told nothing, everything, and whose records are missing.
    #[test]
    fn nothing_is_settled_before_somebody_has_told_everything() {
        let start = crate::testing::Network::new(1).now;
        let second = |count| start + Duration::from_secs(count);
        let id = |port| MemberId {
            address: ([192, 0, 2, 1], port).into(),
            generation: 1,
        };
        let mut sync = Sync::new(Duration::from_secs(3));
        assert_eq!(sync.poll_timeout(), None);
        sync.begin(start);
        let nobody_has = |_, _| false;
        for count in 0..100 {
            assert!(!sync.settle(false, |_| true, nobody_has, second(count)));
        }
        assert_eq!(sync.poll_timeout(), None, "somebody must say something");
        // The records of a member that takes part are waited for, those of another only for a while.
        sync.add([(id(1), 5), (id(2), 6)].into_iter(), true);
        let is_first = |member: MemberId| member == id(1);
        assert!(!sync.settle(false, is_first, nobody_has, second(100)));
        assert!(sync.settle(false, is_first, |member, _| is_first(member), second(101)));

        let mut sync = Sync::new(Duration::from_secs(3));
        sync.begin(start);
        assert_eq!(sync.poll_timeout(), Some(second(3)));
        assert!(!sync.settle(true, |_| false, nobody_has, second(2)));
        assert!(sync.settle(true, |_| false, nobody_has, second(3)));
    }
}
