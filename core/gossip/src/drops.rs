//! What is passed over, and from whom; and how much work strangers may cause.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::status::{Dropped, DroppedStatus};

/// How many sources are counted, each for each reason.
const MAX_SOURCES: usize = 256;
/// After how long a source makes room for another one.
const OLD: Duration = Duration::from_secs(60);
/// In which time a source may send only so many datagrams that come to nothing.
const WINDOW: Duration = Duration::from_secs(1);
/// How many those are.
const BUDGET: u32 = 200;
/// How many sources are watched in that time.
const MAX_WATCHED: usize = 1024;
/// How many strangers are called in that time.
const CALLS: u32 = 16;

#[derive(Debug)]
struct Tally {
    count: u64,
    /// The port that was used last.
    port: u16,
    at: Instant,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Drops {
    totals: BTreeMap<Dropped, u64>,
    tallies: BTreeMap<(Dropped, IpAddr), Tally>,
    tidied: Instant,
    /// When the present window began.
    window: Instant,
    /// How many datagrams of each source have come to nothing since.
    spent: BTreeMap<IpAddr, u32>,
    /// How many strangers were called since.
    calls: u32,
}

impl Drops {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            totals: BTreeMap::new(),
            tallies: BTreeMap::new(),
            tidied: now,
            window: now,
            spent: BTreeMap::new(),
            calls: 0,
        }
    }

    /// Whether this source has sent so much that came to nothing that no more of it is looked at
    /// until the window ends.
    pub(super) fn is_exhausted(&mut self, from: IpAddr, now: Instant) -> bool {
        self.turn(now);
        self.spent.get(&from).is_some_and(|spent| *spent >= BUDGET)
    }

    /// A datagram of this source has come to nothing.
    pub(super) fn spend(&mut self, from: IpAddr, now: Instant) {
        self.turn(now);
        if let Some(spent) = self.spent.get_mut(&from) {
            *spent += 1;
        } else if self.spent.len() < MAX_WATCHED {
            self.spent.insert(from, 1);
        }
    }

    /// Whether one more stranger may be called.
    pub(super) fn may_call(&mut self, now: Instant) -> bool {
        self.turn(now);
        self.calls += 1;
        self.calls <= CALLS
    }

    fn turn(&mut self, now: Instant) {
        if now >= self.window + WINDOW {
            self.window = now;
            self.spent.clear();
            self.calls = 0;
        }
    }

    pub(super) fn count(&mut self, from: SocketAddr, why: Dropped, now: Instant) {
        *self.totals.entry(why).or_default() += 1;
        let key = (why, from.ip());
        if !self.tallies.contains_key(&key) && self.tallies.len() >= MAX_SOURCES {
            if now < self.tidied + WINDOW {
                return;
            }
            self.tidied = now;
            self.tallies.retain(|_, tally| now < tally.at + OLD);
            if self.tallies.len() >= MAX_SOURCES {
                return;
            }
        }
        let tally = self.tallies.entry(key).or_insert(Tally {
            count: 0,
            port: 0,
            at: now,
        });
        tally.count += 1;
        tally.port = from.port();
        tally.at = now;
    }

    pub(super) fn totals(&self) -> &BTreeMap<Dropped, u64> {
        &self.totals
    }

    /// The sources that are counted, the last one first.
    pub(super) fn by_source(&self, now: Instant) -> Vec<DroppedStatus> {
        let tallies = self.tallies.iter();
        let mut all: Vec<_> = tallies
            .map(|((why, from), tally)| DroppedStatus {
                from: SocketAddr::new(*from, tally.port),
                why: *why,
                count: tally.count,
                ago: now.saturating_duration_since(tally.at),
            })
            .collect();
        all.sort_unstable_by_key(|one| (one.ago, one.from));
        all
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tallies.len() + self.spent.len()
    }
}
