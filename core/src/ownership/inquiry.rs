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

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_gossip::record::Claim;
use carillon_gossip::{Departure, MemberId};

use crate::address::Family;
use crate::announcement::{Asked, Respondent};
use crate::interface::MacAddress;

use super::election::Election;
use super::members::Presence;
use super::other::{Inquiry, Who};
use super::{Output, Ownership};

/// For how many of its VIPs of each family a member is asked: if its daemon lives, it answers for each.
const SAMPLE: usize = 2;
/// How long an answer is waited for, if the member has not been asked before it was lost.
const ANSWER: Duration = Duration::from_millis(40);
/// The same from when it is suspected: one frame may get lost, after which it is asked again 20 ms later
/// and twice, and the shortest deadline by which a member is lost is not much longer.
const SUSPECTED: Duration = Duration::from_millis(25);
/// The same of one that was asked before this member could hear, and is not asked as often any more.
const REPEATED: Duration = Duration::from_millis(150);
/// How long after it was asked its answer is of an earlier silence, when it is suspected again.
const STALE: Duration = Duration::from_millis(100);
/// How long a member that was silent for a moment is asked.
const LASTS: Duration = Duration::from_secs(2);

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
        let Some(suspect) = self.members.get(member).filter(|_| member != self.me) else {
            return;
        };
        if let Some(inquiry) = self.inquiries.get_mut(&member) {
            inquiry.until = until;
            // What it answered when it was silent before says nothing of now.
            if suspect.is_live() && inquiry.lives() && now >= inquiry.since + STALE {
                self.ask_anew(member, now);
            }
            return;
        }
        let stations = suspect.interfaces.values().map(|one| one.mac).collect();
        let answers = self.answers_of(&stations, &suspect.claims);
        let has_it = |vip: &&IpAddr| {
            let entry = self.vips.get(*vip);
            let election = entry.and_then(|entry| self.election(**vip, entry));
            let last = election.and_then(|election| election.last());
            last.is_some_and(|(one, claim)| one == member && claim.successor.is_none())
        };
        let some = |family| {
            let vips = suspect.claims.iter().filter(has_it);
            let vips = vips.filter(move |vip| Family::of(**vip) == family);
            vips.take(SAMPLE).copied()
        };
        let vips: BTreeSet<IpAddr> = some(Family::V4).chain(some(Family::V6)).collect();
        let wait = if suspect.is_live() { SUSPECTED } else { ANSWER };
        let inquiry = Inquiry {
            since: now,
            due: now + wait,
            until,
            vips: vips.clone(),
            stations,
            answers,
            denied: BTreeSet::new(),
        };
        self.inquiries.insert(member, inquiry);
        for vip in vips {
            self.tell_asked(vip);
        }
        self.find_witnesses();
    }

    /// Whoever else is asked for the same VIPs has to answer anew, too.
    fn ask_anew(&mut self, member: MemberId, now: Instant) {
        let Some(inquiry) = self.inquiries.get_mut(&member) else {
            return;
        };
        (inquiry.since, inquiry.due) = (now, now + SUSPECTED);
        inquiry.answers.clear();
        inquiry.denied.clear();
        for vip in inquiry.vips.clone() {
            if let Some(entry) = self.vips.get_mut(&vip) {
                entry.segment.asked_round = entry.segment.asked_round.wrapping_add(1);
                entry.segment.asked.clear();
            }
            self.tell_asked(vip);
        }
    }

    /// The VIPs of these for which one of the stations answers already, with that station.
    fn answers_of(
        &self,
        stations: &BTreeSet<MacAddress>,
        vips: &BTreeSet<IpAddr>,
    ) -> BTreeSet<(IpAddr, MacAddress)> {
        let answers = vips.iter().flat_map(|vip| {
            let asked = self.vips.get(vip).map(|entry| &entry.segment.asked);
            let asked = asked.into_iter().flatten();
            let answers = asked
                .filter(|(station, answers)| **answers == Some(true) && stations.contains(station));
            answers.map(|(station, _)| (*vip, *station))
        });
        answers.collect()
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

    /// Whoever is asked could not be heard until now.
    pub(super) fn wait_anew(&mut self, now: Instant) {
        for inquiry in self.inquiries.values_mut() {
            inquiry.due = now + REPEATED;
            inquiry.until = inquiry.until.max(now + LASTS);
        }
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
                inquiry.denied.remove(&vip);
            } else {
                inquiry.answers.remove(&(vip, station));
                inquiry.denied.insert(vip);
            }
            if self.members.is_live(*member) {
                continue;
            }
            concerned.push(vip);
            if lived != inquiry.lives() {
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
        let silenced = self
            .vips
            .get(&vip)
            .and_then(|one| one.segment.silenced.as_ref());
        let silenced = silenced.and_then(|silenced| silenced.member);
        let is_lost = |member: &MemberId| {
            let presence = self.members.get(*member).map(|member| member.presence);
            match presence {
                Some(Presence::Gone(Departure::Lost) | Presence::Unreached) => true,
                Some(Presence::Live | Presence::Gone(Departure::Left)) | None => false,
            }
        };
        // Who claims it in the name of another does not have it.
        let last = election.last();
        let former = last.map(|(member, claim)| [Some(member), claim.successor]);
        let former = former.into_iter().flatten().flatten();
        let former = former.filter(|one| *one != self.me && Some(*one) != silenced);
        let mut until = None;
        for member in former.filter(is_lost) {
            let Some(inquiry) = self.inquiries.get(&member) else {
                return Clearance::Unknown(member);
            };
            if inquiry.lives() && !inquiry.denied.contains(&vip) {
                return Clearance::Lives(member);
            }
            if !inquiry.vips.is_empty() && now < inquiry.due {
                until = until.max(Some(inquiry.due));
            }
        }
        if until.is_some() {
            return Clearance::Wait(until);
        }
        if self.may_be_deaf() && !self.has_heard(vip) {
            return Clearance::Wait(None);
        }
        Clearance::Clear
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
            entry.segment.others.hear(station, Who::Member(member), now);
            let reply = entry.segment.reply(station, now);
            if let Some(other) = entry.segment.others.get_mut(station) {
                other.reply = reply;
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
        let mut stations = entry.segment.others.asked();
        let asks = |(_, inquiry): &(&MemberId, &Inquiry)| inquiry.vips.contains(&vip);
        let inquiries = self.inquiries.iter().filter(asks);
        let mut members = entry.segment.others.members();
        for (member, inquiry) in inquiries {
            stations.extend(&inquiry.stations);
            members.insert(*member);
        }
        let is_former = |member: &MemberId| self.members.is_former(*member);
        let respondent = if members.iter().any(is_former) {
            Respondent::FormerDaemon
        } else {
            Respondent::Daemon
        };
        if stations.iter().eq(entry.segment.asked.keys()) {
            return;
        }
        let known = |station: &MacAddress| entry.segment.asked.get(station).copied().flatten();
        let asked = stations.iter().map(|station| (*station, known(station)));
        entry.segment.asked = asked.collect();
        let round = entry.segment.asked_round;
        let asked = (!stations.is_empty()).then(|| {
            Arc::new(Asked {
                stations,
                respondent,
                round,
            })
        });
        let address = vip;
        self.outputs.push_back(Output::Ask { address, asked });
    }
}
