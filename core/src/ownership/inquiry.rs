//! Before this member takes what another has had, it looks on the segment whether that one is still
//! there: who is lost to the gossip alone goes on announcing, and keeps what it has.
//!
//! ```text
//!  a member is silent ──▶ it is probed by gossip, and asked on the segment, at the same time
//!  it is lost, and ...
//!     does not answer       ──▶ take its VIPs
//!     answers as a daemon   ──▶ leave it what it has, keep asking for that, and claim it in its name
//!     nobody at all is heard ─▶ take nothing until a frame of any other station comes in
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::announcement::{Asked, Respondent};
use crate::interface::MacAddress;
use crate::membership::record::Claim;
use crate::membership::{Departure, MemberId};

use super::election::Election;
use super::eligibility::{Member, Presence};
use super::other::{Inquiry, Reply, Who};
use super::{Output, Ownership};

/// For how many of its VIPs of each family a member is asked: if its daemon lives, it answers for each.
const SAMPLE: usize = 2;
/// How long an answer is waited for, if the member has not been asked before it was lost.
const ANSWER: Duration = Duration::from_millis(40);
/// How long a member that was silent for a moment is asked.
const LASTS: Duration = Duration::from_secs(2);
/// How long before a member is found lost it has been silent, at least.
const SILENCE: Duration = Duration::from_millis(250);
/// How many other stations are asked for a sign that we can hear.
const WITNESSES: usize = 8;

/// Whether a VIP may be taken from whom had it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clearance {
    /// It may.
    Clear,
    /// That is not known yet, and will be at that time at the latest, or when somebody is heard.
    Wait(Option<Instant>),
    /// It is to be found out about this member.
    Unknown(MemberId),
    /// That one has it still.
    Lives(MemberId),
}

impl Ownership {
    /// A member is silent. Whether it is still on the segment is found out while its loss is.
    pub(super) fn suspect(&mut self, member: MemberId, now: Instant) {
        let until = now + LASTS;
        if let Some(inquiry) = self.inquiries.get_mut(&member) {
            inquiry.until = until;
            return;
        }
        let Some(suspect) = self.members.get(member).filter(|_| member != self.me) else {
            return;
        };
        let stations = suspect.interfaces.values().map(|one| one.mac).collect();
        let is_candidate = |vip: &&IpAddr| {
            let entry = self.vips.get(*vip);
            entry.is_some_and(|entry| entry.scope.is_some())
        };
        let some = |family| {
            let vips = suspect.claims.iter().filter(is_candidate);
            let vips = vips.filter(move |vip| Family::of(**vip) == family);
            vips.take(SAMPLE).copied()
        };
        let vips: BTreeSet<IpAddr> = some(Family::V4).chain(some(Family::V6)).collect();
        let inquiry = Inquiry {
            since: now,
            until,
            vips: vips.clone(),
            stations,
            answers: BTreeSet::new(),
            denied: BTreeSet::new(),
        };
        self.inquiries.insert(member, inquiry);
        for vip in vips {
            self.tell_asked(vip);
        }
        self.find_witnesses();
    }

    /// Ends inquiries that nobody needs any more.
    pub(super) fn expire_inquiries(&mut self, now: Instant) {
        let mut vips = BTreeSet::new();
        self.inquiries.retain(|_, inquiry| {
            let lasts = now < inquiry.until;
            if !lasts {
                vips.append(&mut inquiry.vips);
            }
            lasts
        });
        for vip in vips {
            self.tell_asked(vip);
        }
        self.find_witnesses();
    }

    /// Takes in an answer, or that there is none; returns the VIPs for which it matters.
    pub(super) fn note_answer(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        has_answered: bool,
    ) -> Vec<IpAddr> {
        let mut concerned = Vec::new();
        for (member, inquiry) in &mut self.inquiries {
            let is_asked = inquiry.vips.contains(&vip) && inquiry.stations.contains(&station);
            if !is_asked {
                continue;
            }
            let lived = inquiry.lives();
            if has_answered {
                inquiry.answers.insert((vip, station));
            } else {
                inquiry.answers.remove(&(vip, station));
            }
            if lived != inquiry.lives() && !self.members.is_live(*member) {
                let claims = self.members.get(*member).map(|member| &member.claims);
                concerned.extend(claims.into_iter().flatten());
            }
        }
        concerned
    }

    /// Whether the VIP may be taken where nobody who can be talked to has it.
    pub(super) fn clearance(
        &self,
        vip: IpAddr,
        election: &Election<'_>,
        now: Instant,
    ) -> Clearance {
        let former = election.last().map(|(member, _)| member);
        let former = former.filter(|member| *member != self.me);
        let is_lost = |member: &MemberId| {
            let presence = self.members.get(*member).map(|member| member.presence);
            match presence {
                Some(Presence::Gone(Departure::Lost) | Presence::Unreached) => true,
                Some(Presence::Live | Presence::Gone(Departure::Left)) | None => false,
            }
        };
        if let Some(former) = former.filter(is_lost) {
            match self.inquiries.get(&former) {
                None => return Clearance::Unknown(former),
                Some(inquiry) if inquiry.lives() && !inquiry.denied.contains(&vip) => {
                    return Clearance::Lives(former);
                }
                Some(inquiry) if !inquiry.vips.is_empty() && now < inquiry.since + ANSWER => {
                    return Clearance::Wait(Some(inquiry.since + ANSWER));
                }
                Some(_) => {}
            }
        }
        if self.may_be_deaf() && !self.has_heard(vip) {
            return Clearance::Wait(None);
        }
        Clearance::Clear
    }

    /// Whether none of several others is heard, so that it is rather this node that cannot hear.
    pub(super) fn may_be_deaf(&self) -> bool {
        let is_missing = |(id, member): &(MemberId, &Member)| {
            *id != self.me && member.presence != Presence::Gone(Departure::Left)
        };
        let missing = self.members.iter().filter(is_missing).take(2).count();
        missing > 1 && (self.is_deaf || !self.has_live_others())
    }

    /// Whether another station was heard where this VIP is, since the others are silent.
    fn has_heard(&self, vip: IpAddr) -> bool {
        let gone = self.members.last_loss();
        let since = gone.and_then(|gone| gone.checked_sub(SILENCE));
        let Some((me, since)) = self.members.get(self.me).zip(since) else {
            return true;
        };
        let is_near = me.has_subnet_of(vip);
        let mut heard = self.heard.iter();
        heard.any(|(index, at)| {
            let interface = me.interfaces.get(index);
            let fits = interface
                .is_some_and(|one| !is_near || one.subnets.iter().any(|net| net.contains(&vip)));
            fits && *at >= since
        })
    }

    /// Another station was heard on this interface.
    pub(super) fn set_heard(&mut self, interface: u32, now: Instant) {
        self.heard.insert(interface, now);
        for vip in std::mem::take(&mut self.waiting) {
            self.review(vip, now);
        }
    }

    /// The hosts of the other nodes answer for their own addresses, even without a daemon: they are
    /// asked while it is in question whether anybody can be heard.
    pub(super) fn find_witnesses(&mut self) {
        let is_in_question = !self.inquiries.is_empty() && {
            let is_suspected = |id: &MemberId| self.inquiries.contains_key(id);
            let mut others = self.members.iter().filter(|(id, _)| *id != self.me);
            others.all(|(id, member)| !member.is_live() || is_suspected(&id))
        } || self.may_be_deaf();
        let mut wanted = BTreeMap::new();
        if is_in_question && let Some(me) = self.members.get(self.me) {
            let others = self.members.iter().filter(|(id, _)| *id != self.me);
            let interfaces = others.flat_map(|(_, member)| member.interfaces.values());
            let hosts = interfaces.flat_map(|one| one.hosts.iter().map(|host| (*host, one.mac)));
            let hosts = hosts.filter(|(host, _)| me.has_subnet_of(*host));
            let hosts = hosts.filter(|(host, _)| !self.vips.contains_key(host));
            wanted.extend(hosts.take(WITNESSES));
        }
        let before = std::mem::replace(&mut self.witnesses, wanted.clone());
        for address in before.keys().filter(|one| !wanted.contains_key(one)) {
            let (address, asked) = (*address, None);
            self.outputs.push_back(Output::Ask { address, asked });
        }
        for (address, station) in wanted {
            if before.get(&address) != Some(&station) {
                let asked = Asked {
                    stations: BTreeSet::from([station]),
                    respondent: Respondent::Host,
                };
                let asked = Some(Arc::new(asked));
                self.outputs.push_back(Output::Ask { address, asked });
            }
        }
    }

    /// Leaves a VIP to a member that cannot be talked to and has it, and watches over it.
    pub(super) fn guard(&mut self, vip: IpAddr, member: MemberId, now: Instant) {
        let is_heard = self.has_live_others();
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let inquiry = self.inquiries.get(&member);
        let answers = inquiry.into_iter().flat_map(|inquiry| &inquiry.answers);
        let answers: Vec<_> = answers.copied().collect();
        for station in answers.iter().map(|(_, station)| *station) {
            entry.others.hear(station, Who::Member(member), now);
            if let Some(other) = entry.others.get_mut(station) {
                other.reply = if answers.contains(&(vip, station)) {
                    Reply::Given
                } else {
                    Reply::Awaited(now)
                };
            }
        }
        if is_heard {
            // Nobody else has to ask, nor to take it in turn.
            let claim = Claim {
                term: entry.claims.next_term(),
                successor: Some(member),
            };
            entry.claims.set(self.me, Some(claim));
            self.members.entry(self.me).claims.insert(vip);
            self.publish_claim(vip);
        }
    }

    /// Tells whom to ask for a VIP, if that is news.
    pub(super) fn tell_asked(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let mut stations = entry.others.asked();
        let inquiries = self.inquiries.values();
        let inquiries = inquiries.filter(|inquiry| inquiry.vips.contains(&vip));
        stations.extend(inquiries.flat_map(|inquiry| &inquiry.stations));
        if stations == entry.asked {
            return;
        }
        entry.asked.clone_from(&stations);
        let asked = (!stations.is_empty()).then(|| {
            Arc::new(Asked {
                stations,
                respondent: Respondent::Daemon,
            })
        });
        let address = vip;
        self.outputs.push_back(Output::Ask { address, asked });
    }
}
