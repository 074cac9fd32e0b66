//! When a new configuration may take effect.
//!
//! MetalLB's ConfigMap era refuses a configuration that has no pool for an address in use; so do we,
//! but keep it at hand: it takes effect when the last such address is released, or when somebody says
//! that it may take addresses away. A configuration of another format may take them away at once
//! ([`AddressesInUse`]).
//!
//! ```text
//!  in force before the restart ─▶ considered first ─┐
//!  newest ───────────────────────▶ considered ──────┴▶ in force
//!             in the way of addresses └─▶ waits: the one in force stays; at a start without one,
//!                                         that of before, or else the newest, is in force
//!                                         provisionally
//! ```
//!
//! That of before does not fit what was given if an address was about to be replaced when the daemon
//! ended, or if it could not be kept when it came into force.
//!
//! *Provisionally* means that this controller grants and clears nothing, and that the pools are
//! widened by the addresses that were given from them and are no longer in them: what is published
//! can go on being announced.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::Controller;
use super::review::is_wanted;
use crate::allocator::{Blocks, Tenant, listed};
use crate::config::{AddressesInUse, Config, Pool, PoolName};
use crate::service::{Service, ServiceKey};

/// The configurations that a controller knows of.
#[derive(Debug, Default)]
pub(super) struct Configs {
    /// The one to decide about next.
    pub(super) offered: Option<Offer>,
    /// The one that was in force before the restart, until one is in force for good.
    pub(super) before: Option<Arc<Config>>,
    pub(super) in_force: Option<Arc<Config>>,
    /// The one in force is so provisionally.
    pub(super) is_provisional: bool,
    pub(super) refused: Option<ConfigInUse>,
}

/// A configuration to decide about.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) config: Arc<Config>,
    /// Somebody has said that it may take addresses away.
    pub(super) may_renumber: bool,
}

/// A configuration that cannot take effect, because of addresses in use that it has no pool for.
/// The services must be deleted or get other addresses, or the configuration must keep a pool for
/// them, or somebody must say that it may take them away ([`super::Input::Renumber`]).
#[derive(Debug)]
pub struct ConfigInUse {
    /// The configuration that waits.
    pub config: Arc<Config>,
    /// The services that it waits for, with their addresses.
    pub holders: BTreeMap<ServiceKey, Vec<IpAddr>>,
    blocks: Blocks,
}

impl ConfigInUse {
    fn new(config: Arc<Config>) -> Self {
        Self {
            blocks: Blocks::new(&config),
            holders: BTreeMap::new(),
            config,
        }
    }

    /// Takes in what a service has, which may ask for addresses of a certain pool only.
    fn note(&mut self, service: &ServiceKey, asked: Option<&str>, addresses: &[IpAddr]) {
        let giver = self.blocks.giver_of(addresses);
        let fits = giver.is_ok_and(|giver| asked.is_none_or(|asked| *asked == **giver));
        if addresses.is_empty() || fits {
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
    /// Decides about the next configuration. Returns whether there was one.
    pub(super) fn consider_next(&mut self) -> bool {
        if self.configs.in_force.is_none()
            && let Some(config) = self.configs.before.clone()
        {
            self.consider(Offer {
                config,
                may_renumber: false,
            });
            return true;
        }
        let offered = self.configs.offered.take();
        offered.map(|offer| self.consider(offer)).is_some()
    }

    /// Puts the configuration in force, or keeps it waiting.
    fn consider(&mut self, offer: Offer) {
        self.configs.refused = None;
        let is_settled = self.configs.in_force.is_some() && !self.configs.is_provisional;
        if is_settled && self.configs.in_force.as_ref() == Some(&offer.config) {
            return;
        }
        let waiting = if offer.may_renumber {
            ConfigInUse::new(offer.config)
        } else {
            self.find_holders(offer.config)
        };
        if waiting.holders.is_empty() {
            self.configs.is_provisional = false;
            self.configs.before = None;
            self.put_in_force(waiting.config);
            return;
        }
        if !is_settled {
            let widened = match self.configs.before.clone() {
                Some(before) => self.widened(&self.find_holders(before)),
                None => self.widened(&waiting),
            };
            self.configs.is_provisional = true;
            if self.configs.in_force.as_deref() != Some(&widened) {
                self.put_in_force(Arc::new(widened));
            }
        }
        self.configs.refused = Some(waiting);
    }

    /// Finds what is in the way of a configuration: what is assigned, and what services that are
    /// about to be reviewed publish and may keep.
    ///
    /// At the start, when it is not known what was in force before, that is what is known to have
    /// been given by a daemon like this one; other addresses that a configuration does not allow
    /// are replaced. But one without any pools could only take all addresses away, so it waits for
    /// those, too.
    ///
    /// Nothing is in the way of one that reallocates, but if it has no pools: then it is more likely that
    /// somebody took them away by mistake, or that they could not be read, than that no service is to
    /// have an address.
    fn find_holders(&self, config: Arc<Config>) -> ConfigInUse {
        let mut waiting = ConfigInUse::new(config);
        let reallocates = waiting.config.addresses_in_use == AddressesInUse::Reallocate;
        if reallocates && !waiting.config.pools.is_empty() {
            return waiting;
        }
        if self.configs.in_force.is_none() || self.configs.is_provisional {
            let counts = |service: &Service| {
                let by_one_like_us = service.given_from().is_some();
                (by_one_like_us || waiting.config.pools.is_empty())
                    && self.serves(service)
                    && is_wanted(service)
            };
            let services = self
                .services
                .iter()
                .map(|(key, entry)| (key, &entry.service));
            let published: Vec<_> = (services.filter(|(_, service)| counts(service)))
                .map(|(key, service)| (key, service.published_addresses().collect::<Vec<_>>()))
                .collect();
            for (key, addresses) in &published {
                waiting.note(key, self.asked(key, None), addresses);
            }
            return waiting;
        }
        for (key, assignment) in self.books.assignments() {
            let asked = self.asked(key, Some(&assignment.pool));
            waiting.note(key, asked, &assignment.addresses);
        }
        for key in self.agenda.reviews() {
            if let Some((tenant, addresses)) = self.claimed(key)
                && let Ok(pool) = self.books.check_held(&tenant, &addresses)
            {
                waiting.note(key, self.asked(key, Some(&pool)), &addresses);
            }
        }
        waiting
    }

    /// The pool that a service asks for. One that is not known may ask for the pool of what it has.
    fn asked<'a>(&'a self, key: &ServiceKey, pool: Option<&'a PoolName>) -> Option<&'a str> {
        match self.services.get(key) {
            Some(entry) => entry.service.requests.address_pool.as_deref(),
            None => pool.map(|pool| &**pool),
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

    /// A configuration that waits, with the addresses that it waits for in the pools that they were
    /// given from, where it still has these.
    fn widened(&self, waiting: &ConfigInUse) -> Config {
        let mut config = Config::clone(&waiting.config);
        for (key, addresses) in &waiting.holders {
            let service = self.services.get(key).map(|entry| &entry.service);
            let pool = service.and_then(|service| config.pools.get_mut(service.given_from()?));
            if let Some(pool) = pool {
                let pool = Arc::<Pool>::make_mut(pool);
                pool.avoid_buggy_ips = false;
                let outside = |address: &&IpAddr| waiting.blocks.find(**address).is_none();
                pool.blocks
                    .extend(addresses.iter().filter(outside).map(|ip| IpNet::from(*ip)));
                pool.blocks.sort_unstable();
                pool.blocks.dedup();
            }
        }
        config
    }

    /// What is assigned is carried over. What the configuration does not allow is dropped, and
    /// reported by the review, which follows for all services.
    fn put_in_force(&mut self, config: Arc<Config>) {
        self.books.reconfigure(&config);
        self.configs.in_force = Some(config);
        let keys = self.services.keys().chain(self.reserved.keys());
        for key in keys.cloned().collect::<Vec<_>>() {
            self.mark(key);
        }
    }

    /// Updates the list of services that a configuration waits for, after a change of what one of
    /// them has.
    pub(super) fn note_holding(&mut self, key: &ServiceKey) {
        if self.configs.is_provisional {
            return;
        }
        let Some(mut waiting) = self.configs.refused.take() else {
            return;
        };
        let held = self.books.get(key);
        let addresses = held.map_or(&[][..], |held| &held.addresses);
        let asked = self.asked(key, held.map(|held| &held.pool));
        waiting.note(key, asked, addresses);
        if waiting.holders.is_empty() && self.configs.offered.is_none() {
            self.offer(waiting.config, false);
        } else {
            self.configs.refused = Some(waiting);
        }
    }

    /// Takes in a configuration to decide about.
    pub(super) fn offer(&mut self, config: Arc<Config>, may_renumber: bool) {
        self.configs.offered = Some(Offer {
            config,
            may_renumber,
        });
    }

    /// While no configuration is in force for good, one that waits is decided about again after
    /// every change.
    pub(super) fn reconsider(&mut self) {
        let is_settled = self.configs.in_force.is_some() && !self.configs.is_provisional;
        if !is_settled
            && self.configs.offered.is_none()
            && let Some(waiting) = self.configs.refused.take()
        {
            self.offer(waiting.config, false);
        }
    }
}
