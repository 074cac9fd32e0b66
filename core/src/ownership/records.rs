//! What members say of themselves, this one included, and what that is news for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::address::Family;
use crate::interface::{Interface, Interfaces};
use crate::membership::MemberId;
use crate::membership::record::{self, Key, Node, Value};

use super::eligibility::{Member, Presence};
use super::{Departure, Note, Output, Ownership, Scope};

/// How many of an interface's addresses the others are told of: a record has little room.
const MAX_HOSTS: usize = 16;

impl Ownership {
    /// Publishes what this node is, if that is not what was published last.
    pub(super) fn publish_node(&mut self, now: Instant) {
        let node = Node {
            name: self.settings.node.clone(),
            ipv4: self.settings.ipv4 && !self.unable.contains(&Family::V4),
            ipv6: self.settings.ipv6 && !self.unable.contains(&Family::V6),
            is_ready: self.is_ready() && self.leaving.is_none(),
            is_draining: self.is_draining || self.leaving.is_some(),
            is_excluded: self.is_excluded,
            capabilities: 0,
        };
        let value = Some(Value::Node(node.clone()));
        let member = self.members.entry(self.me);
        let was_ready = member.node.as_ref().is_some_and(|node| node.is_ready);
        if member.node.replace(node.clone()).as_ref() == Some(&node) {
            return;
        }
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

    pub(super) fn set_interfaces(&mut self, interfaces: &Interfaces, now: Instant) {
        let fact = |one: &Interface| {
            let mut subnets: Vec<_> = one.subnets().collect();
            subnets.sort_unstable();
            subnets.dedup();
            let hosts = one.hosts().take(MAX_HOSTS).collect();
            let mac = one.mac?;
            let record = record::Interface {
                mac,
                subnets,
                hosts,
            };
            Some((one.index, record))
        };
        let new: BTreeMap<u32, _> = interfaces.iter().filter_map(fact).collect();
        let mine = &mut self.members.entry(self.me).interfaces;
        let old = std::mem::replace(mine, new.clone());
        let has_left = |member: &Member| member.presence == Presence::Gone(Departure::Left);
        let is_other = |(id, member): (MemberId, &Member)| id != self.me && !has_left(member);
        let has_others = self.members.iter().any(is_other);
        if has_others && old.is_empty() && !new.is_empty() && self.is_ready() {
            self.returned = Some(now);
        }
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
        if old != new {
            self.member_changed(self.me, now);
        }
    }

    pub(super) fn set_candidate(&mut self, vip: IpAddr, scope: Option<Scope>, now: Instant) {
        self.vips.entry(vip).or_default().scope = scope;
        self.review(vip, now);
    }

    pub(super) fn member_up(&mut self, member: MemberId, now: Instant) {
        self.members.entry(member).presence = Presence::Live;
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
                let is_new = self.members.entry(member).node.is_none();
                self.members.entry(member).node = Some(node);
                self.supersede(member, now);
                if is_new {
                    self.greet(member);
                }
                self.member_changed(member, now);
            }
            (Key::Node, _) => {
                self.members.withdraw(member, |of| of.node = None);
                self.member_changed(member, now);
            }
            (Key::Interface(index), Some(Value::Interface(interface))) => {
                self.members
                    .entry(member)
                    .interfaces
                    .insert(index, interface);
                self.member_changed(member, now);
            }
            (Key::Interface(index), _) => {
                self.members
                    .withdraw(member, |of| drop(of.interfaces.remove(&index)));
                self.member_changed(member, now);
            }
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

    /// What is known of a member has changed.
    pub(super) fn member_changed(&mut self, member: MemberId, now: Instant) {
        self.members.refresh(member, now);
        let mut concerned = self.unsettled.clone();
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
