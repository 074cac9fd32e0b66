//! Services that have not all they want.
//!
//! When something is released, not everyone must be asked: services that want exactly the same
//! stand in one queue, and while there is nothing for its first, there is nothing for the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::address::Family;
use crate::allocator::{Allocator, Eligible, Tenant};
use crate::service::{Families, Requests, Service, ServiceKey};

/// What a service waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    /// New addresses, of these pools, that it shares with nobody.
    New {
        families: Families,
        requests: Requests,
        pools: Eligible,
    },
    /// A second address, of this family and these pools, that it shares with nobody.
    Second { family: Family, pools: Eligible },
    /// What depends on more than that: the service has something already, or shares.
    Particular(ServiceKey),
}

impl Want {
    /// What a service wants that has the addresses `held`; `None` if nothing that others may
    /// release.
    fn of(allocator: &Allocator, service: &Service, held: &[IpAddr]) -> Option<Self> {
        let families = *service.families.as_ref().ok()?;
        let requests = &service.requests;
        let requested = requests.addresses.as_ref().ok()?;
        let tenant = Tenant::of(service);
        let want = match (held, families) {
            _ if requests.sharing_key.is_some() => None,
            ([], _) => Some(Self::New {
                families,
                requests: requests.clone(),
                pools: allocator.eligible(&tenant, requests),
            }),
            ([one], Families::PreferBoth { .. }) if requested.is_empty() => {
                let of_pool = Requests {
                    addresses: Ok(vec![*one]),
                    ..Requests::default()
                };
                Some(Self::Second {
                    family: Family::of(*one).other(),
                    pools: allocator.eligible(&tenant, &of_pool),
                })
            }
            _ => None,
        };
        Some(want.unwrap_or_else(|| Self::Particular(service.key.clone())))
    }
}

/// The queues.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: BTreeMap<Want, BTreeSet<ServiceKey>>,
    wants: BTreeMap<ServiceKey, Want>,
}

impl Waiting {
    /// Puts a service that has the addresses `held` into the queue for what it wants now. Returns
    /// who is to be asked instead of it, if it was the first of another queue.
    pub(super) fn insert(
        &mut self,
        allocator: &Allocator,
        service: &Service,
        held: &[IpAddr],
    ) -> Option<ServiceKey> {
        let want = Want::of(allocator, service, held);
        if self.wants.get(&service.key) == want.as_ref() {
            return None;
        }
        let next = self.remove(&service.key);
        if let Some(want) = want {
            // Lists of pools can be long: all in a queue have one.
            let same = self.queues.get_key_value(&want);
            let want = same.map_or(want, |(want, _)| want.clone());
            let queue = self.queues.entry(want.clone()).or_default();
            queue.insert(service.key.clone());
            self.wants.insert(service.key.clone(), want);
        }
        next
    }

    /// Takes a service out. Returns who is first in its queue now, if that was this service: what
    /// was released may be for them.
    pub(super) fn remove(&mut self, service: &ServiceKey) -> Option<ServiceKey> {
        let want = self.wants.remove(service)?;
        let queue = self.queues.get_mut(&want)?;
        let was_first = queue.first() == Some(service);
        queue.remove(service);
        let next = queue.first().filter(|_| was_first).cloned();
        if queue.is_empty() {
            self.queues.remove(&want);
        }
        next
    }

    /// The first of each queue.
    pub(super) fn first(&self) -> impl Iterator<Item = &ServiceKey> {
        self.queues.values().filter_map(BTreeSet::first)
    }
}
