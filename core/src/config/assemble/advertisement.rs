//! Advertisements: which pools they are for, and whether they go with those and with each other.

use std::collections::{BTreeMap, BTreeSet};

use super::Review;
use super::pools::Pools;
use crate::address::Family;
use crate::config::draft::{BgpAdvertisementDraft, L2AdvertisementDraft, PoolSelection};
use crate::config::error::quote;
use crate::config::place::{Located, Place};
use crate::config::{
    AdvertisementName, BgpAdvertisement, Community, L2Advertisement, PeerName, PoolName, Protocol,
    pool,
};

impl Review<'_> {
    /// The advertisements by ARP and NDP.
    pub(super) fn l2_advertisements(
        &mut self,
        written: Vec<L2AdvertisementDraft>,
        pools: &mut Pools<'_>,
    ) -> Vec<Located<L2Advertisement>> {
        let mut advertisements = Vec::new();
        for written in written {
            let place = written.place;
            self.check_protocol(&place, Protocol::Layer2);
            let mut value = written.rest;
            value.audience.pools = self.selected(&written.pools, &place, pools);
            advertisements.push(Located { value, place });
        }
        advertisements
    }

    /// The advertisements by BGP, each checked with the pools that it is for, and with those before it.
    pub(super) fn bgp_advertisements(
        &mut self,
        written: Vec<BgpAdvertisementDraft>,
        pools: &mut Pools<'_>,
        peers: &BTreeSet<PeerName>,
    ) -> Vec<Located<BgpAdvertisement>> {
        let mut before: BTreeMap<PoolName, OfPool> = BTreeMap::new();
        let mut advertisements = Vec::new();
        for written in written {
            let place = written.place.clone();
            self.check_protocol(&place, Protocol::Bgp);
            let selected = self.selected(&written.pools, &place, pools);
            for Located { value, place } in &written.peers {
                if !peers.contains(value) {
                    self.note(place, format!("there is no peer {}", quote(value)));
                }
            }
            let value = self.bgp_advertisement(written, selected, pools);
            self.check_beside(&value, &place, &before, pools);
            for pool in &value.audience.pools {
                if pools.is_one(pool) && !self.refused.contains(&place.object) {
                    before.entry(pool.clone()).or_default().add(&value);
                }
            }
            advertisements.push(Located { value, place });
        }
        advertisements
    }

    /// The pools that an advertisement is for. What it names and selects in vain is noted.
    fn selected(
        &mut self,
        selection: &PoolSelection,
        at: &Place,
        pools: &mut Pools<'_>,
    ) -> BTreeSet<PoolName> {
        let mut selected = BTreeSet::new();
        for Located { value, place } in &selection.names {
            if pools.contains(value) {
                selected.insert(value.clone());
            } else {
                self.note(place, format!("there is no pool {}", quote(value)));
            }
        }
        for Located { value, place } in &selection.selectors {
            let mut matching = pools.matching(value).peekable();
            if matching.peek().is_none() {
                self.note(place, "no pool has such labels");
            }
            selected.extend(matching.cloned());
        }
        if selection.names.is_empty() && selection.selectors.is_empty() {
            selected.extend(pools.names().cloned());
        }
        if let Err(error) = pools.take_room(selected.len()) {
            self.refuse(at, &error);
        }
        selected
    }

    fn bgp_advertisement(
        &mut self,
        written: BgpAdvertisementDraft,
        selected: BTreeSet<PoolName>,
        pools: &Pools<'_>,
    ) -> BgpAdvertisement {
        let mut rest = written.rest;
        let mut length = |written: &Option<Located<u8>>, family: Family| {
            let Located { value, place } = written.as_ref()?;
            let narrowest = pools.narrowest(&selected, family);
            let checked = pool::check_aggregation(*value, narrowest);
            checked.map_err(|error| self.refuse(place, &error)).ok()
        };
        let length_v4 = length(&written.aggregation_length_v4, Family::V4);
        let length_v6 = length(&written.aggregation_length_v6, Family::V6);
        rest.aggregation_length_v4 = length_v4.unwrap_or(rest.aggregation_length_v4);
        rest.aggregation_length_v6 = length_v6.unwrap_or(rest.aggregation_length_v6);
        let communities = written.communities.iter();
        rest.communities = communities.filter_map(|one| self.community(one)).collect();
        rest.peers = written.peers.into_iter().map(|peer| peer.value).collect();
        rest.audience.pools = selected;
        rest
    }

    /// Checks an advertisement with those before it that are for the same pools.
    fn check_beside(
        &mut self,
        advertisement: &BgpAdvertisement,
        place: &Place,
        before: &BTreeMap<PoolName, OfPool>,
        pools: &Pools<'_>,
    ) {
        let none = OfPool::default();
        for pool in &advertisement.audience.pools {
            let of_pool = before.get(pool).unwrap_or(&none);
            let communities = of_pool.communities.union(&advertisement.communities);
            if let Err(error) = pool::check_communities(communities.count()) {
                return self.refuse(place, &error);
            }
            let Some(clash) = of_pool.clash(&Preference::of(advertisement), pools.families(pool))
            else {
                continue;
            };
            let message = format!(
                "localPref {} is not that of {}, which is {}, for the same routes of pool {} to the \
                 same peers: write the same, or other peers, nodes or aggregation lengths",
                advertisement.local_pref,
                quote(clash.0),
                clash.1,
                quote(pool),
            );
            return self.refuse(place, &message);
        }
    }
}

/// What the advertisements of one pool have so far.
#[derive(Default)]
struct OfPool {
    communities: BTreeSet<Community>,
    /// Each with the first advertisement that has it.
    preferences: Vec<(Preference, AdvertisementName)>,
}

impl OfPool {
    fn add(&mut self, advertisement: &BgpAdvertisement) {
        self.communities.extend(&advertisement.communities);
        let preference = Preference::of(advertisement);
        let is_new = !self
            .preferences
            .iter()
            .any(|(known, _)| *known == preference);
        if is_new {
            self.preferences
                .push((preference, advertisement.name.clone()));
        }
    }

    /// An advertisement that has another LOCAL_PREF for the same routes to the same peers, and which.
    fn clash(
        &self,
        preference: &Preference,
        families: &BTreeSet<Family>,
    ) -> Option<(&AdvertisementName, u32)> {
        let mut known = self.preferences.iter();
        let (clash, name) = known.find(|(known, _)| known.clashes(preference, families))?;
        Some((name, clash.local_pref))
    }
}

/// What decides whether a LOCAL_PREF goes with another.
#[derive(PartialEq, Eq)]
struct Preference {
    local_pref: u32,
    lengths: [(Family, u8); 2],
    peers: BTreeSet<PeerName>,
    nodes: Vec<crate::selector::Selector>,
    selects_services: bool,
}

impl Preference {
    fn of(advertisement: &BgpAdvertisement) -> Self {
        Self {
            local_pref: advertisement.local_pref,
            lengths: [
                (Family::V4, advertisement.aggregation_length_v4),
                (Family::V6, advertisement.aggregation_length_v6),
            ],
            peers: advertisement.peers.clone(),
            nodes: advertisement.audience.nodes.clone(),
            selects_services: !advertisement.audience.services.is_empty(),
        }
    }

    /// Whether there are routes, of a pool with addresses of these families, that would have both. Of
    /// those for some services or some nodes it is not known here whether these are the same: a route
    /// that has several has the highest.
    fn clashes(&self, other: &Self, families: &BTreeSet<Family>) -> bool {
        let are_others = |one: &BTreeSet<PeerName>, two: &BTreeSet<PeerName>| {
            !one.is_empty() && !two.is_empty() && one.is_disjoint(two)
        };
        let mut lengths = self.lengths.iter().zip(&other.lengths);
        self.local_pref != other.local_pref
            && !self.selects_services
            && !other.selects_services
            && !are_others(&self.peers, &other.peers)
            && (self.nodes.is_empty() || other.nodes.is_empty() || self.nodes == other.nodes)
            && lengths.any(|(one, two)| one == two && families.contains(&one.0))
    }
}
