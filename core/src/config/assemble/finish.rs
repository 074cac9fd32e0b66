//! The configuration of what is right, in which every pool that names its protocol has an advertisement
//! of that.

use std::collections::BTreeSet;
use std::iter;
use std::sync::Arc;

use super::{Assembled, Review};
use crate::config::draft::{Draft, PoolDraft};
use crate::config::error::quote;
use crate::config::place::Located;
use crate::config::{
    AdvertisementName, Audience, BgpAdvertisement, Config, L2Advertisement, OtherAdvertisement,
    Pool, PoolName, Protocol,
};

impl Review<'_> {
    /// What came of it all.
    pub(super) fn finish(
        mut self,
        draft: Draft,
        layer2: Vec<Located<L2Advertisement>>,
        bgp: Vec<Located<BgpAdvertisement>>,
    ) -> Assembled {
        let mut config = Config {
            addresses_in_use: draft.addresses_in_use.unwrap_or_default(),
            ..Config::default()
        };
        config.layer2 = self.right(layer2);
        config.bgp.advertisements = self.right(bgp);
        let peers = draft.peers.into_iter().filter_map(|draft| {
            let place = draft.place;
            draft.peer.map(|value| Located { value, place })
        });
        config.bgp.peers = self.right(peers.collect());
        let mut announced = Announced::of(&config);
        for pool in draft.pools {
            let is_refused = self.refused.contains(&pool.place.object);
            let place = pool.place.clone();
            let Some(pool) = add_pool(pool, &mut announced, &mut config) else {
                continue;
            };
            if !is_refused && !announced.has(&pool) {
                let message = format!("no advertisement is for pool {}", quote(&pool));
                self.note(&place, message);
            }
        }
        self.refused.sort();
        self.notes.sort_by(|one, other| {
            let order = one.location.order().cmp(&other.location.order());
            order.then_with(|| one.message.cmp(&other.message))
        });
        Assembled {
            config,
            refused: self.refused,
            notes: self.notes,
        }
    }

    /// What is of objects that are right, by the name of the object: in an order that no history decides.
    fn right<T>(&self, mut all: Vec<Located<T>>) -> Vec<Arc<T>> {
        all.retain(|one| !self.refused.contains(&one.place.object));
        all.sort_by(|one, other| one.place.object.cmp(&other.place.object));
        all.into_iter().map(|one| Arc::new(one.value)).collect()
    }
}

/// Adds a pool. Returns its name.
fn add_pool(draft: PoolDraft, announced: &mut Announced, config: &mut Config) -> Option<PoolName> {
    let name = draft.name?.value;
    if let Some(protocol) = draft.protocol {
        announced.announce(&name, protocol, draft.local_pref, config);
    }
    let entries = draft.addresses.into_iter();
    let pool = Pool {
        name: name.clone(),
        blocks: entries.flat_map(|entry| entry.value.blocks).collect(),
        ..draft.rest
    };
    config.pools.insert(name.clone(), Arc::new(pool));
    Some(name)
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

    /// Whether a pool is announced in any way.
    fn has(&self, pool: &PoolName) -> bool {
        let from = (pool.clone(), Protocol::Bgp);
        let mut next = self.pools.range(from..);
        next.next().is_some_and(|(of, _)| of == pool)
    }

    /// Adds an advertisement of this protocol for a pool that has none.
    fn announce(
        &mut self,
        pool: &PoolName,
        protocol: Protocol,
        local_pref: u32,
        config: &mut Config,
    ) {
        if !self.pools.insert((pool.clone(), protocol)) {
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
                local_pref,
                ..BgpAdvertisement::default()
            })),
        }
    }
}
