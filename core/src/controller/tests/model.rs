//! What a service should have, found the slow way: by looking at every address in turn.

use super::*;
use crate::config::{AddressesInUse, is_buggy};
use crate::selector::Selector;

/// The configuration and what the other services have.
pub(super) struct World<'a> {
    pub(super) config: &'a Config,
    /// The labels of the namespace `default`, in which all are.
    pub(super) namespace: &'a Labels,
    pub(super) others: Vec<(&'a Service, Vec<IpAddr>)>,
}

/// The pool that contains all of these addresses.
pub(super) fn pool_of<'a>(config: &'a Config, addresses: &[IpAddr]) -> Option<&'a Arc<Pool>> {
    let contains = |pool: &Pool, ip| pool.blocks.iter().any(|block| block.contains(ip));
    let mut pools = config.pools.values();
    pools.find(|pool| !addresses.is_empty() && addresses.iter().all(|ip| contains(pool, ip)))
}

pub(super) fn may_share(a: &Service, b: &Service) -> bool {
    let backend = |service: &Service| match service.external_traffic_policy {
        TrafficPolicy::Cluster => BTreeMap::new(),
        TrafficPolicy::Local => service.selector.clone(),
    };
    a.requests.sharing_key.is_some()
        && a.requests.sharing_key == b.requests.sharing_key
        && backend(a) == backend(b)
        && a.ports.is_disjoint(&b.ports)
}

impl World<'_> {
    /// Whether the service may have these addresses.
    pub(super) fn allows(&self, service: &Service, addresses: &[IpAddr]) -> bool {
        let pool = pool_of(self.config, addresses);
        let avoids = |ip: &IpAddr| pool.is_some_and(|pool| pool.avoid_buggy_ips) && is_buggy(*ip);
        pool.is_some()
            && addresses
                .iter()
                .all(|ip| !avoids(ip) && self.is_free(service, *ip))
    }

    /// Whether a pool is for the service.
    fn is_for(&self, service: &Service, pool: &Pool) -> bool {
        let Some(rules) = &pool.allocation else {
            return true;
        };
        let any = |selectors: &[Selector], labels: &Labels| {
            selectors.iter().any(|selector| selector.matches(labels))
        };
        let is_open = rules.namespaces.is_empty() && rules.namespace_selectors.is_empty();
        let in_namespace = is_open
            || rules.namespaces.contains("default")
            || any(&rules.namespace_selectors, self.namespace);
        let selectors = &rules.service_selectors;
        in_namespace && (selectors.is_empty() || any(selectors, service.labels()))
    }

    fn is_free(&self, service: &Service, address: IpAddr) -> bool {
        let holders = (self.others.iter()).filter(|(_, held)| held.contains(&address));
        holders
            .into_iter()
            .all(|(other, _)| may_share(service, other))
    }

    fn first(&self, pool: &Pool, service: &Service, family: Family) -> Option<IpAddr> {
        let blocks = pool
            .blocks
            .iter()
            .filter(|net| Family::of(net.addr()) == family);
        let addresses = blocks.flat_map(|net| match net {
            ipnet::IpNet::V4(net) => (u32::from(net.network())..=u32::from(net.broadcast()))
                .map(|n| IpAddr::V4(n.into()))
                .collect::<Vec<_>>(),
            ipnet::IpNet::V6(net) => (u128::from(net.network())..=u128::from(net.broadcast()))
                .map(|n| IpAddr::V6(n.into()))
                .take(64)
                .collect(),
        });
        addresses
            .into_iter()
            .find(|address| self.allows(service, &[*address]))
    }

    /// What the first pools offer that offer anything: those that say for whom they are, or the others.
    fn offer(&self, service: &Service, families: Families, pools: &[&Pool]) -> Option<Vec<IpAddr>> {
        let (mut first, rest): (Vec<&Pool>, Vec<&Pool>) =
            pools.iter().partition(|pool| pool.allocation.is_some());
        first.sort_by_key(|pool| {
            let priority = pool.allocation.as_ref().unwrap().priority.0;
            let is_last = priority == 0;
            (is_last, priority)
        });
        let mut tiers = [first, rest].into_iter();
        tiers.find_map(|pools| self.offer_of(service, families, &pools))
    }

    fn offer_of(
        &self,
        service: &Service,
        families: Families,
        pools: &[&Pool],
    ) -> Option<Vec<IpAddr>> {
        let both = |pool: &&Pool| {
            let ipv4 = self.first(pool, service, Family::V4)?;
            Some(vec![ipv4, self.first(pool, service, Family::V6)?])
        };
        let one = |family| {
            pools
                .iter()
                .find_map(|pool| Some(vec![self.first(pool, service, family)?]))
        };
        match families {
            Families::One(family) => one(family),
            Families::Both => pools.iter().find_map(both),
            Families::PreferBoth { primary } => (pools.iter().find_map(both))
                .or_else(|| one(primary))
                .or_else(|| one(primary.other())),
        }
    }

    fn pool_fits(&self, service: &Service, addresses: &[IpAddr]) -> bool {
        let asked = service.requests.address_pool.as_deref();
        let owner = pool_of(self.config, addresses);
        owner.is_some_and(|owner| asked.is_none_or(|pool| *pool == *owner.name))
    }

    fn is_for_owner(&self, service: &Service, addresses: &[IpAddr]) -> bool {
        pool_of(self.config, addresses).is_some_and(|pool| self.is_for(service, pool))
    }

    /// What the service keeps of what it had.
    fn kept(&self, service: &Service, families: Families, before: &[IpAddr]) -> Vec<IpAddr> {
        let takes_away = self.config.addresses_in_use == AddressesInUse::Reallocate;
        let kept = wanted(families, before);
        let keeps = !kept.is_empty()
            && self.allows(service, &kept)
            && self.pool_fits(service, &kept)
            && (!takes_away || self.is_for_owner(service, &kept));
        if keeps { kept } else { Vec::new() }
    }

    /// What a service should have that asks for addresses.
    fn asked_for(
        &self,
        service: &Service,
        families: Families,
        requested: &[IpAddr],
        kept: Vec<IpAddr>,
    ) -> Vec<IpAddr> {
        let count = if matches!(families, Families::One(_)) {
            1
        } else {
            2
        };
        let fits = wanted(families, requested).len() == count && requested.len() == count;
        let fits = fits && self.allows(service, requested) && self.pool_fits(service, requested);
        let same = kept.len() == count && requested.iter().all(|ip| kept.contains(ip));
        match (fits, same) {
            (true, true) => kept,
            (true, false) if self.is_for_owner(service, requested) => requested.to_vec(),
            (true | false, _) => Vec::new(),
        }
    }

    /// What the service should have, if it had `before`.
    pub(super) fn expected(&self, service: &Service, before: &[IpAddr]) -> Vec<IpAddr> {
        let (true, Ok(families)) = (service.is_load_balancer, service.families.clone()) else {
            return Vec::new();
        };
        let kept = self.kept(service, families, before);
        match &service.requests.addresses {
            Err(_) => return kept,
            Ok(requested) if !requested.is_empty() => {
                return self.asked_for(service, families, requested, kept);
            }
            Ok(_) => {}
        }
        let named = |pool: &&Pool| {
            let is_named = match &service.requests.address_pool {
                Some(name) => **name == *pool.name,
                None => pool.auto_assign,
            };
            is_named && self.is_for(service, pool)
        };
        let pools = self.config.pools.values().map(|pool| &**pool);
        let pools: Vec<&Pool> = pools.filter(named).collect();
        let fresh = || self.offer(service, families, &pools).unwrap_or_default();
        match (families, kept.as_slice()) {
            (_, []) => fresh(),
            (Families::Both | Families::PreferBoth { .. }, [one]) => {
                let pool = pool_of(self.config, &kept).unwrap();
                let other = self.first(pool, service, Family::of(*one).other());
                match other.filter(|_| self.is_for(service, pool)) {
                    Some(other) => vec![*one, other],
                    None if families == Families::Both => fresh(),
                    None => kept,
                }
            }
            _ => kept,
        }
    }
}

/// The first address of each family that is wanted.
fn wanted(families: Families, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let mut kept = Vec::new();
    for address in addresses {
        let family = Family::of(*address);
        let wants = !matches!(families, Families::One(one) if one != family);
        if wants && kept.iter().all(|other| Family::of(*other) != family) {
            kept.push(*address);
        }
    }
    kept
}
