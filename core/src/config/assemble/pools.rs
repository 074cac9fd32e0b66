//! The pools that advertisements may be for.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::address::Family;
use crate::config::draft::{AddressEntry, PoolDraft};
use crate::config::{PoolName, pool};
use crate::labels::Labels;
use crate::selector::Selector;

/// The most pairs of an advertisement and a pool that it is for.
const MAX_PAIRS: usize = 1_000_000;

/// See the module's documentation.
pub(super) struct Pools<'a> {
    by_name: BTreeMap<&'a PoolName, Facts<'a>>,
    /// How many pairs there may still be.
    room: usize,
}

/// Of which pool something is to be known.
struct Facts<'a> {
    labels: &'a Labels,
    /// What decides how short the routes for its addresses may be.
    narrowest: BTreeMap<Family, (&'a AddressEntry, IpNet)>,
    families: BTreeSet<Family>,
    /// No other has its name.
    is_one: bool,
}

/// Advertisements are for too many pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("together with others it is for more than {MAX_PAIRS} pools: let each be for fewer")]
pub(super) struct TooMany;

impl<'a> Pools<'a> {
    pub(super) fn of(pools: impl Iterator<Item = &'a PoolDraft>) -> Self {
        let mut by_name: BTreeMap<_, Facts<'a>> = BTreeMap::new();
        for pool in pools {
            let facts = Facts::of(pool);
            by_name
                .entry(pool.label())
                .and_modify(|facts| facts.is_one = false)
                .or_insert(facts);
        }
        Self {
            by_name,
            room: MAX_PAIRS,
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'a PoolName> {
        self.by_name.keys().copied()
    }

    pub(super) fn contains(&self, name: &PoolName) -> bool {
        self.by_name.contains_key(name)
    }

    /// Whether it is known which pool is meant by a name.
    pub(super) fn is_one(&self, name: &PoolName) -> bool {
        self.by_name.get(name).is_some_and(|facts| facts.is_one)
    }

    /// The pools with such labels.
    pub(super) fn matching(&self, selector: &Selector) -> impl Iterator<Item = &'a PoolName> {
        let pools = self.by_name.iter();
        let pools = pools.filter(|(_, facts)| selector.matches(facts.labels));
        pools.map(|(name, _)| *name)
    }

    /// The families of a pool's addresses.
    pub(super) fn families(&self, name: &PoolName) -> &BTreeSet<Family> {
        const NONE: &BTreeSet<Family> = &BTreeSet::new();
        self.by_name.get(name).map_or(NONE, |facts| &facts.families)
    }

    /// What decides how short the routes for these pools may be; of those that share a name it is not
    /// known which is meant.
    pub(super) fn narrowest(
        &self,
        names: &BTreeSet<PoolName>,
        family: Family,
    ) -> Option<(&'a AddressEntry, IpNet)> {
        let pools = names.iter().filter_map(|name| self.by_name.get(name));
        let pools = pools.filter(|facts| facts.is_one);
        let narrowest = pools.filter_map(|facts| facts.narrowest.get(&family).copied());
        narrowest.max_by_key(|(_, block)| block.prefix_len())
    }

    /// Takes in that one more advertisement is for so many of them.
    ///
    /// # Errors
    /// All together are for too many.
    pub(super) fn take_room(&mut self, pools: usize) -> Result<(), TooMany> {
        self.room = self.room.checked_sub(pools).ok_or(TooMany)?;
        Ok(())
    }
}

impl<'a> Facts<'a> {
    fn of(pool: &'a PoolDraft) -> Self {
        let entries = || pool.addresses.iter().map(|entry| &entry.value);
        let families = [Family::V4, Family::V6].into_iter();
        let narrowest = families.filter_map(|family| {
            let narrowest = pool::narrowest(family, entries())?;
            Some((family, narrowest))
        });
        let narrowest: BTreeMap<_, _> = narrowest.collect();
        Self {
            labels: &pool.rest.labels,
            families: narrowest.keys().copied().collect(),
            narrowest,
            is_one: true,
        }
    }
}
