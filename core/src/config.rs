//! The validated configuration. Every format leads to this one type, and nothing behind it sees a raw
//! object. There is one so far, that of MetalLB's ConfigMap ([`legacy`]); another is a module beside it
//! that yields a [`draft`].
//!
//! ```text
//!  manifest ─▶ Origin, text ─▶ yaml (located tree) ─▶ legacy (keys, types) ─▶ Draft ─▶ assemble ─▶ Config
//!                     rules on plain values: address, community, duration, peer, pool
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arcstr::ArcStr;
use ipnet::IpNet;

use crate::labels::Labels;

pub mod address;
pub mod advertisement;
pub mod assemble;
pub mod community;
mod decode;
pub mod draft;
pub mod duration;
pub mod error;
pub mod legacy;
pub mod objects;
pub mod origin;
pub mod peer;
pub mod place;
pub mod pool;
pub mod service_allocation;

pub use advertisement::{
    AdvertisementName, AdvertisementNames, Audience, BgpAdvertisement, L2Advertisement,
    OtherAdvertisement, PreferredNodes, Protocol,
};
pub use community::Community;
pub use peer::{Password, Peer, PeerName};
pub use service_allocation::{Priority, ServiceAllocation};

/// The name of a pool. It is known in several places of every service that has addresses of the pool,
/// so it is a single pointer.
pub type PoolName = ArcStr;

/// Everything the user configured, checked as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The pools by name.
    pub pools: BTreeMap<PoolName, Arc<Pool>>,
    /// What is announced by ARP and NDP.
    pub layer2: Vec<Arc<L2Advertisement>>,
    /// What is announced by BGP, and to whom.
    pub bgp: Bgp,
    /// What other backends announce.
    pub others: Vec<Arc<OtherAdvertisement>>,
    /// What becomes of addresses in use that no pool has.
    pub addresses_in_use: AddressesInUse,
}

/// What becomes of addresses that services have and the pools of a configuration have not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressesInUse {
    /// They stay: the configuration waits until they are released, as in MetalLB's ConfigMap.
    #[default]
    Keep,
    /// They are taken away, and their services get others, as with MetalLB's resources.
    Reallocate,
}

/// The part of BGP in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bgp {
    /// The peers, in the order written.
    pub peers: Vec<Arc<Peer>>,
    /// How VIPs become routes.
    pub advertisements: Vec<Arc<BgpAdvertisement>>,
}

/// Addresses to allocate from. Advertisements say how they are announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The name, unique.
    pub name: PoolName,
    /// The address blocks in the order written (ranges expanded to CIDRs, ascending); disjoint over
    /// all pools. None in a pool that is there, but refused: it has nothing to give.
    pub blocks: Vec<IpNet>,
    /// Do not hand out IPv4 addresses that end in 0 or 255.
    pub avoid_buggy_ips: bool,
    /// Hand out addresses to services that do not ask for this pool by name or address.
    pub auto_assign: bool,
    /// The services that it is for; `None`: any.
    pub allocation: Option<ServiceAllocation>,
    /// The labels by which advertisements select it.
    pub labels: Labels,
}

impl Default for Pool {
    /// A pool without addresses yet, and without anything that is optional.
    fn default() -> Self {
        Self {
            name: PoolName::new(),
            blocks: Vec::new(),
            avoid_buggy_ips: false,
            auto_assign: true,
            allocation: None,
            labels: Labels::new(),
        }
    }
}

/// Whether an address belongs to those that old equipment takes for network or broadcast addresses:
/// IPv4 ending in .0 or .255.
pub fn is_buggy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [_, _, _, 0 | 255]),
        IpAddr::V6(_) => false,
    }
}
