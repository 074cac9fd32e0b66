//! What is known of the members.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_gossip::record::{Interface, Node};
use carillon_gossip::{Departure, MemberId};
use ipnet::IpNet;

use crate::interface::MacAddress;
use crate::mark::Mark;

use super::Scope;
use super::addresses::Addresses;
use super::index::Index;
use super::order::LastOrder;

pub(super) use super::member::{Member, Presence};

/// All members, also those that are gone: their stations may still be on the segment.
#[derive(Debug)]
pub(super) struct Members {
    by_id: BTreeMap<MemberId, Member>,
    /// Those of all their interfaces.
    pub(super) addresses: Addresses,
    /// The subnets of this member's own interfaces on which it can announce nothing, with their names.
    pub(super) closed: (MemberId, BTreeSet<(Arc<str>, IpNet)>),
    /// The VIPs that this member is not to take yet.
    held_back: BTreeSet<IpAddr>,
    index: Index,
    /// Of the [`super::electorate::Electorate`] that was asked for last.
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
            held_back: BTreeSet::new(),
            index: Index::default(),
            last_order: LastOrder::default(),
        }
    }

    /// The index has what all the members say, and nothing else.
    #[cfg(test)]
    pub(super) fn assert_indexed(&self) {
        let mut anew = Self::new(self.closed.0);
        for (id, member) in self.iter() {
            anew.index_member(id, member, true);
        }
        assert_eq!(anew.index, self.index);
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
    pub(super) fn with_station(&self, station: MacAddress) -> Option<MemberId> {
        let members = self.index.with_station(station);
        members.max_by_key(|id| (self.is_live(*id), id.generation))
    }

    /// The live member whose packets carry this mark, whatever Ethernet address they come from.
    pub(super) fn with_mark(&self, mark: Mark) -> Option<MemberId> {
        let mut members = self.index.with_mark(mark);
        members.find(|id| self.is_live(*id))
    }

    /// Knows a member by another identity.
    pub(super) fn rename(&mut self, before: MemberId, now: MemberId) {
        self.closed.0 = now;
        self.last_order.forget();
        if let Some(member) = self.by_id.remove(&before) {
            self.index_member(before, &member, false);
            self.index_member(now, &member, true);
            self.by_id.insert(now, member);
        }
    }

    fn index_member(&mut self, id: MemberId, member: &Member, is_added: bool) {
        for (index, interface) in &member.interfaces {
            if is_added {
                self.index.add_station(interface.mac, id, *index);
            } else {
                self.index.remove_station(interface.mac, id, *index);
            }
        }
        match &member.node {
            Some(node) if is_added => self.index.add_node(&node.name, id),
            Some(node) => self.index.remove_node(&node.name, id),
            None => {}
        }
    }

    /// Takes in on which subnets of its own this member can announce nothing; whether that is news.
    pub(super) fn set_closed(&mut self, subnets: BTreeSet<(Arc<str>, IpNet)>) -> bool {
        let is_news = self.closed.1 != subnets;
        self.closed.1 = subnets;
        self.last_order.forget();
        is_news
    }

    /// Takes in whether this member is not to take a VIP yet.
    pub(super) fn set_held_back(&mut self, vip: IpAddr, is_held_back: bool) {
        self.last_order.forget();
        if is_held_back {
            self.held_back.insert(vip);
        } else {
            self.held_back.remove(&vip);
        }
    }

    /// Whether a member is not to take a VIP yet, as far as it is this one.
    pub(super) fn is_held_back(&self, id: MemberId, vip: IpAddr) -> bool {
        id == self.closed.0 && self.held_back.contains(&vip)
    }

    /// Takes in whether a member is there.
    pub(super) fn set_presence(&mut self, id: MemberId, presence: Presence) {
        self.last_order.forget();
        self.entry(id).presence = presence;
    }

    /// Takes in what a member says of its node, or that it says nothing any more. Returns what it said
    /// before.
    pub(super) fn set_node(&mut self, id: MemberId, node: Option<Node>) -> Option<Node> {
        if node.is_none() && !self.by_id.contains_key(&id) {
            return None;
        }
        self.last_order.forget();
        if let Some(node) = &node {
            self.index.add_node(&node.name, id);
        }
        let name = node.as_ref().map(|node| node.name.clone());
        let before = std::mem::replace(&mut self.entry(id).node, node);
        if let Some(before) = before
            .as_ref()
            .filter(|one| Some(&one.name) != name.as_ref())
        {
            self.index.remove_node(&before.name, id);
        }
        self.withdraw(id, |_| ());
        before
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
            self.by_id.remove(&id);
        }
    }

    /// Takes in what a member says of an interface of its, or that it has it no more.
    pub(super) fn set_interface(&mut self, id: MemberId, index: u32, interface: Option<Interface>) {
        if interface.is_none() && !self.by_id.contains_key(&id) {
            return;
        }
        self.last_order.forget();
        if let Some(interface) = &interface {
            self.addresses.add(interface);
            self.index.add_station(interface.mac, id, index);
        }
        let station = interface.as_ref().map(|interface| interface.mac);
        let interfaces = &mut self.entry(id).interfaces;
        let before = match interface {
            Some(interface) => interfaces.insert(index, interface),
            None => interfaces.remove(&index),
        };
        if let Some(before) = before {
            self.addresses.remove(&before);
            if station != Some(before.mac) {
                self.index.remove_station(before.mac, id, index);
            }
        }
        self.withdraw(id, |_| ());
    }

    /// Forgets a member; returns what it claimed.
    fn remove(&mut self, id: MemberId) -> Option<BTreeSet<IpAddr>> {
        let member = self.by_id.remove(&id)?;
        self.last_order.forget();
        self.index_member(id, &member, false);
        for interface in member.interfaces.values() {
            self.addresses.remove(interface);
        }
        Some(member.claims)
    }

    /// Keeps track of since when a member is able.
    pub(super) fn refresh(&mut self, id: MemberId, now: Instant) {
        self.last_order.forget();
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
        let first = MemberId {
            generation: 0,
            ..id
        };
        let mut former: BTreeSet<MemberId> =
            self.by_id.range(first..id).map(|(id, _)| *id).collect();
        let name = self.get(id).map(Member::name).unwrap_or_default();
        if !name.is_empty() {
            let on_node = self.index.on_node(&name);
            former.extend(on_node.filter(|other| *other != id && !self.is_live(*other)));
        }
        let remove = |id| Some((id, self.remove(id)?));
        former.into_iter().filter_map(remove).collect()
    }

    /// The members whose nodes have this address for themselves, gone ones included.
    pub(super) fn hosts_of(&self, vip: IpAddr) -> impl Iterator<Item = MemberId> {
        let is_host = self.addresses.have_host(vip);
        let members = self.iter().take_while(move |_| is_host);
        let has = move |(id, member): (MemberId, &Member)| member.has_host(vip).then_some(id);
        members.filter_map(has)
    }

    /// The members on the nodes of a scope.
    pub(super) fn within<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> Box<dyn Iterator<Item = (MemberId, &'a Member)> + 'a> {
        match self.index.within(scope) {
            None => Box::new(self.iter()),
            Some(ids) => Box::new(ids.filter_map(|id| Some((id, self.get(id)?)))),
        }
    }

    /// Whether all who take part know of weights. Two that disagree on which node comes first would
    /// hand a VIP to and fro, so as long as an older daemon is among them no weight counts.
    pub(super) fn know_weights(&self) -> bool {
        let live = self.by_id.values().filter(|member| member.is_live());
        let mut nodes = live.filter_map(|member| member.node.as_ref());
        nodes.all(|node| node.capabilities & Node::KNOWS_WEIGHTS != 0)
    }
}
