//! The VIPs that one node at a time may announce, which nodes that can be, and which it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ownership::{Holding, Scope};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    scopes: BTreeMap<IpAddr, Scope>,
    /// Those that are new, gone, or for other nodes than before, not yet told.
    changed: BTreeSet<IpAddr>,
    /// Those that this node is not to take yet, and those of which that has changed, not yet told.
    held_back: BTreeSet<IpAddr>,
    held_back_changed: BTreeSet<IpAddr>,
    holdings: BTreeMap<IpAddr, Holding>,
}

impl Candidates {
    /// Takes in which nodes may announce a VIP; `None` if that is no question of one node; and whether
    /// this one is not to take it yet. A VIP that is no candidate any more has no holding either.
    pub(super) fn set(&mut self, vip: IpAddr, scope: Option<Scope>, is_held_back: bool) {
        let is_news = if is_held_back {
            self.held_back.insert(vip)
        } else {
            self.held_back.remove(&vip)
        };
        if is_news {
            self.held_back_changed.insert(vip);
        }
        if scope.as_ref() == self.scopes.get(&vip) {
            return;
        }
        self.changed.insert(vip);
        if let Some(scope) = scope {
            self.scopes.insert(vip, scope);
        } else {
            self.scopes.remove(&vip);
            self.holdings.remove(&vip);
        }
    }

    /// Whether it is one.
    pub(super) fn contains(&self, vip: IpAddr) -> bool {
        self.scopes.contains_key(&vip)
    }

    /// Takes in who has a VIP; returns whether that is news. What comes late, for one that is none
    /// any more, is passed over.
    pub(super) fn set_holding(&mut self, vip: IpAddr, holding: Holding) -> bool {
        let is_news = self.contains(vip) && self.holdings.get(&vip) != Some(&holding);
        if is_news {
            self.holdings.insert(vip, holding);
        }
        is_news
    }

    /// Who has a VIP, as far as that was told.
    pub(super) fn holding(&self, vip: IpAddr) -> Option<&Holding> {
        self.holdings.get(&vip)
    }

    /// Of which VIPs it has changed since the last call whether this node is not to take them yet.
    pub(super) fn take_held_back(&mut self) -> Vec<(IpAddr, bool)> {
        let changed = std::mem::take(&mut self.held_back_changed).into_iter();
        changed
            .map(|vip| (vip, self.held_back.contains(&vip)))
            .collect()
    }

    /// What has changed since the last call.
    pub(super) fn take(&mut self) -> Vec<(IpAddr, Option<Scope>)> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        let scope = |vip| (vip, self.scopes.get(&vip).cloned());
        changed.map(scope).collect()
    }
}
