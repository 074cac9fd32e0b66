//! The queue of announcements that follow each other quickly.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long after the one before each announcement of a burst is due: 0, 50 and 200 ms, 1 s and 2 s
/// after its start. A lost frame costs the time to the next.
pub(super) const DELAYS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(150),
    Duration::from_millis(800),
    Duration::from_secs(1),
];
/// At most [`PER_TICK`] announcements are made in this time: more at once would overflow the
/// queues of this node, its switches and its neighbours.
pub(super) const TICK: Duration = Duration::from_millis(5);
/// See [`TICK`].
pub(super) const PER_TICK: usize = 500;
/// Of these so many are repetitions: all stations of a segment have to hear and drop what is not for
/// them, which must not take the time for questions away.
pub(super) const REPEATED_PER_TICK: usize = 50;
/// The same while others have their first, and for [`CALM`] after that: those who wait for it come
/// first, on all the hosts that have to hear each of them.
pub(super) const REPEATED_MEANWHILE: usize = 5;
/// First announcements of one event come in portions; between them it is no longer than this.
pub(super) const CALM: Duration = Duration::from_millis(100);

/// One announcement to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) vip: IpAddr,
    pub(super) interface: u32,
    pub(super) burst: u64,
    /// The generation that was complete before the one that this is of.
    pub(super) before: Option<u64>,
    due: Instant,
}

/// All bursts.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    /// By step. All entries of a step have waited for the same time, so each queue is in order.
    queues: [VecDeque<Entry>; DELAYS.len()],
    before: Option<u64>,
    number: u64,
    tick_end: Option<Instant>,
    /// How many may be made in this tick, and how many of them may be repetitions.
    left: [usize; 2],
    /// When a first one was made last.
    first: Option<Instant>,
}

impl Bursts {
    /// Bursts that start from now on belong to what follows this generation.
    pub(super) fn begin(&mut self, before: Option<u64>) {
        self.before = before;
    }

    /// Starts a burst; returns its number.
    pub(super) fn start(&mut self, vip: IpAddr, interface: u32, now: Instant) -> u64 {
        self.number += 1;
        let entry = Entry {
            vip,
            interface,
            burst: self.number,
            before: self.before,
            due: now,
        };
        if let Some(first) = self.queues.first_mut() {
            first.push_back(entry);
        }
        self.number
    }

    /// Takes the next announcement that is due and `counts`; first ones come before repetitions.
    pub(super) fn next(&mut self, now: Instant, counts: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if self.tick_end.is_none_or(|end| end <= now) {
            self.tick_end = Some(now + TICK);
            let is_calm = self.first.is_none_or(|first| first + CALM <= now);
            let repeated = if is_calm {
                REPEATED_PER_TICK
            } else {
                REPEATED_MEANWHILE
            };
            self.left = [PER_TICK, repeated];
        }
        let [left, repeated] = self.left;
        for (step, queue) in self.queues.iter_mut().enumerate() {
            let repeats = usize::from(step > 0);
            let is_full = left == 0 || repeated < repeats;
            while let Some(entry) = queue.front().copied().filter(|entry| entry.due <= now) {
                let counts = counts(&entry);
                if counts && is_full {
                    break;
                }
                queue.pop_front();
                if counts {
                    self.left = [left - 1, repeated - repeats];
                    if repeats == 0 {
                        self.first = Some(now);
                    }
                    self.repeat(entry, step + 1, now);
                    return Some(entry);
                }
            }
        }
        None
    }

    /// Repeats nothing for a while; what was never announced is not put off.
    pub(super) fn hush(&mut self, now: Instant, time: Duration) {
        for queue in self.queues.iter_mut().skip(1) {
            for entry in queue {
                entry.due = entry.due.max(now + time);
            }
        }
    }

    /// When [`Self::next`] may have something.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let [left, repeated] = self.left;
        let lefts = std::iter::once(left).chain(std::iter::repeat(repeated.min(left)));
        let due = |(queue, left): (&VecDeque<Entry>, usize)| {
            let due = queue.front()?.due;
            let end = self.tick_end.filter(|_| left == 0);
            Some(end.map_or(due, |end| due.max(end)))
        };
        self.queues.iter().zip(lefts).filter_map(due).min()
    }

    /// The oldest of the first announcements that have not been made.
    pub(super) fn first_waiting(&self) -> Option<&Entry> {
        self.queues.first()?.front()
    }

    fn repeat(&mut self, entry: Entry, step: usize, now: Instant) {
        if let (Some(queue), Some(delay)) = (self.queues.get_mut(step), DELAYS.get(step)) {
            let due = now + *delay;
            // Before those that were put off.
            let place = queue.partition_point(|one| one.due <= due);
            queue.insert(place, Entry { due, ..entry });
        }
    }
}
