//! The network interfaces of this node, and which of them a VIP is announced on.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::address::Family;

mod exclusion;
mod segments;
#[cfg(test)]
mod tests;
mod usable;

pub use carillon_gossip::MacAddress;
pub use exclusion::{Exclusion, ExclusionError};
pub use segments::Segments;
pub use usable::Interfaces;
pub(crate) use usable::is_of_a_segment;

/// Names of interfaces. Who needs the same shares them.
pub type InterfaceNames = Arc<BTreeSet<Arc<str>>>;

/// An interface as the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index, which no other interface has as long as it lives.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// Its Ethernet address, if it has one.
    pub mac: Option<MacAddress>,
    /// It is set up, and its link has a carrier.
    pub is_running: bool,
    /// The loopback interface.
    pub is_loopback: bool,
    /// It resolves addresses by ARP and NDP (it has not the flag NOARP).
    pub has_arp: bool,
    /// It belongs to a bridge, a bond or a VRF, which does the talking.
    pub has_master: bool,
    /// Its addresses with their prefix lengths, ascending.
    pub addresses: Vec<IpNet>,
}

/// Why no VIP is announced on an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A pattern of the exclusion matches its name.
    #[error("its name matches the excluded pattern {0:?}")]
    Excluded(String),
    /// It is set down, or has no carrier.
    #[error("it is down or has no carrier")]
    Down,
    /// Nobody else is there.
    #[error("it is the loopback interface")]
    Loopback,
    /// Its neighbours are not asked for addresses.
    #[error("it has the flag NOARP")]
    NoArp,
    /// The master is used instead.
    #[error("it belongs to a bridge, a bond or a VRF")]
    HasMaster,
    /// It is not an Ethernet.
    #[error("it has no Ethernet address")]
    NoMac,
}

impl Interface {
    /// Whether VIPs can be announced on it.
    ///
    /// # Errors
    /// They cannot, for the first reason that applies.
    pub fn usable(&self, exclusion: &Exclusion) -> Result<MacAddress, Unusable> {
        if self.is_loopback {
            return Err(Unusable::Loopback);
        }
        if let Some(pattern) = exclusion.matching(&self.name) {
            return Err(Unusable::Excluded(pattern.to_owned()));
        }
        if self.has_master {
            return Err(Unusable::HasMaster);
        }
        if !self.has_arp {
            return Err(Unusable::NoArp);
        }
        if !self.is_running {
            return Err(Unusable::Down);
        }
        self.mac.ok_or(Unusable::NoMac)
    }

    /// Its subnets, by the addresses that it has. An address without others, such as a VIP that is
    /// put on an interface, is no subnet.
    pub fn subnets(&self) -> impl Iterator<Item = IpNet> {
        self.in_subnets().map(IpNet::trunc)
    }

    /// The addresses that its node has in these subnets.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.in_subnets().map(IpNet::addr)
    }

    fn in_subnets(&self) -> impl Iterator<Item = &IpNet> {
        let is_subnet = |net: &&IpNet| net.prefix_len() < net.max_prefix_len();
        self.addresses.iter().filter(is_subnet)
    }

    /// Whether one of its subnets contains this address.
    pub fn has_subnet_of(&self, address: IpAddr) -> bool {
        self.subnet_of(address).is_some()
    }

    /// The smallest of its subnets that contains this address.
    pub fn subnet_of(&self, address: IpAddr) -> Option<IpNet> {
        let subnets = self.subnets().filter(|subnet| subnet.contains(&address));
        subnets.max_by_key(IpNet::prefix_len)
    }

    /// Whether its node can be reached on it by an address of this family. An IPv4 address that a
    /// host has given itself because nobody else gave it one (RFC 3927) is none.
    pub fn has_own_address(&self, family: Family) -> bool {
        let mut addresses = self.addresses.iter().map(IpNet::addr);
        addresses.any(|address| match address {
            IpAddr::V4(address) => family == Family::V4 && !address.is_link_local(),
            IpAddr::V6(_) => family == Family::V6,
        })
    }
}
