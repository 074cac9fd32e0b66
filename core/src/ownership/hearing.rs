//! Whether this member can hear others on the segment, and they it. Only the frames of others tell: a
//! daemon may be dead, or out of reach, while its host answers for its own addresses.
//!
//! ```text
//!  a member is silent ──▶ two hosts of others that are not are asked
//!  all are silent     ──▶ a few of their hosts are asked, and others such as routers;
//!                         without any frame nothing is taken
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_gossip::record::Claim;
use carillon_gossip::{Departure, MemberId};

use crate::announcement::{Asked, Respondent};
use crate::interface::MacAddress;

use super::Scope;
use super::members::{Member, Presence};
use super::{Output, Ownership};

/// How long before a member is found lost it has been silent, at least.
const SILENCE: Duration = Duration::from_millis(250);
/// How many hosts are asked while members are well that are not in question,
const FEW: usize = 2;
/// and how many otherwise.
const MANY: usize = 8;
/// How long after a VIP was taken an answer tells that others have heard this member then.
const LATE: Duration = Duration::from_secs(1);

/// A host that is asked for its own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Witness {
    station: MacAddress,
    answers: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    witnesses: BTreeMap<IpAddr, Witness>,
    /// When another station was last heard on each interface, while any was asked.
    heard: BTreeMap<u32, Instant>,
    /// No datagram of any other member comes in.
    is_deaf: bool,
    /// Whether hosts that are no members are wanted as witnesses,
    wants_neighbours: bool,
    /// and which there are.
    neighbours: Vec<(IpAddr, MacAddress)>,
}

impl Hearing {
    /// Takes in an answer, or that there is none; whether it is one of a witness that has answered
    /// only now.
    fn note(&mut self, vip: IpAddr, station: MacAddress, answers: bool) -> bool {
        let witness = self.witnesses.get_mut(&vip);
        let Some(witness) = witness.filter(|one| one.station == station) else {
            return false;
        };
        !std::mem::replace(&mut witness.answers, answers) && answers
    }
}

impl Ownership {
    /// Whether none of several others is heard, so that it is rather this node that cannot hear.
    pub(super) fn may_be_deaf(&self) -> bool {
        self.has_several_others() && (self.hearing.is_deaf || !self.has_live_others())
    }

    /// Of two, the one that is left cannot tell who is wrong.
    fn has_several_others(&self) -> bool {
        let is_other = |(id, member): &(MemberId, &Member)| {
            *id != self.me && member.presence != Presence::Gone(Departure::Left)
        };
        self.members.iter().filter(is_other).take(2).count() > 1
    }

    /// Whether another station was heard where this VIP is, since the others are silent.
    pub(super) fn has_heard(&self, vip: IpAddr) -> bool {
        let gone = self.members.last_loss();
        let since = gone.and_then(|gone| gone.checked_sub(SILENCE));
        let Some((me, since)) = self.members.get(self.me).zip(since) else {
            return true;
        };
        let entry = self.vips.get(&vip);
        let scope = entry.and_then(|entry| entry.scope.as_ref());
        let scope = scope.unwrap_or(&Scope::Anywhere);
        let is_near = me.has_subnet_of(vip, scope);
        let mut fitting = me
            .interfaces_for(vip, scope)
            .filter(|(_, one)| !is_near || one.subnets.iter().any(|net| net.contains(&vip)));
        fitting.any(|(index, _)| {
            self.hearing
                .heard
                .get(&index)
                .is_some_and(|at| *at >= since)
        })
    }

    /// Whether others hear this member, as far as that can be known.
    pub(super) fn is_heard(&self) -> bool {
        let witnesses = &self.hearing.witnesses;
        let is_known = self.has_several_others() && !witnesses.is_empty();
        !is_known || witnesses.values().any(|one| one.answers)
    }

    /// Another station was heard on this interface.
    pub(super) fn set_heard(&mut self, interface: u32, now: Instant) {
        let was_deaf = self.may_be_deaf() && self.waiting.iter().any(|vip| !self.has_heard(*vip));
        self.hearing.heard.insert(interface, now);
        if was_deaf {
            self.wait_anew(now);
        }
        self.review_waiting(now);
    }

    /// Takes in which hosts there are that are no members.
    pub(super) fn set_neighbours(&mut self, neighbours: Vec<(IpAddr, MacAddress)>) {
        if self.hearing.wants_neighbours {
            self.hearing.neighbours = neighbours;
            self.find_witnesses();
        }
    }

    /// No datagram of any other member comes in any more, or one does.
    pub(super) fn set_deaf(&mut self, is_deaf: bool, now: Instant) {
        self.hearing.is_deaf = is_deaf;
        self.find_witnesses();
        if !is_deaf {
            self.review_waiting(now);
        }
    }

    fn review_waiting(&mut self, now: Instant) {
        for vip in std::mem::take(&mut self.waiting) {
            self.review(vip, now);
        }
    }

    /// Takes in what has become of a question to a witness. What was taken just now without proof is
    /// claimed like everything else then.
    pub(super) fn note_witness(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        answers: bool,
        now: Instant,
    ) {
        if !self.hearing.note(vip, station, answers) {
            return;
        }
        let is_unproven = |vip: &&IpAddr| {
            let entry = self.vips.get(*vip);
            entry.is_some_and(|entry| {
                let hold = entry.hold.as_ref();
                let is_new = hold.is_some_and(|hold| now < hold.since + LATE);
                let claim = entry.claims.get(self.me);
                is_new && claim.is_some_and(Claim::is_unproven)
            })
        };
        let unproven: Vec<IpAddr> = self.held.iter().filter(is_unproven).copied().collect();
        for vip in unproven {
            self.raise(vip);
        }
    }

    /// The hosts of the other nodes answer for their own addresses, even without a daemon: they are
    /// asked while it is in question who hears whom, and that matters for something.
    pub(super) fn find_witnesses(&mut self) {
        let mut wanted = BTreeMap::new();
        let mut wants_neighbours = false;
        let is_asked_for = !self.waiting.is_empty() || self.has_live_others();
        if !self.inquiries.is_empty() || self.may_be_deaf() && is_asked_for {
            let is_well =
                |id: &MemberId| self.members.is_live(*id) && !self.inquiries.contains_key(id);
            wanted = self.hosts(is_well, FEW);
            if wanted.is_empty() {
                wanted = self.near(self.hearing.neighbours.iter().copied(), MANY);
                wanted.extend(self.hosts(|_| true, MANY));
                wants_neighbours = self.has_several_others();
            }
        }
        if wants_neighbours != self.hearing.wants_neighbours {
            self.hearing.wants_neighbours = wants_neighbours;
            self.hearing.neighbours.clear();
            self.outputs.push_back(Output::Neighbours(wants_neighbours));
        }
        let before = std::mem::take(&mut self.hearing.witnesses);
        for address in before.keys().filter(|one| !wanted.contains_key(one)) {
            let (address, asked) = (*address, None);
            self.outputs.push_back(Output::Ask { address, asked });
        }
        for (address, station) in wanted {
            let known = before.get(&address).filter(|one| one.station == station);
            if known.is_none() {
                let asked = Asked {
                    stations: BTreeSet::from([station]),
                    respondent: Respondent::Host,
                    round: 0,
                };
                let asked = Some(Arc::new(asked));
                self.outputs.push_back(Output::Ask { address, asked });
            }
            let witness = known.copied().unwrap_or(Witness {
                station,
                answers: false,
            });
            self.hearing.witnesses.insert(address, witness);
        }
    }

    /// Some addresses that the nodes of others have for themselves where this one is, too.
    fn hosts(
        &self,
        counts: impl Fn(&MemberId) -> bool,
        most: usize,
    ) -> BTreeMap<IpAddr, MacAddress> {
        let others = self.members.iter();
        let others = others.filter(|(id, _)| *id != self.me && counts(id));
        let interfaces = others.flat_map(|(_, member)| member.interfaces.values());
        let hosts = interfaces.flat_map(|one| one.hosts.iter().map(|host| (*host, one.mac)));
        self.near(hosts, most)
    }

    /// Some of these hosts that are where this one is, and whose addresses are no VIPs.
    fn near(
        &self,
        hosts: impl Iterator<Item = (IpAddr, MacAddress)>,
        most: usize,
    ) -> BTreeMap<IpAddr, MacAddress> {
        let Some(me) = self.members.get(self.me) else {
            return BTreeMap::new();
        };
        let hosts = hosts.filter(|(host, _)| me.has_subnet_of(*host, &Scope::Anywhere));
        let hosts = hosts.filter(|(host, _)| !self.vips.contains_key(host));
        hosts.take(most).collect()
    }
}
