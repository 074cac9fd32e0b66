//! The subnets and addresses that the interfaces of all members have, kept as interfaces come and go.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use carillon_gossip::record::Interface;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Each once, and on how many interfaces: there are far fewer than members.
    subnets: BTreeMap<IpNet, usize>,
    /// The addresses that nodes have for themselves: hardly a VIP is among them.
    hosts: BTreeMap<IpAddr, usize>,
    /// The subnets that nobody had before, not yet taken.
    new: Vec<IpNet>,
}

impl Addresses {
    /// Takes in one more interface.
    pub(super) fn add(&mut self, interface: &Interface) {
        for subnet in &interface.subnets {
            let count = self.subnets.entry(*subnet).or_default();
            if *count == 0 {
                self.new.push(*subnet);
            }
            *count += 1;
        }
        for host in &interface.hosts {
            *self.hosts.entry(*host).or_default() += 1;
        }
    }

    /// Takes in that one of the interfaces is no more.
    pub(super) fn remove(&mut self, interface: &Interface) {
        for subnet in &interface.subnets {
            forget(&mut self.subnets, subnet);
        }
        for host in &interface.hosts {
            forget(&mut self.hosts, host);
        }
    }

    /// Whether an address belongs to one of the subnets.
    pub(super) fn have_subnet_of(&self, vip: IpAddr) -> bool {
        self.subnets.keys().any(|subnet| subnet.contains(&vip))
    }

    /// Whether a node has an address for itself.
    pub(super) fn have_host(&self, vip: IpAddr) -> bool {
        self.hosts.contains_key(&vip)
    }

    /// Whether both count the same.
    #[cfg(test)]
    pub(super) fn are_those_of(&self, other: &Self) -> bool {
        self.subnets == other.subnets && self.hosts == other.hosts
    }

    /// The subnets that nobody had before, since the last call.
    pub(super) fn take_new_subnets(&mut self) -> Vec<IpNet> {
        std::mem::take(&mut self.new)
    }
}

fn forget<T: Ord>(counts: &mut BTreeMap<T, usize>, one: &T) {
    if let Some(count) = counts.get_mut(one) {
        *count -= 1;
        if *count == 0 {
            counts.remove(one);
        }
    }
}
