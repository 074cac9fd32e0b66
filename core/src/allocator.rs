//! Which service has which addresses.
//!
//! ```text
//!  Allocator ─┬─ Blocks            address ──▶ pool and block
//!             ├─ assignments       service ──▶ addresses, pool, keys, ports
//!             ├─ in_use            address ──▶ its services
//!             ├─ shared_ports      address with a sharing key ──▶ who has which port
//!             ├─ namespaces        namespace ──▶ labels
//!             └─ Pools ─┬─ Eligibility       service ──▶ pools that are for it, in order
//!                       └─ per pool and family: Space ─┬─ the free gaps, in block order
//!                                                      └─ per sharing key: Group of addresses
//! ```
//!
//! The allocator is bound to one configuration. A new configuration means a new allocator into
//! which the assignments are carried over; that makes a restart, a resync and a reconfiguration one
//! and the same operation. To find an address costs O(log n) of what is assigned, for each pool
//! looked into; no address range is ever walked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arcstr::ArcStr;

use crate::address::Family;
use crate::config::{Config, PoolName};
use crate::few::Few;
use crate::labels::Labels;
use crate::service::{Families, Port, Requests, Service, ServiceKey};
use crate::sorted::{SortedVec, pack};

mod blocks;
mod eligibility;
mod namespaces;
mod pools;
mod refusal;
mod selectors;
mod sharing;
mod space;
#[cfg(test)]
mod tests;

pub(crate) use blocks::Blocks;
use eligibility::Applicant;
pub(crate) use eligibility::Eligible;
use namespaces::Namespaces;
use pools::Pools;
pub use refusal::{Mismatch, Obstacle, Refusal, Shown};
pub(crate) use refusal::{listed, quoted};
pub use sharing::{Sharing, SharingKeys};
pub use space::{PoolUsage, Usage};

/// Who asks for addresses: a service, reduced to what decides which it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The service.
    pub service: ServiceKey,
    /// What it shares by; `None`: it shares with nobody.
    pub sharing: Option<Arc<Sharing>>,
    /// Its labels, by which pools select services.
    pub labels: Labels,
}

impl Tenant {
    /// The tenant that a service is.
    pub fn of(service: &Service) -> Self {
        Self {
            service: service.key.clone(),
            sharing: Sharing::of(service).map(Arc::new),
            labels: service.labels().clone(),
        }
    }

    /// A service of which nothing but the name is known: it shares with nobody.
    pub fn unknown(service: ServiceKey) -> Self {
        Self {
            service,
            sharing: None,
            labels: Labels::new(),
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
    /// The tenant that this service is with it, as far as it has these addresses already.
    pub fn tenant(&self, service: ServiceKey) -> Tenant {
        Tenant {
            service,
            sharing: self.sharing.clone(),
            labels: Labels::new(),
        }
    }
}

/// Who holds each port of an address that services share.
type PortHolders = SortedVec<(Port, ServiceKey)>;

fn holder(holders: &PortHolders, port: Port) -> Option<&ServiceKey> {
    let index = holders.partition_point(|(other, _)| *other < port);
    let (found, holder) = holders.get(index)?;
    (*found == port).then_some(holder)
}

/// The addresses of one configuration and who has them.
#[derive(Debug, Default)]
pub struct Allocator {
    blocks: Blocks,
    pools: Pools,
    namespaces: Namespaces,
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
            pools: Pools::new(config),
            ..Self::default()
        }
    }

    /// The same for another configuration: what is known of namespaces, and what is assigned as far as
    /// it has pools for that, whoever they are for.
    pub fn reconfigured(self, config: &Config) -> Self {
        let mut next = Self::new(config);
        next.namespaces = self.namespaces;
        for (key, assignment) in self.assignments {
            let addresses = assignment.addresses.to_vec();
            let _dropped = next.assign(assignment.tenant(key), addresses);
        }
        next
    }

    /// Notes the labels of a namespace; `None`: it is not known any more. Returns whether that decides
    /// which pools its services may have addresses from.
    pub fn set_namespace(&mut self, name: &ArcStr, labels: Option<&Labels>) -> bool {
        let before = self.namespaces.labels(name);
        self.namespaces.set(name, labels);
        let now = self.namespaces.labels(name);
        let eligibility = self.pools.eligibility();
        before != now && eligibility.selecting(&before) != eligibility.selecting(&now)
    }

    /// Whether a pool selects namespaces by their labels.
    pub fn selects_namespaces(&self) -> bool {
        self.pools.eligibility().selects_namespaces()
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

    /// How full the pools are, by name.
    pub fn usage(&self) -> impl Iterator<Item = PoolUsage> {
        self.pools.usage()
    }

    /// How full a pool is.
    pub fn usage_of(&self, pool: &str) -> Option<PoolUsage> {
        self.pools.usage_of(pool)
    }

    /// Whether the tenant may be given these addresses (one, or one of each family), and the pool that
    /// they belong to. What the tenant has now does not stand in its own way.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub fn check(&self, tenant: &Tenant, addresses: &[IpAddr]) -> Result<PoolName, Refusal> {
        let name = self.blocks.giver_of(addresses)?;
        self.apply(tenant, |applicant| self.pools.permit(name, applicant))?;
        self.check_held(tenant, addresses)
    }

    /// Whether the tenant may go on having these addresses, and the pool that they belong to: whoever
    /// that is for.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub fn check_held(&self, tenant: &Tenant, addresses: &[IpAddr]) -> Result<PoolName, Refusal> {
        let name = self.blocks.giver_of(addresses)?;
        addresses
            .iter()
            .try_for_each(|address| self.check_sharing(tenant, *address))?;
        Ok(name.clone())
    }

    /// Asks something about what decides which pools are for a tenant.
    fn apply<T>(&self, tenant: &Tenant, ask: impl FnOnce(Applicant<'_>) -> T) -> T {
        let namespace = tenant.service.namespace();
        ask(Applicant {
            namespace,
            namespace_labels: &self.namespaces.labels(namespace),
            labels: &tenant.labels,
        })
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
    /// As [`Self::check_held`]; the tenant then keeps what it has.
    pub fn assign(&mut self, tenant: Tenant, addresses: Vec<IpAddr>) -> Result<(), Refusal> {
        let pool = self.check_held(&tenant, &addresses)?;
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

    /// The addresses that a tenant without any gets: from `pool` if it names one, else from the first of
    /// the pools that are for it that offers what is wanted. Within a pool it is
    /// the first address in block order that the tenant may have, be it free or shared.
    ///
    /// # Errors
    /// No pool offers it, or the named pool does not exist or is for others.
    pub fn choose(
        &self,
        tenant: &Tenant,
        families: Families,
        pool: Option<&str>,
    ) -> Result<Vec<IpAddr>, Refusal> {
        self.apply(tenant, |applicant| {
            let eligible = self.pools.eligible(applicant, pool)?;
            let found = self.pools.offer(&eligible, tenant, families);
            found.ok_or_else(|| self.pools.exhausted(&eligible, applicant, families))
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

    /// The pools that a tenant that asks for this may be given addresses from.
    pub(crate) fn eligible(&self, tenant: &Tenant, requests: &Requests) -> Eligible {
        let requested = requests.addresses.as_deref().unwrap_or_default();
        let owner = (self.blocks.giver_of(requested).ok()).filter(|_| !requested.is_empty());
        let pool = requests.address_pool.as_deref();
        let pool = owner.map(|owner| &**owner).or(pool);
        // Of a pool that is not there, or not for it, there is nothing to be had.
        self.apply(tenant, |applicant| self.pools.eligible(applicant, pool))
            .unwrap_or_default()
    }
}
