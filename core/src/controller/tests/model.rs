//! What a service should have, found the slow way: by looking at every address in turn.

use super::*;
use crate::config::is_buggy;

/// The configuration and what the other services have.
pub(super) struct World<'a> {
    pub(super) config: &'a Config,
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

    fn offer(&self, service: &Service, families: Families, pools: &[&Pool]) -> Option<Vec<IpAddr>> {
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

    /// What the service should have, if it had `before`.
    pub(super) fn expected(&self, service: &Service, before: &[IpAddr]) -> Vec<IpAddr> {
        let (true, Ok(families)) = (service.is_load_balancer, service.families.clone()) else {
            return Vec::new();
        };
        let pool_fits = |ips: &[IpAddr]| {
            let owner = &pool_of(self.config, ips).unwrap().name;
            service
                .requests
                .address_pool
                .as_deref()
                .is_none_or(|pool| *pool == **owner)
        };
        let kept = wanted(families, before);
        let keeps = !kept.is_empty() && self.allows(service, &kept) && pool_fits(&kept);
        let kept = if keeps { kept } else { Vec::new() };
        match &service.requests.addresses {
            Err(_) => return kept,
            Ok(requested) if !requested.is_empty() => {
                let count = if matches!(families, Families::One(_)) {
                    1
                } else {
                    2
                };
                let fits = wanted(families, requested).len() == count && requested.len() == count;
                let fits = fits && self.allows(service, requested) && pool_fits(requested);
                let same = kept.len() == count && requested.iter().all(|ip| kept.contains(ip));
                return match (fits, same) {
                    (true, true) => kept,
                    (true, false) => requested.clone(),
                    (false, _) => Vec::new(),
                };
            }
            Ok(_) => {}
        }
        let named = |pool: &&Pool| match &service.requests.address_pool {
            Some(name) => **name == *pool.name,
            None => pool.auto_assign,
        };
        let pools: Vec<&Pool> = self
            .config
            .pools
            .values()
            .map(|pool| &**pool)
            .filter(named)
            .collect();
        let fresh = || self.offer(service, families, &pools).unwrap_or_default();
        match (families, kept.as_slice()) {
            (_, []) => fresh(),
            (Families::Both | Families::PreferBoth { .. }, [one]) => {
                let pool = pool_of(self.config, &kept).unwrap();
                match self.first(pool, service, Family::of(*one).other()) {
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
