//! Whether a service keeps the addresses it has, by the rules of MetalLB's controller in their order.

use std::net::IpAddr;

use super::report::Event;
use crate::address::Family;
use crate::allocator::Refusal;
use crate::config::PoolName;
use crate::service::{Families, Service};
use crate::text::bounded;

/// The outcome of a review.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What the service keeps; the allocator approves of it.
    pub(super) addresses: Vec<IpAddr>,
    /// The event about addresses that it loses without having asked for others.
    pub(super) event: Option<Event>,
}

/// Of the `current` addresses, assigned or published, those that the service may keep. `check` tells
/// whether it may have some, and their pool.
pub(super) fn keep(
    service: &Service,
    current: &[IpAddr],
    check: impl FnOnce(&[IpAddr]) -> Result<PoolName, Refusal>,
) -> Kept {
    let wanted = match &service.families {
        Ok(families) if service.is_load_balancer => of_families(*families, current),
        Ok(_) | Err(_) => Vec::new(),
    };
    if wanted.is_empty() {
        return Kept::default();
    }
    match check(&wanted) {
        Err(refusal) => Kept {
            addresses: Vec::new(),
            event: Some(Event::cleared(&service.key, &refusal)),
        },
        Ok(pool) => Kept {
            addresses: if is_asked_for(service, &pool, &wanted) {
                wanted
            } else {
                Vec::new()
            },
            event: None,
        },
    }
}

/// Whether the service asks for nothing else than the addresses that it publishes and the pool that
/// they were given from, as far as that is known.
pub(super) fn is_wanted(service: &Service) -> bool {
    let published: Vec<IpAddr> = service.published_addresses().collect();
    let families_fit = match &service.families {
        Ok(families) => !of_families(*families, &published).is_empty(),
        Err(_) => false,
    };
    let asked = service.requests.address_pool.as_deref();
    let noted = service.given_from().map(|pool| &**pool);
    let pool = noted.filter(|pool| !pool.is_empty()).or(asked);
    let pool = pool.unwrap_or_default();
    service.is_load_balancer && families_fit && is_asked_for(service, pool, &published)
}

/// The first address of each family that the service wants.
fn of_families(families: Families, current: &[IpAddr]) -> Vec<IpAddr> {
    let wants = |family| match families {
        Families::One(one) => family == one,
        Families::Both | Families::PreferBoth { .. } => true,
    };
    let mut kept: Vec<IpAddr> = Vec::new();
    for address in current {
        let family = Family::of(*address);
        if wants(family) && kept.iter().all(|other| Family::of(*other) != family) {
            kept.push(*address);
        }
    }
    kept
}

/// Whether the addresses agree with the pool and the addresses that the service asks for, if it
/// asks. A request that cannot be understood asks for nothing.
fn is_asked_for(service: &Service, pool: &str, addresses: &[IpAddr]) -> bool {
    let pool_fits =
        (service.requests.address_pool.as_deref()).is_none_or(|asked| asked == bounded(pool));
    let addresses_fit = match service.requests.addresses.as_deref() {
        Err(_) | Ok([]) => true,
        Ok(requested) => addresses.iter().all(|address| requested.contains(address)),
    };
    pool_fits && addresses_fit
}
