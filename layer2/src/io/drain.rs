//! Whether what was handed to the kernel leaves the interface.

use std::time::{Duration, Instant};

/// After how long a queue that does not move is given up.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);
/// How often is looked at a queue that is not empty: soon at first, since most are empty at once.
const LOOKS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
/// How long that is "at first".
const SOON: Duration = Duration::from_millis(10);

/// What is known of the queue of one socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drain {
    /// How much it held when it was looked at last.
    level: usize,
    /// Since when it has not been seen to fall, though it is not empty.
    since: Option<Instant>,
    /// It has fallen since the last announcement.
    has_moved: bool,
}

impl Drain {
    /// Takes in how much the queue holds, before more is sent.
    pub(super) fn look(&mut self, level: usize, now: Instant) {
        let has_fallen = level < self.level;
        self.has_moved |= has_fallen;
        self.level = level;
        if level == 0 {
            self.since = None;
        } else if has_fallen || self.since.is_none() {
            self.since = Some(now);
        }
    }

    /// Takes in how much it holds after more was sent, among it an announcement or not.
    pub(super) fn sent(&mut self, level: usize, is_announcement: bool, now: Instant) {
        self.level = level;
        self.has_moved &= !is_announcement;
        self.since = (level > 0).then(|| self.since.unwrap_or(now));
    }

    /// Whether it is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.level == 0
    }

    /// Whether all that was announced is on the wire, or a queue that moves takes it there.
    pub(super) fn is_flushed(&self) -> bool {
        self.level == 0 || self.has_moved
    }

    /// Whether it is not worth while to wait any longer.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now >= since + PATIENCE)
    }

    /// When to look again.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let since = self.since?;
        let [soon, later] = LOOKS;
        let pause = if now < since + SOON { soon } else { later };
        Some((now + pause).min((since + PATIENCE).max(now)))
    }
}

#[cfg(test)]
mod tests {
    use carillon_core::testing::beginning;

    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_queue_that_stands_still_is_given_up_and_one_that_moves_is_not() {
        let start = beginning();
        let mut stuck = Drain::default();
        stuck.sent(700, true, start);
        let mut slow = stuck;
        for step in 1..100 {
            let now = start + ms(10 * step);
            stuck.look(700, now);
            assert_eq!(stuck.is_stuck(now), step >= 50, "{step}");
            assert!(!stuck.is_flushed());
            // More is sent than leaves, but some leaves.
            slow.look(700 * usize::try_from(step).unwrap() - 1, now);
            slow.sent(700 * (usize::try_from(step).unwrap() + 1), false, now);
            assert!(!slow.is_stuck(now) && slow.is_flushed(), "{step}");
        }
    }

    #[test]
    fn an_announcement_is_told_to_be_on_the_wire_when_the_queue_has_moved_after_it() {
        let start = beginning();
        let mut drain = Drain::default();
        assert!(drain.is_flushed() && drain.due(start).is_none());
        drain.sent(10, true, start);
        assert!(!drain.is_flushed());
        drain.look(9, start);
        assert!(drain.is_flushed() && !drain.is_empty());
        drain.sent(20, false, start);
        assert!(drain.is_flushed(), "an answer is no announcement");
        drain.sent(30, true, start);
        assert!(!drain.is_flushed());
        drain.look(0, start);
        assert!(drain.is_flushed() && drain.due(start).is_none());
    }

    #[test]
    fn it_is_looked_at_often_and_in_time() {
        let start = beginning();
        let mut drain = Drain::default();
        drain.sent(10, true, start);
        let (mut now, mut looks) = (start, 0);
        while !drain.is_stuck(now) {
            now = drain.due(now).expect("it is not empty");
            drain.look(10, now);
            looks += 1;
        }
        assert_eq!(now, start + PATIENCE);
        assert!((20..60).contains(&looks), "{looks}");
    }
}
