//! The rules that concern several parts of a configuration, whatever format it has.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use arcstr::ArcStr;
use ipnet::IpNet;

use super::error::{ConfigError, quote};
use super::place::{Located, Texts};
use super::{Peer, PoolName};
use crate::address::Family;

#[cfg(test)]
mod tests;

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

/// The entries that have addresses in common with an earlier entry of the same pool or another;
/// each once, with one such entry.
pub fn overlaps(entries: &[&Located<AddressEntry>], texts: &Texts) -> Vec<ConfigError> {
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
    let entry = |index: usize| entries.get(index).copied();
    let pair = |(later, earlier)| Some(overlap(entry(later)?, entry(earlier)?, texts));
    pairs.into_iter().filter_map(pair).collect()
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

/// The names (of what `kind` says) that an earlier one equals.
pub fn duplicate_names(kind: &str, names: &[Located<ArcStr>], texts: &Texts) -> Vec<ConfigError> {
    let error = |later: &Located<ArcStr>, earlier: &Located<ArcStr>| {
        let message = format!(
            "{} already exists: {} has a {kind} of that name, choose another one",
            quote(&later.value),
            texts.seen_from(&earlier.place, &later.place),
        );
        texts.error(&later.place, message)
    };
    duplicates(names, ArcStr::clone, error)
}

/// The peers that are in no setting different from an earlier one. Peers with the same address are
/// otherwise allowed; they are sessions with different nodes, for instance.
pub fn duplicate_peers(peers: &[Located<Peer>], texts: &Texts) -> Vec<ConfigError> {
    // As in MetalLB, where not given means false.
    let settings = |peer: &Peer| Peer {
        ebgp_multihop: Some(peer.ebgp_multihop.unwrap_or(false)),
        ..peer.clone()
    };
    let error = |later: &Located<Peer>, earlier: &Located<Peer>| {
        let message = format!(
            "this peer {} already exists: the one at {} has the same settings, remove one",
            later.value.address,
            texts.seen_from(&earlier.place, &later.place),
        );
        texts.error(&later.place, message)
    };
    duplicates(peers, settings, error)
}

fn duplicates<T, K: Eq + Hash>(
    items: &[Located<T>],
    key: impl Fn(&T) -> K,
    error: impl Fn(&Located<T>, &Located<T>) -> ConfigError,
) -> Vec<ConfigError> {
    let mut first: HashMap<K, &Located<T>> = HashMap::new();
    let mut errors = Vec::new();
    for item in items {
        match first.get(&key(&item.value)) {
            Some(&earlier) => errors.push(error(item, earlier)),
            None => {
                first.insert(key(&item.value), item);
            }
        }
    }
    errors
}
