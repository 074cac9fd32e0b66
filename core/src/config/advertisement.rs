//! Advertisements: how VIPs are announced, and for which of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arcstr::ArcStr;

use super::{Community, Config, PeerName, PoolName};
use crate::address::Family;
use crate::interface::InterfaceNames;
use crate::selector::Selector;

/// The name of an advertisement, unique among those of its kind.
pub type AdvertisementName = ArcStr;

/// The names of advertisements that a VIP is announced by, ascending. Those that are announced alike
/// share one.
pub type AdvertisementNames = Arc<[AdvertisementName]>;

/// What an advertisement is for: the VIPs of these services from these pools, announced from these
/// nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// The pools. It is for no others.
    pub pools: BTreeSet<PoolName>,
    /// The services: those that any of these matches; all when there are none.
    pub services: Vec<Selector>,
    /// The nodes: those that any of these matches; all when there are none.
    pub nodes: Vec<Selector>,
}

impl Audience {
    /// Everything of one pool.
    pub fn of_pool(pool: PoolName) -> Self {
        Self {
            pools: [pool].into(),
            ..Self::default()
        }
    }
}

/// How VIPs are announced on a network segment: by ARP for IPv4, by NDP for IPv6.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct L2Advertisement {
    /// Its name.
    pub name: AdvertisementName,
    /// What it is for.
    pub audience: Audience,
    /// The names of the interfaces that it announces on; all when there are none.
    pub interfaces: InterfaceNames,
    /// The nodes that are preferred to others of those that it is for. A node that several of these
    /// match has the sum of their weights.
    pub preferred_nodes: Vec<PreferredNodes>,
}

/// Nodes that are preferred to others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferredNodes {
    /// By how much, 1–100.
    pub weight: u8,
    /// Which.
    pub nodes: Selector,
}

/// How VIPs become BGP routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpAdvertisement {
    /// Its name.
    pub name: AdvertisementName,
    /// What it is for.
    pub audience: Audience,
    /// The peers that are told of its routes; all when there are none.
    pub peers: BTreeSet<PeerName>,
    /// Prefix length of the routes for IPv4 addresses, 0–32.
    pub aggregation_length_v4: u8,
    /// Prefix length of the routes for IPv6 addresses, 0–128.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF, sent to iBGP peers only.
    pub local_pref: u32,
    /// COMMUNITIES (RFC 1997), ascending.
    pub communities: BTreeSet<Community>,
}

impl Default for BgpAdvertisement {
    /// Host routes to all peers, without anything that is optional, and for nothing yet.
    fn default() -> Self {
        Self {
            name: AdvertisementName::new(),
            audience: Audience::default(),
            peers: BTreeSet::new(),
            aggregation_length_v4: 32,
            aggregation_length_v6: 128,
            local_pref: 0,
            communities: BTreeSet::new(),
        }
    }
}

/// How VIPs are announced by a backend that has no settings of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherAdvertisement {
    /// Its name.
    pub name: AdvertisementName,
    /// [`crate::backend::Caps::name`] of the backend.
    pub backend: &'static str,
    /// What it is for.
    pub audience: Audience,
}

/// What all advertisements have in common.
#[derive(Clone, Copy, Debug)]
pub struct Advertisement<'a> {
    /// Its name.
    pub name: &'a AdvertisementName,
    /// What it is for.
    pub audience: &'a Audience,
    /// How it announces.
    pub protocol: Protocol,
    /// The interfaces that it announces on, if not on all.
    pub interfaces: Option<&'a InterfaceNames>,
    /// The nodes that are preferred, where one announces at a time.
    pub preferred_nodes: &'a [PreferredNodes],
}

/// A way of announcing, as users know it: MetalLB's `bgp` and `layer2`, or a backend by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// BGP.
    Bgp,
    /// ARP for IPv4 and NDP for IPv6.
    Layer2,
    /// The backend of this name: one half of layer 2, or one that the core knows nothing of.
    Backend(&'static str),
}

const BGP: &str = "bgp";
const ARP: &str = "arp";
const NDP: &str = "ndp";

impl Protocol {
    /// As written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bgp => BGP,
            Self::Layer2 => "layer2",
            Self::Backend(name) => name,
        }
    }

    /// Several, as users are shown them: `bgp, layer2`.
    pub fn names(protocols: &BTreeSet<Self>) -> String {
        let names: Vec<_> = protocols.iter().map(|protocol| protocol.name()).collect();
        names.join(", ")
    }

    /// The backend that announces addresses of a family, [`crate::backend::Caps::name`]; `None` if
    /// none does.
    pub fn backend(self, family: Family) -> Option<&'static str> {
        match (self, family) {
            (Self::Bgp, _) => Some(BGP),
            (Self::Layer2, Family::V4) => Some(ARP),
            (Self::Layer2, Family::V6) => Some(NDP),
            (Self::Backend(ARP), Family::V6) | (Self::Backend(NDP), Family::V4) => None,
            (Self::Backend(name), _) => Some(name),
        }
    }
}

impl Config {
    /// The same without a BGP peer.
    pub(crate) fn without_peers(&self) -> Self {
        let mut alone = self.clone();
        alone.bgp.peers.clear();
        alone
    }

    /// All advertisements.
    pub fn advertisements(&self) -> impl Iterator<Item = Advertisement<'_>> {
        let layer2 = self.layer2.iter().map(|one| Advertisement {
            name: &one.name,
            audience: &one.audience,
            protocol: Protocol::Layer2,
            interfaces: (!one.interfaces.is_empty()).then_some(&one.interfaces),
            preferred_nodes: &one.preferred_nodes,
        });
        let bgp = self.bgp.advertisements.iter().map(|one| Advertisement {
            name: &one.name,
            audience: &one.audience,
            protocol: Protocol::Bgp,
            interfaces: None,
            preferred_nodes: &[],
        });
        let others = self.others.iter().map(|one| Advertisement {
            name: &one.name,
            audience: &one.audience,
            protocol: Protocol::Backend(one.backend),
            interfaces: None,
            preferred_nodes: &[],
        });
        layer2.chain(bgp).chain(others)
    }

    /// Whether an advertisement is for some nodes only, or prefers some.
    pub fn selects_nodes(&self) -> bool {
        self.advertisements()
            .any(|one| !one.audience.nodes.is_empty() || !one.preferred_nodes.is_empty())
    }

    /// How each pool that is announced is, each protocol once.
    pub fn protocols(&self) -> BTreeMap<&PoolName, BTreeSet<Protocol>> {
        let mut protocols: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for one in self.advertisements() {
            for pool in &one.audience.pools {
                protocols.entry(pool).or_default().insert(one.protocol);
            }
        }
        protocols
    }
}
