//! What is known of the members, and which VIPs each of them may have.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;

use crate::address::Family;
use crate::interface::MacAddress;
use crate::mark::Mark;
use crate::membership::record::{Interface, Node};
use crate::membership::{Departure, MemberId};

use super::Scope;
use super::addresses::Addresses;
use super::index::Index;
use super::ineligible::Ineligible;
use super::order::LastOrder;

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has never been.
    Unreached,
    /// It is.
    Live,
    /// It was.
    Gone(Departure),
}

/// A member, this one included.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) presence: Presence,
    pub(super) node: Option<Node>,
    pub(super) interfaces: BTreeMap<u32, Interface>,
    /// Since when it has been able to have VIPs, as far as that does not depend on the VIP.
    pub(super) able_since: Option<Instant>,
    /// The VIPs that it claims.
    pub(super) claims: BTreeSet<IpAddr>,
    /// When it was last heard to claim one.
    pub(super) claimed_at: Option<Instant>,
    /// When it was lost last.
    pub(super) lost_at: Option<Instant>,
}

impl Member {
    fn new() -> Self {
        Self {
            presence: Presence::Unreached,
            node: None,
            interfaces: BTreeMap::new(),
            able_since: None,
            claims: BTreeSet::new(),
            claimed_at: None,
            lost_at: None,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.presence == Presence::Live
    }

    /// Its node's name, empty as long as that is not known.
    pub(super) fn name(&self) -> Arc<str> {
        self.node
            .as_ref()
            .map_or_else(Arc::default, |node| node.name.clone())
    }

    pub(super) fn has_subnet_of(&self, vip: IpAddr) -> bool {
        let mut subnets = self.interfaces.values().flat_map(|one| &one.subnets);
        subnets.any(|subnet| subnet.contains(&vip))
    }

    fn has_host(&self, vip: IpAddr) -> bool {
        let mut interfaces = self.interfaces.values();
        interfaces.any(|one| one.hosts.contains(&vip))
    }

    /// Whether it may have VIPs, as far as that does not depend on the VIP.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn ability(&self) -> Result<(), Ineligible> {
        let node = self.present()?;
        if self.interfaces.is_empty() {
            return Err(Ineligible::NoInterface);
        }
        if node.is_excluded {
            return Err(Ineligible::Excluded);
        }
        passing(node)
    }

    fn present(&self) -> Result<&Node, Ineligible> {
        match self.presence {
            Presence::Unreached => Err(Ineligible::Unreached),
            Presence::Gone(Departure::Lost) => Err(Ineligible::Lost),
            Presence::Gone(Departure::Left) => Err(Ineligible::Left),
            Presence::Live => self.node.as_ref().ok_or(Ineligible::Unknown),
        }
    }

    /// Whether it is one that this VIP is for, be it ready at the moment or not.
    fn lasting(&self, vip: IpAddr, scope: &Scope) -> Result<&Node, Ineligible> {
        let node = self.present()?;
        let family = Family::of(vip);
        let is_built_in = match family {
            Family::V4 => node.ipv4,
            Family::V6 => node.ipv6,
        };
        if !is_built_in {
            return Err(Ineligible::Family(family));
        }
        if self.interfaces.is_empty() {
            return Err(Ineligible::NoInterface);
        }
        if node.is_excluded {
            return Err(Ineligible::Excluded);
        }
        if !scope.contains(&node.name) {
            return Err(Ineligible::OutOfScope);
        }
        Ok(node)
    }
}

/// Whether this is no time at which it gives its VIPs away, or takes none.
fn passing(node: &Node) -> Result<(), Ineligible> {
    match (node.is_ready, node.is_draining) {
        (_, true) => Err(Ineligible::Draining),
        (false, false) => Err(Ineligible::NotReady),
        (true, false) => Ok(()),
    }
}

/// All members, also those that are gone: their stations may still be on the segment.
#[derive(Debug)]
pub(super) struct Members {
    by_id: BTreeMap<MemberId, Member>,
    /// Those of all their interfaces.
    pub(super) addresses: Addresses,
    /// The subnets of this member's own interfaces on which it can announce nothing.
    closed: (MemberId, BTreeSet<IpNet>),
    /// What is looked up for each frame; made anew when it is needed after something has changed.
    index: Option<Index>,
    pub(super) last_order: LastOrder,
}

impl Members {
    /// This member alone.
    pub(super) fn new(me: MemberId) -> Self {
        let mut member = Member::new();
        member.presence = Presence::Live;
        Self {
            by_id: BTreeMap::from([(me, member)]),
            addresses: Addresses::default(),
            closed: (me, BTreeSet::new()),
            index: None,
            last_order: LastOrder::default(),
        }
    }

    pub(super) fn get(&self, id: MemberId) -> Option<&Member> {
        self.by_id.get(&id)
    }

    /// The member of this identity, new if need be.
    pub(super) fn entry(&mut self, id: MemberId) -> &mut Member {
        self.by_id.entry(id).or_insert_with(Member::new)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.by_id.iter().map(|(id, member)| (*id, member))
    }

    pub(super) fn is_live(&self, id: MemberId) -> bool {
        self.get(id).is_some_and(Member::is_live)
    }

    /// The name of its node, or its address as long as that is not known.
    pub(super) fn name(&self, id: MemberId) -> Arc<str> {
        let name = self.get(id).map(Member::name).unwrap_or_default();
        if name.is_empty() {
            return id.to_string().into();
        }
        name
    }

    /// Whether its answers to questions do not repeat nonces, as those of former versions.
    pub(super) fn is_former(&self, id: MemberId) -> bool {
        let node = self.get(id).and_then(|member| member.node.as_ref());
        node.is_some_and(|node| node.capabilities & Node::REPEATS_NONCE == 0)
    }

    /// Whether a member that is not live was gone already at that time.
    pub(super) fn was_gone(&self, id: MemberId, at: Instant) -> bool {
        let member = self.get(id).filter(|member| !member.is_live());
        let lost_at = member.and_then(|member| member.lost_at);
        lost_at.is_some_and(|lost_at| lost_at <= at)
    }

    /// Whether those who can talk to each other, this member among them, are more than the others, or
    /// less. Whoever has left is none of them.
    pub(super) fn majority(&self) -> Ordering {
        let has_left = |member: &&Member| member.presence == Presence::Gone(Departure::Left);
        let members = self.by_id.values().filter(|member| !has_left(member));
        let (live, silent): (Vec<_>, Vec<_>) = members.partition(|member| member.is_live());
        live.len().cmp(&silent.len())
    }

    /// When a member was lost last, of those that are not back.
    pub(super) fn last_loss(&self) -> Option<Instant> {
        let members = self.by_id.values().filter(|member| !member.is_live());
        members.filter_map(|member| member.lost_at).max()
    }

    /// The member whose interface this is; of several, the one that is live, or the youngest.
    pub(super) fn with_station(&mut self, station: MacAddress) -> Option<MemberId> {
        let index = self.index.take().unwrap_or_else(|| Index::of(self));
        let members = index.with_station(station);
        let member = members.max_by_key(|id| (self.is_live(*id), id.generation));
        self.index = Some(index);
        member
    }

    /// The live member whose packets carry this mark, whatever Ethernet address they come from.
    pub(super) fn with_mark(&mut self, mark: Mark) -> Option<MemberId> {
        let index = self.index.take().unwrap_or_else(|| Index::of(self));
        let member = index.with_mark(mark);
        self.index = Some(index);
        member.filter(|id| self.is_live(*id))
    }

    /// Knows a member by another identity.
    pub(super) fn rename(&mut self, before: MemberId, now: MemberId) {
        self.closed.0 = now;
        self.index = None;
        if let Some(member) = self.by_id.remove(&before) {
            self.by_id.insert(now, member);
        }
    }

    /// Takes in on which subnets of its own this member can announce nothing; whether that is news.
    pub(super) fn set_closed(&mut self, subnets: BTreeSet<IpNet>) -> bool {
        let is_news = self.closed.1 != subnets;
        self.closed.1 = subnets;
        is_news
    }

    /// Changes what is known of a member, if anything is, and forgets one that is gone and of which
    /// nothing is known any more.
    pub(super) fn withdraw(&mut self, id: MemberId, change: impl FnOnce(&mut Member)) {
        let Some(member) = self.by_id.get_mut(&id) else {
            return;
        };
        change(member);
        let is_empty =
            member.node.is_none() && member.interfaces.is_empty() && member.claims.is_empty();
        if is_empty && !member.is_live() {
            self.index = None;
            self.by_id.remove(&id);
        }
    }

    /// Takes in what a member says of an interface of its, or that it has it no more.
    pub(super) fn set_interface(&mut self, id: MemberId, index: u32, interface: Option<Interface>) {
        if interface.is_none() && !self.by_id.contains_key(&id) {
            return;
        }
        if let Some(interface) = &interface {
            self.addresses.add(interface);
        }
        let interfaces = &mut self.entry(id).interfaces;
        let before = match interface {
            Some(interface) => interfaces.insert(index, interface),
            None => interfaces.remove(&index),
        };
        if let Some(before) = before {
            self.addresses.remove(&before);
        }
        self.withdraw(id, |_| ());
    }

    /// Forgets a member; returns what it claimed.
    fn remove(&mut self, id: MemberId) -> Option<BTreeSet<IpAddr>> {
        let member = self.by_id.remove(&id)?;
        for interface in member.interfaces.values() {
            self.addresses.remove(interface);
        }
        Some(member.claims)
    }

    /// Keeps track of since when a member is able.
    pub(super) fn refresh(&mut self, id: MemberId, now: Instant) {
        self.last_order.forget();
        self.index = None;
        let Some(member) = self.by_id.get_mut(&id) else {
            return;
        };
        member.able_since = match member.able_since {
            _ if member.ability().is_err() => None,
            None => Some(now),
            since @ Some(_) => since,
        };
    }

    /// Forgets the members that this one is a later run of, and returns them with their claims.
    pub(super) fn supersede(&mut self, id: MemberId) -> Vec<(MemberId, BTreeSet<IpAddr>)> {
        let name = self.get(id).map(Member::name).unwrap_or_default();
        let is_former = |(other, member): &(MemberId, &Member)| {
            let is_same_address = other.address == id.address && other.generation < id.generation;
            let is_same_node = !member.is_live() && !name.is_empty() && member.name() == name;
            *other != id && (is_same_address || is_same_node)
        };
        let former: Vec<MemberId> = self.iter().filter(is_former).map(|(id, _)| id).collect();
        self.index = None;
        let remove = |id| Some((id, self.remove(id)?));
        former.into_iter().filter_map(remove).collect()
    }

    /// Whether a member may have a VIP of this scope. Where the VIP belongs to the subnet of one
    /// that it is for, even if that one is not ready or gives its VIPs away, it is for that segment.
    ///
    /// # Errors
    /// It may not, for the first reason that applies.
    pub(super) fn eligible(
        &self,
        id: MemberId,
        vip: IpAddr,
        scope: &Scope,
    ) -> Result<(), Ineligible> {
        let member = self.get(id).ok_or(Ineligible::Unreached)?;
        let node = member.lasting(vip, scope)?;
        if !member.has_subnet_of(vip) {
            if self.is_closed(id, vip) {
                return Err(Ineligible::NoPort);
            }
            if self.has_segment(vip, scope) {
                return Err(Ineligible::OffSegment);
            }
        }
        if self.is_of_another(id, vip) {
            return Err(Ineligible::HostAddress);
        }
        passing(node)
    }

    /// The members whose nodes have this address for themselves, gone ones included.
    pub(super) fn hosts_of(&self, vip: IpAddr) -> impl Iterator<Item = MemberId> {
        let is_host = self.addresses.have_host(vip);
        let members = self.iter().take_while(move |_| is_host);
        let has = move |(id, member): (MemberId, &Member)| member.has_host(vip).then_some(id);
        members.filter_map(has)
    }

    /// Whether other nodes have a VIP for themselves, and the one of this member has not.
    fn is_of_another(&self, id: MemberId, vip: IpAddr) -> bool {
        let mut hosts = self.hosts_of(vip).peekable();
        hosts.peek().is_some() && !hosts.any(|host| host == id)
    }

    /// Whether this member is on the subnet of a VIP, and cannot announce it there.
    fn is_closed(&self, id: MemberId, vip: IpAddr) -> bool {
        let (me, subnets) = &self.closed;
        id == *me && subnets.iter().any(|subnet| subnet.contains(&vip))
    }

    /// Whether one of the members that the VIP is for is on its subnet.
    pub(super) fn has_segment(&self, vip: IpAddr, scope: &Scope) -> bool {
        let mut members = self.by_id.values();
        self.addresses.have_subnet_of(vip)
            && members.any(|one| one.lasting(vip, scope).is_ok() && one.has_subnet_of(vip))
    }

    /// The members that may have a VIP, in no order; with `soon`, also those that only are not ready
    /// yet.
    pub(super) fn electorate(&self, vip: IpAddr, scope: &Scope, soon: bool) -> Vec<MemberId> {
        let must_fit = self.has_segment(vip, scope);
        let fits = |(id, member): &(MemberId, &Member)| {
            let is_there = || member.has_subnet_of(vip) || (!must_fit && !self.is_closed(*id, vip));
            let passes = |node: &Node| match passing(node) {
                Ok(()) => true,
                Err(why) => soon && why == Ineligible::NotReady,
            };
            // What rules out most of them comes first.
            member.lasting(vip, scope).is_ok_and(passes)
                && is_there()
                && !self.is_of_another(*id, vip)
        };
        self.iter().filter(fits).map(|(id, _)| id).collect()
    }
}
