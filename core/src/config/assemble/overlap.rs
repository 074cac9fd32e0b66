//! Addresses that are in several pools, or several times in one.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::address::Family;
use crate::config::draft::{AddressEntry, PoolDraft};
use crate::config::error::{ConfigError, Refused, quote};
use crate::config::place::{Located, Texts};

#[cfg(test)]
mod tests;

type Entries<'a> = Vec<&'a Located<AddressEntry>>;

/// Refuses the entries that have addresses in common with an earlier entry of the same pool or
/// another; each once, with one such entry. What is refused takes nothing from others.
pub(super) fn refuse(pools: &[PoolDraft], texts: &Texts, refused: &mut Refused) {
    let mut objects: Vec<(&Arc<str>, Entries<'_>)> = Vec::new();
    for pool in pools {
        match objects.last_mut() {
            Some((object, entries)) if **object == pool.place.object => {
                entries.extend(&pool.addresses);
            }
            Some(_) | None => {
                objects.push((&pool.place.object, pool.addresses.iter().collect()));
            }
        }
    }
    let mut taken = Taken::default();
    for (object, entries) in objects {
        let before = entries
            .iter()
            .filter_map(|entry| Some((*entry, taken.by(entry)?)));
        for (later, earlier) in before.chain(within(&entries)) {
            refused.push_with(object, || overlap(later, earlier, texts));
        }
        if !refused.contains(object) {
            taken.extend(&entries);
        }
    }
}

/// Blocks that are taken; disjoint, each with the entry that it is of.
#[derive(Default)]
struct Taken<'a>(BTreeMap<(Family, IpAddr), (IpNet, &'a Located<AddressEntry>)>);

impl<'a> Taken<'a> {
    fn extend(&mut self, entries: &[&'a Located<AddressEntry>]) {
        for entry in entries {
            for block in &entry.value.blocks {
                self.0.insert(start(block), (*block, entry));
            }
        }
    }

    /// An entry that has addresses of this one.
    fn by(&self, entry: &Located<AddressEntry>) -> Option<&'a Located<AddressEntry>> {
        let blocks = entry.value.blocks.iter();
        let takers = blocks.filter_map(|block| {
            let (family, first) = start(block);
            // Of two blocks that are not disjoint one contains the other.
            let below = self.0.range(..=(family, first)).next_back();
            let around = below.filter(|(_, (outer, _))| outer.contains(block));
            let inside = || {
                let last = (family, block.broadcast());
                self.0.range((family, first)..=last).next()
            };
            around.or_else(inside).map(|(_, (_, taker))| *taker)
        });
        takers.into_iter().next()
    }
}

fn start(block: &IpNet) -> (Family, IpAddr) {
    (Family::of(block.addr()), block.network())
}

/// The entries that have addresses in common with an earlier one of these, each with the first.
fn within<'a>(
    entries: &[&'a Located<AddressEntry>],
) -> Vec<(&'a Located<AddressEntry>, &'a Located<AddressEntry>)> {
    let mut blocks: Vec<(IpNet, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        blocks.extend(entry.value.blocks.iter().map(|block| (*block, index)));
    }
    // Of two CIDR blocks that are not disjoint one contains the other, and comes first here.
    blocks.sort_by_key(|(block, index)| (start(block), block.prefix_len(), *index));
    let mut pairs: BTreeMap<usize, usize> = BTreeMap::new();
    let mut around: Vec<(IpNet, usize)> = Vec::new();
    for (block, index) in blocks {
        while around
            .pop_if(|(outer, _)| !outer.contains(&block))
            .is_some()
        {}
        for (_, other) in &around {
            let (earlier, later) = (index.min(*other), index.max(*other));
            let named = pairs.entry(later).or_insert(earlier);
            *named = earlier.min(*named);
        }
        if around.last().is_none_or(|(outer, _)| *outer != block) {
            around.push((block, index));
        }
    }
    let pairs = pairs.into_iter();
    let entry = |index: usize| entries.get(index).copied();
    pairs
        .filter_map(|(later, earlier)| Some((entry(later)?, entry(earlier)?)))
        .collect()
}

fn overlap(
    later: &Located<AddressEntry>,
    earlier: &Located<AddressEntry>,
    texts: &Texts,
) -> ConfigError {
    let message = format!(
        "{} overlaps {} of pool {} at {}: an address can be in one pool only, and there once",
        quote(&later.value.text),
        quote(&earlier.value.text),
        quote(&earlier.value.pool),
        texts.seen_from(&earlier.place, &later.place),
    );
    texts.error(&later.place, message)
}
