//! Who announces a VIP that only one node of a segment may announce.
//!
//! Every member runs this machine on the same records, and the records alone decide: each member is
//! the only author of its own, and of all claims the one with the highest term counts. A VIP at one
//! member goes through these states:
//!
//! ```text
//!                 owner, and it is our turn;
//!                 who had it does not answer                          Applied
//!   ┌───────────┐ ─────────────────────────▶ ┌────────────────┐ ─────────▶ ┌───────────────┐
//!   │ elsewhere │                            │ here, unclaimed│            │ here, claimed │
//!   └───────────┘ ◀───────────────────────── └────────────────┘            └───────────────┘
//!     │   ▲   ▲       a higher claim of a member that may keep it, or unable   │   │   ▲
//!     │   │   └────────────────────────────────────────────────────────────────┘   │   │
//!     │   │ the claims decide again                                                │   │
//!     │ ┌──────────────────────┐   one that we cannot talk to has it: it answers   │   │
//!     │ │ elsewhere and watched│ ◀─────────────────────────────────────────────────┘   │
//!     │ └──────────────────────┘ ──────────────────────────────────────────────────────┘
//!     │   ▲                        it does not answer any more
//!     └───┘ who had it is lost to the gossip, and answers
//! ```
//!
//! Nothing that is merely heard changes the state: [`Output::Ask`] has the station asked first. A
//! member that hears nobody takes nothing until it does.
//!
//! A daemon that has never been a member, for want of the same key for instance, counts like a member
//! that we cannot talk to, if it is heard to be one: [`crate::mark`].
//!
//! A claim is published when the VIP is on the wire, so a planned move never leaves a gap: the former
//! owner stops when it sees the higher claim. A member that may not keep a VIP goes on with it until
//! somebody has taken it, unless it cannot announce at all.
//!
//! Work per change is proportional to the change: what is known of a member concerns the VIPs that it
//! claims and those that nobody has.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_gossip::MemberId;
use carillon_gossip::record::Impediment;

use crate::address::Family;
use crate::interface::{Interfaces, MacAddress};

mod addresses;
mod conclude;
mod conflict;
mod election;
mod electorate;
mod explain;
mod handover;
mod hearing;
mod hold;
mod index;
mod ineligible;
mod input;
mod inquiry;
mod member;
mod members;
mod note;
mod order;
mod other;
mod output;
mod rebalance;
mod records;
mod review;
mod scope;
mod segment;
#[cfg(test)]
mod tests;
mod vip;

pub use explain::{Conflict, Explanation, NodeStatus, Owner, Why};
pub use handover::MoveError;
pub use ineligible::Ineligible;
pub use input::Input;
pub use note::Note;
pub use other::Intrusion;
pub use output::Output;
pub use rebalance::Rebalance;
pub use scope::{Scope, Weights};

use hearing::Hearing;
use members::Members;
use other::Inquiry;
use rebalance::Pacer;
use vip::{Deadlines, Vip};

/// How long a member that is to hand over a VIP waits for the one that is to take it: as an owner
/// whose node is excluded or has no endpoint any more, before it stops; as an owner that has named a
/// successor, before it withdraws that.
pub const HANDOVER: Duration = Duration::from_secs(5);
/// How much longer each member waits than the one before it in the rendezvous order.
pub const TURN: Duration = Duration::from_secs(1);
/// How long a stopping member waits for others to take its VIPs.
pub const FAREWELL: Duration = Duration::from_secs(3);

/// Who has a VIP, as seen from this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// This node announces it.
    Here {
        /// [`crate::announcement::Announcement::round`].
        round: u64,
    },
    /// This node does not.
    Elsewhere {
        /// The name of the node that does, if one is known.
        owner: Option<Arc<str>>,
        /// This node cannot talk to that one and must look on the segment whether it is there,
        /// [`crate::announcement::AnnouncementSet::watched`].
        watched: bool,
    },
}

/// What does not change while the machine runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of this node.
    pub node: Arc<str>,
    /// A backend for IPv4 addresses that have one owner is built in; see also [`Input::Unable`].
    pub ipv4: bool,
    /// The same for IPv6.
    pub ipv6: bool,
    /// Whether VIPs go back to the node that is first in their order. `None`: only when their owner
    /// cannot keep them.
    pub rebalance: Option<Rebalance>,
}

/// The machine; see the module's documentation. After a call to it, or several at the same time, the
/// outputs are to be taken until there are none.
#[derive(Debug)]
pub struct Ownership {
    settings: Settings,
    me: MemberId,
    members: Members,
    vips: BTreeMap<IpAddr, Vip>,
    /// Those that this member has.
    held: BTreeSet<IpAddr>,
    /// Those about which any news of a member may matter, not only of one that claims them.
    unsettled: BTreeSet<IpAddr>,
    /// When there was news of a member for which they have not been looked at yet.
    restless: Option<Instant>,
    deadlines: Deadlines,
    /// That of the newest [`Holding::Here`].
    round: u64,
    /// Those of this node.
    interfaces: Arc<Interfaces>,
    /// There has been a VIP for interfaces of certain names, so the others are told those of this node.
    names_interfaces: bool,
    is_synced: bool,
    is_settled: bool,
    unable: BTreeSet<Family>,
    /// The families of which no interface can announce anything, though there are interfaces.
    silent: BTreeSet<Family>,
    /// Why this node is not to have any.
    impediments: BTreeSet<Impediment>,
    /// When this member could announce VIPs of a family again where it could not.
    returned: BTreeMap<Family, Instant>,
    /// Until when others may take what we have, once the daemon is to stop.
    leaving: Option<Instant>,
    has_left: bool,
    pacer: Pacer,
    /// Daemons that are no members, of which people were told.
    strangers: BTreeSet<MacAddress>,
    /// Members that may be lost, and are asked on the segment.
    inquiries: BTreeMap<MemberId, Inquiry>,
    hearing: Hearing,
    /// VIPs that are not taken before a station is heard, or has not answered.
    waiting: BTreeSet<IpAddr>,
    outputs: VecDeque<Output>,
}

impl Ownership {
    /// The machine of this member, which knows nothing yet and so takes nothing.
    pub fn new(settings: Settings, me: MemberId, now: Instant) -> Self {
        let mut ownership = Self {
            pacer: Pacer::new(settings.rebalance),
            members: Members::new(me),
            settings,
            me,
            vips: BTreeMap::new(),
            held: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            restless: None,
            deadlines: Deadlines::default(),
            round: 0,
            interfaces: Arc::default(),
            names_interfaces: false,
            is_synced: false,
            is_settled: false,
            unable: BTreeSet::new(),
            silent: BTreeSet::new(),
            impediments: BTreeSet::new(),
            returned: BTreeMap::new(),
            leaving: None,
            has_left: false,
            strangers: BTreeSet::new(),
            inquiries: BTreeMap::new(),
            hearing: Hearing::default(),
            waiting: BTreeSet::new(),
            outputs: VecDeque::new(),
        };
        ownership.publish_node(now);
        ownership
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Candidate(vip, scope) => self.set_candidate(vip, scope, now),
            Input::HeldBack(vip, is_held_back) => {
                self.members.set_held_back(vip, is_held_back);
                self.review(vip, now);
            }
            Input::Interfaces(interfaces) => {
                self.set_interfaces(&interfaces, now);
                self.interfaces = interfaces;
            }
            Input::Unable(families) => {
                self.unable = families;
                self.publish_node(now);
            }
            Input::Impediment(impediment, true) => {
                self.impediments.insert(impediment);
                self.publish_node(now);
            }
            Input::Impediment(impediment, false) => {
                self.impediments.remove(&impediment);
                self.publish_node(now);
            }
            Input::Synced => {
                self.is_synced = true;
                self.publish_node(now);
            }
            Input::Settled | Input::Alone => {
                self.is_settled = true;
                self.publish_node(now);
            }
            Input::Renamed(me) => self.rename(me),
            Input::MemberUp(member) => self.member_up(member, now),
            Input::MemberDown { member, why } => self.member_down(member, why, now),
            Input::Suspect(member) => self.suspect(member, now),
            Input::Deaf(is_deaf) => self.set_deaf(is_deaf, now),
            Input::Answer {
                vip,
                station,
                has_answered,
            } => self.answered(vip, station, has_answered, now),
            Input::Heard(interface) => self.set_heard(interface, now),
            Input::Neighbours(neighbours) => self.set_neighbours(neighbours),
            Input::Record { member, key, value } => self.set_record(member, key, value, now),
            Input::Conflict {
                vip,
                station,
                mark,
                local,
            } => self.conflict(vip, station, mark.map(|mark| (mark, local)), now),
            Input::Applied { vip, round } => self.applied(vip, round, now),
            Input::Leaving => {
                self.leaving = self.leaving.or(Some(now + FAREWELL));
                self.publish_node(now);
            }
        }
        self.check_left(now);
    }

    /// Does what was to be done by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.review_unsettled();
        for vip in self.deadlines.due(now) {
            self.review(vip, now);
        }
        self.expire_inquiries(now);
        self.rebalance(now);
        self.check_left(now);
    }

    /// When [`Self::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let leaving = self.leaving.filter(|_| !self.has_left);
        let inquiries = self.inquiries.values().map(|one| one.until).min();
        let times = [self.deadlines.next(), self.pacer.next(), leaving, inquiries];
        times.into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.review_unsettled();
        self.outputs.pop_front()
    }

    /// This member takes another identity, and keeps what it has.
    fn rename(&mut self, me: MemberId) {
        let before = std::mem::replace(&mut self.me, me);
        self.members.rename(before, me);
        for entry in self.vips.values_mut() {
            entry.rename(before, me);
        }
    }

    /// The VIPs of which one node at a time may announce each, ascending.
    pub fn vips(&self) -> impl Iterator<Item = IpAddr> {
        let candidates = self.vips.iter();
        candidates.filter_map(|(vip, entry)| entry.scope.as_ref().map(|_| *vip))
    }

    /// Those of them that this member holds, ascending.
    pub fn held(&self) -> impl Iterator<Item = IpAddr> {
        self.held.iter().copied()
    }

    /// Whether this member knows enough to take VIPs.
    fn is_ready(&self) -> bool {
        self.is_synced && self.is_settled
    }

    /// Says goodbye when nothing is held any more that another could take, or it took too long.
    pub(super) fn check_left(&mut self, now: Instant) {
        let Some(until) = self.leaving.filter(|_| !self.has_left) else {
            return;
        };
        let is_wanted = |vip| {
            let hold = self.vips.get(vip).and_then(|entry| entry.hold.as_ref());
            hold.is_some_and(|hold| hold.has_heir)
        };
        if now >= until || !self.held.iter().any(is_wanted) {
            self.has_left = true;
            self.outputs.push_back(Output::Left);
        }
    }
}
