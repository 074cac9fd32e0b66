//! Taking a VIP, keeping it, giving it up, and the claims that tell of it.

use std::net::IpAddr;
use std::time::Instant;

use carillon_gossip::MemberId;
use carillon_gossip::record::{Claim, Key, Value};

use super::election::{Basis, Election};
use super::other::Who;
use super::vip::{Hold, Tenure};
use super::{Holding, Note, Output, Ownership};

impl Ownership {
    /// Takes the VIP; the claim is published when it is on the wire.
    pub(super) fn take(&mut self, vip: IpAddr, now: Instant) {
        let Some(entry) = self.vips.get(&vip) else {
            return;
        };
        let Some(election) = self.election(vip, entry) else {
            return;
        };
        let is_named = election.owner() == Some((self.me, Basis::Successor));
        let is_pinned = is_named && election.order(false).first() != Some(&self.me);
        let silenced = entry.segment.silenced.as_ref().and_then(|one| one.member);
        let from = silenced.or_else(|| election.last().map(|(member, _)| member));
        let from = from.filter(|member| *member != self.me);
        let term = self.term_to_take(&election);
        let why = self.why(&election, entry, self.me, is_pinned);
        self.round += 1;
        let round = self.round;
        let holding = Holding::Here { round };
        self.outputs.push_back(Output::Hold {
            vip,
            holding: holding.clone(),
        });
        self.outputs.push_back(Output::Note(Note::Took {
            vip,
            why: why.clone(),
        }));
        if self.held.is_empty() {
            self.outputs.push_back(Output::Owner(true));
        }
        self.held.insert(vip);
        self.members.entry(self.me).claims.insert(vip);
        let node = self.settings.node.clone();
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let successor = None;
        entry.claims.set(self.me, Some(Claim { term, successor }));
        entry.hold = Some(Hold {
            round,
            taken: round,
            since: now,
            from,
            successor: None,
            is_pinned,
            has_heir: false,
        });
        entry.told = Some(holding);
        entry.withdraw_at = None;
        entry.segment.silenced = None;
        entry.segment.others.clear();
        entry.tenure = Some(Tenure {
            owner: self.me,
            node,
            since: now,
            why,
        });
        self.pacer.wake(now);
    }

    /// The term of the claim with which a VIP is taken.
    fn term_to_take(&self, election: &Election<'_>) -> u64 {
        let is_lost = |(last, _)| !self.members.is_live(last);
        if election.last().is_some_and(is_lost) && !self.is_heard() {
            return Claim::UNPROVEN;
        }
        election.claims.next_term()
    }

    /// Announces the VIP no more. Where `is_yielded`, it is announced by a member that we cannot talk
    /// to, and our claim tells those that can talk to us that it is taken.
    pub(super) fn drop_hold(&mut self, vip: IpAddr, is_yielded: bool) {
        let Some(entry) = self.vips.get(&vip) else {
            return;
        };
        // Ours is the claim that counts, but others are to decide anew at once.
        let counting = self.election(vip, entry).and_then(|one| one.counting());
        let is_void = counting.is_some_and(|(member, _)| member == self.me);
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        entry.hold = None;
        entry.segment.intruders.clear();
        entry.segment.others.clear();
        if entry.published.is_none() || (is_void && !is_yielded) {
            self.forget_claim(vip);
        }
        self.held.remove(&vip);
        if self.held.is_empty() {
            self.outputs.push_back(Output::Owner(false));
        }
    }

    /// Our claim is no more.
    pub(super) fn forget_claim(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        entry.claims.set(self.me, None);
        self.members.entry(self.me).claims.remove(&vip);
        if entry.published.take().is_some() {
            let key = Key::Claim(vip);
            self.outputs.push_back(Output::Publish { key, value: None });
        }
    }

    /// Publishes our claim as it is, if it is not what was published last.
    pub(super) fn publish_claim(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let claim = entry.claims.get(self.me).copied();
        if let Some(claim) = claim.filter(|_| entry.published != claim) {
            entry.published = Some(claim);
            let (key, value) = (Key::Claim(vip), Some(Value::Claim(claim)));
            self.outputs.push_back(Output::Publish { key, value });
        }
    }

    /// The VIP is on the wire as it was in this round. If it has been taken by then, it can be claimed.
    pub(super) fn applied(&mut self, vip: IpAddr, round: u64, now: Instant) {
        let entry = self.vips.get(&vip);
        let hold = entry.and_then(|entry| entry.hold.as_ref());
        if hold.is_some_and(|hold| hold.taken <= round) {
            self.publish_claim(vip);
            self.review(vip, now);
        }
    }

    /// A member claims a VIP, or does so no more.
    pub(super) fn set_claim(
        &mut self,
        member: MemberId,
        vip: IpAddr,
        claim: Option<Claim>,
        now: Instant,
    ) {
        let is_live = self.members.is_live(member);
        if claim.is_some() {
            let author = self.members.entry(member);
            author.claims.insert(vip);
            author.claimed_at = Some(now);
        } else {
            self.members.withdraw(member, |author| {
                author.claims.remove(&vip);
            });
        }
        let entry = self.vips.entry(vip).or_default();
        let is_news = entry.claims.get(member) != claim.as_ref();
        entry.claims.set(member, claim);
        if is_live && entry.hold.is_none() {
            // It can be talked to again, and so the claims decide.
            entry
                .segment
                .others
                .retain(|other| other.who != Who::Member(member));
        }
        self.review(vip, now);
        if is_live && is_news && claim.is_some() {
            self.announce_if_held(vip, now);
        }
    }

    /// A member that is back may have announced what we have.
    pub(super) fn announce_against(&mut self, member: MemberId, now: Instant) {
        let claims = self.members.get(member).map(|member| member.claims.clone());
        for vip in claims.into_iter().flatten() {
            self.announce_if_held(vip, now);
        }
    }

    fn announce_if_held(&mut self, vip: IpAddr, now: Instant) {
        let hold = self.vips.get(&vip).and_then(|entry| entry.hold.as_ref());
        if hold.is_some_and(|hold| hold.since < now) {
            self.defend(vip);
        }
    }

    /// Announces a VIP anew, as loud as at first.
    pub(super) fn defend(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        if let Some(hold) = &mut entry.hold {
            self.round += 1;
            hold.round = self.round;
            let holding = Holding::Here { round: self.round };
            entry.told = Some(holding.clone());
            self.outputs.push_back(Output::Hold { vip, holding });
        }
    }

    /// Claims the VIP with a higher term than everybody else.
    pub(super) fn raise(&mut self, vip: IpAddr) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let term = entry.claims.next_term();
        let is_public = entry.published.is_some();
        entry.claims.set(
            self.me,
            Some(Claim {
                term,
                successor: None,
            }),
        );
        if is_public {
            self.publish_claim(vip);
        }
    }
}
