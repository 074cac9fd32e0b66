//! What a format yields: values that are right by themselves, each with its place. Whether they fit
//! together is for [`assemble`](super::assemble::assemble).

use std::collections::BTreeMap;
use std::rc::Rc;

use arcstr::ArcStr;
use ipnet::IpNet;

use super::error::ConfigErrors;
use super::place::{Located, Place, Texts};
use super::{AddressesInUse, BgpAdvertisement, Community, Peer, Pool, PoolName, Protocol};

/// A configuration as it is written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Where its places are looked up.
    pub texts: Texts,
    /// What is wrong with values by themselves.
    pub errors: ConfigErrors,
    /// The pools, in the order written.
    pub pools: Vec<PoolDraft>,
    /// How their addresses become BGP routes, where that is written, in the order written.
    pub bgp_advertisements: Vec<BgpAdvertisementDraft>,
    /// The BGP peers, in the order written.
    pub peers: Vec<PeerDraft>,
    /// The names of the BFD profiles.
    pub bfd_profiles: Vec<Located<ArcStr>>,
    /// The communities that have names; `None` for a value that was refused.
    pub communities: BTreeMap<Rc<str>, Option<Community>>,
    /// What becomes of addresses in use that it has no pool for, if its format says that.
    pub addresses_in_use: Option<AddressesInUse>,
}

impl Draft {
    /// Adds what is written in another object. Addresses in use stay if one of the formats has it so.
    pub fn append(&mut self, mut other: Self) {
        self.texts.append(other.texts);
        self.errors.append(other.errors);
        self.pools.append(&mut other.pools);
        self.bgp_advertisements
            .append(&mut other.bgp_advertisements);
        self.peers.append(&mut other.peers);
        self.bfd_profiles.append(&mut other.bfd_profiles);
        self.communities.append(&mut other.communities);
        let both = [self.addresses_in_use, other.addresses_in_use];
        self.addresses_in_use = both.into_iter().flatten().min();
    }
}

/// A pool.
#[derive(Clone, Debug, Default)]
pub struct PoolDraft {
    /// Its name; `None` for one that was refused.
    pub name: Option<Located<PoolName>>,
    /// Its addresses, in the order written.
    pub addresses: Vec<Located<AddressEntry>>,
    /// The protocol that announces it, if it says so itself: where no advertisement of that protocol
    /// is for it, it has one.
    pub protocol: Option<Protocol>,
    /// All that depends on nothing else.
    pub rest: Pool,
}

impl PoolDraft {
    /// Its name; an empty one if that was refused.
    pub fn label(&self) -> &PoolName {
        const NONE: &PoolName = &PoolName::new();
        self.name.as_ref().map_or(NONE, |name| &name.value)
    }
}

/// One entry of a pool's addresses.
#[derive(Clone, Debug)]
pub struct AddressEntry {
    /// The pool it belongs to.
    pub pool: PoolName,
    /// As written.
    pub text: String,
    /// What it stands for; disjoint.
    pub blocks: Vec<IpNet>,
}

/// How addresses become BGP routes.
#[derive(Clone, Debug)]
pub struct BgpAdvertisementDraft {
    /// What of it is wrong as a whole is told there.
    pub place: Place,
    /// Prefix length of the routes for IPv4 addresses, 0–32.
    pub aggregation_length_v4: Option<Located<u8>>,
    /// Prefix length of the routes for IPv6 addresses, 0–128.
    pub aggregation_length_v6: Option<Located<u8>>,
    /// COMMUNITIES (RFC 1997), each by its value or by its name.
    pub communities: Vec<Located<String>>,
    /// All that depends on nothing else.
    pub rest: BgpAdvertisement,
}

impl BgpAdvertisementDraft {
    /// One that says nothing, at this place.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            aggregation_length_v4: None,
            aggregation_length_v6: None,
            communities: Vec::new(),
            rest: BgpAdvertisement::default(),
        }
    }
}

/// A BGP peer.
#[derive(Clone, Debug)]
pub struct PeerDraft {
    /// Where it is written.
    pub place: Place,
    /// The peer; `None` if something of it was refused.
    pub peer: Option<Peer>,
    /// The name of the BFD profile of its session.
    pub bfd_profile: Option<Located<String>>,
}
