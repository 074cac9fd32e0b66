//! The rendezvous order of a VIP's nodes: that of MetalLB, so that a migrated cluster keeps its
//! placement (behaviour reference 4.3).

use std::cell::RefCell;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::membership::MemberId;

/// A node's place in the order of one VIP; the lowest is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank([u8; 32]);

/// The order of one VIP.
#[derive(Debug)]
pub(super) struct Order(String);

impl Order {
    /// That of this VIP.
    pub(super) fn of(vip: IpAddr) -> Self {
        Self(format!("#{vip}"))
    }

    /// Where a node of this name stands in it.
    pub(super) fn rank(&self, node: &str) -> Rank {
        let digest = Sha256::new().chain_update(node).chain_update(&self.0);
        Rank(digest.finalize().into())
    }
}

/// The order that was asked for last: a look at a VIP asks for the same one several times.
#[derive(Debug, Default)]
pub(super) struct LastOrder(RefCell<Option<Sorted>>);

#[derive(Debug)]
struct Sorted {
    vip: IpAddr,
    members: Vec<MemberId>,
    order: Vec<MemberId>,
}

impl LastOrder {
    /// These members in the order of this VIP, by the names of their nodes.
    pub(super) fn sort<N: AsRef<str>>(
        &self,
        vip: IpAddr,
        members: Vec<MemberId>,
        name: impl Fn(MemberId) -> N,
    ) -> Vec<MemberId> {
        if members.len() < 2 {
            return members;
        }
        let mut last = self.0.borrow_mut();
        if let Some(last) = &*last
            && last.vip == vip
            && last.members == members
        {
            return last.order.clone();
        }
        let order = Order::of(vip);
        let mut sorted = members.clone();
        sorted.sort_by_cached_key(|id| (order.rank(name(*id).as_ref()), *id));
        *last = Some(Sorted {
            vip,
            members,
            order: sorted.clone(),
        });
        sorted
    }

    /// A name has changed.
    pub(super) fn forget(&mut self) {
        *self.0.get_mut() = None;
    }
}
