//! Something that is done for each VIP once in an interval, spread evenly over it.

use std::net::IpAddr;
use std::ops::Bound;
use std::time::{Duration, Instant};

use imbl::{OrdMap, OrdSet};

/// The timer does not wake more often than this; what is due in between is done together.
const GRAIN: Duration = Duration::from_millis(50);

/// An ordered collection of VIPs.
pub(super) trait Vips {
    /// How many there are.
    fn count(&self) -> usize;
    /// The one after this, or the first.
    fn after(&self, vip: Option<IpAddr>) -> Option<IpAddr>;
}

impl<V> Vips for OrdMap<IpAddr, V> {
    fn count(&self) -> usize {
        self.len()
    }

    fn after(&self, vip: Option<IpAddr>) -> Option<IpAddr> {
        let rest = self.range((start(vip), Bound::Unbounded)).next();
        rest.or_else(|| self.iter().next()).map(|(vip, _)| *vip)
    }
}

impl Vips for OrdSet<IpAddr> {
    fn count(&self) -> usize {
        self.len()
    }

    fn after(&self, vip: Option<IpAddr>) -> Option<IpAddr> {
        let rest = self.range((start(vip), Bound::Unbounded)).next();
        rest.or_else(|| self.get_min()).copied()
    }
}

fn start(vip: Option<IpAddr>) -> Bound<IpAddr> {
    vip.map_or(Bound::Unbounded, Bound::Excluded)
}

/// Goes round and round through a collection that may change meanwhile.
#[derive(Debug)]
pub(super) struct Rotation {
    interval: Duration,
    /// The time from when there are VIPs to the first turn.
    lead: Duration,
    due_at: Option<Instant>,
    last: Option<IpAddr>,
}

impl Rotation {
    /// Each VIP once in `interval`, for the first time after `lead`; never if the interval is zero.
    pub(super) fn new(interval: Duration, lead: Duration) -> Self {
        Self {
            interval,
            lead,
            due_at: None,
            last: None,
        }
    }

    /// Runs while there are `any` VIPs.
    pub(super) fn arm(&mut self, any: bool, now: Instant) {
        if !any || self.interval.is_zero() {
            self.due_at = None;
        } else if self.due_at.is_none() {
            self.due_at = Some(now + self.lead);
        }
    }

    /// Does nothing for a while.
    pub(super) fn hush(&mut self, now: Instant, time: Duration) {
        self.due_at = self.due_at.map(|due_at| due_at.max(now + time));
    }

    /// When something is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// The VIPs whose turn it is.
    pub(super) fn due(&mut self, vips: &impl Vips, now: Instant) -> Vec<IpAddr> {
        if self.due_at.is_none_or(|due_at| now < due_at) {
            return Vec::new();
        }
        let count = vips.count();
        let Some(pause) = u32::try_from(count)
            .ok()
            .and_then(|count| self.interval.checked_div(count))
        else {
            self.due_at = None;
            return Vec::new();
        };
        let pause = pause.max(GRAIN).min(self.interval.max(GRAIN));
        self.due_at = Some(now + pause);
        let share = (count as u128 * pause.as_nanos()).div_ceil(self.interval.as_nanos().max(1));
        let share = usize::try_from(share).unwrap_or(count).clamp(1, count);
        let mut due = Vec::with_capacity(share);
        for _ in 0..share {
            self.last = vips.after(self.last);
            due.extend(self.last);
        }
        due
    }
}
