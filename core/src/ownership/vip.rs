//! What this member knows of one VIP.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use carillon_gossip::MemberId;
use carillon_gossip::record::Claim;

use super::election::Claims;
use super::explain::Why;
use super::segment::Segment;
use super::{Holding, Scope};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Vip {
    /// Which nodes may have it; `None` if it is no candidate here, and only others claim it.
    pub(super) scope: Option<Scope>,
    /// The claims of all members, also that of this one, which is there from the moment it takes the
    /// VIP.
    pub(super) claims: Claims,
    /// This member has it.
    pub(super) hold: Option<Hold>,
    /// Our claim as it was published last.
    pub(super) published: Option<Claim>,
    /// When our claim is to be withdrawn, for the VIP is not ours any more. Not at once: whoever
    /// hears of that before it hears of the claim that replaces it would take the VIP.
    pub(super) withdraw_at: Option<Instant>,
    /// Since when no claim of a member that may keep it counts.
    pub(super) unserved_since: Option<Instant>,
    /// What is heard of it on the segment.
    pub(super) segment: Segment,
    /// A person's wish that was published, its term and how long.
    pub(super) request: Option<(u64, Instant)>,
    /// What was told of it last.
    pub(super) told: Option<Holding>,
    /// Who is known to have it, since when and why.
    pub(super) tenure: Option<Tenure>,
    /// When it is to be looked at again.
    pub(super) deadline: Option<Instant>,
}

impl Vip {
    /// A member is known by another identity.
    pub(super) fn rename(&mut self, before: MemberId, now: MemberId) {
        if let Some(claim) = self.claims.get(before).copied() {
            self.claims.set(before, None);
            self.claims.set(now, Some(claim));
        }
        if let Some(tenure) = &mut self.tenure
            && tenure.owner == before
        {
            tenure.owner = now;
        }
    }

    /// Whether this member looks on the segment who has it.
    pub(super) fn is_watched(&self) -> bool {
        self.hold.is_none() && self.segment.others.may_have_it()
    }

    /// Nothing is known of it that would have to be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.scope.is_none()
            && self.hold.is_none()
            && self.claims.is_empty()
            && self.request.is_none()
            && self.segment.asked.is_empty()
    }
}

/// That this member has a VIP.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) round: u64,
    /// That in which it was taken.
    pub(super) taken: u64,
    pub(super) since: Instant,
    /// Whose claim counted before.
    pub(super) from: Option<MemberId>,
    /// Who is to take it, and until when that is waited for.
    pub(super) successor: Option<(MemberId, Instant)>,
    /// A person wants it here.
    pub(super) is_pinned: bool,
    /// Whether somebody else may have it, should we give it up.
    pub(super) has_heir: bool,
}

/// Who has a VIP.
#[derive(Clone, Debug)]
pub(super) struct Tenure {
    pub(super) owner: MemberId,
    pub(super) node: Arc<str>,
    pub(super) since: Instant,
    pub(super) why: Why,
}

/// VIPs in the order in which they are to be looked at again.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Instant, IpAddr)>);

impl Deadlines {
    pub(super) fn replace(&mut self, vip: IpAddr, old: Option<Instant>, new: Option<Instant>) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.0.remove(&(old, vip));
        }
        if let Some(new) = new {
            self.0.insert((new, vip));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Those that are due.
    pub(super) fn due(&self, now: Instant) -> Vec<IpAddr> {
        let due = self.0.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, vip)| *vip).collect()
    }
}
