//! The items of `peers`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use arcstr::ArcStr;

use crate::config::decode::{Decoder, Fields, Value};
use crate::config::draft::PeerDraft;
use crate::config::error::quote;
use crate::config::peer::{self, DEFAULT_HOLD_TIME, DEFAULT_PORT, PeerError};
use crate::config::place::Located;
use crate::config::{Password, Peer};
use crate::selector::{self, Operator, Requirement, Selector};

pub(super) const SELECTOR_KEYS: [&str; 2] = ["match-labels", "match-expressions"];
pub(super) const EXPRESSION_KEYS: [&str; 3] = ["key", "operator", "values"];
pub(super) const KEYS: [&str; 12] = [
    "my-asn",
    "peer-asn",
    "peer-address",
    "peer-port",
    "source-address",
    "hold-time",
    "keepalive-time",
    "router-id",
    "node-selectors",
    "password",
    "ebgp-multihop",
    "bfd-profile",
];

/// How a message ends that refuses a peer only because it is to have BFD.
pub const NO_BFD: &str = "BFD is not supported yet, remove this key";

/// The peers, as far as each of their values is right by itself.
pub(super) fn peers(
    decoder: &mut Decoder<'_>,
    value: Option<&Value>,
    bfd_profiles: &[Located<ArcStr>],
) -> Vec<PeerDraft> {
    let mut peers = Vec::new();
    for value in decoder.list(value) {
        if let Some(fields) = decoder.fields(&value, &KEYS) {
            peers.push(PeerDraft {
                bfd_profile: bfd_profile(decoder, &fields, bfd_profiles),
                peer: peer(decoder, &fields),
                password_secret: None,
                place: decoder.place(&value),
            });
        }
    }
    peers
}

fn peer(decoder: &mut Decoder<'_>, fields: &Fields) -> Option<Peer> {
    let my_asn = asn(decoder, fields, "my-asn", peer::my_asn);
    let peer_asn = asn(decoder, fields, "peer-asn", peer::peer_asn);
    let address = address(decoder, fields);
    let port = fields.get("peer-port");
    let port = port.and_then(|value| decoder.number(value, 0..=u16::MAX));
    let source_address = source_address(decoder, fields, address);
    let (hold_time, keepalive_time) = timers(decoder, fields);
    let router_id = decoder.optional(fields.get("router-id"), peer::router_id);
    let node_selectors = node_selectors(decoder, fields);
    let password = password(decoder, fields);
    let ebgp_multihop = multihop(decoder, fields, my_asn.zip(peer_asn));
    let address = address?;
    let port = port.filter(|port| *port != 0).unwrap_or(DEFAULT_PORT);
    Some(Peer {
        name: peer::name(address, port),
        port,
        source_address,
        hold_time: hold_time?,
        keepalive_time,
        router_id,
        node_selectors,
        password,
        ebgp_multihop,
        ..Peer::new(my_asn?, peer_asn?, address)
    })
}

fn asn(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    key: &str,
    check: impl Fn(u32) -> Result<u32, PeerError>,
) -> Option<u32> {
    let value = decoder.required(fields, key, "write an AS number, for example 64512")?;
    let number = decoder.number(value, 0..=u32::MAX)?;
    decoder.checked(value, check(number))
}

fn address(decoder: &mut Decoder<'_>, fields: &Fields) -> Option<IpAddr> {
    let hint = "write the address of the router, for example 192.168.7.10";
    let value = decoder.required(fields, "peer-address", hint)?;
    decoder.parsed(value, peer::address)
}

fn source_address(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    peer: Option<IpAddr>,
) -> Option<IpAddr> {
    let value = fields.get("source-address")?;
    let source = decoder.optional(Some(value), peer::source)?;
    decoder.checked(value, peer::check_source(source, peer?))?;
    Some(source)
}

/// The hold time (`None` if it is wrong) and the keepalive interval.
fn timers(decoder: &mut Decoder<'_>, fields: &Fields) -> (Option<Duration>, Option<Duration>) {
    let hold_time = match fields.get("hold-time") {
        None => Some(DEFAULT_HOLD_TIME),
        Some(value) => decoder.parsed(value, |text| match text {
            "" => Ok(DEFAULT_HOLD_TIME),
            text => peer::hold_time(text),
        }),
    };
    let keepalive_time = hold_time.and_then(|hold_time| {
        let keepalive_time = |text: &str| peer::keepalive_time(text, hold_time);
        decoder.optional(fields.get("keepalive-time"), keepalive_time)
    });
    (hold_time, keepalive_time)
}

/// The field `ebgp-multihop`; `asns` are ours and the peer's.
fn multihop(decoder: &mut Decoder<'_>, fields: &Fields, asns: Option<(u32, u32)>) -> Option<bool> {
    let value = fields.get("ebgp-multihop")?;
    let multihop = decoder.boolean(Some(value))?;
    let (my_asn, peer_asn) = asns?;
    decoder.checked(value, peer::check_multihop(multihop, my_asn, peer_asn))?;
    Some(multihop)
}

fn password(decoder: &mut Decoder<'_>, fields: &Fields) -> Option<Password> {
    let check = |text: &str| {
        peer::check_password(text)?;
        Ok::<_, PeerError>(Password(text.to_owned()))
    };
    decoder.optional(fields.get("password"), check)
}

/// The name of a BFD profile. Without BFD a session finds out later that it is broken, so that one which
/// is to have it is refused; the name of a profile that is not there is for others to find.
fn bfd_profile(
    decoder: &mut Decoder<'_>,
    fields: &Fields,
    profiles: &[Located<ArcStr>],
) -> Option<Located<String>> {
    let value = fields.get("bfd-profile")?;
    let name: String = decoder.optional(Some(value), str::parse)?;
    if profiles.iter().any(|profile| *profile.value == *name) {
        let message = format!("{}: {NO_BFD}", quote(&name));
        decoder.refuse(value, message);
    }
    Some(decoder.locate(value, name))
}

fn node_selectors(decoder: &mut Decoder<'_>, fields: &Fields) -> Vec<Selector> {
    let selectors = decoder.list(fields.get("node-selectors"));
    selectors
        .iter()
        .filter_map(|value| node_selector(decoder, value))
        .collect()
}

fn node_selector(decoder: &mut Decoder<'_>, value: &Value) -> Option<Selector> {
    let fields = decoder.fields(value, &SELECTOR_KEYS)?;
    let mut requirements = Vec::new();
    if let Some(labels) = fields.get("match-labels") {
        for (key, value) in decoder.entries(labels, "labels of nodes") {
            decoder.checked(&value, selector::check_key(&key));
            let label = decoder.parsed(&value, label_value);
            requirements.extend(label.map(|label| Requirement {
                key: key.to_string(),
                operator: Operator::In([label].into()),
            }));
        }
    }
    for value in decoder.list(fields.get("match-expressions")) {
        requirements.extend(expression(decoder, &value));
    }
    Some(Selector { requirements })
}

fn expression(decoder: &mut Decoder<'_>, value: &Value) -> Option<Requirement> {
    let fields = decoder.fields(value, &EXPRESSION_KEYS)?;
    let key = decoder.required(&fields, "key", "write a label, for example rack");
    let key = key.and_then(|value| decoder.parsed(value, label_key));
    let values = decoder.list(fields.get("values"));
    let values: BTreeSet<String> = values
        .iter()
        .filter_map(|value| decoder.parsed(value, label_value))
        .collect();
    let hint = "write In, NotIn, Exists or DoesNotExist";
    let operator = decoder.required(&fields, "operator", hint)?;
    let operator = decoder.parsed(operator, |name| Operator::new(name, values))?;
    Some(Requirement {
        key: key?,
        operator,
    })
}

fn label_key(text: &str) -> Result<String, selector::SelectorError> {
    selector::check_key(text).map(|()| text.to_owned())
}

fn label_value(text: &str) -> Result<String, selector::SelectorError> {
    selector::check_value(text).map(|()| text.to_owned())
}
