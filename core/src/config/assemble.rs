//! From what is written to a configuration: the rules that concern several parts of it, whatever
//! format it has.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::rc::Rc;
use std::sync::Arc;

use ipnet::IpNet;

use super::community::CommunityError;
use super::draft::{AddressEntry, BgpAdvertisementDraft, Draft, PeerDraft, PoolDraft};
use super::error::{ConfigErrors, quote};
use super::place::{Located, Place, Texts};
use super::{
    AdvertisementName, Audience, BgpAdvertisement, Community, Config, L2Advertisement,
    OtherAdvertisement, Peer, Pool, PoolName, Protocol, pool,
};
use crate::address::Family;

mod overlap;
#[cfg(test)]
mod tests;

/// Makes a configuration of what is written, for a binary with these backends.
///
/// # Errors
/// Everything that is wrong, with values by themselves and with how they fit together, in the order
/// of the places.
pub fn assemble(mut draft: Draft, backends: &[&'static str]) -> Result<Config, ConfigErrors> {
    let mut review = Review {
        texts: std::mem::take(&mut draft.texts),
        errors: std::mem::take(&mut draft.errors),
        communities: std::mem::take(&mut draft.communities),
        backends,
    };
    let pools = draft.pools.iter();
    let routes: Vec<_> = pools.map(|pool| review.pool(pool)).collect();
    review.whole(&draft);
    review.errors.or(config(draft, routes))
}

/// What is being found wrong.
struct Review<'a> {
    texts: Texts,
    errors: ConfigErrors,
    communities: BTreeMap<Rc<str>, Option<Community>>,
    backends: &'a [&'static str],
}

impl Review<'_> {
    fn refuse(&mut self, place: &Place, message: &impl ToString) {
        let texts = &self.texts;
        self.errors
            .push_with(|| texts.error(place, message.to_string()));
    }

    /// Checks a pool with all that it says. Returns how its addresses become BGP routes.
    fn pool(&mut self, pool: &PoolDraft) -> Vec<BgpAdvertisement> {
        if let Some(protocol) = pool.protocol {
            self.families(protocol, &pool.addresses);
        }
        let Some(written) = &pool.bgp_advertisements else {
            return Vec::new();
        };
        let entries = || pool.addresses.iter().map(|entry| &entry.value);
        let narrowest = [Family::V4, Family::V6].map(|family| pool::narrowest(family, entries()));
        let advertisements = written.value.iter();
        let advertisements: Vec<_> = advertisements
            .map(|one| self.bgp_advertisement(one, narrowest))
            .collect();
        if let Err(error) = pool::check_communities(&advertisements) {
            self.refuse(&written.place, &error);
        }
        advertisements
    }

    /// Checks that the pool's protocol announces the addresses of every entry.
    fn families(&mut self, protocol: Protocol, entries: &[Located<AddressEntry>]) {
        for entry in entries {
            if let Err(error) = pool::check_family(protocol, &entry.value, self.backends) {
                let message = format!("{}: {error}", quote(&entry.value.text));
                self.refuse(&entry.place, &message);
            }
        }
    }

    /// An advertisement of a pool, of whose addresses these decide how short its routes may be.
    fn bgp_advertisement(
        &mut self,
        written: &BgpAdvertisementDraft,
        [narrowest_v4, narrowest_v6]: [Option<(&AddressEntry, IpNet)>; 2],
    ) -> BgpAdvertisement {
        let rest = written.rest.clone();
        let mut length = |length: &Option<Located<u8>>, narrowest| {
            let Located { value, place } = length.as_ref()?;
            let checked = pool::check_aggregation(*value, narrowest);
            checked.map_err(|error| self.refuse(place, &error)).ok()
        };
        let length_v4 = length(&written.aggregation_length_v4, narrowest_v4);
        let length_v6 = length(&written.aggregation_length_v6, narrowest_v6);
        let communities = written.communities.iter();
        BgpAdvertisement {
            aggregation_length_v4: length_v4.unwrap_or(rest.aggregation_length_v4),
            aggregation_length_v6: length_v6.unwrap_or(rest.aggregation_length_v6),
            communities: communities.filter_map(|one| self.community(one)).collect(),
            ..rest
        }
    }

    /// The community of this value or name.
    fn community(&mut self, written: &Located<String>) -> Option<Community> {
        let text = written.value.as_str();
        let community = match self.communities.get(text) {
            Some(community) => return *community,
            None if text.contains(':') => text.parse(),
            None => Err(CommunityError::UnknownName(text.to_owned())),
        };
        community
            .map_err(|error| self.refuse(&written.place, &error))
            .ok()
    }

    /// Checks what several parts have to do with each other.
    fn whole(&mut self, draft: &Draft) {
        let profiles = draft.bfd_profiles.iter();
        self.unique("BFD profile", profiles);
        for peer in &draft.peers {
            self.bfd_profile(peer, draft);
        }
        let names = draft.pools.iter().filter_map(|pool| pool.name.as_ref());
        self.unique("pool", names);
        self.unique_peers(&draft.peers);
        let entries: Vec<_> = draft
            .pools
            .iter()
            .flat_map(|pool| &pool.addresses)
            .collect();
        overlap::refuse(&entries, &self.texts, &mut self.errors);
    }

    /// Checks that what a peer refers to is there.
    fn bfd_profile(&mut self, peer: &PeerDraft, draft: &Draft) {
        let Some(Located { value, place }) = &peer.bfd_profile else {
            return;
        };
        let mut profiles = draft.bfd_profiles.iter();
        let name = quote(value);
        let message = if profiles.any(|profile| *profile.value == **value) {
            format!("{name}: BFD is not supported yet, remove this key")
        } else {
            format!("there is no BFD profile {name} in bfd-profiles")
        };
        self.refuse(place, &message);
    }

    /// Refuses the names (of what `kind` says) that an earlier one equals.
    fn unique<'d>(&mut self, kind: &str, names: impl Iterator<Item = &'d Located<PoolName>>) {
        for (later, earlier) in repeated(names, |name| name.value.clone()) {
            let message = format!(
                "{} already exists: {} has a {kind} of that name, choose another one",
                quote(&later.value),
                self.texts.seen_from(&earlier.place, &later.place),
            );
            self.refuse(&later.place, &message);
        }
    }

    /// Refuses the peers that are in no setting different from an earlier one. Peers with the same
    /// address are otherwise allowed; they are sessions with different nodes, for instance.
    fn unique_peers(&mut self, peers: &[PeerDraft]) {
        // As in MetalLB, where not given means false.
        let settings = |(peer, _): &(&Peer, &Place)| Peer {
            ebgp_multihop: Some(peer.ebgp_multihop.unwrap_or(false)),
            ..Peer::clone(peer)
        };
        let peers = peers.iter();
        let peers = peers.filter_map(|draft| Some((draft.peer.as_ref()?, &draft.place)));
        for ((later, place), (_, earlier)) in repeated(peers, settings) {
            let message = format!(
                "this peer {} already exists: the one at {} has the same settings, remove one",
                later.address,
                self.texts.seen_from(earlier, place),
            );
            self.refuse(place, &message);
        }
    }
}

/// The items whose key an earlier one has, each with the first of these.
fn repeated<T: Copy, K: Eq + Hash>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> Vec<(T, T)> {
    let mut first: HashMap<K, T> = HashMap::new();
    let mut repeated = Vec::new();
    for item in items {
        match first.entry(key(&item)) {
            Entry::Occupied(earlier) => repeated.push((item, *earlier.get())),
            Entry::Vacant(vacant) => drop(vacant.insert(item)),
        }
    }
    repeated
}

/// The configuration, in which every pool that names its protocol has advertisements of its own: by
/// BGP with these routes.
fn config(draft: Draft, routes: Vec<Vec<BgpAdvertisement>>) -> Config {
    let mut config = Config {
        addresses_in_use: draft.addresses_in_use.unwrap_or_default(),
        ..Config::default()
    };
    let names = draft.pools.iter().filter_map(|pool| pool.name.as_ref());
    let mut names: BTreeSet<_> = names.map(|name| name.value.clone()).collect();
    for (pool, routes) in draft.pools.into_iter().zip(routes) {
        let Some(Located { value: name, .. }) = pool.name else {
            continue;
        };
        if let Some(protocol) = pool.protocol {
            announce(&name, protocol, routes, &mut names, &mut config);
        }
        let blocks = pool
            .addresses
            .into_iter()
            .flat_map(|entry| entry.value.blocks);
        let pool = Pool {
            name: name.clone(),
            blocks: blocks.collect(),
            ..pool.rest
        };
        config.pools.insert(name, Arc::new(pool));
    }
    let peers = draft.peers.into_iter().filter_map(|draft| draft.peer);
    config.bgp.peers.extend(peers.map(Arc::new));
    config
}

/// Adds the advertisements of a pool that names its protocol.
fn announce(
    pool: &PoolName,
    protocol: Protocol,
    mut routes: Vec<BgpAdvertisement>,
    names: &mut BTreeSet<PoolName>,
    config: &mut Config,
) {
    let name = pool.clone();
    let audience = Audience::of_pool(pool.clone());
    match protocol {
        Protocol::Layer2 => {
            let advertisement = L2Advertisement { name, audience };
            config.layer2.push(Arc::new(advertisement));
        }
        Protocol::Backend(backend) => config.others.push(Arc::new(OtherAdvertisement {
            name,
            backend,
            audience,
        })),
        Protocol::Bgp => {
            if routes.is_empty() {
                routes.push(BgpAdvertisement::default());
            }
            let mut number = 1;
            let named = |routes| BgpAdvertisement {
                name: name_of(&name, &mut number, names),
                audience: audience.clone(),
                ..routes
            };
            let named = routes.into_iter().map(named);
            config.bgp.advertisements.extend(named.map(Arc::new));
        }
    }
}

/// The name of the next advertisement of a pool: that of the pool, then that and a number, the next
/// one that makes no name that is taken.
fn name_of(
    pool: &PoolName,
    number: &mut usize,
    taken: &mut BTreeSet<PoolName>,
) -> AdvertisementName {
    if *number == 1 {
        *number = 2;
        return pool.clone();
    }
    loop {
        let name = arcstr::format!("{pool}-{number}");
        *number += 1;
        if taken.insert(name.clone()) {
            return name;
        }
    }
}
