//! The timers of a session, as a table of deadlines (RFC 4271 section 10, RFC 9687).

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

#[cfg(test)]
mod tests;

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// While connecting, the time for TCP to succeed; otherwise the time until the next attempt.
    ConnectRetry,
    /// The peer has to send something before this.
    Hold,
    /// We have to send something before this.
    Keepalive,
    /// The peer has to take some of our bytes before this (RFC 9687).
    SendHold,
    /// The last withdrawals have to be written before this.
    Drain,
}

impl Timer {
    const ALL: [Self; 5] = [
        Self::ConnectRetry,
        Self::Hold,
        Self::Keepalive,
        Self::SendHold,
        Self::Drain,
    ];
}

/// The deadlines of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimerTable {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl TimerTable {
    /// Lets `timer` expire at `deadline`, and not when it was to expire before.
    pub(crate) fn arm(&mut self, timer: Timer, deadline: Instant) {
        self.put(timer, Some(deadline));
    }

    /// Lets `timer` not expire.
    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.put(timer, None);
    }

    /// Lets no timer expire.
    pub(crate) fn clear(&mut self) {
        self.deadlines = [None; Timer::ALL.len()];
    }

    /// When `timer` expires.
    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.deadlines.get(timer as usize).copied().flatten()
    }

    /// When the next timer expires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Takes the timer that expired first out of the table, if its time has come.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let deadline = self.next().filter(|deadline| *deadline <= now)?;
        let timer = Timer::ALL
            .into_iter()
            .find(|timer| self.deadline(*timer) == Some(deadline))?;
        self.disarm(timer);
        Some(timer)
    }

    fn put(&mut self, timer: Timer, deadline: Option<Instant>) {
        if let Some(slot) = self.deadlines.get_mut(timer as usize) {
            *slot = deadline;
        }
    }
}

/// The shortest time between two KEEPALIVEs (RFC 4271 section 4.4).
pub(crate) const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(1);

/// 75 to 100 % of `interval`, so that sessions do not act in step (RFC 4271 section 10).
pub(crate) fn jitter(interval: Duration, rng: &mut impl Rng) -> Duration {
    interval.mul_f64(rng.random_range(0.75..=1.0))
}

/// How long to wait before the next attempt to connect.
///
/// The first attempt after a lost session is made at once. From then on, and for a peer that was
/// never reached, the wait doubles from one second; only a session that held for a while makes it
/// start over, so that a peer which accepts and drops us is not asked over and over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    step: u32,
}

impl Backoff {
    /// The longest wait.
    pub(crate) const MAX: Duration = Duration::from_secs(30);
    /// The wait after a lost session: long enough for a restarting router's kernel to have closed
    /// the old connection.
    pub(crate) const AT_ONCE: Duration = Duration::from_millis(100);

    /// The wait, without jitter, after an attempt that failed or a session that was lost;
    /// `established` says how long it had been Established.
    pub(crate) fn wait(&mut self, established: Option<Duration>) -> Duration {
        match established {
            Some(lasted) if lasted >= Self::MAX => self.step = 0,
            Some(_) => {}
            None => self.step = self.step.max(1),
        }
        let wait = match self.step {
            0 => Self::AT_ONCE,
            step => Duration::from_secs(1 << (step - 1).min(5)).min(Self::MAX),
        };
        self.step = (self.step + 1).min(6);
        wait
    }
}
