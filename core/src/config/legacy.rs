//! The text behind the key `config` of MetalLB's ConfigMap, v0.10 to v0.12.
//!
//! Where the versions differ, what one of them accepts is accepted. Beyond that this refuses what
//! they accept but cannot have worked: an address range that has no addresses, a source address of
//! the wrong family, a router id that is none.

use super::assemble::assemble;
use super::decode::{Decoder, Value};
use super::draft::{CommunityAlias, Draft};
use super::error::{ConfigError, ConfigErrors, Refused};
use super::origin::Origin;
use super::{AddressesInUse, Config};
use crate::yaml;

mod bfd;
mod peer;
mod pool;
#[cfg(test)]
mod tests;

pub use super::decode::integer;
pub use peer::NO_BFD;

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
    assemble(draft(text, origin, backends)?, backends).whole()
}

/// Reads a text for a binary with these backends, and what is wrong with each value by itself.
///
/// # Errors
/// It is no YAML.
pub fn draft(
    text: &str,
    origin: &Origin,
    backends: &[&'static str],
) -> Result<Draft, ConfigErrors> {
    let root = yaml::parse(text).map_err(|error| ConfigError::syntax(&error, origin))?;
    let mut decoder = Decoder::new(origin, root.clone(), &PLACES);
    let mut draft = match root {
        Some(node) => document(&mut decoder, &Value::root(node), backends),
        None => Draft::default(),
    };
    draft.texts = decoder.texts;
    draft.errors = Refused::of(origin.file().into(), decoder.errors);
    draft.addresses_in_use = Some(AddressesInUse::Keep);
    Ok(draft)
}

fn document(decoder: &mut Decoder<'_>, root: &Value, backends: &[&'static str]) -> Draft {
    let Some(fields) = decoder.fields(root, &KEYS) else {
        return Draft::default();
    };
    let pools = fields.get("address-pools");
    let (pools, bgp_advertisements) = pool::pools(decoder, pools, backends);
    let bfd_profiles = bfd::profiles(decoder, fields.get("bfd-profiles"));
    Draft {
        pools,
        bgp_advertisements,
        peers: peer::peers(decoder, fields.get("peers"), &bfd_profiles),
        bfd_profiles,
        communities: communities(decoder, fields.get("bgp-communities")),
        ..Draft::default()
    }
}

/// The names of communities with their values.
fn communities(decoder: &mut Decoder<'_>, value: Option<&Value>) -> Vec<CommunityAlias> {
    let mut communities = Vec::new();
    let Some(value) = value else {
        return communities;
    };
    for (name, value) in decoder.entries(value, "names of your choice for communities") {
        communities.push(CommunityAlias {
            name: decoder.locate(&value, name),
            value: decoder.parsed(&value, str::parse),
        });
    }
    communities
}
