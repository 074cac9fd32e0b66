//! Holds back what may not be announced yet: where this node is to have the addresses of the VIPs on
//! an interface, a VIP is announced only when it has, and the address is kept a little longer than it
//! is announced.
//!
//! ```text
//!  AnnouncementSet ─▶ Gate ─▶ the same, without the VIPs that are not usable yet ─▶ backend
//!                      └─addresses that this node is to have─▶ kernel ──usable──▶ Gate
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::announcement::{Announcement, AnnouncementSet};

#[cfg(test)]
mod tests;

/// How long an address is kept that is not announced any more, for what is under way to it: routers
/// that share traffic out go on for a moment. Where one node announces, the kernel would answer for
/// an address that is with another already.
const LINGER: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Gate {
    backends: BTreeMap<&'static str, Passage>,
    usable: Arc<BTreeSet<IpAddr>>,
    /// Until when an address is kept.
    lingering: BTreeMap<IpAddr, Instant>,
    /// That of the newest set that was passed.
    generation: u64,
    /// The backends for which something else is to be passed than before.
    changed: BTreeSet<&'static str>,
}

/// What concerns one backend.
#[derive(Debug)]
struct Passage {
    /// Its newest set.
    wished: Arc<AnnouncementSet>,
    /// What of that is usable.
    passed: OrdMap<IpAddr, Arc<Announcement>>,
}

impl Gate {
    /// Takes in the newest set of a backend. It costs as much as what changed.
    pub fn offer(&mut self, backend: &'static str, set: Arc<AnnouncementSet>, now: Instant) {
        let passage = self.backends.entry(backend).or_insert_with(|| Passage {
            wished: Arc::new(AnnouncementSet::empty(set.node.clone())),
            passed: OrdMap::new(),
        });
        let before = std::mem::replace(&mut passage.wished, set);
        for change in before.by_vip.diff(&passage.wished.by_vip) {
            match change {
                DiffItem::Add(vip, wished)
                | DiffItem::Update {
                    new: (vip, wished), ..
                } => {
                    self.lingering.remove(vip);
                    if self.usable.contains(vip) {
                        passage.passed.insert(*vip, wished.clone());
                    }
                }
                DiffItem::Remove(vip, announcement) => {
                    passage.passed.remove(vip);
                    if announcement.round == 0 {
                        self.lingering.insert(*vip, now + LINGER);
                    }
                }
            }
        }
        self.changed.insert(backend);
    }

    /// Takes in which addresses can be used on this node.
    pub fn set_usable(&mut self, usable: Arc<BTreeSet<IpAddr>>) {
        let before = std::mem::replace(&mut self.usable, usable);
        for vip in before.symmetric_difference(&self.usable) {
            for (backend, passage) in &mut self.backends {
                let Some(wished) = passage.wished.by_vip.get(vip) else {
                    continue;
                };
                if self.usable.contains(vip) {
                    passage.passed.insert(*vip, wished.clone());
                } else {
                    passage.passed.remove(vip);
                }
                self.changed.insert(*backend);
            }
        }
    }

    /// What the backends may announce now that were offered something or are concerned by what can be
    /// used, as sets of their own.
    pub fn pass(&mut self) -> BTreeMap<&'static str, Arc<AnnouncementSet>> {
        let mut sets = BTreeMap::new();
        for backend in std::mem::take(&mut self.changed) {
            if let Some(passage) = self.backends.get(backend) {
                self.generation += 1;
                let set = AnnouncementSet {
                    generation: self.generation,
                    by_vip: passage.passed.clone(),
                    ..AnnouncementSet::clone(&passage.wished)
                };
                sets.insert(backend, Arc::new(set));
            }
        }
        sets
    }

    /// The addresses that this node is to have.
    pub fn addresses(&mut self, now: Instant) -> BTreeSet<IpAddr> {
        self.lingering.retain(|_, until| now < *until);
        let wished = self.backends.values();
        let wished = wished.flat_map(|passage| passage.wished.by_vip.keys());
        wished.chain(self.lingering.keys()).copied().collect()
    }

    /// When [`Self::addresses`] will say something else.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let lingering = self.lingering.values().copied();
        lingering.filter(|due| *due > now).min()
    }
}
