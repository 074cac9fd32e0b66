//! VIPs go back to the node that is first in their order: one at a time, and only to a node that has
//! been able to have it for a while.

use std::net::IpAddr;
use std::ops::Bound;
use std::time::{Duration, Instant};

use carillon_gossip::MemberId;

use super::Ownership;

/// How many VIPs are looked at in one go.
const BATCH: usize = 1000;

/// How VIPs go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebalance {
    /// How long a node must have been able to have VIPs.
    pub stable_for: Duration,
    /// How long to wait from one VIP to the next.
    pub pause: Duration,
}

/// When the next VIP goes, and which were looked at.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    next: Option<Instant>,
    /// The last one that was looked at.
    cursor: Option<IpAddr>,
    /// How many were since anything has changed.
    seen: usize,
    rebalances: Option<Duration>,
}

impl Pacer {
    pub(super) fn new(rebalance: Option<Rebalance>) -> Self {
        Self {
            rebalances: rebalance.map(|rebalance| rebalance.pause),
            ..Self::default()
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Something has changed, so that a VIP may have to go.
    pub(super) fn wake(&mut self, now: Instant) {
        self.seen = 0;
        let next = self.rebalances.map(|pause| now + pause);
        // Never later than it would have been, and never sooner after the last.
        self.next = match (self.next, next) {
            (Some(set), Some(next)) => Some(set.min(next)),
            (None, next) => next,
            (Some(_), None) => None,
        };
    }
}

impl Ownership {
    /// Hands over the next VIP that is not where it should be, if it is time.
    pub(super) fn rebalance(&mut self, now: Instant) {
        let (Some(rebalance), Some(next)) = (self.settings.rebalance, self.pacer.next) else {
            return;
        };
        if now < next {
            return;
        }
        self.pacer.next = Some(now + rebalance.pause);
        for _ in 0..BATCH {
            if self.pacer.seen > self.held.len() {
                self.pacer.next = self.ripens(rebalance, now);
                self.pacer.seen = 0;
                return;
            }
            let Some(vip) = self.following() else {
                self.pacer.next = None;
                return;
            };
            self.pacer.cursor = Some(vip);
            self.pacer.seen += 1;
            if let Some(to) = self.better(vip, rebalance, now) {
                self.hand_over(vip, to, now);
                self.pacer.seen = 0;
                return;
            }
        }
    }

    /// The VIP of ours that comes after the last one that was looked at.
    fn following(&self) -> Option<IpAddr> {
        let rest = self.pacer.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.held.range((rest, Bound::Unbounded)).next();
        next.or_else(|| self.held.first()).copied()
    }

    /// The member that this VIP of ours should go to.
    fn better(&self, vip: IpAddr, rebalance: Rebalance, now: Instant) -> Option<MemberId> {
        let entry = self.vips.get(&vip)?;
        let hold = entry.hold.as_ref()?;
        if hold.is_pinned || hold.successor.is_some() || entry.published.is_none() {
            return None;
        }
        let election = self.election(vip, entry)?;
        election.eligible(self.me).ok()?;
        let first = election.order(false).first().copied()?;
        let since = self.members.get(first)?.able_since?;
        (first != self.me && now >= since + rebalance.stable_for).then_some(first)
    }

    /// When the next member will have been able for long enough.
    fn ripens(&self, rebalance: Rebalance, now: Instant) -> Option<Instant> {
        let since = self
            .members
            .iter()
            .filter_map(|(_, member)| member.able_since);
        let times = since.map(|since| since + rebalance.stable_for);
        times.filter(|at| *at > now).min()
    }
}
