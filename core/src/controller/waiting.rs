//! Services that have not all they want.
//!
//! When something is released, not everyone must be asked: services that want exactly the same
//! stand in one queue, and while there is nothing for its first, there is nothing for the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::service::{Families, Requests, Service, ServiceKey};

/// What a service waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Want {
    /// New addresses that it shares with nobody.
    New {
        families: Families,
        requests: Requests,
    },
    /// What depends on more than that: the service has something already, or shares.
    Particular(ServiceKey),
}

impl Want {
    /// What a service wants that has the addresses `held`; `None` if nothing that others may
    /// release.
    fn of(service: &Service, held: &[IpAddr]) -> Option<Self> {
        let families = *service.families.as_ref().ok()?;
        let requests = &service.requests;
        requests.addresses.as_ref().ok()?;
        let is_particular = !held.is_empty() || requests.sharing_key.is_some();
        Some(if is_particular {
            Self::Particular(service.key.clone())
        } else {
            Self::New {
                families,
                requests: requests.clone(),
            }
        })
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
    pub(super) fn insert(&mut self, service: &Service, held: &[IpAddr]) -> Option<ServiceKey> {
        let want = Want::of(service, held);
        if self.wants.get(&service.key) == want.as_ref() {
            return None;
        }
        let next = self.remove(&service.key);
        if let Some(want) = want {
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
