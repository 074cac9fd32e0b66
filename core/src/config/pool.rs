//! The rules for one address pool (behaviour reference 1.5).

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::error::{quote, suggest};
use super::validate::AddressEntry;
use super::{BgpAdvertisement, Community};
use crate::address::Family;

/// The protocols that a pool may name: MetalLB's `bgp` and `layer2`, and the two halves of the
/// latter, `arp` for IPv4 and `ndp` for IPv6.
const PROTOCOLS: [&str; 4] = ["bgp", "layer2", "arp", "ndp"];

/// The most communities that a pool's routes may have: with all else that an UPDATE of 4096 octets
/// (RFC 4271 section 4.1) can have to hold there is room for 1001.
pub const MAX_COMMUNITIES: usize = 1000;

/// Why a setting of a pool is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The protocol is known, but its backend was left out of this binary.
    #[error("this binary was built without {0}: build it with the cargo feature \"{0}\"")]
    NotBuiltIn(&'static str),
    /// The protocol is known, but there is no backend yet.
    #[error("{0} is not supported yet: this version has no backend for it, write bgp")]
    NotYet(&'static str),
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
    match suggest(protocol, &PROTOCOLS) {
        Some(meant) => format!(" (did you mean \"{meant}\"?)"),
        None => String::new(),
    }
}

/// The backend that announces the pools of a protocol; `backends` are those built into this binary.
///
/// # Errors
/// There is no such protocol, or no backend for it.
pub fn backend(protocol: &str, backends: &[&'static str]) -> Result<&'static str, PoolError> {
    if let Some(backend) = backends.iter().find(|backend| **backend == protocol) {
        return Ok(backend);
    }
    match PROTOCOLS.iter().find(|known| **known == protocol) {
        Some(&"bgp") => Err(PoolError::NotBuiltIn("bgp")),
        Some(known) => Err(PoolError::NotYet(known)),
        None => {
            let backends = backends.join(", ");
            Err(PoolError::UnknownProtocol(protocol.to_owned(), backends))
        }
    }
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

/// Checks the communities of a pool's advertisements together, for one route can have them all.
///
/// # Errors
/// They are too many for a message.
pub fn check_communities(advertisements: &[BgpAdvertisement]) -> Result<(), PoolError> {
    let all = advertisements.iter().flat_map(|one| &one.communities);
    match all.collect::<BTreeSet<&Community>>().len() {
        ..=MAX_COMMUNITIES => Ok(()),
        count => Err(PoolError::Communities(count)),
    }
}
