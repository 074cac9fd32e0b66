//! Holds back what may not be announced yet: where this node is to have the addresses of the VIPs on
//! an interface, a VIP is announced only when it has, and the address is kept a little longer than it
//! is announced.
//!
//! ```text
//!  AnnouncementSet ─▶ Gate ─▶ the same, without the VIPs that are not usable yet ─▶ backend
//!                      └─addresses that this node is to have─▶ kernel ──usable──▶ Gate
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// What this node is to have.
    addresses: Arc<BTreeSet<IpAddr>>,
    /// Until when an address is kept that no set has any more.
    lingering: BTreeMap<IpAddr, Instant>,
    /// The same, the first end first; some have been wished again meanwhile.
    ends: VecDeque<(Instant, IpAddr)>,
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
        let mut gone = Vec::new();
        for change in before.by_vip.diff(&passage.wished.by_vip) {
            match change {
                DiffItem::Add(vip, wished)
                | DiffItem::Update {
                    new: (vip, wished), ..
                } => {
                    self.lingering.remove(vip);
                    if !self.addresses.contains(vip) {
                        Arc::make_mut(&mut self.addresses).insert(*vip);
                    }
                    if self.usable.contains(vip) {
                        passage.passed.insert(*vip, wished.clone());
                    }
                }
                DiffItem::Remove(vip, announcement) => {
                    passage.passed.remove(vip);
                    gone.push((*vip, announcement.round == 0));
                }
            }
        }
        self.changed.insert(backend);
        gone.retain(|(vip, _)| !self.is_wished(vip));
        for (vip, lingers) in gone {
            if lingers {
                self.lingering.insert(vip, now + LINGER);
                self.ends.push_back((now + LINGER, vip));
            } else {
                Arc::make_mut(&mut self.addresses).remove(&vip);
            }
        }
    }

    fn is_wished(&self, vip: &IpAddr) -> bool {
        let mut passages = self.backends.values();
        passages.any(|passage| passage.wished.by_vip.contains_key(vip))
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

    /// The addresses that this node is to have. It costs as much as what changed, and is the same set
    /// as before if nothing has.
    pub fn addresses(&mut self, now: Instant) -> Arc<BTreeSet<IpAddr>> {
        while let Some((end, vip)) = self.ends.front().copied()
            && end <= now
        {
            self.ends.pop_front();
            if self.lingering.get(&vip) == Some(&end) {
                self.lingering.remove(&vip);
                Arc::make_mut(&mut self.addresses).remove(&vip);
            }
        }
        self.addresses.clone()
    }

    /// When [`Self::addresses`] may say something else.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let mut ends = self.ends.iter().map(|(end, _)| *end);
        ends.find(|end| *end > now)
    }
}
