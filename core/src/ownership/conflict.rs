//! Another station of the segment announces a VIP that this member has.
//!
//! As long as two members can talk to each other their claims decide, and what the segment says of
//! the moment in between is passed over, but for one thing: whether they still can is found out at
//! once ([`Output::Doubt`]). Where they cannot, the segment is all they have. The rule is
//! made so that one of them yields and the other does not: whoever took the VIP just now, keeps it,
//! for it was the loss of the other that made it do so; who had it before, yields. Only if both took
//! it just now, does their place in the rendezvous order decide. Who had a VIP before us and was lost
//! when we took it has stood still, and does not know yet: to that one nobody yields.
//!
//! Members know each other. Two daemons that have never talked, since they have different keys for
//! instance, can only see by the mark in each other's packets that they are no foreign hosts. Neither
//! knows what the other knows, so what never changes decides: [`Mark::precedes`].
//!
//! Whatever is heard may be forged, or come from a node that hears nobody. So nobody yields before the
//! other station has answered a question that was sent to it alone. Who has yielded goes on asking,
//! and takes the VIP back as soon as the answers end. Against whom does not answer, the VIP is defended.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_gossip::record::Claim;

use crate::interface::MacAddress;
use crate::mark::Mark;

use super::election::Election;
use super::members::{Member, Members};
use super::other::{Intruder, Intrusion, Other, Reply, Silenced, Who};
use super::review::Step;
use super::vip::{Hold, Vip};
use super::{MemberId, Note, Output, Ownership};

/// How long after a conflict with a station it is spoken of: until a host that says nothing by itself
/// would have answered one of two more questions, which come with the announcements every minute.
pub(super) const QUIET: Duration = Duration::from_secs(150);
/// How long a VIP was just taken.
const NEW: Duration = Duration::from_secs(1);
/// The same where it was taken from the very member that is heard: that one may not have heard us yet.
const NEW_FROM: Duration = Duration::from_secs(3);
/// How long one that was lost when we took the VIP may go on with it after it has answered us, and so
/// can hear us. Two that each hold the other for such a one come to an end by their place in the order.
const CONTEST: Duration = Duration::from_secs(3);
/// How long the claims of a member that can be talked to again are waited for.
const REUNION: Duration = Duration::from_millis(500);
/// Of how many daemons that are no members people are told.
const MAX_STRANGERS: usize = 64;

impl Ownership {
    /// Another station announces a VIP; `mark` is its mark and our Ethernet address there.
    pub(super) fn conflict(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        mark: Option<(Mark, MacAddress)>,
        now: Instant,
    ) {
        if !self.vips.contains_key(&vip) {
            return;
        }
        match self.identify(station, mark) {
            Some(Who::Member(member)) if member == self.me => return,
            // Its kernel has the address. That says nothing of its daemon.
            Some(Who::Member(member)) if mark.is_none() && !self.members.is_live(member) => {
                self.repel(vip, station, Intrusion::Overlapping, Some(member), now);
            }
            Some(who) => self.meet(vip, station, who, now),
            None => self.repel(vip, station, Intrusion::Host, None, now),
        }
        self.review(vip, now);
    }

    /// Whose station this is; `None` if it is none of a daemon.
    fn identify(&self, station: MacAddress, mark: Option<(Mark, MacAddress)>) -> Option<Who> {
        let member = self.members.with_station(station);
        // A run that never was a member knows nothing of us, whatever we know of the one before.
        let is_known = |id: &MemberId| {
            self.members.is_live(*id) || mark.is_none_or(|(mark, _)| mark.is_of_run(id.generation))
        };
        let member = member.filter(is_known);
        if let Some(member) = member.or_else(|| self.members.with_mark(mark?.0)) {
            return Some(Who::Member(member));
        }
        let (mark, local) = mark?;
        let mine = Mark::of(&self.settings.node, self.me.generation);
        let precedes = !Mark::precedes((mine, local), (mark, station));
        Some(Who::Stranger { precedes })
    }

    /// A daemon of another node announces a VIP.
    fn meet(&mut self, vip: IpAddr, station: MacAddress, who: Who, now: Instant) {
        let live = match who {
            Who::Member(member) => Some(member).filter(|id| self.members.is_live(*id)),
            Who::Stranger { .. } => None,
        };
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let is_held = entry.hold.is_some();
        if !is_held && (live.is_some() || !entry.is_watched()) {
            return;
        }
        let is_new = entry.segment.others.hear(station, who, now);
        let reply = entry.segment.reply(station, now);
        if let Some(other) = entry.segment.others.get_mut(station).filter(|_| !is_held)
            && other.reply == Reply::Unasked
        {
            other.reply = reply;
        }
        if let Some(member) = live {
            let term = |id| entry.claims.get(id).map_or(0, |claim: &Claim| claim.term);
            if is_new && term(member) <= term(self.me) {
                self.outputs.push_back(Output::Doubt(member));
            }
            if !self.gives_up(vip, member, now) {
                self.repel(vip, station, Intrusion::Overlapping, Some(member), now);
            }
        }
        if let Who::Stranger { .. } = who
            && self.strangers.len() < MAX_STRANGERS
            && self.strangers.insert(station)
        {
            let note = Note::Outsider { vip, station };
            self.outputs.push_back(Output::Note(note));
        }
    }

    /// What to do about one of those that are on the segment with the VIP that we have.
    pub(super) fn confront(
        &self,
        election: &Election<'_>,
        entry: &Vip,
        hold: &Hold,
    ) -> Option<Step> {
        entry.segment.others.iter().find_map(|(station, other)| {
            let yields = match other.who {
                Who::Member(member) => self.yields(election, entry, hold, (station, member))?,
                Who::Stranger { precedes } => precedes,
            };
            match other.reply {
                Reply::Unasked => Some(Step::Ask(station)),
                Reply::Awaited(_) => None,
                Reply::Given if yields && entry.segment.believes(station, other.heard) => {
                    Some(Step::Yield(station))
                }
                Reply::Given => Some(Step::Repel(station, Intrusion::Yielding)),
                Reply::Missing => Some(Step::Repel(station, Intrusion::Unanswering)),
            }
        })
    }

    /// Whether to yield to a member on the segment if it answers, or to keep the VIP and say so;
    /// `None` if the claims decide.
    fn yields(
        &self,
        election: &Election<'_>,
        entry: &Vip,
        hold: &Hold,
        (station, member): (MacAddress, MemberId),
    ) -> Option<bool> {
        if self.members.is_live(member) {
            return None;
        }
        let term = |member| election.claims.get(member).map_or(0, |claim| claim.term);
        if term(member) > term(self.me) {
            return Some(true);
        }
        let heard = entry.segment.others.get(station).map(|other| other.heard);
        let heard = heard.unwrap_or(hold.since);
        let age = heard.saturating_duration_since(hold.since);
        let is_short = entry.segment.answered_for(station, heard) < CONTEST;
        match self.members.majority() {
            Ordering::Less => return Some(true),
            Ordering::Greater if is_short => return Some(false),
            Ordering::Greater | Ordering::Equal => {}
        }
        if hold.from == Some(member) {
            let is_stale = self.members.was_gone(member, hold.since);
            if age < NEW_FROM || is_stale && is_short {
                return Some(false);
            }
        }
        Some(age > NEW || election.precedes(member, self.me))
    }

    /// Has a station asked whether it has the VIP.
    pub(super) fn ask(&mut self, vip: IpAddr, station: MacAddress, now: Instant) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let reply = entry.segment.reply(station, now);
        if let Some(other) = entry.segment.others.get_mut(station) {
            other.reply = reply;
        }
    }

    /// A station has answered, or has not.
    pub(super) fn answered(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        has_answered: bool,
        now: Instant,
    ) {
        self.note_witness(vip, station, has_answered, now);
        let concerned = self.note_answer(vip, station, has_answered);
        let mut entry = self.vips.get_mut(&vip);
        if let Some(answers) = entry
            .as_mut()
            .and_then(|entry| entry.segment.asked.get_mut(&station))
        {
            *answers = Some(has_answered);
        }
        if let Some(entry) = entry
            && let Some(other) = entry.segment.others.get_mut(station)
        {
            let before = other.reply;
            if has_answered {
                (other.reply, other.heard) = (Reply::Given, now);
            } else {
                other.reply = Reply::Missing;
            }
            let other = *other;
            let member = match other.who {
                Who::Member(member) => Some(member),
                Who::Stranger { .. } => None,
            };
            let is_over = entry.hold.is_none() && !has_answered;
            if is_over && before == Reply::Given {
                let name = other.name(station, &self.members);
                entry.segment.note_deceit(now);
                entry.segment.silenced = Some(Silenced { name, member });
            } else if is_over
                && let Some(inquiry) = member.and_then(|member| self.inquiries.get_mut(&member))
            {
                inquiry.denied.insert(vip);
            }
            self.review(vip, now);
        }
        for vip in concerned {
            self.review(vip, now);
        }
    }

    /// Stops, for a daemon at this station has the VIP.
    pub(super) fn yield_to(&mut self, vip: IpAddr, station: MacAddress) {
        let has_others = self.has_live_others();
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let member = match entry.segment.others.get(station).map(|other| other.who) {
            Some(Who::Member(member)) => Some(member),
            Some(Who::Stranger { .. }) | None => None,
        };
        if member.is_some() {
            // What it claims is higher than our claim, even if we cannot see it.
            let mine = entry.claims.get(self.me).map_or(0, |claim| claim.term);
            entry.claims.highest = entry.claims.highest.max(mine + 1);
        }
        // Our claim tells the others that somebody watches over the VIP, and who has it. Without any,
        // nobody is to hear later of a claim that was given up.
        let keeps_claim = member.is_some() || has_others;
        let mut others = std::mem::take(&mut entry.segment.others);
        others.retain(Other::may_have_it);
        self.drop_hold(vip, keeps_claim);
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        entry.segment.others = others;
        if let Some(claim) = entry.claims.get(self.me).copied() {
            let successor = member;
            entry
                .claims
                .set(self.me, Some(Claim { successor, ..claim }));
            self.publish_claim(vip);
        }
    }

    pub(super) fn has_live_others(&self) -> bool {
        let is_other = |(id, member): (MemberId, &Member)| id != self.me && member.is_live();
        self.members.iter().any(is_other)
    }

    /// The claims decide about what this member has on the segment, as soon as those are known that it
    /// has made meanwhile; the same where a former run of it was heard. They may have come before it
    /// could be talked to, so that is not waited for.
    pub(super) fn reunite(&mut self, member: MemberId, now: Instant) {
        let is_it = |other: &Other, members: &Members| match other.who {
            Who::Member(one) => one == member || members.get(one).is_none(),
            Who::Stranger { .. } => false,
        };
        for vip in &self.unsettled {
            let Some(entry) = self.vips.get_mut(vip) else {
                continue;
            };
            let others = entry.segment.others.values_mut();
            for other in others.filter(|other| is_it(other, &self.members)) {
                other.until.get_or_insert(now + REUNION);
            }
        }
    }

    /// Keeps a VIP against a station, and says so to all now and then.
    pub(super) fn repel(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        kind: Intrusion,
        member: Option<MemberId>,
        now: Instant,
    ) {
        let node = member.map(|member| self.members.name(member));
        let Some(entry) = self.vips.get_mut(&vip).filter(|one| one.hold.is_some()) else {
            return;
        };
        let before = entry.segment.intruders.remove(&kind);
        // Who defends against one station after the other defends as rarely as against one.
        let defended = before.as_ref().and_then(|one| one.defended);
        let known = before.filter(|one| one.station == station);
        let mut intruder = known.unwrap_or(Intruder {
            station,
            node: node.clone(),
            first: now,
            last: now,
            defended,
        });
        intruder.last = now;
        let is_due = intruder
            .defended
            .is_none_or(|at| now >= at + kind.interval());
        let is_told = !kind.is_noteworthy() || intruder.defended.is_some();
        let defends = is_due && now >= intruder.first + kind.patience();
        if defends {
            intruder.defended = Some(now);
        }
        entry.segment.intruders.insert(kind, intruder);
        if defends {
            self.defend(vip);
        }
        if defends && !is_told {
            let note = Note::Conflict {
                vip,
                station,
                node,
                kind,
            };
            self.outputs.push_back(Output::Note(note));
        }
    }

    /// Keeps a VIP against a daemon at this station.
    pub(super) fn repel_daemon(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        kind: Intrusion,
        now: Instant,
    ) {
        let entry = self.vips.get_mut(&vip);
        let other = entry.and_then(|entry| entry.segment.others.remove(station));
        let member = match other.map(|other| other.who) {
            Some(Who::Member(member)) => Some(member),
            Some(Who::Stranger { .. }) | None => None,
        };
        self.repel(vip, station, kind, member, now);
    }
}

/// Ends what has had its time, and what is over since a stranger is a member now and has claimed the
/// VIP.
pub(super) fn expire(entry: &mut Vip, members: &Members, now: Instant) {
    if entry.scope.is_none() {
        entry.segment.others.clear();
    }
    entry.segment.others.expire(entry.hold.is_some(), now);
    let stations: Vec<MacAddress> = entry
        .segment
        .others
        .iter()
        .map(|(station, _)| station)
        .collect();
    for station in stations {
        let is_stranger = |other: Other| matches!(other.who, Who::Stranger { .. });
        let member = members.with_station(station);
        let has_claimed = |id: MemberId| members.is_live(id) && entry.claims.get(id).is_some();
        if entry.segment.others.get(station).is_some_and(is_stranger)
            && member.is_some_and(has_claimed)
        {
            entry.segment.others.remove(station);
        }
    }
    let is_over = |one: &Intruder| now >= one.last + QUIET;
    entry.segment.intruders.retain(|_, one| !is_over(one));
    entry.segment.forgive(now);
}
