//! The items of `address-pools`.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::Aliases;
use crate::address::Family;
use crate::config::community::CommunityError;
use crate::config::decode::{Decoder, Fields, Value};
use crate::config::error::quote;
use crate::config::place::Located;
use crate::config::validate::AddressEntry;
use crate::config::{
    AdvertisementName, Audience, BgpAdvertisement, Community, Config, L2Advertisement,
    OtherAdvertisement, Pool, PoolName, Protocol, address, pool,
};

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
    /// The pool and how it is announced, if nothing is wrong with its name and protocol.
    pub(super) pool: Option<(Pool, Announced)>,
}

/// How the protocol of a pool announces it.
pub(super) enum Announced {
    /// By BGP, with these settings; at least one.
    Bgp(Vec<BgpAdvertisement>),
    /// By ARP and NDP.
    Layer2,
    /// By the backend of this name.
    Backend(&'static str),
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
    let pool = name.clone().zip(protocol).map(|(name, protocol)| {
        let blocks = entries.iter().flat_map(|entry| entry.value.blocks.clone());
        let announced = match protocol {
            Protocol::Bgp => Announced::Bgp(bgp_advertisements),
            Protocol::Layer2 => Announced::Layer2,
            Protocol::Backend(name) => Announced::Backend(name),
        };
        let pool = Pool {
            name: name.value,
            blocks: blocks.collect(),
            avoid_buggy_ips,
            auto_assign,
        };
        (pool, announced)
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
    protocol: Protocol,
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
    protocol: Option<Protocol>,
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
    match (protocol, values.first()) {
        (Some(Protocol::Bgp) | None, Some(_)) => advertisements,
        (Some(Protocol::Bgp), None) => vec![BgpAdvertisement::default()],
        (Some(other @ (Protocol::Layer2 | Protocol::Backend(_))), Some(first)) => {
            let other = other.name();
            let message = format!("the protocol {other} has no BGP advertisements: remove them");
            decoder.refuse(first, message);
            Vec::new()
        }
        (Some(Protocol::Layer2 | Protocol::Backend(_)) | None, None) => Vec::new(),
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
        ..defaults
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

/// Makes the pools a part of a configuration, each with an advertisement of its own.
pub(super) fn put(drafts: Vec<Draft>, config: &mut Config) {
    let drafts: Vec<_> = drafts.into_iter().filter_map(|draft| draft.pool).collect();
    let mut names: BTreeSet<_> = drafts.iter().map(|(pool, _)| pool.name.clone()).collect();
    for (pool, announced) in drafts {
        let name = pool.name.clone();
        let audience = Audience::of_pool(name.clone());
        match announced {
            Announced::Layer2 => {
                let advertisement = L2Advertisement { name, audience };
                config.layer2.push(Arc::new(advertisement));
            }
            Announced::Backend(backend) => config.others.push(Arc::new(OtherAdvertisement {
                name,
                backend,
                audience,
            })),
            Announced::Bgp(advertisements) => {
                let named = |(index, advertisement)| BgpAdvertisement {
                    name: name_of(&name, index, &mut names),
                    audience: audience.clone(),
                    ..advertisement
                };
                let named = advertisements.into_iter().enumerate().map(named);
                config.bgp.advertisements.extend(named.map(Arc::new));
            }
        }
        config.pools.insert(pool.name.clone(), Arc::new(pool));
    }
}

/// The name of the advertisement of a pool with this index: that of the pool, then that and a number.
fn name_of(pool: &PoolName, index: usize, taken: &mut BTreeSet<PoolName>) -> AdvertisementName {
    if index == 0 {
        return pool.clone();
    }
    let mut names = (index + 1..).map(|number| arcstr::format!("{pool}-{number}"));
    names
        .find(|name| taken.insert(name.clone()))
        .unwrap_or_default()
}
