//! What members say of themselves, this one included, and what that is news for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use carillon_gossip::record::{self, Impediment, Key, Named, Node, Value};
use carillon_gossip::{Departure, MemberId};
use ipnet::IpNet;

use crate::address::Family;
use crate::interface::{Interface, Interfaces};

use super::members::{Member, Presence};
use super::{Note, Output, Ownership, Scope};

/// How many of an interface's addresses the others are told of: a record has little room.
const MAX_HOSTS: usize = 16;

/// The highest term of a claim that counts.
const MAX_TERM: u64 = 1 << 62;

impl Ownership {
    /// Publishes what this node is, if that is not what was published last.
    pub(super) fn publish_node(&mut self, now: Instant) {
        let mut impediments = self.impediments.clone();
        if self.leaving.is_some() {
            impediments.insert(Impediment::Draining);
        }
        let node = Node {
            name: self.settings.node.clone(),
            ipv4: self.settings.ipv4 && self.is_able(Family::V4),
            ipv6: self.settings.ipv6 && self.is_able(Family::V6),
            is_ready: self.is_ready() && self.leaving.is_none(),
            impediments,
            capabilities: Node::REPEATS_NONCE | Node::KNOWS_WEIGHTS,
        };
        let value = Some(Value::Node(node.clone()));
        let before = self.members.set_node(self.me, Some(node.clone()));
        if before.as_ref() == Some(&node) {
            return;
        }
        let was_ready = before.is_some_and(|before| before.is_ready);
        let key = Key::Node;
        self.outputs.push_back(Output::Publish { key, value });
        if node.is_ready && !was_ready {
            // Nobody has waited for us so far.
            for vip in &self.unsettled {
                if let Some(entry) = self.vips.get_mut(vip) {
                    entry.unserved_since = entry.unserved_since.map(|_| now);
                }
            }
        }
        self.member_changed(self.me, now);
    }

    fn is_able(&self, family: Family) -> bool {
        !self.unable.contains(&family) && !self.silent.contains(&family)
    }

    /// Of a subnet whose VIPs cannot be announced now only the addresses that this node has there are
    /// published: it can be no owner, and still nobody else may announce those.
    pub(super) fn set_interfaces(&mut self, interfaces: &Interfaces, now: Instant) {
        let is_named = self.names_interfaces;
        let named = |one: &Interface| Named {
            name: one.name.clone(),
            ipv4: interfaces.is_open(one, Family::V4),
            ipv6: interfaces.is_open(one, Family::V6),
        };
        let fact = |one: &Interface| {
            let record = record::Interface {
                mac: one.mac?,
                subnets: interfaces.subnets(one, true).into_iter().collect(),
                hosts: one.hosts().take(MAX_HOSTS).collect(),
                named: is_named.then(|| named(one)),
            };
            Some((one.index, record))
        };
        let new: BTreeMap<u32, _> = interfaces.iter().filter_map(fact).collect();
        let old = self.members.entry(self.me).interfaces.clone();
        for index in old.keys().chain(new.keys()) {
            let interface = new.get(index).cloned();
            self.members.set_interface(self.me, *index, interface);
        }
        let closed = interfaces.iter().flat_map(|one| {
            let subnets = interfaces.subnets(one, false).into_iter();
            subnets.map(|subnet| (one.name.clone(), subnet))
        });
        let closed: BTreeSet<_> = closed.collect();
        let are_closed_others = self.members.set_closed(closed);
        let families = [Family::V4, Family::V6].into_iter();
        let silent = families.filter(|family| !new.is_empty() && !interfaces.have_open(*family));
        let was_silent = std::mem::replace(&mut self.silent, silent.collect());
        let has_left = |member: &Member| member.presence == Presence::Gone(Departure::Left);
        let is_other = |(id, member): (MemberId, &Member)| id != self.me && !has_left(member);
        let has_others = self.members.iter().any(is_other);
        for family in [Family::V4, Family::V6] {
            let is_heard_again = was_silent.contains(&family) && self.is_able(family);
            let has_more = is_heard_again || has_more(&old, &new, family);
            if has_others && has_more && self.is_ready() {
                self.returned.insert(family, now);
            }
        }
        self.publish_node(now);
        for (index, interface) in &new {
            if old.get(index) != Some(interface) {
                let key = Key::Interface(*index);
                let value = Some(Value::Interface(interface.clone()));
                self.outputs.push_back(Output::Publish { key, value });
            }
        }
        for index in old.keys().filter(|index| !new.contains_key(index)) {
            let key = Key::Interface(*index);
            self.outputs.push_back(Output::Publish { key, value: None });
        }
        if old != new || are_closed_others {
            self.member_changed(self.me, now);
        }
    }

    pub(super) fn set_candidate(&mut self, vip: IpAddr, scope: Option<Scope>, now: Instant) {
        let was_named = self.names_interfaces;
        self.names_interfaces |= scope.as_ref().is_some_and(Scope::names_interfaces);
        if self.held.contains(&vip) && scope.as_ref().is_some_and(|one| one.weights().is_some()) {
            self.pacer.wake(now);
        }
        self.vips.entry(vip).or_default().scope = scope;
        if self.names_interfaces != was_named {
            self.set_interfaces(&self.interfaces.clone(), now);
        }
        self.review(vip, now);
    }

    pub(super) fn member_up(&mut self, member: MemberId, now: Instant) {
        self.members.set_presence(member, Presence::Live);
        self.set_deaf(false, now);
        self.supersede(member, now);
        self.greet(member);
        self.member_changed(member, now);
        self.announce_against(member, now);
    }

    pub(super) fn set_record(
        &mut self,
        member: MemberId,
        key: Key,
        value: Option<Value>,
        now: Instant,
    ) {
        if member == self.me {
            return;
        }
        match (key, value) {
            (Key::Node, Some(Value::Node(node))) => {
                let is_new = self.members.set_node(member, Some(node)).is_none();
                self.supersede(member, now);
                if is_new {
                    self.greet(member);
                }
                self.member_changed(member, now);
            }
            (Key::Node, _) => {
                self.members.set_node(member, None);
                self.member_changed(member, now);
            }
            (Key::Interface(index), Some(Value::Interface(interface))) => {
                self.members.set_interface(member, index, Some(interface));
                self.member_changed(member, now);
            }
            (Key::Interface(index), _) => {
                self.members.set_interface(member, index, None);
                self.member_changed(member, now);
            }
            // Nobody gets that far, and who says so would leave no higher term to anybody.
            (Key::Claim(_), Some(Value::Claim(claim))) if claim.term > MAX_TERM => {}
            (Key::Claim(vip), Some(Value::Claim(claim))) => {
                self.set_claim(member, vip, Some(claim), now);
            }
            (Key::Claim(vip), _) => self.set_claim(member, vip, None, now),
            (Key::Request(vip), Some(Value::Request(request))) => {
                self.requested(vip, request, now);
            }
            (Key::Request(_), _) => {}
        }
    }

    /// Tells of a member that has the name of this node: what is for a node is for both then.
    fn greet(&mut self, member: MemberId) {
        let name = self.members.name(self.me);
        if self.members.is_live(member) && self.members.name(member) == name {
            let note = Note::Namesake { member, name };
            self.outputs.push_back(Output::Note(note));
        }
    }

    pub(super) fn member_down(&mut self, member: MemberId, why: Departure, now: Instant) {
        self.members.set_presence(member, Presence::Gone(why));
        if why == Departure::Lost {
            self.members.entry(member).lost_at = Some(now);
            self.suspect(member, now);
        }
        self.find_witnesses();
        self.member_changed(member, now);
    }

    /// What is known of a member has changed.
    pub(super) fn member_changed(&mut self, member: MemberId, now: Instant) {
        self.members.refresh(member, now);
        self.restless = Some(now);
        let mut concerned = BTreeSet::new();
        for subnet in self.members.addresses.take_new_subnets() {
            let range = subnet.network()..=subnet.broadcast();
            concerned.extend(self.vips.range(range).map(|(vip, _)| *vip));
        }
        if let Some(member) = self.members.get(member) {
            let hosts = member.interfaces.values().flat_map(|one| &one.hosts);
            concerned.extend(hosts.filter(|host| self.vips.contains_key(host)));
            concerned.extend(&member.claims);
        }
        if member == self.me {
            concerned.extend(&self.held);
        }
        for vip in concerned {
            self.review(vip, now);
        }
        self.pacer.wake(now);
    }

    /// Looks at the VIPs for which any news of any member may matter, once for all the news that came.
    pub(super) fn review_unsettled(&mut self) {
        if let Some(now) = self.restless.take() {
            for vip in self.unsettled.clone() {
                self.review(vip, now);
            }
            self.check_left(now);
        }
    }

    /// Forgets earlier runs of a member.
    pub(super) fn supersede(&mut self, member: MemberId, now: Instant) {
        for (former, claims) in self.members.supersede(member) {
            for vip in claims {
                if let Some(entry) = self.vips.get_mut(&vip) {
                    entry.claims.set(former, None);
                }
                self.review(vip, now);
            }
        }
        if self.members.is_live(member) {
            self.reunite(member, now);
        }
    }
}

/// Whether a node with the `new` interfaces can announce VIPs of a family where it could not with the
/// `old` ones.
fn has_more(
    old: &BTreeMap<u32, record::Interface>,
    new: &BTreeMap<u32, record::Interface>,
    family: Family,
) -> bool {
    let subnets = |of: &BTreeMap<u32, record::Interface>| -> BTreeSet<IpNet> {
        let subnets = of.values().flat_map(|one| one.subnets.iter().copied());
        let of_family = |subnet: &IpNet| Family::of(subnet.addr()) == family;
        subnets.filter(of_family).collect()
    };
    let is_first = old.is_empty() && !new.is_empty();
    is_first || !subnets(new).is_subset(&subnets(old))
}
