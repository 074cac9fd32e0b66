//! What to write next of objects of one kind: at most one write of an object is under way, the newest
//! wish wins, and what is stored already is not written.
//!
//! ```text
//!            differs                 written, conflict, gone
//!  (idle) ───────────▶ Writing(v) ──────────────────────────▶ Settling(v)
//!    ▲                    │                                       │
//!    │                    └─ refused, failed ─▶ Waiting           │ a version other than v,
//!    └──────────── not withheld ◀─────────────────┴───────────────┘ or PATIENCE
//! ```
//!
//! A write names the version v that it was decided on, so one that is late or doubled does no harm.
//! Nothing is decided on v again until the watch brings what became of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::jitter::Jitter;
use super::publish::{AT_ONCE, Answer, Outcome};

#[cfg(test)]
mod tests;

/// How long the watch may take to bring what was written.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon to try again what failed, at first and at last.
const FAILED: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// How soon to try again what was refused, at first and at last: rights that are restored are not
/// told. Another version of the object is tried at once.
const REFUSED: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// How soon to repeat what another writer has replaced, once that has become a habit.
const CONTESTED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));
/// How often another writer may replace the same status before it is a habit.
const HABIT: u32 = 3;
/// For how long a replaced status counts towards a habit.
const MEMORY: Duration = Duration::from_secs(60);

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<K, W> {
    /// Write this.
    Write(K, Box<str>, W),
    /// What is stored is what is wished.
    UpToDate(K),
    /// Another writer keeps replacing what was written; from now on it is repeated less and less
    /// often.
    Contested(K),
}

/// What is to be stored of an object although it is not, and the object's version.
pub(super) type Difference<W> = (Box<str>, W);

#[derive(Debug)]
enum Step<W> {
    Idle,
    Writing(Box<str>, W),
    Settling(Box<str>, Instant),
    /// The version is that which was refused.
    Waiting(Option<Box<str>>, Instant),
}

/// What has been written of an object lately.
#[derive(Debug)]
struct Last<W> {
    wish: W,
    at: Instant,
    /// How often in a row.
    times: u32,
}

#[derive(Debug)]
struct Entry<W> {
    step: Step<W>,
    /// Writes in a row that came to nothing.
    failures: u32,
    last: Option<Last<W>>,
}

/// See the module's documentation; `K` names an object, `W` is what is to be stored of it. It remembers
/// only what is not idle.
#[derive(Debug)]
pub(super) struct Publisher<K, W> {
    jitter: Jitter,
    entries: HashMap<K, Entry<W>>,
    /// Objects to look at, in the order in which they changed.
    queue: VecDeque<K>,
    queued: HashSet<K>,
    timers: BTreeSet<(Instant, K)>,
    under_way: usize,
    /// The objects whose last write was refused or failed, and why.
    failing: BTreeMap<K, String>,
    /// The objects of which another writer keeps replacing what was written.
    contested: BTreeSet<K>,
}

impl<K: Clone + Hash + Ord, W: Clone + PartialEq> Publisher<K, W> {
    /// Takes no more memory than it needs.
    pub(super) fn pack(&mut self) {
        self.entries.shrink_to_fit();
        self.queue.shrink_to_fit();
        self.queued.shrink_to_fit();
    }

    /// A publisher that has nothing to do.
    pub(super) fn new(jitter: Jitter) -> Self {
        Self {
            jitter,
            entries: HashMap::new(),
            queue: VecDeque::new(),
            queued: HashSet::new(),
            timers: BTreeSet::new(),
            under_way: 0,
            failing: BTreeMap::new(),
            contested: BTreeSet::new(),
        }
    }

    /// Something else may have to be stored of an object than is.
    pub(super) fn touch(&mut self, object: &K) {
        if self.queued.insert(object.clone()) {
            self.queue.push_back(object.clone());
        }
    }

    /// An object is gone.
    pub(super) fn forget(&mut self, object: &K) {
        self.entries.remove(object);
        self.failing.remove(object);
        self.contested.remove(object);
    }

    /// It is not for us to write any more. What is under way cannot be called back.
    pub(super) fn stop(&mut self) {
        self.queue.clear();
        self.queued.clear();
        self.timers.clear();
        self.failing.clear();
        self.contested.clear();
        self.entries
            .retain(|_, entry| matches!(entry.step, Step::Writing(_, _)));
    }

    /// How many objects wait to be written.
    pub(super) fn pending(&self) -> usize {
        let entries = self.entries.values();
        let waiting = entries.filter(|entry| match entry.step {
            Step::Writing(_, _) | Step::Waiting(_, _) => true,
            Step::Idle | Step::Settling(_, _) => false,
        });
        waiting.count() + self.queue.len()
    }

    /// The objects whose last write was refused or failed, and why.
    pub(super) fn failing(&self) -> &BTreeMap<K, String> {
        &self.failing
    }

    /// The objects of which another writer keeps replacing what was written.
    pub(super) fn contested(&self) -> &BTreeSet<K> {
        &self.contested
    }

    /// When [`Self::next`] has something to do even if nothing comes in.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// The next thing to do. `difference` compares what is stored of an object with what is to
    /// be; each write is answered with [`Self::answered`].
    pub(super) fn next(
        &mut self,
        now: Instant,
        difference: impl Fn(&K) -> Option<Difference<W>>,
    ) -> Option<Next<K, W>> {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
            && let Some((_, object)) = self.timers.pop_first()
        {
            self.touch(&object);
        }
        while self.under_way < AT_ONCE {
            let object = self.queue.pop_front()?;
            self.queued.remove(&object);
            let next = self.look_at(object, now, &difference);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn look_at(
        &mut self,
        object: K,
        now: Instant,
        difference: &impl Fn(&K) -> Option<Difference<W>>,
    ) -> Option<Next<K, W>> {
        let difference = difference(&object);
        let version = difference.as_ref().map(|(version, _)| version);
        let entry = self.entries.entry(object.clone()).or_insert(Entry {
            step: Step::Idle,
            failures: 0,
            last: None,
        });
        let is_bound = match &entry.step {
            Step::Idle => false,
            Step::Writing(_, _) => true,
            Step::Settling(settling, until) => Some(settling) == version && now < *until,
            Step::Waiting(refused, until) => {
                let is_mended = refused.is_some() && refused.as_ref() != version;
                version.is_some() && !is_mended && now < *until
            }
        };
        if is_bound {
            return None;
        }
        entry.step = Step::Idle;
        let Some((version, wish)) = difference else {
            entry.failures = 0;
            self.failing.remove(&object);
            self.tidy(&object, now);
            return Some(Next::UpToDate(object));
        };
        if let Some(until) = entry.hold_off(&wish, now) {
            entry.step = Step::Waiting(None, until);
            self.timers.insert((until, object.clone()));
            let is_news = self.contested.insert(object.clone());
            return is_news.then_some(Next::Contested(object));
        }
        entry.step = Step::Writing(version.clone(), wish.clone());
        self.under_way += 1;
        Some(Next::Write(object, version, wish))
    }

    /// Takes in what became of a write.
    pub(super) fn answered(&mut self, answer: Answer<K>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        let Answer {
            object,
            version,
            outcome,
        } = answer;
        let Some(entry) = self.entries.get_mut(&object) else {
            return;
        };
        let wish = match std::mem::replace(&mut entry.step, Step::Idle) {
            Step::Writing(writing, wish) if writing == version => wish,
            // It is about one that had the same name.
            other @ (Step::Idle
            | Step::Writing(_, _)
            | Step::Settling(_, _)
            | Step::Waiting(_, _)) => {
                entry.step = other;
                return;
            }
        };
        let until = match &outcome {
            Outcome::Written | Outcome::Conflict | Outcome::Gone => now + PATIENCE,
            Outcome::Refused(_) => now + delay(REFUSED, entry.failures, &mut self.jitter),
            Outcome::Failed(_) => now + delay(FAILED, entry.failures, &mut self.jitter),
            Outcome::Withheld => now + FAILED.0,
        };
        let refused = matches!(outcome, Outcome::Refused(_)).then(|| version.clone());
        entry.step = match outcome {
            Outcome::Written => {
                entry.failures = 0;
                self.failing.remove(&object);
                if entry.remember(wish, now) == 1 {
                    self.contested.remove(&object);
                }
                Step::Settling(version, until)
            }
            Outcome::Conflict | Outcome::Gone => Step::Settling(version, until),
            Outcome::Refused(error) | Outcome::Failed(error) => {
                entry.failures = entry.failures.saturating_add(1);
                self.failing.insert(object.clone(), error);
                Step::Waiting(refused, until)
            }
            // It may be ours again before anybody noticed that it was not.
            Outcome::Withheld => Step::Waiting(None, until),
        };
        self.timers.insert((until, object.clone()));
        self.touch(&object);
    }

    /// Forgets an idle entry unless what it remembers may be needed.
    fn tidy(&mut self, object: &K, now: Instant) {
        let last = self
            .entries
            .get(object)
            .and_then(|entry| entry.last.as_ref());
        if let Some(at) = last.map(Last::forgotten_at).filter(|at| now < *at) {
            self.timers.insert((at, object.clone()));
        } else {
            self.entries.remove(object);
            self.contested.remove(object);
        }
    }
}

impl<W: PartialEq> Entry<W> {
    /// Until when not to repeat what another writer has replaced.
    fn hold_off(&self, wish: &W, now: Instant) -> Option<Instant> {
        let last = self.last.as_ref().filter(|last| last.wish == *wish)?;
        Some(last.at + last.hold_off()).filter(|until| now < *until)
    }

    /// Returns how often in a row this has been written now.
    fn remember(&mut self, wish: W, now: Instant) -> u32 {
        let repeats = (self.last.as_ref())
            .filter(|last| last.wish == wish && now < last.forgotten_at())
            .map_or(0, |last| last.times);
        let times = repeats.saturating_add(1);
        let at = now;
        self.last = Some(Last { wish, at, times });
        times
    }
}

impl<W> Last<W> {
    fn hold_off(&self) -> Duration {
        match self.times.checked_sub(HABIT) {
            Some(more) => doubled(CONTESTED, more),
            None => Duration::ZERO,
        }
    }

    fn forgotten_at(&self) -> Instant {
        self.at + self.hold_off() + MEMORY
    }
}

/// The first duration doubled that many times, up to the last.
fn doubled((first, last): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(last)
}

/// Between half of that and all of it.
fn delay(range: (Duration, Duration), failures: u32, jitter: &mut Jitter) -> Duration {
    let half = doubled(range, failures) / 2;
    half + jitter.below(half)
}
