//! Who owns a VIP: one function of what is known of the members, and of their claims.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_gossip::MemberId;
use carillon_gossip::record::Claim;

use super::Scope;
use super::electorate::Electorate;
use super::ineligible::Ineligible;
use super::members::Members;
use super::order::Order;

/// The claims of one VIP.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    by_member: BTreeMap<MemberId, Claim>,
    /// The highest term that was ever seen, or inferred; it outlives the claim.
    pub(super) highest: u64,
}

impl Claims {
    pub(super) fn set(&mut self, member: MemberId, claim: Option<Claim>) {
        if let Some(claim) = claim {
            self.highest = self.highest.max(claim.term);
            self.by_member.insert(member, claim);
        } else {
            self.by_member.remove(&member);
        }
    }

    /// Higher than all of them.
    pub(super) fn next_term(&self) -> u64 {
        self.highest.saturating_add(1)
    }

    pub(super) fn get(&self, member: MemberId) -> Option<&Claim> {
        self.by_member.get(&member)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_member.is_empty()
    }
}

/// What makes a member the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Basis {
    /// Its claim counts: it has the VIP, and keeps it.
    Claim,
    /// Whose claim counts has named it.
    Successor,
    /// Nobody who could keep the VIP claims it, and this one is first in the order.
    Order,
}

/// Everything that decides about one VIP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Election<'a> {
    pub(super) members: &'a Members,
    pub(super) vip: IpAddr,
    pub(super) scope: &'a Scope,
    pub(super) claims: &'a Claims,
}

impl<'a> Election<'a> {
    /// Those who may have the VIP.
    pub(super) fn electorate(&self) -> Electorate<'a> {
        Electorate::new(self.members, self.vip, self.scope)
    }

    /// Whether a member may have the VIP.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn eligible(&self, member: MemberId) -> Result<(), Ineligible> {
        self.electorate().eligible(member)
    }

    /// The claim that counts: of those of live members the one with the highest term, of equal terms
    /// the one whose node comes first. The claims of others tell who had it last, no more.
    pub(super) fn counting(&self) -> Option<(MemberId, Claim)> {
        self.highest(|member| self.members.is_live(member))
    }

    /// The claim of whoever had it last, live or not.
    pub(super) fn last(&self) -> Option<(MemberId, Claim)> {
        self.highest(|_| true)
    }

    fn highest(&self, counts: impl Fn(MemberId) -> bool) -> Option<(MemberId, Claim)> {
        let claims = self.claims.by_member.iter();
        let mut claims = claims.filter(|(member, _)| counts(**member));
        let first = claims.next()?;
        let best = claims.fold(first, |best, other| match other.1.term.cmp(&best.1.term) {
            Ordering::Greater => other,
            Ordering::Equal if self.precedes(*other.0, *best.0) => other,
            Ordering::Equal | Ordering::Less => best,
        });
        Some((*best.0, *best.1))
    }

    /// Whether one member comes before another in the rendezvous order, whichever is preferred: two
    /// that do not know the same of nodes agree on it.
    pub(super) fn precedes(&self, one: MemberId, other: MemberId) -> bool {
        let order = Order::of(self.vip);
        let place = |id| (order.rank(&self.members.name(id)), id);
        place(one) < place(other)
    }

    /// The eligible members in the order of [`Electorate::order`]; with `soon`, also those that only are not ready yet.
    pub(super) fn order(&self, soon: bool) -> Arc<[MemberId]> {
        self.electorate().order(soon)
    }

    /// Who owns the VIP.
    pub(super) fn owner(&self) -> Option<(MemberId, Basis)> {
        if let Some((claimant, claim)) = self.counting() {
            let successor = claim.successor.filter(|one| *one != claimant);
            if let Some(successor) = successor.filter(|one| self.eligible(*one).is_ok()) {
                return Some((successor, Basis::Successor));
            }
            if self.eligible(claimant).is_ok() {
                return Some((claimant, Basis::Claim));
            }
        }
        let first = self.order(false).first().copied()?;
        Some((first, Basis::Order))
    }
}
