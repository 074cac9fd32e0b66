//! The items of `address-pools`.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::address::Family;
use crate::config::decode::{Decoder, Fields, Value};
use crate::config::draft::{AddressEntry, BgpAdvertisementDraft, PoolDraft, PoolSelection};
use crate::config::place::{Located, Place};
use crate::config::pool::{self, MAX_BLOCKS};
use crate::config::{BgpAdvertisement, Pool, PoolName, Protocol, address};

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

/// The pools with their BGP advertisements, as far as each of their values is right by itself.
pub(super) fn pools(
    decoder: &mut Decoder<'_>,
    value: Option<&Value>,
    backends: &[&'static str],
) -> (Vec<PoolDraft>, Vec<BgpAdvertisementDraft>) {
    let mut room = MAX_BLOCKS;
    let mut pools = Vec::new();
    let mut of_pools = Vec::new();
    for value in decoder.list(value) {
        if let Some(fields) = decoder.fields(&value, &KEYS) {
            let pool = draft(decoder, &value, &fields, backends, &mut room);
            of_pools.push(advertisements(decoder, &fields, pool.protocol));
            pools.push(pool);
        }
    }
    let advertisements = named(&pools, of_pools);
    (pools, advertisements)
}

/// Lets advertisements be for their pools, and names them: the first as the pool, the others by that
/// name and a number, the next one that makes no name that is taken.
fn named(
    pools: &[PoolDraft],
    of_pools: Vec<Vec<BgpAdvertisementDraft>>,
) -> Vec<BgpAdvertisementDraft> {
    let mut taken: BTreeSet<_> = pools.iter().map(|pool| pool.label().clone()).collect();
    // Those of the pools that share a name, which is refused, go on where the last one ended.
    let mut next: BTreeMap<&PoolName, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for (pool, of_pool) in pools.iter().map(PoolDraft::label).zip(of_pools) {
        let next = next.entry(pool).or_insert(2);
        let free = iter::from_fn(|| {
            *next += 1;
            Some(arcstr::format!("{pool}-{}", *next - 1))
        });
        let free = free.filter(|name| taken.insert(name.clone()));
        let names = iter::once(pool.clone()).chain(free);
        named.extend(of_pool.into_iter().zip(names).map(|(mut one, name)| {
            one.rest.name = name;
            one.pools = PoolSelection::of_pool(pool.clone(), one.place.clone());
            one
        }));
    }
    named
}

fn draft(
    decoder: &mut Decoder<'_>,
    value: &Value,
    fields: &Fields,
    backends: &[&'static str],
    room: &mut usize,
) -> PoolDraft {
    let place = decoder.place(value);
    let name = decoder.name(fields);
    let label = name
        .as_ref()
        .map_or_else(|| "".into(), |name| name.value.clone());
    let addresses = addresses(decoder, fields, &label, room);
    let protocol = decoder
        .required(fields, "protocol", "write bgp or layer2")
        .and_then(|value| decoder.parsed(value, |name| pool::protocol(name, backends)));
    let mut boolean = |key| decoder.boolean(fields.get(key));
    let defaults = Pool::default();
    PoolDraft {
        name,
        addresses,
        protocol,
        rest: Pool {
            avoid_buggy_ips: boolean("avoid-buggy-ips").unwrap_or(defaults.avoid_buggy_ips),
            auto_assign: boolean("auto-assign").unwrap_or(defaults.auto_assign),
            ..defaults
        },
        ..PoolDraft::at(place)
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

fn advertisements(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    protocol: Option<Protocol>,
) -> Vec<BgpAdvertisementDraft> {
    let Some(list) = fields.get("bgp-advertisements") else {
        return Vec::new();
    };
    let place = decoder.place(list);
    let values = decoder.list(Some(list));
    let advertisements = values.iter();
    let advertisements = advertisements.filter_map(|value| advertisement(decoder, value, &place));
    let advertisements = advertisements.collect();
    match (protocol, values.first()) {
        (Some(other @ (Protocol::Layer2 | Protocol::Backend(_))), Some(first)) => {
            let other = other.name();
            let message = format!("the protocol {other} has no BGP advertisements: remove them");
            decoder.refuse(first, message);
        }
        (Some(_), None) | (Some(Protocol::Bgp) | None, _) => {}
    }
    advertisements
}

/// An advertisement of the list at this place.
fn advertisement(
    decoder: &mut Decoder<'_>,
    value: &Value,
    list: &Place,
) -> Option<BgpAdvertisementDraft> {
    // A list item without anything has nothing but defaults.
    if value.is_null() {
        return Some(BgpAdvertisementDraft::at(list.clone()));
    }
    let fields = decoder.fields(value, &ADVERTISEMENT_KEYS)?;
    let [length_v4, length_v6, local_pref, communities] =
        ADVERTISEMENT_KEYS.map(|key| fields.get(key));
    let mut length = |value: Option<&Value>, family: Family| {
        let value = value?;
        let length = decoder.number(value, 0..=family.bits())?;
        Some(decoder.locate(value, length))
    };
    let length_v4 = length(length_v4, Family::V4);
    let length_v6 = length(length_v6, Family::V6);
    let local_pref = local_pref.and_then(|value| decoder.number(value, 0..=u32::MAX));
    let defaults = BgpAdvertisement::default();
    Some(BgpAdvertisementDraft {
        aggregation_length_v4: length_v4,
        aggregation_length_v6: length_v6,
        communities: texts(decoder, communities),
        rest: BgpAdvertisement {
            local_pref: local_pref.unwrap_or(defaults.local_pref),
            ..defaults
        },
        ..BgpAdvertisementDraft::at(list.clone())
    })
}

/// The texts of a list.
fn texts(decoder: &mut Decoder<'_>, value: Option<&Value>) -> Vec<Located<String>> {
    let mut texts = Vec::new();
    for value in decoder.list(value) {
        let text = decoder.text(&value).map(str::to_owned);
        texts.extend(text.map(|text| decoder.locate(&value, text)));
    }
    texts
}
