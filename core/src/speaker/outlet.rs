//! One backend's side of the seam: the set that it is to announce.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::Family;
use crate::announcement::{Announcement, AnnouncementSet, Asked};
use crate::backend::{Caps, Ownership};
use crate::config::{Config, PoolName};
use crate::interface::Interfaces;
use crate::mark::Mark;
use crate::node::Node;
use crate::ownership::Holding;

use super::Speaker;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) caps: Caps,
    set: AnnouncementSet,
    /// The newest announcement of each pool, which the next one is probably like.
    newest: BTreeMap<PoolName, Arc<Announcement>>,
    changed: bool,
}

impl Outlet {
    /// An outlet that announces nothing, which is news to its backend.
    pub(super) fn new(caps: Caps, node: Arc<Node>) -> Self {
        Self {
            caps,
            set: AnnouncementSet::empty(node),
            newest: BTreeMap::new(),
            changed: true,
        }
    }

    pub(super) fn set_config(&mut self, config: Arc<Config>) {
        self.set.config = config;
        self.newest.clear();
        self.changed = true;
    }

    pub(super) fn set_node(&mut self, node: Arc<Node>) {
        self.set.node = node;
        self.changed = true;
    }

    pub(super) fn set_interfaces(&mut self, interfaces: &Arc<Interfaces>) {
        if self.caps.uses_interfaces {
            self.set.interfaces = interfaces.clone();
            self.changed = true;
        }
    }

    /// Only stations of a segment recognise each other.
    pub(super) fn set_mark(&mut self, mark: Mark) {
        if self.caps.ownership.is_exclusive() {
            self.set.mark = mark;
            self.changed = true;
        }
    }

    /// Brings one VIP up to date: what is to be announced of it, and whether it is watched.
    pub(super) fn update(&mut self, vip: IpAddr, wanted: Option<&Announcement>, watched: bool) {
        if watched != self.set.watched.contains(&vip) {
            if watched {
                self.set.watched.insert(vip);
            } else {
                self.set.watched.remove(&vip);
            }
            self.changed = true;
        }
        match (wanted, self.set.by_vip.get(&vip)) {
            (None, None) => return,
            (Some(wanted), Some(present)) if **present == *wanted => return,
            (Some(wanted), _) => {
                let newest = self.newest.get(&wanted.pool);
                let like = newest.filter(|newest| ***newest == *wanted).cloned();
                let announcement = like.unwrap_or_else(|| {
                    let new = Arc::new(wanted.clone());
                    self.newest.insert(wanted.pool.clone(), new.clone());
                    new
                });
                self.set.by_vip.insert(vip, announcement);
            }
            (None, Some(_)) => {
                self.set.by_vip.remove(&vip);
            }
        }
        self.changed = true;
    }

    /// Brings the stations up to date that are asked for an address; `None` if none are any more.
    pub(super) fn ask(&mut self, address: IpAddr, asked: Option<Arc<Asked>>) {
        if self.caps.ownership != Ownership::Exclusive(Family::of(address)) {
            return;
        }
        match asked {
            Some(asked) => self.set.asked.insert(address, asked),
            None => self.set.asked.remove(&address),
        };
        self.changed = true;
    }

    /// The set with the next generation, if it has changed since the last call.
    pub(super) fn take(&mut self, generation: &mut u64) -> Option<Arc<AnnouncementSet>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        *generation += 1;
        self.set.generation = *generation;
        Some(Arc::new(self.set.clone()))
    }
}

/// The pools whose addresses only one node at a time may announce.
pub(super) fn exclusive(config: &Config, outlets: &[Outlet]) -> BTreeSet<PoolName> {
    let mut exclusive = BTreeSet::new();
    for pool in config.pools.values() {
        let backends = [pool.protocol.ipv4, pool.protocol.ipv6];
        let of_pool = |outlet: &&Outlet| backends.contains(&Some(outlet.caps.name));
        let mut outlets = outlets.iter().filter(of_pool);
        if outlets.any(|outlet| outlet.caps.ownership.is_exclusive()) {
            exclusive.insert(pool.name.clone());
        }
    }
    exclusive
}

impl Speaker {
    /// Whether the configuration has a pool whose addresses only one node at a time may announce.
    pub fn has_exclusive_pools(&self) -> bool {
        !self.exclusive.is_empty()
    }

    /// What is to be said about a VIP, and by which backend.
    pub(super) fn announcement(&self, vip: IpAddr) -> Option<(&'static str, Announcement)> {
        let first = self.services.get(self.services_on(vip).first()?)?;
        let grant = first.decision.as_ref().ok()?;
        let pool = self.config.as_ref()?.pools.get(&grant.pool)?;
        let round = match self.candidates.holding(vip) {
            Some(Holding::Here { round }) => *round,
            Some(Holding::Elsewhere { .. }) | None => 0,
        };
        Some((
            pool.protocol.backend(Family::of(vip))?,
            Announcement {
                pool: grant.pool.clone(),
                round,
            },
        ))
    }
}
