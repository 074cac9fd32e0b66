//! Which members may have one VIP, and which of them comes first.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_gossip::MemberId;
use carillon_gossip::record::Node;

use super::Scope;
use super::ineligible::Ineligible;
use super::member::passing;
use super::members::{Member, Members};
use super::order::Order;

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Electorate<'a> {
    members: &'a Members,
    vip: IpAddr,
    scope: &'a Scope,
}

impl<'a> Electorate<'a> {
    /// That of a VIP of this scope.
    pub(super) fn new(members: &'a Members, vip: IpAddr, scope: &'a Scope) -> Self {
        Self {
            members,
            vip,
            scope,
        }
    }

    /// Whether a member may have it. Where the VIP belongs to the subnet of one that it is for, even if
    /// that one is not ready or gives its VIPs away, it is for that segment.
    ///
    /// # Errors
    /// It may not, for the first reason that applies.
    pub(super) fn eligible(&self, id: MemberId) -> Result<(), Ineligible> {
        let member = self.members.get(id).ok_or(Ineligible::Unreached)?;
        let node = member.lasting(self.vip, self.scope)?;
        if !member.has_subnet_of(self.vip, self.scope) {
            if self.is_closed(id, node) {
                return Err(Ineligible::NoPort);
            }
            if self.has_segment() {
                return Err(Ineligible::OffSegment);
            }
        }
        if self.is_of_another(id) {
            return Err(Ineligible::HostAddress);
        }
        passing(node)?;
        if self.members.is_held_back(id, self.vip) {
            return Err(Ineligible::ProxyNotReady);
        }
        if self.scope.is_last_resort(&node.name) && self.has_others_than_last_resort() {
            return Err(Ineligible::Terminating);
        }
        Ok(())
    }

    /// Whether one of the members that it is for is on its subnet.
    pub(super) fn has_segment(&self) -> bool {
        let is_there = |member: &Member| {
            member.lasting(self.vip, self.scope).is_ok()
                && member.has_subnet_of(self.vip, self.scope)
        };
        let mut members = self.members.within(self.scope);
        self.members.addresses.have_subnet_of(self.vip) && members.any(|(_, one)| is_there(one))
    }

    /// The members that may have it, those that are preferred first, and of equals in rendezvous order;
    /// with `soon`, also those that only are not ready yet. None of last resort where there are others.
    pub(super) fn order(&self, soon: bool) -> Arc<[MemberId]> {
        let make = || {
            let order = Order::of(self.vip);
            let weights = self.scope.weights();
            let weights = weights.filter(|_| self.members.know_weights());
            let mut members = self.members(soon);
            members.sort_by_cached_key(|id| {
                let name = self.members.name(*id);
                let weight = weights.and_then(|weights| weights.get(&name)).copied();
                (Reverse(weight), order.rank(&name), *id)
            });
            members
        };
        let last = &self.members.last_order;
        last.get(self.vip, self.scope, soon, make)
    }

    /// The same in no order.
    fn members(&self, soon: bool) -> Vec<MemberId> {
        let must_fit = self.has_segment();
        let fits = |(id, member): &(MemberId, &Member)| {
            let is_there = |node| {
                let may_be_off = || !must_fit && !self.is_closed(*id, node);
                member.has_subnet_of(self.vip, self.scope) || may_be_off()
            };
            let passes = |node: &Node| match passing(node) {
                Ok(()) => soon || !self.members.is_held_back(*id, self.vip),
                Err(why) => soon && why == Ineligible::NotReady,
            };
            // What rules out most of them comes first.
            member
                .lasting(self.vip, self.scope)
                .is_ok_and(|node| passes(node) && is_there(node))
                && !self.is_of_another(*id)
        };
        let members = self.members.within(self.scope).filter(fits);
        let mut members: Vec<_> = members.map(|(id, _)| id).collect();
        if !members.iter().all(|id| self.is_last_resort(*id)) {
            members.retain(|id| !self.is_last_resort(*id));
        }
        members
    }

    fn is_last_resort(&self, id: MemberId) -> bool {
        self.scope.is_last_resort(&self.members.name(id))
    }

    fn has_others_than_last_resort(&self) -> bool {
        let order = self.order(false);
        order.first().is_some_and(|id| !self.is_last_resort(*id))
    }

    /// Whether other nodes have it for themselves, and the one of this member has not.
    fn is_of_another(&self, id: MemberId) -> bool {
        let mut hosts = self.members.hosts_of(self.vip).peekable();
        hosts.peek().is_some() && !hosts.any(|host| host == id)
    }

    /// Whether this member is on its subnet, and cannot announce it there.
    fn is_closed(&self, id: MemberId, node: &Node) -> bool {
        let (me, subnets) = &self.members.closed;
        if id != *me {
            return false;
        }
        let names = self.scope.interfaces(&node.name);
        let is_for = |name| names.as_ref().is_none_or(|names| names.contains(name));
        let mut subnets = subnets.iter();
        subnets.any(|(name, subnet)| subnet.contains(&self.vip) && is_for(name))
    }
}
