//! What follows from a look at a VIP: who is said to have it and why, and when to look again.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use carillon_gossip::{Departure, MemberId};

use super::conflict::QUIET;
use super::election::{Basis, Election};
use super::members::Presence;
use super::other::Who;
use super::vip::{Tenure, Vip};
use super::{Holding, Output, Ownership, Scope, Why};

/// How long a claim that no longer holds stays published.
const LINGER: Duration = Duration::from_secs(5);

impl Ownership {
    /// Tells what is news about a VIP; `until` is when the decision about it may change by itself.
    pub(super) fn conclude(&mut self, vip: IpAddr, until: Option<Instant>, now: Instant) {
        let Some(entry) = self.vips.get(&vip) else {
            return;
        };
        let election = self.election(vip, entry);
        let owner = election.and_then(|election| election.owner());
        let shown = election.and_then(|election| shown(&election, entry, self.is_ready()));
        let tenure = match (shown, &entry.tenure) {
            (None, _) => None,
            // Its name may have come after its claim.
            (Some(shown), Some(tenure)) if tenure.owner == shown => Some(Tenure {
                node: self.members.name(shown),
                ..tenure.clone()
            }),
            (Some(shown), _) => election.map(|election| Tenure {
                owner: shown,
                node: self.members.name(shown),
                since: now,
                why: self.why(&election, entry, shown, false),
            }),
        };
        let is_unsettled = entry.scope.is_some() && self.is_unsettled(vip, entry, owner);
        let has_heir = owner.is_some_and(|(member, _)| member != self.me);
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        entry.tenure = tenure;
        let is_void = entry.hold.is_none() && !entry.is_watched() && entry.published.is_some();
        let withdraw_at = entry.withdraw_at.unwrap_or(now + LINGER);
        entry.withdraw_at = is_void.then_some(withdraw_at);
        let deadline = deadline(entry, until);
        if let Some(hold) = &mut entry.hold {
            hold.has_heir = has_heir;
        }
        self.deadlines.replace(vip, entry.deadline, deadline);
        entry.deadline = deadline;
        if is_unsettled {
            self.unsettled.insert(vip);
        } else {
            self.unsettled.remove(&vip);
        }
        self.tell_asked(vip);
        self.tell_holding(vip);
    }

    /// Tells the speaker who has the VIP if that is another, and forgets what is of no use.
    fn tell_holding(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        if entry.hold.is_some() {
            return;
        }
        let was_here = matches!(entry.told, Some(Holding::Here { .. }));
        let holding = Holding::Elsewhere {
            owner: entry.tenure.as_ref().map(|tenure| tenure.node.clone()),
            watched: entry.is_watched() || self.waiting.contains(&vip),
        };
        let is_news = entry.told.as_ref() != Some(&holding);
        if is_news && (entry.scope.is_some() || was_here) {
            let holding = holding.clone();
            self.outputs.push_back(Output::Hold { vip, holding });
        }
        entry.told = entry.scope.is_some().then_some(holding);
        if entry.is_idle() {
            self.deadlines.replace(vip, entry.deadline, None);
            self.vips.remove(&vip);
        }
    }

    /// Why a member has the VIP that another had, or nobody.
    pub(super) fn why(
        &self,
        election: &Election<'_>,
        entry: &Vip,
        owner: MemberId,
        is_pinned: bool,
    ) -> Why {
        if is_held_by(entry, owner) {
            return Why::Heard(self.settings.node.clone());
        }
        if let Some(silenced) = entry.segment.silenced.as_ref().filter(|_| owner == self.me) {
            return Why::Silent(silenced.name.clone());
        }
        let Some(before) = &entry.tenure else {
            let is_found = !self.is_ready() && owner != self.me;
            return if is_found { Why::Found } else { Why::First };
        };
        let from = before.node.clone();
        match self.members.get(before.owner).map(|member| member.presence) {
            Some(Presence::Live) => {}
            Some(Presence::Gone(why)) => return Why::Gone(from, why),
            Some(Presence::Unreached) | None => return Why::Gone(from, Departure::Lost),
        }
        let claim = election.claims.get(before.owner);
        if claim.is_some_and(|claim| claim.successor == Some(owner)) {
            return if is_pinned {
                Why::Moved(from)
            } else {
                Why::HandedOver(from)
            };
        }
        match (election.eligible(before.owner), claim) {
            _ if before.owner == owner => before.why.clone(),
            (Err(why), _) => Why::Unfit(from, why),
            (Ok(()), Some(_)) => Why::HigherClaim(from),
            (Ok(()), None) => Why::Waited,
        }
    }

    /// Whether news of any member may change who has the VIP.
    fn is_unsettled(&self, vip: IpAddr, entry: &Vip, owner: Option<(MemberId, Basis)>) -> bool {
        if !entry.segment.others.is_empty() {
            return true;
        }
        match owner {
            Some((member, Basis::Claim)) => {
                let member = self.members.get(member);
                let scope = entry.scope.as_ref().unwrap_or(&Scope::Anywhere);
                let is_near = member.is_some_and(|member| member.has_subnet_of(vip, scope));
                if member.is_some_and(|member| scope.is_last_resort(&member.name())) {
                    return true;
                }
                // Where nobody is on its subnet, a new subnet is what matters.
                !is_near && self.members.addresses.have_subnet_of(vip)
            }
            Some((_, Basis::Successor | Basis::Order)) | None => true,
        }
    }
}

/// When a VIP is to be looked at again.
fn deadline(entry: &Vip, until: Option<Instant>) -> Option<Instant> {
    let hold = entry.hold.as_ref();
    let successor = hold.and_then(|hold| hold.successor).map(|(_, until)| until);
    let times = [
        until,
        entry.segment.others.deadline(),
        entry
            .segment
            .intruders
            .values()
            .map(|one| one.last + QUIET)
            .min(),
        entry.request.map(|(_, until)| until),
        entry.withdraw_at,
        successor,
    ];
    times.into_iter().flatten().min()
}

/// The member that has the VIP as far as is known, or else, if this one `foresees`, the one that is
/// to take it.
fn shown(election: &Election<'_>, entry: &Vip, foresees: bool) -> Option<MemberId> {
    if let Some((_, other)) = entry
        .segment
        .others
        .holder()
        .filter(|_| entry.hold.is_none())
    {
        return match other.who {
            Who::Member(member) => Some(member),
            Who::Stranger { .. } => None,
        };
    }
    let members = election.members;
    // Who cannot talk to it any more, and watches over what it has, claims that in its name.
    let is_gone = |member: &MemberId| entry.hold.is_none() && !members.is_live(*member);
    let counting = election.counting();
    let counting =
        counting.map(|(member, claim)| claim.successor.filter(is_gone).unwrap_or(member));
    let expected = || election.owner().filter(|_| foresees);
    counting.or_else(|| expected().map(|(member, _)| member))
}

/// Whether this member is on the segment with the VIP.
pub(super) fn is_held_by(entry: &Vip, owner: MemberId) -> bool {
    let holder = entry
        .segment
        .others
        .holder()
        .filter(|_| entry.hold.is_none());
    holder.is_some_and(|(_, other)| other.who == Who::Member(owner))
}
