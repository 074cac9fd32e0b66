//! What a service should have now, given what is free.

use std::net::IpAddr;

use crate::address::Family;
use crate::allocator::{Allocator, Refusal, Tenant};
use crate::service::{Families, FamiliesError, RequestError, Service};
use crate::text::bounded;

/// What a service should have now.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Addresses that the allocator approves of, or none.
    pub(super) addresses: Vec<IpAddr>,
    /// Why that is not all that the service wants.
    pub(super) shortfall: Option<Shortfall>,
}

/// Why a service has not all it wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Shortfall {
    /// It wants nothing.
    #[error("the service is not of type LoadBalancer")]
    NotLoadBalancer,
    /// Its address families are unclear.
    #[error(transparent)]
    Families(#[from] FamiliesError),
    /// The addresses it asks for cannot be understood.
    #[error("invalid requested loadbalancer IPs: {0}")]
    Request(#[from] RequestError),
    /// What it asks for cannot be had.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It prefers a second address that cannot be had.
    #[error("cannot assign additional IP in PreferDualStack: {0}")]
    OnlyOne(Refusal),
}

impl From<Vec<IpAddr>> for Plan {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            shortfall: None,
        }
    }
}

impl From<Shortfall> for Plan {
    fn from(shortfall: Shortfall) -> Self {
        Self {
            addresses: Vec::new(),
            shortfall: Some(shortfall),
        }
    }
}

/// The plan for a service that has the addresses `held`; they have passed review.
pub(super) fn plan(allocator: &Allocator, service: &Service, held: Vec<IpAddr>) -> Plan {
    if !service.is_load_balancer {
        return Shortfall::NotLoadBalancer.into();
    }
    match (&service.families, &service.requests.addresses) {
        (Err(error), _) => Shortfall::Families(error.clone()).into(),
        (Ok(_), Err(error)) => Plan {
            addresses: held,
            shortfall: Some(error.clone().into()),
        },
        (Ok(families), Ok(requested)) if requested.is_empty() => {
            unrequested(allocator, service, *families, held)
        }
        (Ok(families), Ok(requested)) => {
            let has_them = same_set(&held, requested);
            match grant_request(allocator, service, *families, requested, has_them) {
                Ok(()) if has_them => held.into(),
                Ok(()) => requested.clone().into(),
                Err(refusal) => Shortfall::from(refusal).into(),
            }
        }
    }
}

/// Addresses asked for by name: all of them or nothing.
fn grant_request(
    allocator: &Allocator,
    service: &Service,
    families: Families,
    requested: &[IpAddr],
    has_them: bool,
) -> Result<(), Refusal> {
    let asked: Vec<_> = requested.iter().map(|ip| Family::of(*ip)).collect();
    let fits = match (asked.as_slice(), families) {
        ([asked], Families::One(family)) => *asked == family,
        ([a, b], Families::Both | Families::PreferBoth { .. }) => a != b,
        _ => false,
    };
    if !fits {
        return Err(Refusal::WrongFamilies {
            requested: requested.to_vec(),
            families,
        });
    }
    let tenant = Tenant::of(service);
    let owner = if has_them {
        allocator.check_held(&tenant, requested)?
    } else {
        allocator.check(&tenant, requested)?
    };
    match &service.requests.address_pool {
        Some(pool) if **pool != *bounded(&owner) => Err(Refusal::OtherPool {
            requested: requested.to_vec(),
            pool: pool.as_str().into(),
            owner,
        }),
        _ => Ok(()),
    }
}

/// Addresses that the service leaves to us.
fn unrequested(
    allocator: &Allocator,
    service: &Service,
    families: Families,
    held: Vec<IpAddr>,
) -> Plan {
    let tenant = Tenant::of(service);
    let choose = || {
        let pool = service.requests.address_pool.as_deref();
        allocator.choose(&tenant, families, pool)
    };
    let (addresses, shortfall) = match (families, held.is_empty()) {
        (_, true) => match choose() {
            Ok(addresses) => complete(allocator, &tenant, families, addresses),
            Err(refusal) => return Shortfall::from(refusal).into(),
        },
        (Families::One(_), false) => (held, None),
        (Families::PreferBoth { .. }, false) => complete(allocator, &tenant, families, held),
        (Families::Both, false) => match complete(allocator, &tenant, families, held) {
            (addresses, None) => (addresses, None),
            (_, Some(_)) => match choose() {
                Ok(addresses) => (addresses, None),
                Err(refusal) => return Shortfall::from(refusal).into(),
            },
        },
    };
    Plan {
        addresses,
        shortfall: shortfall.map(Shortfall::OnlyOne),
    }
}

/// Adds the other family to a single address from the same pool, if both are wanted.
fn complete(
    allocator: &Allocator,
    tenant: &Tenant,
    families: Families,
    mut addresses: Vec<IpAddr>,
) -> (Vec<IpAddr>, Option<Refusal>) {
    let [only] = addresses.as_slice() else {
        return (addresses, None);
    };
    if matches!(families, Families::One(_)) {
        return (addresses, None);
    }
    let missing = Family::of(*only).other();
    let additional = (allocator.check_held(tenant, &addresses))
        .and_then(|pool| allocator.choose_additional(tenant, &pool, missing));
    match additional {
        Ok(address) => {
            addresses.push(address);
            (addresses, None)
        }
        Err(refusal) => (addresses, Some(refusal)),
    }
}

pub(super) fn same_set(a: &[IpAddr], b: &[IpAddr]) -> bool {
    a.len() == b.len() && a.iter().all(|address| b.contains(address))
}
