//! Addresses of services that are not known.
//!
//! A source can be incomplete: a file may be broken, or not have arrived on this node yet. The
//! addresses of the services in it stay reserved: no other service gets them. A service that has
//! such an address already, because the two share it, keeps it.

use std::net::IpAddr;

use super::Controller;
use crate::allocator::Tenant;
use crate::service::ServiceKey;

impl Controller {
    /// Whether a service is not known and has addresses that no other service gets.
    pub fn is_reserved(&self, service: &ServiceKey) -> bool {
        self.reserved.contains_key(service)
    }

    /// Reserves the addresses of a service that is not known.
    pub(super) fn reserve(&mut self, key: ServiceKey, addresses: Vec<IpAddr>) {
        if !self.services.contains_key(&key) {
            self.reserved.insert(key.clone(), addresses);
            self.mark(key);
        }
    }

    /// Assigns to a service that is not known those of its addresses that no other service has.
    pub(super) fn review_reserved(&mut self, key: &ServiceKey) {
        let Some(addresses) = self.reserved.get(key) else {
            return;
        };
        let tenant = Tenant::unknown(key.clone());
        let is_free = |address: &IpAddr| self.books.check_held(&tenant, &[*address]).is_ok();
        let free: Vec<IpAddr> = addresses.iter().copied().filter(is_free).collect();
        if free.is_empty() {
            self.release(key);
        } else {
            self.assign(tenant, free);
        }
    }

    /// Lifts the reservations of addresses that a service claims to have. They are reviewed after
    /// it, before anything is granted.
    pub(super) fn make_way<'a>(&mut self, claimed: impl Iterator<Item = &'a IpAddr>) {
        if self.reserved.is_empty() {
            return;
        }
        for address in claimed {
            let holders = self.books.holders(*address).to_vec();
            for key in holders {
                if self.reserved.contains_key(&key) {
                    self.release(&key);
                    self.mark(key);
                }
            }
        }
    }
}
