//! One look at one VIP: what this member does about it, by what is known at this moment. It may be
//! repeated at any time, and does nothing then.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_gossip::MemberId;
use carillon_gossip::record::{Claim, Key};

use crate::address::Family;
use crate::interface::MacAddress;

use super::election::{Basis, Election};
use super::ineligible::Ineligible;
use super::inquiry::Clearance;
use super::other::Intrusion;
use super::vip::Vip;
use super::{HANDOVER, Note, Output, Ownership, TURN};

/// How many turns at most a VIP that nobody ever had waits for members that are not ready yet.
const MAX_TURNS: u32 = 3;

/// How long a member that was cut off, and can announce again, waits for word from the others: they
/// have most likely taken what it had, and are heard before their claims are.
const RETURN: Duration = Duration::from_secs(2);

/// How many steps follow each other at most: each station that says to have it may call for two.
const STEPS: usize = 10;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, at least until then.
    Stay(Option<Instant>),
    /// Not yet: whether it may be taken is known then, or when another station is heard.
    Wait(Option<Instant>),
    /// Take it.
    Take,
    /// Stop.
    Drop,
    /// Stop, for the daemon at this station has it.
    Yield(MacAddress),
    /// Ask this station whether it has it.
    Ask(MacAddress),
    /// Keep it against this station.
    Repel(MacAddress, Intrusion),
    /// Find out whether this member, which cannot be talked to, is on the segment.
    Suspect(MemberId),
    /// Leave it to this member, which is.
    Guard(MemberId),
    /// Claim it with a higher term, for another is to stop that may not keep it.
    Raise,
}

impl Ownership {
    /// Brings a VIP up to date.
    pub(super) fn review(&mut self, vip: IpAddr, now: Instant) {
        if !self.vips.contains_key(&vip) {
            return;
        }
        self.expire(vip, now);
        self.mark_unserved(vip, now);
        self.waiting.remove(&vip);
        let was_held = self.held.contains(&vip);
        let mut until = None;
        // A step changes what is known, and so may call for one more; never for many.
        for _ in 0..STEPS {
            match self.step(vip, now) {
                Step::Stay(at) => {
                    until = at;
                    break;
                }
                Step::Wait(at) => {
                    until = at;
                    self.waiting.insert(vip);
                    if self.waiting.len() == 1 {
                        self.find_witnesses();
                    }
                    break;
                }
                Step::Take => self.take(vip, now),
                Step::Drop => self.drop_hold(vip, false),
                Step::Yield(station) => self.yield_to(vip, station),
                Step::Ask(station) => self.ask(vip, station, now),
                Step::Repel(station, kind) => self.repel_daemon(vip, station, kind, now),
                Step::Suspect(member) => self.suspect(member, now),
                Step::Guard(member) => self.guard(vip, member, now),
                Step::Raise => self.raise(vip),
            }
            self.mark_unserved(vip, now);
        }
        self.conclude(vip, until, now);
        self.tell_loss(vip, was_held);
    }

    /// Tells people if the VIP is not here any more.
    fn tell_loss(&mut self, vip: IpAddr, was_held: bool) {
        if was_held && !self.held.contains(&vip) {
            let entry = self.vips.get(&vip);
            let tenure = entry.and_then(|entry| entry.tenure.as_ref());
            let to = tenure.map(|tenure| tenure.node.clone());
            let other = || {
                let (station, other) = entry?.segment.others.holder()?;
                Some(other.name(station, &self.members))
            };
            let to = to.or_else(other);
            self.outputs
                .push_back(Output::Note(Note::GaveUp { vip, to }));
        }
    }

    pub(super) fn election<'a>(&'a self, vip: IpAddr, entry: &'a Vip) -> Option<Election<'a>> {
        let scope = entry.scope.as_ref()?;
        Some(Election {
            members: &self.members,
            vip,
            scope,
            claims: &entry.claims,
        })
    }

    /// Ends what has had its time.
    fn expire(&mut self, vip: IpAddr, now: Instant) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let is_over = |at: Instant| now >= at;
        super::conflict::expire(entry, &self.members, now);
        if let Some((term, until)) = entry.request
            && (is_over(until) || entry.claims.highest > term)
        {
            entry.request = None;
            let key = Key::Request(vip);
            self.outputs.push_back(Output::Publish { key, value: None });
        }
        if entry.withdraw_at.is_some_and(is_over) {
            entry.withdraw_at = None;
            self.forget_claim(vip);
        }
        self.expire_successor(vip, now);
    }

    fn mark_unserved(&mut self, vip: IpAddr, now: Instant) {
        let Some(entry) = self.vips.get(&vip) else {
            return;
        };
        let election = self.election(vip, entry);
        let owner = election.map(|election| election.owner());
        let is_unserved = owner.is_some_and(|owner| !matches!(owner, Some((_, Basis::Claim))));
        if let Some(entry) = self.vips.get_mut(&vip) {
            let since = entry.unserved_since.unwrap_or(now);
            entry.unserved_since = is_unserved.then_some(since);
        }
    }

    fn step(&self, vip: IpAddr, now: Instant) -> Step {
        let Some(entry) = self.vips.get(&vip) else {
            return Step::Stay(None);
        };
        match (self.election(vip, entry), &entry.hold) {
            (None, None) => Step::Stay(None),
            (None, Some(_)) => Step::Drop,
            (Some(election), Some(hold)) => self
                .confront(&election, entry, hold)
                .unwrap_or_else(|| self.as_holder(&election, entry, now)),
            (Some(election), None) => self.as_other(vip, &election, entry, now),
        }
    }

    fn as_holder(&self, election: &Election<'_>, entry: &Vip, now: Instant) -> Step {
        let owner = election.owner();
        let counting = election.counting();
        let is_other = counting.is_some_and(|(member, _)| member != self.me);
        match owner {
            Some((member, _)) if member == self.me && is_other => return Step::Raise,
            Some((member, _)) if member == self.me => return Step::Stay(None),
            Some((_, Basis::Claim)) => return Step::Drop,
            // The other has it as well, and is to hand it over.
            Some((_, Basis::Successor | Basis::Order)) | None if is_other => return Step::Drop,
            Some((_, Basis::Successor | Basis::Order)) | None => {}
        }
        let Err(why) = election.eligible(self.me) else {
            return Step::Stay(None);
        };
        match why {
            Ineligible::NotReady
            | Ineligible::OffSegment
            | Ineligible::ProxyNotReady
            | Ineligible::Terminating => Step::Stay(None),
            Ineligible::Impeded(impediment) if !impediment.is_lasting() => Step::Stay(None),
            Ineligible::Impeded(_) | Ineligible::OutOfScope => {
                let until = entry.unserved_since.map(|since| since + HANDOVER);
                if owner.is_none() || until.is_none_or(|until| now >= until) {
                    Step::Drop
                } else {
                    Step::Stay(until)
                }
            }
            Ineligible::Unreached
            | Ineligible::Lost
            | Ineligible::Left
            | Ineligible::Unknown
            | Ineligible::Family(_)
            | Ineligible::NoInterface
            | Ineligible::NoPort
            | Ineligible::OtherInterfaces(_)
            | Ineligible::HostAddress => Step::Drop,
        }
    }

    fn as_other(&self, vip: IpAddr, election: &Election<'_>, entry: &Vip, now: Instant) -> Step {
        let is_unable = !self.is_ready() || election.eligible(self.me).is_err();
        if is_unable || entry.is_watched() {
            return Step::Stay(None);
        }
        let Some((owner, basis)) = election.owner() else {
            return Step::Stay(None);
        };
        let since = entry.unserved_since.unwrap_or(now);
        let at = match basis {
            Basis::Claim | Basis::Successor if owner == self.me => now,
            Basis::Claim => return Step::Stay(None),
            Basis::Order if owner == self.me => {
                let is_new = entry.claims.highest == 0;
                let turns = if is_new {
                    self.turns(election, true)
                } else {
                    0
                };
                let at = since + TURN * turns.min(MAX_TURNS);
                let returned = self.returned.get(&Family::of(election.vip));
                returned.map_or(at, |returned| at.max(*returned + RETURN))
            }
            Basis::Successor | Basis::Order => {
                let is_served = |(member, claim): (MemberId, Claim)| {
                    claim.successor.is_some() && election.eligible(member).is_ok()
                };
                if election.counting().is_some_and(is_served) {
                    return Step::Stay(None);
                }
                // Those that are busy taking others will get to this one.
                let busy = self.members.get(owner).and_then(|member| member.claimed_at);
                since.max(busy.unwrap_or(since)) + TURN * self.turns(election, false).max(1)
            }
        };
        if now < at {
            return Step::Stay(Some(at));
        }
        match self.clearance(vip, election, now) {
            Clearance::Clear => Step::Take,
            Clearance::Wait(until) => Step::Wait(until),
            Clearance::Unknown(member) => Step::Suspect(member),
            Clearance::Lives(member) => Step::Guard(member),
        }
    }

    /// How many members come before this one.
    fn turns(&self, election: &Election<'_>, soon: bool) -> u32 {
        let order = election.order(soon);
        let before = order.iter().take_while(|member| **member != self.me);
        u32::try_from(before.count())
            .unwrap_or(u32::MAX)
            .min(1 << 16)
    }
}
