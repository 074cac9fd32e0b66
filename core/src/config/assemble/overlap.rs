//! Addresses that are in several pools, or several times in one.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::address::Family;
use crate::config::draft::AddressEntry;
use crate::config::error::{ConfigError, ConfigErrors, quote};
use crate::config::place::{Located, Texts};

#[cfg(test)]
mod tests;

/// Refuses the entries that have addresses in common with an earlier entry of the same pool or
/// another; each once, with one such entry.
pub(super) fn refuse(entries: &[&Located<AddressEntry>], texts: &Texts, errors: &mut ConfigErrors) {
    let mut blocks: Vec<(IpNet, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        blocks.extend(entry.value.blocks.iter().map(|block| (*block, index)));
    }
    // Of two CIDR blocks that are not disjoint one contains the other, and comes first here.
    blocks.sort_by_key(|(block, index)| {
        let family = Family::of(block.addr());
        (family, block.network(), block.prefix_len(), *index)
    });
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
    for (later, earlier) in pairs {
        if let (Some(later), Some(earlier)) = (entries.get(later), entries.get(earlier)) {
            errors.push_with(|| overlap(later, earlier, texts));
        }
    }
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
