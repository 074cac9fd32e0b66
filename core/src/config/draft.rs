//! What a format yields: values that are right by themselves, each with its place. Whether they fit
//! together is for [`assemble`](super::assemble::assemble).
//!
//! A format of one text yields all of a draft. One of many objects yields a draft for each of them, with
//! one part, and they are [appended](Draft::append).

use std::collections::BTreeSet;
use std::rc::Rc;

use arcstr::ArcStr;
use ipnet::IpNet;

use super::error::Refused;
use super::place::{Located, Place, Texts};
use super::{
    AddressesInUse, BgpAdvertisement, Community, L2Advertisement, Password, Peer, PeerName, Pool,
    PoolName, Protocol,
};
use crate::selector::Selector;

/// A configuration as it is written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Where its places are looked up.
    pub texts: Texts,
    /// What is wrong with values by themselves.
    pub errors: Refused,
    /// The pools, in the order written.
    pub pools: Vec<PoolDraft>,
    /// How their addresses are announced by ARP and NDP, where that is written.
    pub l2_advertisements: Vec<L2AdvertisementDraft>,
    /// How their addresses become BGP routes, where that is written, in the order written.
    pub bgp_advertisements: Vec<BgpAdvertisementDraft>,
    /// The BGP peers, in the order written.
    pub peers: Vec<PeerDraft>,
    /// The names of the BFD profiles.
    pub bfd_profiles: Vec<Located<ArcStr>>,
    /// The communities that have names.
    pub communities: Vec<CommunityAlias>,
    /// The secrets that peers may refer to.
    pub secrets: Vec<SecretDraft>,
    /// What becomes of addresses in use that it has no pool for, if its format says that.
    pub addresses_in_use: Option<AddressesInUse>,
}

impl Draft {
    /// Adds what is written in another object. Addresses in use stay if one of the formats has it so.
    pub fn append(&mut self, mut other: Self) {
        self.texts.append(other.texts);
        self.errors.append(other.errors);
        self.pools.append(&mut other.pools);
        self.l2_advertisements.append(&mut other.l2_advertisements);
        self.bgp_advertisements
            .append(&mut other.bgp_advertisements);
        self.peers.append(&mut other.peers);
        self.bfd_profiles.append(&mut other.bfd_profiles);
        self.communities.append(&mut other.communities);
        self.secrets.append(&mut other.secrets);
        let both = [self.addresses_in_use, other.addresses_in_use];
        self.addresses_in_use = both.into_iter().flatten().min();
    }
}

/// A pool.
#[derive(Clone, Debug)]
pub struct PoolDraft {
    /// Where it is written.
    pub place: Place,
    /// Its name; `None` for one that was refused.
    pub name: Option<Located<PoolName>>,
    /// Its addresses, in the order written.
    pub addresses: Vec<Located<AddressEntry>>,
    /// The protocol that announces it, if it says so itself: where no advertisement of that protocol
    /// is for it, it has one.
    pub protocol: Option<Protocol>,
    /// LOCAL_PREF of the routes of that advertisement, if it is one by BGP.
    pub local_pref: u32,
    /// All that depends on nothing else.
    pub rest: Pool,
}

impl PoolDraft {
    /// One of which nothing else is said, at this place.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            name: None,
            addresses: Vec::new(),
            protocol: None,
            local_pref: 0,
            rest: Pool::default(),
        }
    }

    /// Leaves nothing of it but that it is there: addresses that were given from it are not nobody's.
    pub fn hollow(&mut self) {
        self.addresses.clear();
        self.rest.auto_assign = false;
    }

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

/// The pools that an advertisement is for, as written: those with these names, and those whose labels
/// any of these selectors matches. All, where neither is given.
#[derive(Clone, Debug, Default)]
pub struct PoolSelection {
    /// By name. There need not be any of that name.
    pub names: Vec<Located<PoolName>>,
    /// By labels.
    pub selectors: Vec<Located<Selector>>,
}

impl PoolSelection {
    /// One pool, that is named at this place.
    pub fn of_pool(name: PoolName, place: Place) -> Self {
        Self {
            names: vec![Located { value: name, place }],
            selectors: Vec::new(),
        }
    }

    /// The names, each once.
    pub fn names(&self) -> BTreeSet<&PoolName> {
        self.names.iter().map(|name| &name.value).collect()
    }
}

/// How addresses are announced by ARP and NDP.
#[derive(Clone, Debug)]
pub struct L2AdvertisementDraft {
    /// Where it is written.
    pub place: Place,
    /// The pools that it is for.
    pub pools: PoolSelection,
    /// All that depends on nothing else; the pools of its audience are not known yet.
    pub rest: L2Advertisement,
}

/// How addresses become BGP routes.
#[derive(Clone, Debug)]
pub struct BgpAdvertisementDraft {
    /// What of it is wrong as a whole is told there.
    pub place: Place,
    /// The pools that it is for.
    pub pools: PoolSelection,
    /// The peers that are told of its routes, by name; all when there are none. There need not be any
    /// of that name.
    pub peers: Vec<Located<PeerName>>,
    /// Prefix length of the routes for IPv4 addresses, 0–32.
    pub aggregation_length_v4: Option<Located<u8>>,
    /// Prefix length of the routes for IPv6 addresses, 0–128.
    pub aggregation_length_v6: Option<Located<u8>>,
    /// COMMUNITIES (RFC 1997), each by its value or by its name.
    pub communities: Vec<Located<String>>,
    /// All that depends on nothing else; its pools, peers and communities are not known yet.
    pub rest: BgpAdvertisement,
}

impl BgpAdvertisementDraft {
    /// One that says nothing, at this place.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            pools: PoolSelection::default(),
            peers: Vec::new(),
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
    /// The name of the Secret that has its password.
    pub password_secret: Option<Located<String>>,
}

impl PeerDraft {
    /// Its name; an empty one if something of it was refused.
    pub fn name(&self) -> &str {
        self.peer.as_ref().map_or("", |peer| &peer.name)
    }
}

/// A name for a community.
#[derive(Clone, Debug)]
pub struct CommunityAlias {
    /// The name.
    pub name: Located<Rc<str>>,
    /// What it stands for; `None` for what was refused.
    pub value: Option<Community>,
}

/// A Secret, as far as it can have the password of a peer.
#[derive(Clone, Debug)]
pub struct SecretDraft {
    /// Its namespace and name, as people write them: `metallb-system/bgp-password`.
    pub key: String,
    /// Its name.
    pub name: ArcStr,
    /// Its type, for example `kubernetes.io/basic-auth`.
    pub kind: String,
    /// The password in it, if it has one that is text.
    pub password: Option<Password>,
}
