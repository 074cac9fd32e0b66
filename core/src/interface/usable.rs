//! The interfaces that VIPs can be announced on.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{Exclusion, Interface, InterfaceNames, MacAddress, Segments};
use crate::address::Family;

/// The interfaces that VIPs can be announced on, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    list: Vec<Interface>,
    segments: Arc<Segments>,
    /// Those on which nothing can be announced of a family, though they have addresses of it.
    closed: BTreeSet<(u32, Family)>,
    /// The Ethernet addresses of this node, also those of interfaces that are not usable.
    stations: BTreeSet<MacAddress>,
}

impl Interfaces {
    /// Those of `all` that are [`Interface::usable`].
    pub fn usable(all: &[Interface], exclusion: &Exclusion) -> Self {
        let usable = all.iter().filter(|one| one.usable(exclusion).is_ok());
        let mut list: Vec<Interface> = usable.cloned().collect();
        list.sort_by_key(|interface| interface.index);
        // Those of containers have no address, and there are many, which come and go.
        let speaks = |one: &&Interface| {
            list.iter().any(|other| other.index == one.index) || one.hosts().any(is_of_a_segment)
        };
        let stations = all.iter().filter(speaks).filter_map(|one| one.mac);
        let stations = stations.collect();
        Self {
            list,
            segments: Arc::default(),
            closed: BTreeSet::new(),
            stations,
        }
    }

    /// The same, knowing what the kernel tells about segments.
    #[must_use]
    pub fn on(self, segments: Arc<Segments>) -> Self {
        Self { segments, ..self }
    }

    /// The same, where VIPs of a family can be announced on these interfaces only.
    #[must_use]
    pub fn with_open(mut self, family: Family, open: &BTreeSet<u32>) -> Self {
        self.closed.retain(|(_, of)| *of != family);
        let closed = self.list.iter().map(|one| one.index);
        let closed = closed.filter(|index| !open.contains(index));
        self.closed.extend(closed.map(|index| (index, family)));
        self
    }

    /// Whether an Ethernet address is one of this node. The kernel of a node answers on any interface
    /// for all addresses that the node has.
    pub fn have_station(&self, station: MacAddress) -> bool {
        self.stations.contains(&station)
    }

    /// All of them, ascending by index.
    pub fn iter(&self) -> std::slice::Iter<'_, Interface> {
        self.list.iter()
    }

    /// Whether VIPs of a family can be announced on one of them: this node has an address of its own
    /// there, and nothing is known to be in the way.
    pub fn is_open(&self, one: &Interface, family: Family) -> bool {
        one.has_own_address(family) && !self.closed.contains(&(one.index, family))
    }

    /// Whether VIPs of a family can be announced on any of them.
    pub fn have_open(&self, family: Family) -> bool {
        self.list.iter().any(|one| self.is_open(one, family))
    }

    /// The subnets of one of them whose VIPs can be announced there, or, if not `open`, the others.
    pub fn subnets(&self, one: &Interface, open: bool) -> BTreeSet<IpNet> {
        let is_asked = |net: &IpNet| self.is_open(one, Family::of(net.addr())) == open;
        one.subnets().filter(is_asked).collect()
    }

    /// Those that a VIP is announced on that is for interfaces of these names (`None`: all), of those
    /// that are `ready`: of the ones with the smallest subnet that contains it, or of all where there is
    /// none, one of each segment. An address of a foreign subnet is reached over a static route, and
    /// nobody knows on which side the router with that route is.
    pub fn of_vip(
        &self,
        vip: IpAddr,
        names: Option<&InterfaceNames>,
        ready: impl Fn(&Interface) -> bool,
    ) -> Vec<&Interface> {
        let is_named = |one: &&Interface| names.is_none_or(|names| names.contains(&one.name));
        let all = || self.list.iter().filter(is_named);
        let subnets = all().filter_map(|one| one.subnet_of(vip));
        let subnet = subnets.max_by_key(IpNet::prefix_len);
        let fits = |one: &&Interface| subnet.is_none() || one.subnet_of(vip) == subnet;
        let ready = all().filter(fits).filter(|one| ready(one));
        self.segments.one_each(ready.collect(), subnet)
    }

    /// The interface of the same segment on which is announced what is not announced on this one, of
    /// those that are `ready`.
    pub fn in_place_of(
        &self,
        one: &Interface,
        ready: impl Fn(&Interface) -> bool,
    ) -> Option<&Interface> {
        let rank = |of: &Interface| self.segments.rank(of, None);
        let others = self.list.iter().filter(|other| {
            other.index != one.index
                && ready(other)
                && self.segments.have_joined(one, other)
                && rank(other) < rank(one)
        });
        others.min_by_key(|other| rank(other))
    }
}

/// Whether an address is one that its host was given.
pub(crate) fn is_of_a_segment(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}

impl<'a> IntoIterator for &'a Interfaces {
    type Item = &'a Interface;
    type IntoIter = std::slice::Iter<'a, Interface>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
