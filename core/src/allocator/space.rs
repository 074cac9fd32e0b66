//! The addresses of one family in one pool.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Tenant;
use super::sharing::{Group, SharingKeys};
use crate::address::Family;
use crate::config::{Pool, PoolName, is_buggy};

/// A place in a pool. The order is that in which addresses are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) block: usize,
    pub(super) address: IpAddr,
}

/// How full a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// The pool's name.
    pub name: PoolName,
    /// Its IPv4 addresses.
    pub ipv4: Usage,
    /// Its IPv6 addresses.
    pub ipv6: Usage,
}

impl PoolUsage {
    /// The figures of one family.
    pub fn of(&self, family: Family) -> Usage {
        match family {
            Family::V4 => self.ipv4,
            Family::V6 => self.ipv6,
        }
    }
}

/// Numbers of addresses; `total` saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Addresses in use; one that is shared counts once.
    pub assigned: u128,
    /// Addresses that can be handed out: without those that the pool avoids.
    pub total: u128,
    /// Addresses that the pool avoids.
    pub avoided: u128,
}

impl Usage {
    /// Addresses that nobody uses.
    pub fn available(self) -> u128 {
        self.total.saturating_sub(self.assigned)
    }
}

/// What is free and what is shared.
#[derive(Debug)]
pub(super) struct Space {
    avoid_buggy: bool,
    /// The gaps between addresses in use, from their first address to their last. Between two gaps
    /// of a block there is always an address in use. The first address of a gap is never one that
    /// is avoided.
    free: BTreeMap<Position, IpAddr>,
    groups: BTreeMap<SharingKeys, Group>,
    usage: Usage,
}

impl Space {
    pub(super) fn new(pool: &Pool, family: Family) -> Self {
        let mut space = Self {
            avoid_buggy: pool.avoid_buggy_ips,
            free: BTreeMap::new(),
            groups: BTreeMap::new(),
            usage: Usage::default(),
        };
        for (block, net) in pool.blocks.iter().enumerate() {
            if Family::of(net.addr()) == family {
                let avoided = if pool.avoid_buggy_ips {
                    buggy_in(*net)
                } else {
                    0
                };
                let size = block_size(*net) - avoided;
                space.usage.total = space.usage.total.saturating_add(size);
                space.usage.avoided = space.usage.avoided.saturating_add(avoided);
                space.add_gap(block, Some(net.network()), Some(net.broadcast()));
            }
        }
        space
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// The first address in block order that the tenant may have.
    pub(super) fn first(&self, tenant: &Tenant) -> Option<IpAddr> {
        let free = self.free.first_key_value().map(|(at, _)| *at);
        let shared = (tenant.sharing.as_ref())
            .and_then(|sharing| self.groups.get(&sharing.keys))
            .and_then(|group| group.first_without(tenant.ports()));
        let first = match (free, shared) {
            (Some(free), Some(shared)) => free.min(shared),
            (free, shared) => free.or(shared)?,
        };
        Some(first.address)
    }

    /// Notes that the tenant uses the address, alone or beside others.
    pub(super) fn occupy(&mut self, at: Position, tenant: &Tenant) {
        self.take(at);
        if let Some(sharing) = &tenant.sharing {
            let group = self.groups.entry(sharing.keys.clone()).or_default();
            group.join(at, &sharing.ports);
        }
    }

    /// Notes that the tenant uses the address no longer; `is_last` if nobody does.
    pub(super) fn vacate(&mut self, at: Position, tenant: &Tenant, is_last: bool) {
        if let Some(sharing) = &tenant.sharing
            && let Some(group) = self.groups.get_mut(&sharing.keys)
        {
            group.free_ports(at, &sharing.ports);
            if is_last {
                group.leave(at);
            }
            if group.is_empty() {
                self.groups.remove(&sharing.keys);
            }
        }
        if is_last {
            self.give_back(at);
        }
    }

    fn take(&mut self, at: Position) {
        let Some((&gap, &last)) = self.free.range(..=at).next_back() else {
            return;
        };
        if gap.block != at.block || last < at.address || self.avoids(at.address) {
            return;
        }
        self.free.remove(&gap);
        self.add_gap(at.block, Some(gap.address), predecessor(at.address));
        self.add_gap(at.block, successor(at.address), Some(last));
        self.usage.assigned += 1;
    }

    fn give_back(&mut self, at: Position) {
        if self.avoids(at.address) {
            return;
        }
        let (mut first, mut last) = (at, at.address);
        if let Some((&gap, &end)) = self.free.range(..at).next_back()
            && gap.block == at.block
            && self.usable(successor(end), successor) == Some(at.address)
        {
            first = gap;
        }
        let next = (self.usable(successor(at.address), successor)).map(|address| Position {
            block: at.block,
            address,
        });
        if let Some(end) = next.and_then(|next| self.free.remove(&next)) {
            last = end;
        }
        self.free.insert(first, last);
        self.usage.assigned -= 1;
    }

    /// Adds the gap without avoided addresses at its ends, unless nothing remains.
    fn add_gap(&mut self, block: usize, first: Option<IpAddr>, last: Option<IpAddr>) {
        let ends = self
            .usable(first, successor)
            .zip(self.usable(last, predecessor));
        if let Some((address, last)) = ends.filter(|(first, last)| first <= last) {
            self.free.insert(Position { block, address }, last);
        }
    }

    fn avoids(&self, address: IpAddr) -> bool {
        self.avoid_buggy && is_buggy(address)
    }

    /// The first address that is not avoided, from this one on in steps.
    fn usable(
        &self,
        mut address: Option<IpAddr>,
        step: fn(IpAddr) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        while address.is_some_and(|address| self.avoids(address)) {
            address = address.and_then(step);
        }
        address
    }
}

fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address)
            .checked_add(1)
            .map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(address) => u128::from(address)
            .checked_add(1)
            .map(|n| IpAddr::V6(n.into())),
    }
}

fn predecessor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address)
            .checked_sub(1)
            .map(|n| IpAddr::V4(n.into())),
        IpAddr::V6(address) => u128::from(address)
            .checked_sub(1)
            .map(|n| IpAddr::V6(n.into())),
    }
}

/// How many addresses the block has; saturates.
fn block_size(net: IpNet) -> u128 {
    let host_bits = u32::from(net.max_prefix_len() - net.prefix_len());
    1u128.checked_shl(host_bits).unwrap_or(u128::MAX)
}

/// How many of them are not handed out with `avoid-buggy-ips`.
fn buggy_in(net: IpNet) -> u128 {
    let (first, last) = (net.network(), net.broadcast());
    match net {
        IpNet::V6(_) => 0,
        IpNet::V4(net) if net.prefix_len() <= 24 => 2 << (24 - net.prefix_len()),
        IpNet::V4(_) => u128::from(is_buggy(first)) + u128::from(last != first && is_buggy(last)),
    }
}
