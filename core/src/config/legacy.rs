//! The text behind the key `config` of MetalLB's ConfigMap, v0.10 to v0.12.
//!
//! Where the versions differ, what one of them accepts is accepted. Beyond that this refuses what
//! they accept but cannot have worked: an address range that has no addresses, a source address of
//! the wrong family, a router id that is none.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::decode::{Decoder, Value};
use super::error::{ConfigError, ConfigErrors};
use super::origin::Origin;
use super::validate::{duplicate_names, duplicate_peers, overlaps};
use super::{Community, Config};
use crate::yaml;

mod bfd;
mod peer;
mod pool;
#[cfg(test)]
mod tests;

/// The names of communities with their values; `None` for a value that was refused.
type Aliases = BTreeMap<Rc<str>, Option<Community>>;

const KEYS: [&str; 4] = ["peers", "bgp-communities", "address-pools", "bfd-profiles"];

/// Every mapping of the format, as messages call it, with its keys.
const PLACES: Places = [
    ("the configuration itself, not indented", &KEYS),
    ("peers[]", &peer::KEYS),
    ("peers[].node-selectors[]", &peer::SELECTOR_KEYS),
    (
        "peers[].node-selectors[].match-expressions[]",
        &peer::EXPRESSION_KEYS,
    ),
    ("address-pools[]", &pool::KEYS),
    (
        "address-pools[].bgp-advertisements[]",
        &pool::ADVERTISEMENT_KEYS,
    ),
    ("bfd-profiles[]", &bfd::KEYS),
];
type Places = [(&'static str, &'static [&'static str]); 7];

/// Reads and validates a configuration. An empty text is a valid one without pools and peers.
///
/// `backends` are the names of the backends built into this binary.
///
/// # Errors
/// Everything that is wrong, in the order of the lines (after a syntax error nothing else can be
/// found). The user must mend the text; the configuration before it stays in force.
pub fn parse(
    text: &str,
    origin: &Origin,
    backends: &[&'static str],
) -> Result<Config, ConfigErrors> {
    let root = yaml::parse(text).map_err(|error| ConfigError::syntax(&error, origin))?;
    let mut decoder = Decoder::new(origin, root.clone(), &PLACES);
    let config = match root {
        Some(node) => document(&mut decoder, &Value::root(node), backends),
        None => Config::default(),
    };
    decoder.errors.or(config)
}

fn document(decoder: &mut Decoder<'_>, root: &Value, backends: &[&'static str]) -> Config {
    let Some(fields) = decoder.fields(root, &KEYS) else {
        return Config::default();
    };
    let profiles = bfd::profiles(decoder, fields.get("bfd-profiles"));
    let peers = peer::peers(decoder, fields.get("peers"), &profiles);
    let aliases = aliases(decoder, fields.get("bgp-communities"));
    let pools = pool::pools(decoder, fields.get("address-pools"), &aliases, backends);

    let names: Vec<_> = pools.iter().filter_map(|pool| pool.name.clone()).collect();
    decoder
        .errors
        .extend(duplicate_names("BFD profile", &profiles, &decoder.texts));
    decoder
        .errors
        .extend(duplicate_names("pool", &names, &decoder.texts));
    decoder
        .errors
        .extend(duplicate_peers(&peers, &decoder.texts));
    let entries: Vec<_> = pools.iter().flat_map(|pool| &pool.entries).collect();
    decoder.errors.extend(overlaps(&entries, &decoder.texts));

    let mut config = Config::default();
    pool::put(pools, &mut config);
    let peers = peers.into_iter().map(|peer| Arc::new(peer.value));
    config.bgp.peers.extend(peers);
    config
}

fn aliases(decoder: &mut Decoder<'_>, value: Option<&Value>) -> Aliases {
    let mut aliases = Aliases::new();
    let Some(value) = value else {
        return aliases;
    };
    for (name, value) in decoder.entries(value, "names of your choice for communities") {
        let community = decoder.parsed(&value, str::parse);
        aliases.insert(name, community);
    }
    aliases
}
