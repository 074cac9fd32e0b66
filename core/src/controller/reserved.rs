//! Addresses of services that are not known.
//!
//! Where the source can be incomplete, as files are while one of them is broken or has not arrived
//! on this node, a service may be missing only for a while. What it had is kept for it: it is given
//! to nobody anew. But it stands in nobody's way who has it already, such as a service that shares
//! the address.

use std::net::IpAddr;

use super::Controller;
use crate::allocator::Tenant;
use crate::service::ServiceKey;

impl Controller {
    /// Notes what a service has that is not known.
    pub(super) fn reserve(&mut self, key: ServiceKey, addresses: Vec<IpAddr>) {
        if !self.services.contains_key(&key) {
            self.reserved.insert(key.clone(), addresses);
            self.mark(key);
        }
    }

    /// Keeps for a service that is not known what nobody else has.
    pub(super) fn review_reserved(&mut self, key: &ServiceKey) {
        let Some(addresses) = self.reserved.get(key) else {
            return;
        };
        let tenant = Tenant::unknown(key.clone());
        let is_free = |address: &IpAddr| self.allocator.check(&tenant, &[*address]).is_ok();
        let free: Vec<IpAddr> = addresses.iter().copied().filter(is_free).collect();
        if free.is_empty() {
            self.release(key);
        } else {
            self.assign(tenant, free);
        }
    }

    /// Takes reservations back from addresses that a service claims to have. They are reviewed
    /// after it, before anything is granted.
    pub(super) fn make_way<'a>(&mut self, claimed: impl Iterator<Item = &'a IpAddr>) {
        if self.reserved.is_empty() {
            return;
        }
        for address in claimed {
            let holders = self.allocator.holders(*address).to_vec();
            for key in holders {
                if self.reserved.contains_key(&key) {
                    self.release(&key);
                    self.mark(key);
                }
            }
        }
    }
}
