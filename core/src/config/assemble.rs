//! From what is written to a configuration: the rules that concern several parts of it, whatever
//! format it has.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::hash::Hash;
use std::iter;
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
    for pool in &draft.pools {
        review.families(pool);
    }
    let written = std::mem::take(&mut draft.bgp_advertisements);
    let advertisements = review.bgp_advertisements(&written, &draft.pools);
    review.whole(&draft);
    review.errors.or_else(|| config(draft, advertisements))
}

/// What decides how short the routes for the addresses of a pool may be, by family.
type Narrowest<'a> = [Option<(&'a AddressEntry, IpNet)>; 2];

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

    /// Checks that the protocol that a pool names announces the addresses of every entry.
    fn families(&mut self, pool: &PoolDraft) {
        let Some(protocol) = pool.protocol else {
            return;
        };
        for entry in &pool.addresses {
            if let Err(error) = pool::check_family(protocol, &entry.value, self.backends) {
                let message = format!("{}: {error}", quote(&entry.value.text));
                self.refuse(&entry.place, &message);
            }
        }
    }

    /// Checks advertisements with the pools that they are for.
    fn bgp_advertisements(
        &mut self,
        written: &[BgpAdvertisementDraft],
        pools: &[PoolDraft],
    ) -> Vec<BgpAdvertisement> {
        let narrowest = narrowest(pools);
        let written = written.iter();
        let advertisements: Vec<_> = written
            .map(|one| (&one.place, self.bgp_advertisement(one, &narrowest)))
            .collect();
        let mut of_pools: BTreeMap<_, (&Place, Vec<&BgpAdvertisement>)> = BTreeMap::new();
        let is_one = |pool: &&PoolName| narrowest.get(*pool).is_none_or(Option::is_some);
        for (place, one) in &advertisements {
            for pool in one.audience.pools.iter().filter(is_one) {
                let of_pool = of_pools.entry(pool);
                of_pool.or_insert((place, Vec::new())).1.push(one);
            }
        }
        for (place, of_pool) in of_pools.into_values() {
            if let Err(error) = pool::check_communities(&of_pool) {
                self.refuse(place, &error);
            }
        }
        advertisements.into_iter().map(|(_, one)| one).collect()
    }

    fn bgp_advertisement(
        &mut self,
        written: &BgpAdvertisementDraft,
        narrowest: &BTreeMap<&PoolName, Option<Narrowest<'_>>>,
    ) -> BgpAdvertisement {
        let rest = written.rest.clone();
        let mut length = |length: &Option<Located<u8>>, family: usize| {
            let Located { value, place } = length.as_ref()?;
            let pools = rest.audience.pools.iter();
            let narrowest =
                pools.filter_map(|pool| narrowest.get(pool)?.as_ref()?.get(family).copied()?);
            let narrowest = narrowest.max_by_key(|(_, block)| block.prefix_len());
            let checked = pool::check_aggregation(*value, narrowest);
            checked.map_err(|error| self.refuse(place, &error)).ok()
        };
        let length_v4 = length(&written.aggregation_length_v4, 0);
        let length_v6 = length(&written.aggregation_length_v6, 1);
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
        self.unique("BFD profile", profiles.clone());
        let profiles: BTreeSet<&str> = profiles.map(|profile| profile.value.as_str()).collect();
        for peer in &draft.peers {
            self.bfd_profile(peer, &profiles);
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
    fn bfd_profile(&mut self, peer: &PeerDraft, profiles: &BTreeSet<&str>) {
        let Some(Located { value, place }) = &peer.bfd_profile else {
            return;
        };
        let name = quote(value);
        let message = if profiles.contains(value.as_str()) {
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

/// How short the routes for the addresses of each pool may be; `None` for those that share a name, of
/// which it is not known which is meant.
fn narrowest(pools: &[PoolDraft]) -> BTreeMap<&PoolName, Option<Narrowest<'_>>> {
    let mut narrowest = BTreeMap::new();
    for pool in pools {
        let entries = || pool.addresses.iter().map(|entry| &entry.value);
        let of_pool = [Family::V4, Family::V6].map(|family| pool::narrowest(family, entries()));
        match narrowest.entry(pool.label()) {
            btree_map::Entry::Vacant(vacant) => drop(vacant.insert(Some(of_pool))),
            btree_map::Entry::Occupied(mut other) => drop(other.insert(None)),
        }
    }
    narrowest
}

/// The configuration, in which every pool that names its protocol has an advertisement of that.
fn config(draft: Draft, advertisements: Vec<BgpAdvertisement>) -> Config {
    let mut config = Config {
        addresses_in_use: draft.addresses_in_use.unwrap_or_default(),
        ..Config::default()
    };
    let advertisements = advertisements.into_iter().map(Arc::new);
    config.bgp.advertisements = advertisements.collect();
    let mut announced = Announced::of(&config);
    for pool in draft.pools {
        let Some(Located { value: name, .. }) = pool.name else {
            continue;
        };
        if let Some(protocol) = pool.protocol {
            announced.announce(&name, protocol, &mut config);
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

/// What is announced by advertisements that are written.
struct Announced {
    pools: BTreeSet<(PoolName, Protocol)>,
    names: BTreeSet<(Protocol, AdvertisementName)>,
}

impl Announced {
    fn of(config: &Config) -> Self {
        let written = || config.advertisements();
        let pools = written().flat_map(|one| {
            let pools = one.audience.pools.iter();
            pools.map(move |pool| (pool.clone(), one.protocol))
        });
        Self {
            pools: pools.collect(),
            names: written()
                .map(|one| (one.protocol, one.name.clone()))
                .collect(),
        }
    }

    /// Adds an advertisement of this protocol for a pool that has none.
    fn announce(&mut self, pool: &PoolName, protocol: Protocol, config: &mut Config) {
        if self.pools.contains(&(pool.clone(), protocol)) {
            return;
        }
        let numbered = (2..).map(|number| arcstr::format!("{pool}-{number}"));
        let mut names = iter::once(pool.clone()).chain(numbered);
        let is_free = |name: &AdvertisementName| self.names.insert((protocol, name.clone()));
        let name = names.find(is_free).unwrap_or_default();
        let audience = Audience::of_pool(pool.clone());
        match protocol {
            Protocol::Layer2 => {
                let advertisement = L2Advertisement {
                    name,
                    audience,
                    ..L2Advertisement::default()
                };
                config.layer2.push(Arc::new(advertisement));
            }
            Protocol::Backend(backend) => config.others.push(Arc::new(OtherAdvertisement {
                name,
                backend,
                audience,
            })),
            Protocol::Bgp => config.bgp.advertisements.push(Arc::new(BgpAdvertisement {
                name,
                audience,
                ..BgpAdvertisement::default()
            })),
        }
    }
}
