//! The rendezvous order of a VIP's nodes: that of MetalLB, so that a migrated cluster keeps its
//! placement (behaviour reference 4.3).

use std::net::IpAddr;

use sha2::{Digest, Sha256};

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
