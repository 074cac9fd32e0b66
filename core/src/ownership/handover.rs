//! An owner names its successor: because a person wants it, or to rebalance.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carillon_gossip::MemberId;
use carillon_gossip::record::{Claim, Key, Request, Value};

use super::ineligible::Ineligible;
use super::{HANDOVER, Note, Output, Ownership};

/// How long a person's wish stays published.
const REQUEST: Duration = Duration::from_secs(10);

/// Why a VIP does not move as a person wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// It is no candidate.
    #[error("no Service whose address has one owner has {0}")]
    NoSuchVip(IpAddr),
    /// No member is on such a node.
    #[error("there is no node {0:?}; there are {1}")]
    NoSuchNode(String, String),
    /// The node may not have it.
    #[error("{node} cannot have {vip}: {why}; {eligible}")]
    Ineligible {
        /// The VIP.
        vip: IpAddr,
        /// The node.
        node: Arc<str>,
        /// Why it may not.
        why: Ineligible,
        /// Which may, as a sentence.
        eligible: String,
    },
    /// It is there.
    #[error("{0} has it already")]
    AlreadyThere(Arc<str>),
    /// Nobody has it that could hand it over.
    #[error("no node has {0} at the moment; try again in some seconds")]
    NoOwner(IpAddr),
}

impl Ownership {
    /// A person wants a VIP to go to the node of this name. Where another member has it, that is
    /// asked by a record, so the command may be given anywhere.
    ///
    /// # Errors
    /// It cannot go there.
    pub fn move_vip(&mut self, vip: IpAddr, to: &str, now: Instant) -> Result<(), MoveError> {
        let entry = self.vips.get(&vip);
        let election = entry.and_then(|entry| self.election(vip, entry));
        let Some((entry, election)) = entry.zip(election) else {
            return Err(MoveError::NoSuchVip(vip));
        };
        let is_it = |(_, member): &(MemberId, &super::members::Member)| &*member.name() == to;
        let members = self.members.iter().filter(is_it);
        let target = members.max_by_key(|(id, member)| (member.is_live(), id.generation));
        let Some((target, _)) = target else {
            let names = self.members.iter().map(|(id, _)| self.members.name(id));
            return Err(MoveError::NoSuchNode(to.to_owned(), list(names)));
        };
        let node = self.members.name(target);
        if let Err(why) = election.eligible(target) {
            let order = election.order(false);
            let names = list(order.iter().map(|id| self.members.name(*id)));
            let eligible = match names.as_str() {
                "" => "no node can".to_owned(),
                names => format!("these can: {names}"),
            };
            return Err(MoveError::Ineligible {
                vip,
                node,
                why,
                eligible,
            });
        }
        let Some((owner, claim)) = election.counting() else {
            return Err(MoveError::NoOwner(vip));
        };
        if owner == target {
            return Err(MoveError::AlreadyThere(node));
        }
        if owner != self.me {
            let request = Request {
                to: target,
                term: claim.term,
            };
            self.publish_request(vip, request, now);
            return Ok(());
        }
        if entry.hold.is_none() || entry.published.is_none() {
            return Err(MoveError::NoOwner(vip));
        }
        self.hand_over(vip, target, now);
        Ok(())
    }

    fn publish_request(&mut self, vip: IpAddr, request: Request, now: Instant) {
        if let Some(entry) = self.vips.get_mut(&vip) {
            entry.request = Some((request.term, now + REQUEST));
        }
        let (key, value) = (Key::Request(vip), Some(Value::Request(request)));
        self.outputs.push_back(Output::Publish { key, value });
        self.review(vip, now);
    }

    /// Another member passes on what a person wants.
    pub(super) fn requested(&mut self, vip: IpAddr, request: Request, now: Instant) {
        let Some(entry) = self.vips.get(&vip) else {
            return;
        };
        let claim = entry.published.filter(|_| entry.hold.is_some());
        let is_meant = claim.is_some_and(|claim| claim.term == request.term);
        let election = self.election(vip, entry);
        let is_fit = election.is_some_and(|election| election.eligible(request.to).is_ok());
        if is_meant && is_fit && request.to != self.me {
            self.hand_over(vip, request.to, now);
        }
    }

    /// Names the member that is to take a VIP of ours.
    pub(super) fn hand_over(&mut self, vip: IpAddr, to: MemberId, now: Instant) {
        self.name_successor(vip, Some((to, now + HANDOVER)));
        self.review(vip, now);
    }

    /// Whether a VIP of ours is to go to a member now: one that announces it then does what it should,
    /// as long as there is time for that.
    pub(super) fn gives_up(&self, vip: IpAddr, to: MemberId, now: Instant) -> bool {
        let Some(entry) = self.vips.get(&vip) else {
            return false;
        };
        let election = self.election(vip, entry);
        let owner = election.and_then(|election| election.owner());
        let since = entry.unserved_since;
        owner.is_some_and(|(owner, _)| owner == to)
            && since.is_some_and(|since| now < since + HANDOVER)
    }

    /// A successor that has not taken the VIP in time is named no more.
    pub(super) fn expire_successor(&mut self, vip: IpAddr, now: Instant) {
        let hold = self.vips.get(&vip).and_then(|entry| entry.hold.as_ref());
        let successor = hold.and_then(|hold| hold.successor);
        if let Some((member, _)) = successor.filter(|(_, until)| now >= *until) {
            let by = self.members.name(member);
            self.outputs
                .push_back(Output::Note(Note::NotTaken { vip, by }));
            self.name_successor(vip, None);
        }
    }

    fn name_successor(&mut self, vip: IpAddr, successor: Option<(MemberId, Instant)>) {
        let Some(entry) = self.vips.get_mut(&vip) else {
            return;
        };
        let Some(term) = entry.claims.get(self.me).map(|claim| claim.term) else {
            return;
        };
        if let Some(hold) = &mut entry.hold {
            hold.successor = successor;
        }
        let successor = successor.map(|(member, _)| member);
        entry.claims.set(self.me, Some(Claim { term, successor }));
        self.publish_claim(vip);
    }
}

/// Names, each once, in order.
fn list(names: impl Iterator<Item = Arc<str>>) -> String {
    let names: BTreeSet<Arc<str>> = names.collect();
    names
        .iter()
        .map(|name| &**name)
        .collect::<Vec<_>>()
        .join(", ")
}
