//! Another station of the segment announces a VIP that this member has.
//!
//! As long as two members can talk to each other their claims decide, and what the segment says of
//! the moment in between is passed over, but for one thing: whether they still can is found out at
//! once ([`Output::Doubt`]). Where they cannot, the segment is all they have. The rule is
//! made so that one of them yields and the other does not: whoever took the VIP just now, keeps it,
//! for it was the loss of the other that made it do so; who had it before, yields. Only if both took
//! it just now, does their place in the rendezvous order decide. Who yields goes on asking on the
//! segment, and may take the VIP back when nobody has answered for a while: it is the newcomer then.
//!
//! Members know each other. Two daemons that have never talked, since they have different keys for
//! instance, can only see by the mark in each other's packets that they are no foreign hosts. Neither
//! knows what the other knows, so what never changes decides: [`Mark::precedes`]. Who watches does not
//! take the VIP as long as anybody of either kind is heard with it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::interface::MacAddress;
use crate::mark::Mark;

use super::election::Election;
use super::eligibility::{Member, Members};
use super::vip::{Heard, Hold, Intruder, Outsider, Vip};
use super::{MemberId, Note, Output, Ownership};

/// How long a member is believed to have a VIP after it was heard last.
pub(super) const WATCH: Duration = Duration::from_millis(3500);
/// How long after a conflict with a station it is spoken of.
pub(super) const QUIET: Duration = Duration::from_secs(60);
/// How long a VIP was just taken.
const NEW: Duration = Duration::from_secs(1);
/// The same where it was taken from the very member that is heard. That one cannot have yielded and
/// taken it back within [`WATCH`], so it has only not heard us yet.
const NEW_FROM: Duration = Duration::from_secs(3);
/// How long the claims of a member that can be talked to again are waited for.
const REUNION: Duration = Duration::from_millis(500);
/// How often the VIP is defended (RFC 5227 section 2.4 (c)).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);
/// The same against a daemon that yields as soon as it hears that.
const DEFEND_OUTSIDE: Duration = Duration::from_secs(1);
/// Of how many daemons that are no members people are told.
const MAX_OUTSIDERS: usize = 64;
/// How long a member with which we can talk may take to stop.
const OVERLAP: Duration = Duration::from_secs(2);

impl Ownership {
    /// Another station announces a VIP; `mark` is its mark and our Ethernet address there.
    pub(super) fn conflict(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        mark: Option<(Mark, MacAddress)>,
        now: Instant,
    ) {
        let member = self.members.with_station(station);
        // A run that never was a member knows nothing of us, whatever we know of the one before.
        let is_known = |id: &MemberId| {
            self.members.is_live(*id) || mark.is_none_or(|(mark, _)| mark.is_of_run(id.generation))
        };
        let member = member.filter(is_known);
        let member = member.or_else(|| self.members.with_mark(mark?.0));
        if let (None, Some((mark, local))) = (member, mark) {
            self.meet_outsider(vip, (mark, station), local, now);
            self.review(vip, now);
            return;
        }
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let heard = member.map(|member| Heard { member, at: now });
        match (heard, &entry.hold) {
            (Some(heard), _) if heard.member == self.me => return,
            (Some(heard), Some(_)) if self.members.is_live(heard.member) => {
                let term = |id| entry.claims.get(id).map_or(0, |claim| claim.term);
                let has_claimed = term(heard.member) > term(self.me);
                let is_known = entry.rival.is_some_and(|one| one.member == heard.member);
                entry.rival = Some(heard);
                if !has_claimed && !is_known {
                    self.outputs.push_back(Output::Doubt(heard.member));
                }
                self.meet(vip, station, Some(heard.member), false, now);
            }
            (Some(heard), Some(_)) => entry.rival = Some(heard),
            (Some(heard), None) => {
                if entry.is_watched() && !self.members.is_live(heard.member) {
                    entry.watched = Some(heard);
                }
            }
            (None, Some(_)) => self.meet(vip, station, None, false, now),
            (None, None) => {}
        }
        self.review(vip, now);
    }

    /// Whether to yield to a member on the segment, or to keep the VIP and say so; `None` if the
    /// claims decide.
    pub(super) fn yields(
        &self,
        election: &Election<'_>,
        hold: &Hold,
        rival: Heard,
    ) -> Option<bool> {
        if self.members.is_live(rival.member) {
            return None;
        }
        let term = |member| election.claims.get(member).map_or(0, |claim| claim.term);
        if term(rival.member) > term(self.me) {
            return Some(true);
        }
        let age = rival.at.saturating_duration_since(hold.since);
        if hold.from == Some(rival.member) && age < NEW_FROM {
            return Some(false);
        }
        Some(age > NEW || election.precedes(rival.member, self.me))
    }

    /// Stops, for this member has the VIP.
    pub(super) fn yield_to(&mut self, member: MemberId, vip: IpAddr, now: Instant) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let at = entry.rival.map_or(now, |heard| heard.at);
        // What it claims is higher than our claim, even if we cannot see it.
        let mine = entry.claims.get(self.me).map_or(0, |claim| claim.term);
        entry.claims.highest = entry.claims.highest.max(mine + 1);
        self.drop_hold(vip, true);
        if let Some(entry) = self.vips.get_mut(&vip) {
            entry.watched = Some(Heard { member, at });
        }
    }

    /// The claims decide about what this member has on the segment, as soon as those are known that it
    /// has made meanwhile; the same where a former run of it was watched. They may have come before it
    /// could be talked to, so that is not waited for.
    pub(super) fn reunite(&mut self, member: MemberId, now: Instant) {
        for vip in &self.unsettled {
            let Some(entry) = self.vips.get_mut(vip) else {
                continue;
            };
            let is_it = |heard: &&mut Heard| {
                heard.member == member || self.members.get(heard.member).is_none()
            };
            if let Some(heard) = entry.watched.as_mut().filter(is_it)
                && let Some(at) = (now + REUNION).checked_sub(WATCH)
            {
                heard.at = heard.at.min(at);
            }
        }
    }

    /// A daemon that is no member announces a VIP.
    fn meet_outsider(
        &mut self,
        vip: IpAddr,
        (mark, station): (Mark, MacAddress),
        local: MacAddress,
        now: Instant,
    ) {
        let mine = Mark::of(&self.settings.node, self.me.generation);
        let keeps = Mark::precedes((mine, local), (mark, station));
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        if entry.hold.is_some() && keeps {
            self.meet(vip, station, None, true, now);
        } else if entry.hold.is_some() || entry.is_watched() {
            entry.outsider = Some(Outsider {
                station,
                at: now,
                is_silent: false,
            });
        } else {
            return;
        }
        if self.outsiders.len() < MAX_OUTSIDERS && self.outsiders.insert(station) {
            let note = Note::Outsider { vip, station };
            self.outputs.push_back(Output::Note(note));
        }
    }

    /// Stops, for a daemon that is no member has the VIP.
    pub(super) fn yield_outside(&mut self, vip: IpAddr) {
        // Our claim keeps other members from trying in turn. Without any, nobody is to hear later of a
        // claim that was given up.
        let is_other = |(id, member): (MemberId, &Member)| id != self.me && member.is_live();
        let has_others = self.members.iter().any(is_other);
        self.drop_hold(vip, has_others);
    }

    /// A station that cannot be reasoned with, a daemon that has not heard us, or a member that should
    /// have stopped.
    fn meet(
        &mut self,
        vip: IpAddr,
        station: MacAddress,
        member: Option<MemberId>,
        is_outsider: bool,
        now: Instant,
    ) {
        let node = member.map(|member| self.members.name(member));
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let before = entry.intruder.take();
        // Who defends against one station after the other defends as rarely as against one.
        let defended = before
            .as_ref()
            .filter(|one| one.is_outsider == is_outsider)
            .and_then(|one| one.defended);
        let known = before.filter(|one| one.station == station);
        let mut intruder = known.unwrap_or(Intruder {
            station,
            node: node.clone(),
            is_outsider,
            first: now,
            last: now,
            defended,
        });
        intruder.last = now;
        intruder.is_outsider = is_outsider;
        let interval = if is_outsider {
            DEFEND_OUTSIDE
        } else {
            DEFEND_INTERVAL
        };
        let patience = if member.is_some() {
            OVERLAP
        } else {
            Duration::ZERO
        };
        let is_due = intruder.defended.is_none_or(|at| now >= at + interval);
        let is_told = is_outsider || intruder.defended.is_some();
        let defends = is_due && now >= intruder.first + patience;
        if defends {
            intruder.defended = Some(now);
        }
        entry.intruder = Some(intruder);
        if defends {
            let rival = entry.rival;
            self.defend(vip);
            if let Some(entry) = self.vips.get_mut(&vip) {
                entry.rival = rival;
            }
        }
        if defends && !is_told {
            let note = Note::Conflict { vip, station, node };
            self.outputs.push_back(Output::Note(note));
        }
    }
}

/// Ends the watch over a daemon that is not heard any more, or is a member now and has claimed the VIP.
pub(super) fn expire_outsider(entry: &mut Vip, members: &Members, now: Instant) {
    let Some(outsider) = &mut entry.outsider else {
        return;
    };
    outsider.is_silent |= now >= outsider.at + WATCH;
    let member = members.with_station(outsider.station);
    let has_claimed = |id: &MemberId| members.is_live(*id) && entry.claims.get(*id).is_some();
    if member.is_some_and(|id| has_claimed(&id)) {
        entry.outsider = None;
    }
}

/// Forgets a station that was quiet.
pub(super) fn expire(entry: &mut Vip, now: Instant) {
    let is_over = |one: &Intruder| now >= one.last + QUIET;
    entry.intruder = entry.intruder.take().filter(|one| !is_over(one));
}
