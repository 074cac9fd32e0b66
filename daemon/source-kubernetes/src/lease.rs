//! The Lease: which daemon of the cluster gives addresses and writes them down.
//!
//! ```text
//!            ┌───────── renewed in time ─────────┐
//!            ▼                                   │
//!  Following ── free for us: written ──▶ Holding ┘
//!      ▲                                 │    │
//!      └── another's record, or DEADLINE ┘    └─ release ─▶ Leaving ── written ──▶ Released
//!          since the last renewal
//! ```
//!
//! No clock is compared with another: a record that has not changed for its duration by *our* clock,
//! since *we* first saw it, is free. Its writer stopped earlier, because it counts from the moment it
//! sent the record. The replacement names the version that it replaces, so of all who try one wins.
//!
//! A record is ours if it says exactly what we wrote. What merely has our name is somebody else's.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use super::jitter::Jitter;

pub(super) mod io;
mod record;
#[cfg(test)]
mod tests;

use record::is_newer;
pub(super) use record::{LeaseAnswer, Record, Request, StoredLease};

/// How long a record stands unless it is renewed, as others count.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// How long we hold the Lease after we sent the last successful renewal. The rest of [`DURATION`] is
/// for clocks that run at different rates and for requests that are slow to take effect.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// How often to renew.
const RENEW: Duration = Duration::from_secs(3);
/// How long a request may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How soon a holder tries again after a failure, and how soon anybody else does.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));
/// Within which time all who see a free Lease try to take it: the first one to succeed spares the
/// others the attempt.
const SPREAD: Duration = Duration::from_millis(300);
/// The longest duration of another's record that we honour: one that does not come back cannot lock
/// all daemons out.
const LONGEST: Duration = Duration::from_secs(60);
/// How long one that could do nothing with the Lease leaves it to others, and to itself last.
pub(super) const REST: Duration = Duration::from_secs(60);
/// How many unanswered writes to remember.
const DOUBTS: usize = 8;

// A renewal that fails as late as it can leaves time for a second one, however late that is answered.
const _: () = {
    let attempts = 2 * PATIENCE.as_millis();
    let between = RETRY.0.as_millis() + SPREAD.as_millis();
    assert!(RENEW.as_millis() + attempts + between < DEADLINE.as_millis());
};

#[derive(Debug)]
enum State {
    Following,
    /// We hold it; the record in force was sent then.
    Holding(Instant),
    /// We are giving it back.
    Leaving,
    /// We gave it back, or did not have it, and do not want it any more.
    Released,
}

/// The newest that is known of the Lease.
#[derive(Debug)]
struct Known {
    stored: Option<StoredLease>,
    /// From when on it is for anybody to take.
    free_at: Instant,
}

/// A record that we have sent.
#[derive(Debug)]
struct Sent {
    record: Record,
    at: Instant,
}

#[derive(Debug)]
enum Flight {
    Read,
    Write(Sent),
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Lease {
    me: String,
    jitter: Jitter,
    state: State,
    known: Option<Known>,
    /// The record in force is this one of ours.
    ours: Option<Record>,
    flight: Option<Flight>,
    /// Writes whose answer was lost.
    doubts: Vec<Sent>,
    /// Nothing is known, or what is known may be wrong: read it before anything is written.
    must_read: bool,
    /// The last write was refused for what is known.
    was_refused: bool,
    /// When to send the next request.
    next: Option<Instant>,
    /// Until when it is left to others.
    rests_until: Option<Instant>,
}

impl Lease {
    /// A daemon that follows and knows nothing. `me` must be its own at every start.
    pub(super) fn new(me: String, jitter: Jitter, now: Instant) -> Self {
        Self {
            me,
            jitter,
            state: State::Following,
            known: None,
            ours: None,
            flight: None,
            doubts: Vec::new(),
            must_read: true,
            was_refused: false,
            next: Some(now),
            rests_until: None,
        }
    }

    /// Until when we may write, if we may.
    pub(super) fn holds_until(&self) -> Option<Instant> {
        match self.state {
            State::Holding(sent) => Some(sent + DEADLINE),
            State::Following | State::Leaving | State::Released => None,
        }
    }

    /// Whose it is, as far as is known.
    pub(super) fn holder(&self) -> Option<&str> {
        let stored = self.stored()?;
        Some(stored.record.holder.as_str()).filter(|holder| !holder.is_empty())
    }

    /// Nothing is left to be done after [`Self::release`].
    pub(super) fn is_released(&self) -> bool {
        matches!(self.state, State::Released)
    }

    /// Takes in what the watch says, which may be late.
    pub(super) fn seen(&mut self, stored: Option<StoredLease>, now: Instant) {
        match (&stored, self.version()) {
            (Some(stored), Some(known)) if !is_newer(&stored.version, known) => {}
            (None, Some(_)) => {
                self.must_read = true;
                self.next = Some(now);
            }
            (Some(_) | None, _) => self.observe(stored, now),
        }
    }

    /// Takes in what became of the request.
    pub(super) fn answered(&mut self, answer: LeaseAnswer, now: Instant) {
        let flight = self.flight.take();
        match (flight, answer) {
            (Some(Flight::Read), LeaseAnswer::Is(stored)) => {
                self.must_read = false;
                self.observe(stored, now);
                self.plan(now);
                if self.was_refused {
                    self.try_later(now);
                }
            }
            (Some(Flight::Write(sent)), LeaseAnswer::Is(Some(stored))) => {
                let is_late =
                    (self.version()).is_some_and(|known| is_newer(known, &stored.version));
                if !is_late {
                    self.learn(Some(stored), now);
                    self.written(sent, now);
                }
            }
            (Some(Flight::Write(_)), LeaseAnswer::Is(None) | LeaseAnswer::Conflict) => {
                self.must_read = true;
                self.was_refused = true;
                self.next = Some(now);
            }
            (Some(Flight::Write(sent)), LeaseAnswer::Failed) => {
                self.doubts.push(sent);
                if self.doubts.len() > DOUBTS {
                    self.doubts.remove(0);
                }
                // Who leaves must know whether there is anything to give back.
                self.must_read |= self.ours.is_none() && matches!(self.state, State::Leaving);
                self.try_later(now);
            }
            (Some(Flight::Read), LeaseAnswer::Conflict | LeaseAnswer::Failed) => {
                self.try_later(now);
            }
            (None, _) => {}
        }
    }

    /// The next request to send; one at a time. `wall` is for people to read.
    pub(super) fn poll(&mut self, now: Instant, wall: Timestamp) -> Option<Request> {
        if let State::Holding(sent) = self.state
            && now >= sent + DEADLINE
        {
            self.state = State::Following;
        }
        if self.flight.is_some() || self.next.is_none_or(|next| now < next) {
            return None;
        }
        self.next = None;
        if self.must_read {
            self.flight = Some(Flight::Read);
            return Some(Request::Read);
        }
        let free_at = self.known.as_ref().map(|known| known.free_at);
        let is_free = self.rests_until.is_none_or(|rests| rests <= now)
            && (self.ours.is_some() || free_at.is_some_and(|at| at <= now));
        let record = match self.state {
            State::Following if is_free => Record::of(&self.me, self.stored(), wall),
            State::Following => {
                self.plan(now);
                return None;
            }
            State::Holding(_) => match &self.ours {
                Some(ours) => ours.renewed(wall),
                None => Record::of(&self.me, self.stored(), wall),
            },
            State::Leaving if self.ours.is_some() => {
                Record::given_back(&self.me, self.stored(), wall)
            }
            State::Leaving | State::Released => {
                self.state = self.left();
                self.plan(now);
                return None;
            }
        };
        let version = self.version().map(str::to_owned);
        let sent = record.clone();
        self.flight = Some(Flight::Write(Sent {
            record: sent,
            at: now,
        }));
        Some(Request::Write(version, record))
    }

    /// When [`Self::poll`] has something to do even if nothing comes in.
    pub(super) fn due(&self) -> Option<Instant> {
        let next = self.next.filter(|_| self.flight.is_none());
        [next, self.holds_until()].into_iter().flatten().min()
    }

    /// Gives it back, or gives up wanting it.
    pub(super) fn release(&mut self, now: Instant) {
        self.rests_until = None;
        self.give_back(now);
    }

    /// Gives it back for others to take, and goes on as one who wants it after [`REST`]: for a holder
    /// that cannot do what the Lease is for.
    pub(super) fn pass_on(&mut self, now: Instant) {
        self.rests_until = Some(now + REST);
        self.give_back(now);
    }

    fn give_back(&mut self, now: Instant) {
        let may_be_ours = self.ours.is_some() || matches!(self.flight, Some(Flight::Write(_)));
        self.state = if may_be_ours {
            State::Leaving
        } else {
            self.left()
        };
        self.next = Some(now);
    }

    /// What comes after it was given back.
    fn left(&self) -> State {
        match self.rests_until {
            Some(_) => State::Following,
            None => State::Released,
        }
    }

    /// Takes in what is truly newer.
    fn observe(&mut self, stored: Option<StoredLease>, now: Instant) {
        if self.knows(stored.as_ref()) {
            return;
        }
        let record = stored.as_ref().map(|stored| &stored.record);
        let sent = record.and_then(|record| self.find_sent(record));
        let is_ours = record.is_some() && record == self.ours.as_ref();
        self.learn(stored, now);
        match sent {
            Some(sent) => self.written(sent, now),
            None if is_ours => self.plan(now),
            None => self.lose(now),
        }
    }

    /// The unanswered write of ours that this is.
    fn find_sent(&mut self, record: &Record) -> Option<Sent> {
        if let Some(at) = self.doubts.iter().position(|sent| sent.record == *record) {
            return Some(self.doubts.swap_remove(at));
        }
        match &self.flight {
            Some(Flight::Write(sent)) if sent.record == *record => Some(Sent {
                record: record.clone(),
                at: sent.at,
            }),
            Some(Flight::Write(_) | Flight::Read) | None => None,
        }
    }

    /// A record of ours is in force.
    fn written(&mut self, sent: Sent, now: Instant) {
        self.doubts.clear();
        let is_given_back = sent.record.holder.is_empty();
        self.ours = Some(sent.record).filter(|_| !is_given_back);
        self.state = match self.state {
            State::Leaving | State::Released if is_given_back => self.left(),
            State::Leaving | State::Released => State::Leaving,
            State::Following | State::Holding(_) if now < sent.at + DEADLINE => {
                State::Holding(sent.at)
            }
            State::Following | State::Holding(_) => State::Following,
        };
        self.plan(now);
    }

    /// The record in force is not ours.
    fn lose(&mut self, now: Instant) {
        self.ours = None;
        self.doubts.clear();
        self.state = match self.state {
            State::Following | State::Holding(_) => State::Following,
            State::Leaving | State::Released => self.left(),
        };
        self.plan(now);
    }

    fn learn(&mut self, stored: Option<StoredLease>, now: Instant) {
        let free_at = match (&stored, self.holder()) {
            (Some(StoredLease { record, .. }), _) if !record.holder.is_empty() => {
                now + record.duration.clamp(DURATION, LONGEST)
            }
            // Somebody deleted it; its holder may not know yet.
            (None, Some(_)) => now + DURATION,
            (Some(_) | None, _) => now,
        };
        self.known = Some(Known { stored, free_at });
        self.was_refused = false;
    }

    fn knows(&self, stored: Option<&StoredLease>) -> bool {
        (self.known.as_ref()).is_some_and(|known| known.stored.as_ref() == stored)
    }

    /// Decides when to act next.
    fn plan(&mut self, now: Instant) {
        if self.must_read {
            return;
        }
        self.next = match self.state {
            State::Holding(sent) => Some(sent + RENEW),
            State::Leaving => Some(now),
            State::Following if self.ours.is_some() => Some(now),
            State::Following => {
                let free = self.known.as_ref().map(|known| known.free_at);
                let free = free.map(|at| self.rests_until.map_or(at, |rests| rests.max(at)));
                free.map(|at| at + self.jitter.below(SPREAD))
            }
            State::Released => None,
        };
    }

    /// The same, but not soon: something has failed.
    fn try_later(&mut self, now: Instant) {
        self.plan(now);
        let retry = match self.state {
            State::Holding(_) | State::Leaving => RETRY.0,
            State::Following | State::Released => RETRY.1,
        };
        let soonest = now + retry + self.jitter.below(SPREAD);
        self.next = Some(self.next.map_or(soonest, |next| next.max(soonest)));
    }

    fn version(&self) -> Option<&str> {
        Some(&self.stored()?.version)
    }

    /// The newest that is stored.
    fn stored(&self) -> Option<&StoredLease> {
        self.known.as_ref()?.stored.as_ref()
    }
}
