//! The validated configuration. Both of MetalLB's formats lead to this one type; nothing behind it
//! sees a raw object.
//!
//! ```text
//!  manifest ─▶ Origin, text ─▶ yaml (located tree) ─▶ legacy (keys, types) ─▶ Config
//!                                    rules on plain values: address, community, duration,
//!                                    peer, pool; of the whole: validate  ──▲
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use arcstr::ArcStr;
use ipnet::IpNet;

use crate::selector::Selector;

pub mod address;
pub mod advertisement;
pub mod community;
mod decode;
pub mod duration;
pub mod error;
pub mod legacy;
pub mod origin;
pub mod peer;
pub mod place;
pub mod pool;
pub mod validate;

pub use advertisement::{
    AdvertisementName, AdvertisementNames, Audience, BgpAdvertisement, L2Advertisement,
    OtherAdvertisement, Protocol,
};

/// The name of a pool. It is known in several places of every service that has addresses of the pool,
/// so it is a single pointer.
pub type PoolName = ArcStr;

/// The name of a BGP peer.
pub type PeerName = ArcStr;

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
    /// all pools.
    pub blocks: Vec<IpNet>,
    /// Do not hand out IPv4 addresses that end in 0 or 255.
    pub avoid_buggy_ips: bool,
    /// Hand out addresses to services that do not ask for this pool by name or address.
    pub auto_assign: bool,
}

/// Whether an address belongs to those that old equipment takes for network or broadcast addresses:
/// IPv4 ending in .0 or .255.
pub fn is_buggy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [_, _, _, 0 | 255]),
        IpAddr::V6(_) => false,
    }
}

/// A standard BGP community, RFC 1997; written `64512:100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Community(pub u32);

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// A BGP peer, as the user describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The name; where a format has none, what [`NeighborStatus::name`] is.
    ///
    /// [`NeighborStatus::name`]: crate::backend::NeighborStatus::name
    pub name: PeerName,
    /// Our AS number; not 0.
    pub my_asn: u32,
    /// The peer's AS number; not 0. Equal to ours for iBGP.
    pub peer_asn: u32,
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's TCP port.
    pub port: u16,
    /// The local address to connect from; it also becomes the next hop of its family.
    pub source_address: Option<IpAddr>,
    /// The hold time to propose: 0, or at least 3 s; whole seconds.
    pub hold_time: Duration,
    /// The keepalive interval; a third of the negotiated hold time if not given.
    pub keepalive_time: Option<Duration>,
    /// The BGP identifier; taken from the session's local address if not given.
    pub router_id: Option<Ipv4Addr>,
    /// The nodes that have this session: those that any of these match; all nodes when there are
    /// none.
    pub node_selectors: Vec<Selector>,
    /// The TCP MD5 password (RFC 2385).
    pub password: Option<Password>,
    /// eBGP over more than one hop: `Some(true)` and `None` leave the TTL to the kernel as
    /// MetalLB's native mode does, `Some(false)` limits the session to directly connected routers
    /// (TTL 1).
    pub ebgp_multihop: Option<bool>,
}

/// A secret that does not show in logs or debug output.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
