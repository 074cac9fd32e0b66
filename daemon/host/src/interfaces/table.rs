//! The interfaces and their addresses, put together from changes.

use std::collections::{BTreeMap, BTreeSet};

use carillon_core::interface::Interface;
use ipnet::IpNet;

use super::change::{Change, Link};

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Table {
    links: BTreeMap<u32, Link>,
    addresses: BTreeSet<(u32, IpNet)>,
}

impl Table {
    /// Takes in a change.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Link(index, link) => {
                self.links.insert(index, link);
            }
            Change::LinkGone(index) => {
                self.links.remove(&index);
                self.addresses.retain(|(of, _)| *of != index);
            }
            Change::Address(index, address) => {
                self.addresses.insert((index, address));
            }
            Change::AddressGone(index, address) => {
                self.addresses.remove(&(index, address));
            }
        }
    }

    /// All interfaces, ascending by index.
    pub(super) fn list(&self) -> Vec<Interface> {
        let mut list: Vec<Interface> = self.links.iter().map(|(i, l)| interface(*i, l)).collect();
        let mut rest = list.iter_mut().peekable();
        // Both ascend by index.
        for (index, address) in &self.addresses {
            while rest.next_if(|one| one.index < *index).is_some() {}
            if let Some(one) = rest.peek_mut().filter(|one| one.index == *index) {
                one.addresses.push(*address);
            }
        }
        list
    }

    /// Which links speak through which other one.
    pub(super) fn lower(&self) -> BTreeMap<u32, u32> {
        let links = self.links.iter();
        links
            .filter_map(|(i, link)| Some((*i, link.lower?)))
            .collect()
    }
}

fn interface(index: u32, link: &Link) -> Interface {
    Interface {
        index,
        name: link.name.clone(),
        mac: link.mac,
        is_running: link.is_running,
        is_loopback: link.is_loopback,
        has_arp: link.has_arp,
        has_master: link.has_master,
        addresses: Vec::new(),
    }
}
