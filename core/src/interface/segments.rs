//! Which interfaces of this node are on one segment.
//!
//! An address has one Ethernet address on a segment (RFC 826; another is a conflict, RFC 5227), so
//! of several interfaces there one speaks: that by which the kernel sends to the subnet, since
//! what comes in by another may be dropped (reverse path filtering).

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::Interface;

/// What the kernel tells about the segments that interfaces are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segments {
    /// Of the subnets that several interfaces have, the index of the one by which the kernel sends.
    pub routes: BTreeMap<IpNet, u32>,
    /// The index of the interface through which another one speaks with an Ethernet address of its
    /// own, by the index of that other (macvlan).
    pub lower: BTreeMap<u32, u32>,
}

impl Segments {
    /// Whether two interfaces are known to be on one segment: they have a subnet in common, or the
    /// same link. Link-local subnets tell nothing, they are everywhere.
    pub(super) fn have_joined(&self, one: &Interface, other: &Interface) -> bool {
        let link = |of: &Interface| self.lower.get(&of.index).copied().unwrap_or(of.index);
        link(one) == link(other) || common(one, other).next().is_some()
    }

    /// By which of several interfaces of a segment is spoken: the least.
    pub(super) fn rank(&self, of: &Interface, subnet: Option<IpNet>) -> impl Ord + use<> {
        let is_route = match subnet {
            Some(subnet) => self.routes.get(&subnet) == Some(&of.index),
            None => self.routes.values().any(|index| *index == of.index),
        };
        let is_upper = self.lower.contains_key(&of.index);
        (!is_route, is_upper, of.index)
    }

    /// Of these interfaces, one of each segment.
    pub(super) fn one_each<'a>(
        &self,
        mut all: Vec<&'a Interface>,
        subnet: Option<IpNet>,
    ) -> Vec<&'a Interface> {
        all.sort_by_key(|one| self.rank(one, subnet));
        let mut chosen: Vec<&Interface> = Vec::new();
        for one in all {
            if !chosen.iter().any(|other| self.have_joined(one, other)) {
                chosen.push(one);
            }
        }
        chosen.sort_by_key(|one| one.index);
        chosen
    }

    /// The subnets that more than one of these interfaces have, each once.
    pub fn shared(all: &[Interface]) -> Vec<IpNet> {
        let mut shared = Vec::new();
        for (place, one) in all.iter().enumerate() {
            let others = all.iter().skip(place + 1);
            shared.extend(others.flat_map(|other| common(one, other)));
        }
        shared.sort_unstable();
        shared.dedup();
        shared
    }
}

fn common(one: &Interface, other: &Interface) -> impl Iterator<Item = IpNet> {
    let subnets = one.subnets().filter(|subnet| !is_link_local(subnet));
    subnets.filter(|subnet| other.subnets().any(|other| other == *subnet))
}

fn is_link_local(subnet: &IpNet) -> bool {
    match subnet {
        IpNet::V4(subnet) => subnet.addr().is_link_local(),
        IpNet::V6(subnet) => subnet.addr().is_unicast_link_local(),
    }
}
