//! Answers to people: who has a VIP, since when and why, and why others have not.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_gossip::{Departure, MemberId};

use crate::interface::{MacAddress, is_of_a_segment};

use super::Ownership;
use super::conclude::is_held_by;
use super::election::Election;
use super::ineligible::Ineligible;
use super::members::Member;
use super::other::{Intrusion, Who};

/// How its Ethernet addresses begin.
const VRRP: [u8; 3] = [0, 0, 0x5e];

/// Why a VIP is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nobody had it.
    First,
    /// Those before in the order did not take it.
    Waited,
    /// It was so before this node knew of it.
    Found,
    /// The former owner is gone.
    Gone(Arc<str>, Departure),
    /// The former owner is there, but may not keep it.
    Unfit(Arc<str>, Ineligible),
    /// The former owner named this one, by itself or on command.
    HandedOver(Arc<str>),
    /// The former owner named this one, which is not first in the order: on command.
    Moved(Arc<str>),
    /// Two had it, and the claim of this one is the higher.
    HigherClaim(Arc<str>),
    /// It announces the VIP on the segment, and the two nodes cannot talk to each other.
    Heard(Arc<str>),
    /// Nothing more is heard on the segment of the node that seemed to have it.
    Silent(Arc<str>),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first in order"),
            Self::Waited => f.write_str("the nodes before it in order did not take it"),
            Self::Found => f.write_str("it had it when this node started"),
            Self::Gone(from, Departure::Lost) => write!(f, "took over from {from}, which was lost"),
            Self::Gone(from, Departure::Left) => write!(f, "took over from {from}, which has left"),
            Self::Unfit(from, why) => write!(f, "took over from {from}: {why}"),
            Self::HandedOver(from) => write!(f, "{from} handed it over"),
            Self::Moved(from) => write!(f, "moved here from {from} by command"),
            Self::HigherClaim(from) => {
                write!(
                    f,
                    "its claim is higher than that of {from}, which had it as well"
                )
            }
            Self::Heard(from) => write!(
                f,
                "heard on the segment; it cannot be reached from {from}, which had it before"
            ),
            Self::Silent(from) => write!(f, "{from} is not heard on the segment any more"),
        }
    }
}

/// Everything about the owner of one VIP.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The address.
    pub vip: IpAddr,
    /// Who has it, or is about to take it.
    pub owner: Option<Owner>,
    /// Another station that announces it as well.
    pub conflict: Option<Conflict>,
    /// No node that may have it is on a subnet with it, so all of them may.
    pub is_off_segment: bool,
    /// The node that has it for itself, so that nobody else may.
    pub host: Option<Arc<str>>,
    /// Whether another node may have it, too.
    pub has_alternative: bool,
}

/// Who has a VIP.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The name of its node.
    pub node: Arc<str>,
    /// The member.
    pub member: MemberId,
    /// It is this one.
    pub is_me: bool,
    /// The term of its claim, 0 as long as there is none.
    pub term: u64,
    /// Since when, as seen from here.
    pub since: Instant,
    /// Why.
    pub why: Why,
}

/// A station that announces a VIP which it should not.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Its Ethernet address.
    pub station: MacAddress,
    /// Its node, if it is one of the cluster.
    pub node: Option<Arc<str>>,
    /// What sort of station it is.
    pub kind: Intrusion,
    /// When it was heard last.
    pub last: Instant,
}

/// A member, for `carillon status`.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// The name of its node.
    pub node: Arc<str>,
    /// The member.
    pub member: MemberId,
    /// It is this one.
    pub is_me: bool,
    /// How many VIPs it owns; a claim that a better one has beaten does not count.
    pub vips: usize,
    /// Since when it can have VIPs.
    pub able_since: Option<Instant>,
    /// Why it can have none, whichever.
    pub inability: Option<Ineligible>,
}

impl Ownership {
    /// Who has a VIP and why; `None` if it is no candidate here.
    pub fn explain(&self, vip: IpAddr) -> Option<Explanation> {
        let entry = self.vips.get(&vip)?;
        let scope = entry.scope.as_ref()?;
        let election = Election {
            members: &self.members,
            vip,
            scope,
            claims: &entry.claims,
        };
        let owner = entry.tenure.as_ref().map(|tenure| Owner {
            node: tenure.node.clone(),
            member: tenure.owner,
            is_me: tenure.owner == self.me,
            term: entry.claims.get(tenure.owner).map_or(0, |claim| claim.term),
            since: tenure.since,
            why: if is_held_by(entry, tenure.owner) {
                Why::Heard(self.settings.node.clone())
            } else {
                tenure.why.clone()
            },
        });
        let intruders = entry.segment.intruders.iter();
        let intruders = intruders.filter(|(_, one)| one.defended.is_some());
        let intruder = intruders.max_by_key(|(_, one)| one.last);
        let intruder = intruder.map(|(kind, intruder)| Conflict {
            station: intruder.station,
            node: intruder.node.clone(),
            kind: *kind,
            last: intruder.last,
        });
        let holder = entry
            .segment
            .others
            .holder()
            .filter(|_| entry.hold.is_none());
        let stranger = holder.filter(|(_, other)| matches!(other.who, Who::Stranger { .. }));
        let stranger = stranger.map(|(station, other)| Conflict {
            station,
            node: None,
            kind: Intrusion::Yielding,
            last: other.heard,
        });
        let host = self.members.hosts_of(vip).next();
        let mut others = self.members.iter().filter(|(id, _)| *id != self.me);
        Some(Explanation {
            vip,
            owner,
            conflict: stranger.or(intruder),
            host: host.map(|id| self.members.name(id)),
            is_off_segment: !election.electorate().has_segment(),
            has_alternative: others.any(|(id, _)| election.eligible(id).is_ok()),
        })
    }

    /// All nodes, by name, each with the reason why it may not have this VIP; none if it is no
    /// candidate here.
    pub fn verdicts(&self, vip: IpAddr) -> Vec<(Arc<str>, Result<(), Ineligible>)> {
        let entry = self.vips.get(&vip);
        let Some(election) = entry.and_then(|entry| self.election(vip, entry)) else {
            return Vec::new();
        };
        let verdict = |(id, _)| (self.members.name(id), election.eligible(id));
        let mut nodes: Vec<_> = self.members.iter().map(verdict).collect();
        nodes.sort_by(|one, other| one.0.cmp(&other.0));
        nodes
    }

    /// Why this node may not have a VIP; `None` if it may, or it is no candidate here.
    pub fn inability(&self, vip: IpAddr) -> Option<Ineligible> {
        let entry = self.vips.get(&vip)?;
        self.election(vip, entry)?.eligible(self.me).err()
    }

    /// All members, this one and those that are gone included, by the names of their nodes.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let mut owned: BTreeMap<MemberId, usize> = BTreeMap::new();
        for tenure in self.vips.values().filter_map(|entry| entry.tenure.as_ref()) {
            *owned.entry(tenure.owner).or_default() += 1;
        }
        let status = |(id, member): (MemberId, &Member)| NodeStatus {
            node: self.members.name(id),
            member: id,
            is_me: id == self.me,
            vips: owned.get(&id).copied().unwrap_or(0),
            able_since: member.able_since,
            inability: member.ability().err(),
        };
        let mut nodes: Vec<_> = self.members.iter().map(status).collect();
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        nodes
    }

    /// An Ethernet address that two live members have on one subnet, with the names of their nodes: they
    /// get each other's packets. Those of VRRP (RFC 5798 section 7.3) are of several nodes on purpose.
    pub fn shared_station(&self) -> Option<(MacAddress, [Arc<str>; 2])> {
        let mut known = BTreeMap::new();
        for (id, member) in self.members.iter().filter(|(_, member)| member.is_live()) {
            let interfaces = member.interfaces.values();
            for interface in interfaces.filter(|one| !one.mac.0.starts_with(&VRRP)) {
                let subnets = interface.subnets.iter();
                for subnet in subnets.filter(|subnet| is_of_a_segment(subnet.addr())) {
                    let before = known.insert((interface.mac, *subnet), id);
                    if let Some(other) = before.filter(|other| *other != id) {
                        let names = [other, id].map(|id| self.members.name(id));
                        return Some((interface.mac, names));
                    }
                }
            }
        }
        None
    }
}
