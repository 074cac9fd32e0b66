//! The items of `address-pools`.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Aliases;
use crate::address::Family;
use crate::config::community::CommunityError;
use crate::config::decode::{Decoder, Fields, Value};
use crate::config::error::quote;
use crate::config::place::Located;
use crate::config::validate::AddressEntry;
use crate::config::{BgpAdvertisement, Community, Pool, PoolName, PoolProtocol, address, pool};

/// The most address blocks of a configuration, ranges expanded.
const MAX_BLOCKS: usize = 100_000;

pub(super) const KEYS: [&str; 6] = [
    "name",
    "protocol",
    "addresses",
    "avoid-buggy-ips",
    "auto-assign",
    "bgp-advertisements",
];

pub(super) const ADVERTISEMENT_KEYS: [&str; 4] = [
    "aggregation-length",
    "aggregation-length-v6",
    "localpref",
    "communities",
];

/// A pool as far as it is valid by itself.
pub(super) struct Draft {
    pub(super) name: Option<Located<PoolName>>,
    pub(super) entries: Vec<Located<AddressEntry>>,
    /// The pool, if nothing is wrong with its name and protocol.
    pub(super) pool: Option<Pool>,
}

pub(super) fn pools(
    decoder: &mut Decoder<'_>,
    value: Option<&Value>,
    aliases: &Aliases,
    backends: &[&'static str],
) -> Vec<Draft> {
    let mut room = MAX_BLOCKS;
    let mut pools = Vec::new();
    for value in decoder.list(value) {
        if let Some(fields) = decoder.fields(&value, &KEYS) {
            pools.push(draft(decoder, &fields, aliases, backends, &mut room));
        }
    }
    pools
}

fn draft(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    aliases: &Aliases,
    backends: &[&'static str],
    room: &mut usize,
) -> Draft {
    let name = decoder.name(fields);
    let label = name
        .as_ref()
        .map_or_else(|| "".into(), |name| name.value.clone());
    let entries = addresses(decoder, fields, &label, room);
    let protocol = decoder
        .required(fields, "protocol", "write bgp or layer2")
        .and_then(|value| decoder.parsed(value, |name| pool::protocol(name, backends)));
    if let Some(protocol) = protocol {
        families(decoder, protocol, &entries, backends);
    }
    let bgp_advertisements = advertisements(decoder, fields, protocol, aliases, &entries);
    let avoid_buggy_ips = decoder
        .boolean(fields.get("avoid-buggy-ips"))
        .unwrap_or(false);
    let auto_assign = decoder.boolean(fields.get("auto-assign")).unwrap_or(true);
    let pool = name.clone().zip(protocol).map(|(name, protocol)| Pool {
        name: name.value,
        protocol,
        blocks: entries
            .iter()
            .flat_map(|entry| entry.value.blocks.clone())
            .collect(),
        avoid_buggy_ips,
        auto_assign,
        bgp_advertisements,
    });
    Draft {
        name,
        entries,
        pool,
    }
}

fn addresses(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    pool: &PoolName,
    room: &mut usize,
) -> Vec<Located<AddressEntry>> {
    let hint = "write a list of CIDRs or ranges, for example [198.51.100.0/24]";
    let Some(list) = decoder.required(fields, "addresses", hint) else {
        return Vec::new();
    };
    if list.is_empty_list() {
        decoder.refuse(list, format!("the list is empty: {hint}"));
    }
    let mut entries = Vec::new();
    for value in decoder.list(Some(list)) {
        let entry = |text: &str| {
            let blocks = address::parse(text)?;
            address::check_hosts(text, &blocks)?;
            Ok::<_, address::AddressError>(AddressEntry {
                pool: pool.clone(),
                text: text.to_owned(),
                blocks,
            })
        };
        let Some(entry) = decoder.parsed(&value, entry) else {
            continue;
        };
        let Some(rest) = room.checked_sub(entry.blocks.len()) else {
            let message =
                format!("more than {MAX_BLOCKS} address blocks: write fewer, larger ones");
            decoder.refuse(&value, message);
            break;
        };
        *room = rest;
        entries.push(decoder.locate(&value, entry));
    }
    entries
}

/// Checks that the pool's protocol announces the addresses of every entry.
fn families(
    decoder: &mut Decoder<'_>,
    protocol: PoolProtocol,
    entries: &[Located<AddressEntry>],
    backends: &[&'static str],
) {
    for entry in entries {
        if let Err(error) = pool::check_family(protocol, &entry.value, backends) {
            let message = format!("{}: {error}", quote(&entry.value.text));
            decoder
                .errors
                .push(decoder.texts.error(&entry.place, message));
        }
    }
}

fn advertisements(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    protocol: Option<PoolProtocol>,
    aliases: &Aliases,
    entries: &[Located<AddressEntry>],
) -> Vec<BgpAdvertisement> {
    let values = decoder.list(fields.get("bgp-advertisements"));
    let entries = || entries.iter().map(|entry| &entry.value);
    let narrowest = [Family::V4, Family::V6].map(|family| pool::narrowest(family, entries()));
    let advertisements: Vec<_> = values
        .iter()
        .filter_map(|value| advertisement(decoder, value, aliases, narrowest))
        .collect();
    if let Some(value) = fields.get("bgp-advertisements") {
        decoder.checked(value, pool::check_communities(&advertisements));
    }
    match (protocol.map(|protocol| protocol.name), values.first()) {
        (Some("bgp") | None, Some(_)) => advertisements,
        (Some("bgp"), None) => vec![BgpAdvertisement::default()],
        (Some(other), Some(first)) => {
            let message = format!("the protocol {other} has no BGP advertisements: remove them");
            decoder.refuse(first, message);
            Vec::new()
        }
        (Some(_) | None, None) => Vec::new(),
    }
}

fn advertisement(
    decoder: &mut Decoder<'_>,
    value: &Value,
    aliases: &Aliases,
    [narrowest_v4, narrowest_v6]: [Option<(&AddressEntry, IpNet)>; 2],
) -> Option<BgpAdvertisement> {
    let defaults = BgpAdvertisement::default();
    // A list item without anything has nothing but defaults.
    if value.is_null() {
        return Some(defaults);
    }
    let fields = decoder.fields(value, &ADVERTISEMENT_KEYS)?;
    let [length_v4, length_v6, local_pref, communities] =
        ADVERTISEMENT_KEYS.map(|key| fields.get(key));
    let mut length = |value: Option<&Value>, family: Family, narrowest| {
        let value = value?;
        let length = decoder.number(value, 0..=family.bits())?;
        decoder.checked(value, pool::check_aggregation(length, narrowest))
    };
    let length_v4 = length(length_v4, Family::V4, narrowest_v4);
    let length_v6 = length(length_v6, Family::V6, narrowest_v6);
    let local_pref = local_pref.and_then(|value| decoder.number(value, 0..=u32::MAX));
    Some(BgpAdvertisement {
        aggregation_length_v4: length_v4.unwrap_or(defaults.aggregation_length_v4),
        aggregation_length_v6: length_v6.unwrap_or(defaults.aggregation_length_v6),
        local_pref: local_pref.unwrap_or(defaults.local_pref),
        communities: communities_of(decoder, communities, aliases),
    })
}

fn communities_of(
    decoder: &mut Decoder<'_>,
    value: Option<&Value>,
    aliases: &Aliases,
) -> BTreeSet<Community> {
    let mut communities = BTreeSet::new();
    for value in decoder.list(value) {
        let resolve = |text: &str| match aliases.get(text) {
            Some(community) => Ok(*community),
            None if text.contains(':') => text.parse().map(Some),
            None => Err(CommunityError::UnknownName(text.to_owned())),
        };
        communities.extend(decoder.parsed(&value, resolve).flatten());
    }
    communities
}
