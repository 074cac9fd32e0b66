//! When a new configuration may take effect.
//!
//! MetalLB's ConfigMap era refuses a configuration that has no pool for an address in use
//! (behaviour reference 1.7); so do we, but keep it at hand: it takes effect when the last such
//! address is released.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::Controller;
use crate::allocator::{Allocator, Blocks, Tenant, listed};
use crate::config::Config;
use crate::service::ServiceKey;

/// A configuration that cannot take effect, because of addresses in use that it has no pool for.
/// The services must be deleted or get other addresses, or the configuration must keep a pool for
/// them.
#[derive(Debug)]
pub struct ConfigInUse {
    /// The configuration that waits.
    pub config: Arc<Config>,
    /// The services that it waits for, with their addresses.
    pub holders: BTreeMap<ServiceKey, Vec<IpAddr>>,
    blocks: Blocks,
}

impl ConfigInUse {
    fn note(&mut self, service: &ServiceKey, addresses: &[IpAddr]) {
        if addresses.is_empty() || self.blocks.pool_of(addresses).is_ok() {
            self.holders.remove(service);
        } else {
            self.holders.insert(service.clone(), addresses.to_vec());
        }
    }
}

impl fmt::Display for ConfigInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holders = self.holders.iter().map(|(service, addresses)| {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            format!("{} of {service}", addresses.join(" and "))
        });
        write!(
            f,
            "the new configuration waits: it has no pool for addresses in use ({}); keep a pool for \
             them, or delete these services or move them to other addresses",
            listed(holders)
        )
    }
}

impl Controller {
    /// Puts the configuration in force, or keeps it waiting.
    pub(super) fn consider(&mut self, config: Arc<Config>) {
        self.refused = None;
        if self.in_force.as_ref() == Some(&config) {
            return;
        }
        let mut waiting = ConfigInUse {
            blocks: Blocks::new(&config),
            holders: BTreeMap::new(),
            config,
        };
        self.find_holders(&mut waiting);
        if waiting.holders.is_empty() {
            self.put_in_force(waiting.config);
        } else {
            self.refused = Some(waiting);
        }
    }

    /// What is in use: what is assigned, and what services that are about to be reviewed publish
    /// and may keep.
    ///
    /// At the start nothing is, and addresses that a configuration does not allow are replaced. But
    /// one without any pools could only take all addresses away, so it waits too.
    fn find_holders(&self, waiting: &mut ConfigInUse) {
        for assignment in self.allocator.assignments() {
            waiting.note(&assignment.tenant.service, &assignment.addresses);
        }
        let starts_without_pools = self.in_force.is_none() && waiting.config.pools.is_empty();
        for (_, _, key) in &self.reviews {
            if let Some((tenant, addresses)) = self.claimed(key)
                && (starts_without_pools || self.allocator.check(&tenant, &addresses).is_ok())
            {
                waiting.note(key, &addresses);
            }
        }
    }

    /// What a service that is yet to be reviewed will ask to keep, beside what is assigned to it.
    fn claimed(&self, key: &ServiceKey) -> Option<(Tenant, Vec<IpAddr>)> {
        if let Some(addresses) = self.reserved.get(key) {
            return Some((Tenant::unknown(key.clone()), addresses.clone()));
        }
        let service = &self.services.get(key)?.service;
        let [published, _] = self.claims(key);
        let is_ours = service.is_load_balancer && self.serves(service);
        is_ours.then(|| (Tenant::of(service), published))
    }

    /// What is assigned is carried over. The little that the configuration has a pool for but does
    /// not allow (avoided addresses) is dropped, and reported by the review, which follows for all
    /// services.
    fn put_in_force(&mut self, config: Arc<Config>) {
        let before = std::mem::replace(&mut self.allocator, Allocator::new(&config));
        for assignment in before.into_assignments() {
            let _dropped = (self.allocator).assign(assignment.tenant, assignment.addresses);
        }
        self.in_force = Some(config);
        let keys = self.services.keys().chain(self.reserved.keys());
        for key in keys.cloned().collect::<Vec<_>>() {
            self.mark(key);
        }
    }

    /// Updates the list of services that a configuration waits for, after a change of what one of
    /// them has.
    pub(super) fn note_holding(&mut self, key: &ServiceKey) {
        let Some(mut waiting) = self.refused.take() else {
            return;
        };
        let addresses = self
            .allocator
            .get(key)
            .map(|held| held.addresses.as_slice());
        waiting.note(key, addresses.unwrap_or_default());
        if waiting.holders.is_empty() && self.offered.is_none() {
            self.offered = Some(waiting.config);
        } else {
            self.refused = Some(waiting);
        }
    }

    /// Before any configuration is in force, a waiting one is decided about again after every
    /// change.
    pub(super) fn reconsider(&mut self) {
        if self.in_force.is_none()
            && self.offered.is_none()
            && let Some(waiting) = self.refused.take()
        {
            self.offered = Some(waiting.config);
        }
    }
}
