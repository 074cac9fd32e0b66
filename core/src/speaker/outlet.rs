//! One backend's side of the seam: the set that it is to announce.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::Family;
use crate::announcement::{Announcement, AnnouncementSet, Asked};
use crate::backend::{Caps, Ownership};
use crate::config::{Config, PoolName};
use crate::interface::{InterfaceNames, Interfaces};
use crate::mark::Mark;
use crate::node::Node;
use crate::policy::LeftToMetallb;

/// What a backend is to do about one VIP.
#[derive(Debug, Default)]
pub(super) struct Wish {
    /// To announce it like this.
    pub(super) announced: Option<Announcement>,
    /// To watch who else has it.
    pub(super) is_watched: bool,
    /// All on interfaces of these names only; `None`: on all.
    pub(super) interfaces: Option<InterfaceNames>,
}

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

    /// Takes in the configuration. A backend whose sessions MetalLB has on this node sees none.
    pub(super) fn set_config(&mut self, config: &Arc<Config>, left: LeftToMetallb) {
        let is_exclusive = self.caps.ownership.is_exclusive();
        self.set.config = if left.has(is_exclusive) && !is_exclusive {
            Arc::new(config.without_peers())
        } else {
            config.clone()
        };
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

    /// Brings one VIP up to date.
    pub(super) fn update(&mut self, vip: IpAddr, wish: Wish) {
        let (wanted, watched) = (wish.announced, wish.is_watched);
        if wish.interfaces.as_ref() != self.set.interfaces_of.get(&vip) {
            match wish.interfaces {
                Some(names) => self.set.interfaces_of.insert(vip, names),
                None => self.set.interfaces_of.remove(&vip),
            };
            self.changed = true;
        }
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
            (Some(wanted), Some(present)) if **present == wanted => return,
            (Some(wanted), _) => {
                let newest = self.newest.get(&wanted.pool);
                let like = newest.filter(|newest| ***newest == wanted).cloned();
                let announcement = like.unwrap_or_else(|| {
                    let pool = wanted.pool.clone();
                    let new = Arc::new(wanted);
                    self.newest.insert(pool, new.clone());
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
