//! The rules for one address pool.

use ipnet::IpNet;

use super::Protocol;
use super::draft::AddressEntry;
use super::error::{quote, suggest};
use crate::address::Family;

/// The protocols that a pool may name beside those of further backends: MetalLB's `bgp` and
/// `layer2`, and the two halves of the latter.
const PROTOCOLS: [Protocol; 4] = [
    Protocol::Bgp,
    Protocol::Layer2,
    Protocol::Backend("arp"),
    Protocol::Backend("ndp"),
];

/// The most address blocks of a configuration, ranges expanded.
pub const MAX_BLOCKS: usize = 100_000;

/// The most communities that a pool's routes may have: with all else that an UPDATE of 4096 octets
/// (RFC 4271 section 4.1) can have to hold there is room for 1001.
pub const MAX_COMMUNITIES: usize = 1000;

/// Why a setting of a pool is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The protocol is known, but its backend was left out of this binary.
    #[error("this binary was built without {0}: build it with the cargo feature \"{0}\"")]
    NotBuiltIn(&'static str),
    /// The protocol has no backend for this family.
    #[error(
        "{0} announces no {1} addresses: write layer2, or give them a pool with another protocol"
    )]
    WrongFamily(&'static str, Family),
    /// Not a protocol.
    #[error(
        "{} is not a protocol{}: known are bgp, layer2, arp and ndp, and this binary has {}",
        quote(.0), did_you_mean(.0), .1
    )]
    UnknownProtocol(String, String),
    /// A route would be for more addresses than the pool has.
    #[error(
        "{length} is shorter than the prefix of {block}, a part of {}: write {} to {}, or remove \
         this key",
        quote(.entry), .block.prefix_len(), .block.max_prefix_len()
    )]
    Aggregation {
        /// The prefix length of the routes.
        length: u8,
        /// An entry of the pool's addresses.
        entry: String,
        /// Its largest block.
        block: IpNet,
    },
    /// A route with all of them would not fit in a message.
    #[error(
        "{0} different communities: at most {MAX_COMMUNITIES} fit in a BGP message, remove some"
    )]
    Communities(usize),
}

fn did_you_mean(protocol: &str) -> String {
    match suggest(protocol, &PROTOCOLS.map(Protocol::name)) {
        Some(meant) => format!(" (did you mean \"{meant}\"?)"),
        None => String::new(),
    }
}

/// The protocol of this name; `backends` are those built into this binary. A protocol of both
/// families stays usable for the one whose backend is there.
///
/// # Errors
/// There is no such protocol, or no backend for it.
pub fn protocol(name: &str, backends: &[&'static str]) -> Result<Protocol, PoolError> {
    let Some(known) = PROTOCOLS.iter().find(|known| known.name() == name) else {
        return match backends.iter().find(|backend| **backend == name) {
            Some(backend) => Ok(Protocol::Backend(backend)),
            None => Err(PoolError::UnknownProtocol(
                name.to_owned(),
                backends.join(", "),
            )),
        };
    };
    let families = [Family::V4, Family::V6].into_iter();
    let needed = families.filter_map(|family| known.backend(family));
    let mut missing = needed.clone().filter(|name| !backends.contains(name));
    match missing.next() {
        Some(first) if needed.clone().all(|name| !backends.contains(&name)) => {
            Err(PoolError::NotBuiltIn(first))
        }
        Some(_) | None => Ok(*known),
    }
}

/// Checks that a protocol announces the addresses of an entry.
///
/// # Errors
/// It has no backend for their family, or that is not built into this binary.
pub fn check_family(
    protocol: Protocol,
    entry: &AddressEntry,
    backends: &[&'static str],
) -> Result<(), PoolError> {
    for block in &entry.blocks {
        let family = Family::of(block.addr());
        match protocol.backend(family) {
            None => return Err(PoolError::WrongFamily(protocol.name(), family)),
            Some(backend) if !backends.contains(&backend) => {
                return Err(PoolError::NotBuiltIn(backend));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// What decides how short the routes of a pool may be, for the addresses of one family: the entry
/// whose largest block is the smallest.
///
/// As in MetalLB v0.12 the largest block of each entry counts, which accepts all that v0.10 does: a
/// route may be for more addresses than a small block at the edge of a range has.
pub fn narrowest<'a>(
    family: Family,
    entries: impl IntoIterator<Item = &'a AddressEntry>,
) -> Option<(&'a AddressEntry, IpNet)> {
    let largest = |entry: &'a AddressEntry| {
        let blocks = entry.blocks.iter().copied();
        let blocks = blocks.filter(|block| Family::of(block.addr()) == family);
        Some((entry, blocks.min_by_key(IpNet::prefix_len)?))
    };
    let largest = entries.into_iter().filter_map(largest);
    largest.max_by_key(|(_, block)| block.prefix_len())
}

/// Checks an aggregation length against the [`narrowest`] entry of its family.
///
/// # Errors
/// Routes of this length would be for more addresses than the largest block of the entry has.
pub fn check_aggregation(
    length: u8,
    narrowest: Option<(&AddressEntry, IpNet)>,
) -> Result<u8, PoolError> {
    match narrowest {
        Some((entry, block)) if length < block.prefix_len() => Err(PoolError::Aggregation {
            length,
            entry: entry.text.clone(),
            block,
        }),
        Some(_) | None => Ok(length),
    }
}

/// Checks how many communities a pool's advertisements have together, for one route can have them all.
///
/// # Errors
/// They are too many for a message.
pub fn check_communities(count: usize) -> Result<(), PoolError> {
    match count {
        ..=MAX_COMMUNITIES => Ok(()),
        count => Err(PoolError::Communities(count)),
    }
}
