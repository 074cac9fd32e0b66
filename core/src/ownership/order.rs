//! The rendezvous order of a VIP's nodes: by the SHA-256 of `NODE#VIP`, as MetalLB has it, so that a
//! migrated cluster keeps its placement.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use carillon_gossip::MemberId;

use super::Scope;

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

/// The orders of the VIP that was asked for last: a look at a VIP asks for the same ones several times.
#[derive(Debug, Default)]
pub(super) struct LastOrder(RefCell<Option<Sorted>>);

#[derive(Debug)]
struct Sorted {
    vip: IpAddr,
    scope: Scope,
    /// Of those that are ready.
    ready: Option<Arc<[MemberId]>>,
    /// Of those that only are not ready yet, too.
    soon: Option<Arc<[MemberId]>>,
}

impl LastOrder {
    /// That of this VIP, made if it is not known.
    pub(super) fn get(
        &self,
        vip: IpAddr,
        scope: &Scope,
        soon: bool,
        make: impl FnOnce() -> Vec<MemberId>,
    ) -> Arc<[MemberId]> {
        let mut last = self.0.borrow_mut();
        let known = last.take_if(|last| last.vip == vip && last.scope == *scope);
        let known = last.insert(known.unwrap_or_else(|| Sorted {
            vip,
            scope: scope.clone(),
            ready: None,
            soon: None,
        }));
        let order = if soon {
            &mut known.soon
        } else {
            &mut known.ready
        };
        order.get_or_insert_with(|| make().into()).clone()
    }

    /// Something has changed that they depend on.
    pub(super) fn forget(&mut self) {
        *self.0.get_mut() = None;
    }
}
