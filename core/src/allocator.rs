//! Which service has which addresses.
//!
//! ```text
//!  Allocator ─┬─ Blocks            address ──▶ pool and block
//!             ├─ assignments       service ──▶ addresses, pool, keys, ports
//!             ├─ in_use            address ──▶ its services
//!             ├─ shared_ports      address with a sharing key ──▶ who has which port
//!             └─ per pool and family: Space ─┬─ the free gaps, in block order
//!                                            └─ per sharing key: Group of addresses to share
//! ```
//!
//! The allocator is bound to one configuration. A new configuration means a new allocator into
//! which the assignments are carried over; that makes a restart, a resync and a reconfiguration one
//! and the same operation. To find an address costs O(log n) of what is assigned, for each pool
//! looked into; no address range is ever walked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::address::Family;
use crate::config::{Config, Pool, PoolName};
use crate::few::Few;
use crate::service::{Families, Port, Service, ServiceKey};
use crate::sorted::{SortedVec, pack};
use crate::text::bounded;

mod blocks;
mod refusal;
mod sharing;
mod space;
#[cfg(test)]
mod tests;

pub(crate) use blocks::Blocks;
pub use refusal::{Obstacle, Refusal};
pub(crate) use refusal::{listed, quoted};
pub use sharing::{Sharing, SharingKeys};
use space::Space;
pub use space::{PoolUsage, Usage};

/// Who asks for addresses: a service, reduced to what decides about sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The service.
    pub service: ServiceKey,
    /// What it shares by; `None`: it shares with nobody.
    pub sharing: Option<Arc<Sharing>>,
}

impl Tenant {
    /// The tenant that a service is.
    pub fn of(service: &Service) -> Self {
        Self {
            service: service.key.clone(),
            sharing: Sharing::of(service).map(Arc::new),
        }
    }

    /// A service of which nothing but the name is known: it shares with nobody.
    pub fn unknown(service: ServiceKey) -> Self {
        Self {
            service,
            sharing: None,
        }
    }
}

/// What a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What it shares the addresses by.
    pub sharing: Option<Arc<Sharing>>,
    /// One address, or one of each family; in the order of publication.
    pub addresses: Few<IpAddr>,
    /// The pool that contains them all.
    pub pool: PoolName,
}

impl Assignment {
    /// The tenant that this service is with it.
    pub fn tenant(&self, service: ServiceKey) -> Tenant {
        let sharing = self.sharing.clone();
        Tenant { service, sharing }
    }
}

/// Who holds each port of an address that services share.
type PortHolders = SortedVec<(Port, ServiceKey)>;

fn holder(holders: &PortHolders, port: Port) -> Option<&ServiceKey> {
    let index = holders.partition_point(|(other, _)| *other < port);
    let (found, holder) = holders.get(index)?;
    (*found == port).then_some(holder)
}

/// A pool and what is taken of it.
#[derive(Debug)]
struct PoolSpace {
    pool: Arc<Pool>,
    ipv4: Space,
    ipv6: Space,
}

impl PoolSpace {
    fn new(pool: &Arc<Pool>) -> Self {
        Self {
            pool: Arc::clone(pool),
            ipv4: Space::new(pool, Family::V4),
            ipv6: Space::new(pool, Family::V6),
        }
    }

    fn space(&self, family: Family) -> &Space {
        match family {
            Family::V4 => &self.ipv4,
            Family::V6 => &self.ipv6,
        }
    }

    fn space_mut(&mut self, family: Family) -> &mut Space {
        match family {
            Family::V4 => &mut self.ipv4,
            Family::V6 => &mut self.ipv6,
        }
    }

    fn usage(&self) -> PoolUsage {
        PoolUsage {
            name: self.pool.name.clone(),
            ipv4: self.ipv4.usage(),
            ipv6: self.ipv6.usage(),
        }
    }
}

/// The addresses of one configuration and who has them.
#[derive(Debug, Default)]
pub struct Allocator {
    blocks: Blocks,
    pools: BTreeMap<PoolName, PoolSpace>,
    /// The services on each address; what they share it by, and their ports, is in their
    /// assignments.
    in_use: BTreeMap<IpAddr, SortedVec<ServiceKey>>,
    /// The ports of addresses that have a sharing key.
    shared_ports: BTreeMap<IpAddr, PortHolders>,
    assignments: BTreeMap<ServiceKey, Assignment>,
}

impl Allocator {
    /// An allocator in which every address of the configuration is free.
    pub fn new(config: &Config) -> Self {
        Self {
            blocks: Blocks::new(config),
            pools: (config.pools.iter())
                .map(|(name, pool)| (name.clone(), PoolSpace::new(pool)))
                .collect(),
            ..Self::default()
        }
    }

    /// Takes no more memory than it needs for what is assigned now.
    pub(crate) fn pack(&mut self) {
        pack(&mut self.in_use);
        pack(&mut self.assignments);
    }

    /// What the service has.
    pub fn get(&self, service: &ServiceKey) -> Option<&Assignment> {
        self.assignments.get(service)
    }

    /// The services that have this address, ascending.
    pub fn holders(&self, address: IpAddr) -> &[ServiceKey] {
        (self.in_use.get(&address)).map_or(&[], |services| services)
    }

    /// Everything that is assigned, by service.
    pub fn assignments(&self) -> impl Iterator<Item = (&ServiceKey, &Assignment)> {
        self.assignments.iter()
    }

    /// Gives up the allocator for what is assigned in it, by service.
    pub fn into_assignments(self) -> impl Iterator<Item = (ServiceKey, Assignment)> {
        self.assignments.into_iter()
    }

    /// How full the pools are, by name.
    pub fn usage(&self) -> impl Iterator<Item = PoolUsage> {
        self.pools.values().map(PoolSpace::usage)
    }

    /// Whether the tenant may have these addresses (one, or one of each family), and the pool that
    /// they belong to. What the tenant has now does not stand in its own way.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub fn check(&self, tenant: &Tenant, addresses: &[IpAddr]) -> Result<PoolName, Refusal> {
        let name = self.blocks.giver_of(addresses)?;
        addresses
            .iter()
            .try_for_each(|address| self.check_sharing(tenant, *address))?;
        Ok(name.clone())
    }

    /// Whether the tenant may share an address with those that have it: with equal keys, on ports of
    /// its own.
    fn check_sharing(&self, tenant: &Tenant, address: IpAddr) -> Result<(), Refusal> {
        let is_other = |service: &&ServiceKey| **service != tenant.service;
        if let Some(holder) = self.holders(address).iter().find(is_other)
            && let Some(other) = self.assignments.get(holder)
            && let Some(obstacle) = tenant.obstacle(other.sharing.as_deref())
        {
            return Err(Refusal::NotShared {
                address,
                holder: holder.clone(),
                obstacle,
            });
        }
        let Some(holders) = self.shared_ports.get(&address) else {
            return Ok(());
        };
        for port in tenant.ports() {
            if let Some(holder) = holder(holders, *port).filter(is_other) {
                return Err(Refusal::PortInUse {
                    address,
                    port: *port,
                    holder: holder.clone(),
                });
            }
        }
        Ok(())
    }

    /// Gives the tenant these addresses in place of what it has.
    ///
    /// # Errors
    /// As [`Self::check`]; the tenant then keeps what it has.
    pub fn assign(&mut self, tenant: Tenant, addresses: Vec<IpAddr>) -> Result<(), Refusal> {
        let pool = self.check(&tenant, &addresses)?;
        self.release(&tenant.service);
        for address in &addresses {
            self.occupy(&tenant, *address);
        }
        let assignment = Assignment {
            sharing: tenant.sharing,
            addresses: addresses.into(),
            pool,
        };
        self.assignments.insert(tenant.service, assignment);
        Ok(())
    }

    fn occupy(&mut self, tenant: &Tenant, address: IpAddr) {
        let services = self.in_use.entry(address).or_default();
        services.insert(tenant.service.clone());
        if tenant.sharing.is_some() {
            let holders = self.shared_ports.entry(address).or_default();
            for port in tenant.ports() {
                holders.insert((*port, tenant.service.clone()));
            }
        }
        if let Some(block) = self.blocks.find(address)
            && let Some(pool) = self.pools.get_mut(&block.pool)
        {
            let space = pool.space_mut(Family::of(address));
            space.occupy(block.position(address), tenant);
        }
    }

    /// Takes from the service what it has.
    pub fn release(&mut self, service: &ServiceKey) -> Option<Assignment> {
        let (service, assignment) = self.assignments.remove_entry(service)?;
        let tenant = assignment.tenant(service);
        for address in &assignment.addresses {
            self.vacate(&tenant, *address);
        }
        Some(assignment)
    }

    fn vacate(&mut self, tenant: &Tenant, address: IpAddr) {
        let Some(services) = self.in_use.get_mut(&address) else {
            return;
        };
        services.remove(&tenant.service);
        let is_last = services.is_empty();
        if let Some(holders) = self.shared_ports.get_mut(&address) {
            for port in tenant.ports() {
                holders.remove(&(*port, tenant.service.clone()));
            }
        }
        if is_last {
            self.in_use.remove(&address);
            self.shared_ports.remove(&address);
        }
        if let Some(block) = self.blocks.find(address)
            && let Some(pool) = self.pools.get_mut(&block.pool)
        {
            let space = pool.space_mut(Family::of(address));
            space.vacate(block.position(address), tenant, is_last);
        }
    }

    /// The addresses that a tenant without any gets: from `pool` if it names one, else from the
    /// first pool by name that offers what is wanted. Within a pool it is
    /// the first address in block order that the tenant may have, be it free or shared.
    ///
    /// # Errors
    /// No pool offers it, or the named pool does not exist.
    pub fn choose(
        &self,
        tenant: &Tenant,
        families: Families,
        pool: Option<&str>,
    ) -> Result<Vec<IpAddr>, Refusal> {
        let pools = self.eligible(pool)?;
        let one = |family| {
            let mut offers = pools.iter().map(|pool| pool.space(family).first(tenant));
            offers.find_map(|offer| offer.map(|address| vec![address]))
        };
        let both = || {
            let offer =
                |pool: &&PoolSpace| Some(vec![pool.ipv4.first(tenant)?, pool.ipv6.first(tenant)?]);
            pools.iter().find_map(offer)
        };
        let found = match families {
            Families::One(family) => one(family),
            Families::Both => both(),
            Families::PreferBoth { primary } => both()
                .or_else(|| one(primary))
                .or_else(|| one(primary.other())),
        };
        found.ok_or_else(|| Refusal::Exhausted {
            families,
            pools: pools.into_iter().map(PoolSpace::usage).collect(),
        })
    }

    /// The address that completes a dual-stack assignment; it must come from the same pool.
    ///
    /// # Errors
    /// The pool has no free address of that family.
    pub fn choose_additional(
        &self,
        tenant: &Tenant,
        pool: &str,
        family: Family,
    ) -> Result<IpAddr, Refusal> {
        let addresses = self.choose(tenant, Families::One(family), Some(pool))?;
        addresses.first().copied().ok_or(Refusal::NothingAsked)
    }

    /// The pools to look in, in order: the one place that decides which pools a service may draw
    /// from.
    fn eligible(&self, name: Option<&str>) -> Result<Vec<&PoolSpace>, Refusal> {
        match name {
            Some(name) => {
                let mut pools = self.pools.values();
                let pool = self.pools.get(name);
                // A long name is kept short in the service that asks for it.
                let pool = pool.or_else(|| pools.find(|space| bounded(&space.pool.name) == name));
                let pool = pool.ok_or_else(|| Refusal::UnknownPool {
                    name: name.into(),
                    known: self.pools.keys().cloned().collect(),
                })?;
                Ok(vec![pool])
            }
            None => Ok((self.pools.values())
                .filter(|space| space.pool.auto_assign)
                .collect()),
        }
    }
}
