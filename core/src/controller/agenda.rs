//! What is to be decided next.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::service::{Service, ServiceKey};

/// Services about which something is to be decided.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// Services to review, those with most addresses first, and after them what is reserved.
    reviews: BTreeSet<(bool, Reverse<usize>, ServiceKey)>,
    /// Services to grant something to, those that ask for an address by name first.
    grants: BTreeSet<(Reverse<bool>, ServiceKey)>,
}

impl Agenda {
    /// Enters the review of a service with that many addresses, or of what is reserved for it.
    pub(super) fn review(&mut self, key: ServiceKey, addresses: usize, is_reserved: bool) {
        self.reviews.insert((is_reserved, Reverse(addresses), key));
    }

    /// Enters that a service, if it is known, may be granted something.
    pub(super) fn grant(&mut self, key: ServiceKey, service: Option<&Service>) {
        let by_name = service.is_some_and(|service| {
            let requested = service.requests.addresses.as_ref();
            requested.is_ok_and(|requested| !requested.is_empty())
        });
        self.grants.insert((Reverse(by_name), key));
    }

    /// The services yet to be reviewed, in order.
    pub(super) fn reviews(&self) -> impl Iterator<Item = &ServiceKey> {
        self.reviews.iter().map(|(_, _, key)| key)
    }

    /// Who is to be reviewed next.
    pub(super) fn next_review(&mut self) -> Option<ServiceKey> {
        self.reviews.pop_first().map(|(_, _, key)| key)
    }

    /// To whom something may be granted next.
    pub(super) fn next_grant(&mut self) -> Option<ServiceKey> {
        self.grants.pop_first().map(|(_, key)| key)
    }
}
