//! Who has what, and what of that has changed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;

use arcstr::ArcStr;

use crate::allocator::{Allocator, Assignment, Tenant};
use crate::config::{Config, PoolName};
use crate::labels::Labels;
use crate::service::ServiceKey;

/// An allocator that notes what it did.
#[derive(Debug, Default)]
pub(super) struct Books {
    allocator: Allocator,
    /// Something was released that those who wait may want.
    released: bool,
    /// The pools of which something was given or released.
    changed_pools: BTreeSet<PoolName>,
}

impl Deref for Books {
    type Target = Allocator;

    fn deref(&self) -> &Allocator {
        &self.allocator
    }
}

impl Books {
    /// Goes over to another configuration.
    pub(super) fn reconfigure(&mut self, config: &Config) {
        self.allocator = std::mem::take(&mut self.allocator).reconfigured(config);
        self.changed_pools.extend(config.pools.keys().cloned());
    }

    /// See [`Allocator::set_namespace`].
    pub(super) fn set_namespace(&mut self, name: &ArcStr, labels: Option<&Labels>) -> bool {
        self.allocator.set_namespace(name, labels)
    }

    /// Enters an assignment that the allocator has just approved.
    pub(super) fn assign(&mut self, tenant: Tenant, addresses: Vec<IpAddr>) {
        let key = tenant.service.clone();
        let now = self.allocator.get(&key);
        if now.is_some_and(|now| now.sharing == tenant.sharing && *now.addresses == *addresses) {
            return;
        }
        let frees = |now: &Assignment| {
            let stays = |address: &IpAddr| addresses.contains(address);
            now.sharing != tenant.sharing || !now.addresses.iter().all(stays)
        };
        self.released |= now.is_some_and(frees);
        self.changed_pools.extend(now.map(|now| now.pool.clone()));
        let _approved = self.allocator.assign(tenant, addresses);
        let now = self.allocator.get(&key);
        self.changed_pools.extend(now.map(|now| now.pool.clone()));
    }

    /// Takes from a service what it has.
    pub(super) fn release(&mut self, key: &ServiceKey) {
        if let Some(released) = self.allocator.release(key) {
            self.released = true;
            self.changed_pools.insert(released.pool);
        }
    }

    /// Whether something was released since this was last asked.
    pub(super) fn take_released(&mut self) -> bool {
        std::mem::take(&mut self.released)
    }

    /// All pools count as changed.
    pub(super) fn touch_pools(&mut self) {
        let pools = self.allocator.usage().map(|usage| usage.name);
        self.changed_pools.extend(pools);
    }

    /// The pools of which something was given or released, or which are new, since this was last asked.
    pub(super) fn take_changed_pools(&mut self) -> BTreeSet<PoolName> {
        std::mem::take(&mut self.changed_pools)
    }

    /// Takes no more memory than is needed for what is assigned now.
    pub(super) fn pack(&mut self) {
        self.allocator.pack();
    }
}
