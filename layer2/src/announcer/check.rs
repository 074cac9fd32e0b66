//! Whether anybody else has what was just taken: all are asked, for a host may have an address and
//! never say so by itself. Nothing waits for the answers.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long after the VIP was taken, and after the question before, each question is asked. Whoever
/// handed the VIP over has stopped by then. A lost frame costs the time to the next.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How many there are.
pub(super) const QUESTIONS: u8 = 2;
/// At most [`PER_TICK`] are asked in this time: all stations of a segment have to hear each.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// See [`TICK`].
pub(super) const PER_TICK: usize = 50;

/// A question to be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) vip: IpAddr,
    pub(super) interface: u32,
    /// The number of the burst with which the VIP was taken there.
    pub(super) taken: u64,
    /// How many are left, this one included.
    left: u8,
    due: Instant,
}

/// All such questions.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// In order, since all wait for the same time.
    queue: VecDeque<Entry>,
    tick_end: Option<Instant>,
    /// How many may be asked in this tick.
    left: usize,
}

impl Checks {
    /// A VIP is taken on an interface.
    pub(super) fn start(&mut self, vip: IpAddr, interface: u32, taken: u64, now: Instant) {
        self.queue.push_back(Entry {
            vip,
            interface,
            taken,
            left: QUESTIONS,
            due: now + PAUSE,
        });
    }

    /// Takes the next question that is due and `counts`.
    pub(super) fn next(&mut self, now: Instant, counts: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if self.tick_end.is_none_or(|end| end <= now) {
            self.tick_end = Some(now + TICK);
            self.left = PER_TICK;
        }
        while let Some(entry) = self.queue.front().copied().filter(|entry| entry.due <= now) {
            let counts = counts(&entry);
            if counts && self.left == 0 {
                return None;
            }
            self.queue.pop_front();
            if counts {
                self.left -= 1;
                let left = entry.left.saturating_sub(1);
                if left > 0 {
                    let due = now + PAUSE;
                    self.queue.push_back(Entry { left, due, ..entry });
                }
                return Some(entry);
            }
        }
        None
    }

    /// When [`Self::next`] may have something.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let due = self.queue.front()?.due;
        let end = self.tick_end.filter(|_| self.left == 0);
        Some(end.map_or(due, |end| due.max(end)))
    }
}
