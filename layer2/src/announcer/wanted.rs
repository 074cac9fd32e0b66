//! On which interfaces each VIP is to be announced.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::announcement::AnnouncementSet;
use carillon_core::interface::{Interface, InterfaceNames, Interfaces, MacAddress};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    interfaces: Arc<Interfaces>,
    /// Those where something can be said.
    ready: BTreeSet<u32>,
    /// Of the VIPs that are not for all interfaces, the names of those that they are for.
    named: OrdMap<IpAddr, InterfaceNames>,
}

/// The VIPs that may have to be announced on other interfaces than before.
#[derive(Debug)]
pub(super) enum Moved {
    /// All.
    All,
    /// These.
    Some(Vec<IpAddr>),
}

impl Wanted {
    /// Takes in a new wish.
    pub(super) fn handle_set(&mut self, set: &AnnouncementSet) -> Moved {
        let named = std::mem::replace(&mut self.named, set.interfaces_of.clone());
        if self.interfaces != set.interfaces {
            self.interfaces = set.interfaces.clone();
            return Moved::All;
        }
        let changes = named.diff(&self.named).map(|change| match change {
            DiffItem::Add(vip, _)
            | DiffItem::Remove(vip, _)
            | DiffItem::Update { new: (vip, _), .. } => *vip,
        });
        Moved::Some(changes.collect())
    }

    /// Takes in whether something can be said on an interface; returns whether that is news.
    pub(super) fn set_ready(&mut self, interface: u32, is_ready: bool) -> bool {
        if is_ready {
            self.ready.insert(interface)
        } else {
            self.ready.remove(&interface)
        }
    }

    /// The interfaces of a VIP, be it announced or only asked for.
    pub(super) fn places(&self, vip: IpAddr) -> Vec<u32> {
        let ready = |one: &Interface| self.ready.contains(&one.index);
        let places = self.interfaces.of_vip(vip, self.named.get(&vip), ready);
        places.into_iter().map(|one| one.index).collect()
    }

    /// Whether an Ethernet address is one of this node.
    pub(super) fn have_station(&self, station: MacAddress) -> bool {
        self.interfaces.have_station(station)
    }
}
