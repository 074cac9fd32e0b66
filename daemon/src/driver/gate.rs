//! Holds back what may not be announced yet: with `--assign-vips`, a VIP is announced only when this
//! node has its address, and has its address a little longer than it is announced.
//!
//! ```text
//!  AnnouncementSet ─▶ Gate ─▶ the same, without the VIPs that are not usable yet ─▶ backend
//!                      └─VIPs that this node is to have─▶ Assignment ──usable──▶ Gate
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_core::announcement::AnnouncementSet;

#[cfg(test)]
mod tests;

/// How long an address is kept that is not announced any more, for what is under way to it: routers
/// that share traffic out go on for a moment. Where one node announces, the kernel would answer for
/// an address that is with another already.
const LINGER: Duration = Duration::from_secs(1);
/// How long an address may take to become usable. Then the others of its set do not wait for it any
/// more.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Gate {
    /// The newest set of each backend.
    sets: BTreeMap<&'static str, Arc<AnnouncementSet>>,
    usable: Arc<BTreeSet<IpAddr>>,
    /// Since when a VIP is wished that is not usable yet.
    waiting: BTreeMap<IpAddr, Instant>,
    /// Until when an address is kept.
    lingering: BTreeMap<IpAddr, Instant>,
    /// That of the newest set that was passed.
    generation: u64,
}

/// What a backend is to be given.
pub(super) struct Passed {
    pub(super) set: Arc<AnnouncementSet>,
    /// Nothing of it is held back that may become usable soon.
    pub(super) is_complete: bool,
}

impl Gate {
    /// Takes in the newest set of a backend.
    pub(super) fn offer(
        &mut self,
        backend: &'static str,
        set: &Arc<AnnouncementSet>,
        now: Instant,
    ) {
        let before = self.sets.insert(backend, set.clone());
        let before = before.as_ref().map(|before| &before.by_vip);
        for (vip, announcement) in before.into_iter().flatten() {
            if !set.by_vip.contains_key(vip) {
                self.waiting.remove(vip);
                if announcement.round == 0 {
                    self.lingering.insert(*vip, now + LINGER);
                }
            }
        }
        for vip in set.by_vip.keys() {
            self.lingering.remove(vip);
            if !self.usable.contains(vip) {
                self.waiting.entry(*vip).or_insert(now);
            }
        }
    }

    /// Takes in which VIPs are usable; returns the backends that this concerns.
    pub(super) fn set_usable(&mut self, usable: Arc<BTreeSet<IpAddr>>) -> Vec<&'static str> {
        let before = std::mem::replace(&mut self.usable, usable);
        let changed: Vec<IpAddr> = before.symmetric_difference(&self.usable).copied().collect();
        for vip in &changed {
            if self.usable.contains(vip) {
                self.waiting.remove(vip);
            }
        }
        let concerned = |set: &AnnouncementSet| changed.iter().any(|v| set.by_vip.contains_key(v));
        let sets = self.sets.iter().filter(|(_, set)| concerned(set));
        sets.map(|(backend, _)| *backend).collect()
    }

    /// The backends that have been offered anything.
    pub(super) fn backends(&self) -> impl Iterator<Item = &'static str> {
        self.sets.keys().copied()
    }

    /// What a backend may announce now of its newest set, as a set of its own.
    pub(super) fn pass(&mut self, backend: &'static str, now: Instant) -> Option<Passed> {
        let wished = self.sets.get(backend)?;
        let held_back = |vip: &&IpAddr| !self.usable.contains(*vip);
        let held_back: Vec<IpAddr> = wished.by_vip.keys().filter(held_back).copied().collect();
        let mut set = AnnouncementSet::clone(wished);
        self.generation += 1;
        set.generation = self.generation;
        for vip in &held_back {
            set.by_vip.remove(vip);
        }
        let is_hopeless = |vip| {
            let since = self.waiting.get(vip);
            since.is_none_or(|since| now >= *since + PATIENCE)
        };
        Some(Passed {
            set: Arc::new(set),
            is_complete: held_back.iter().all(is_hopeless),
        })
    }

    /// The addresses that this node is to have.
    pub(super) fn addresses(&mut self, now: Instant) -> BTreeSet<IpAddr> {
        self.lingering.retain(|_, until| now < *until);
        let wished = self.sets.values().flat_map(|set| set.by_vip.keys());
        wished.chain(self.lingering.keys()).copied().collect()
    }

    /// When [`Self::addresses`] or [`Self::pass`] will say something else.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let lingering = self.lingering.values().copied();
        let waiting = self.waiting.values().map(|since| *since + PATIENCE);
        lingering.chain(waiting).filter(|due| *due > now).min()
    }
}
