//! An EndpointSlice as a strict API server wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use carillon_core::address::Family;
use carillon_core::config::error::{quote, suggest};

use super::super::tree::Path;
use super::super::validate::format::{self, Name};
use super::super::validate::{Cursor, Found, unknown};
use super::SERVICE_LABEL;

/// The most addresses of one endpoint.
const ADDRESSES: usize = 100;
/// The most endpoints of one slice.
const ENDPOINTS: usize = 1000;

/// What the addresses of a slice are.
#[derive(Clone, Copy)]
enum AddressType {
    Address(Option<Family>),
    Name,
    Unknown,
}

/// Checks all but the metadata in itself.
pub(in super::super) fn check(slice: &Cursor<'_>, found: &mut Found) {
    service_label(slice, found);
    let mut expected = address_type(slice, found);
    // Where each was seen first.
    let mut seen: BTreeMap<IpAddr, Path> = BTreeMap::new();
    let list = slice.field("endpoints");
    let endpoints: Vec<_> = list.items(found).collect();
    if endpoints.len() > ENDPOINTS {
        let message = format!(
            "{} endpoints are more than {ENDPOINTS}: write several EndpointSlices",
            endpoints.len()
        );
        list.refuse(message, found);
    }
    for endpoint in &endpoints {
        let list = endpoint.field("addresses");
        let addresses: Vec<_> = list.items(found).collect();
        match addresses.len() {
            0 if !list.is_written() || list.is_list() => {
                list.refuse("is empty: an endpoint needs an address", found);
            }
            0..=ADDRESSES => {}
            n => list.refuse(
                format!("{n} addresses are more than the {ADDRESSES} that an endpoint may have"),
                found,
            ),
        }
        for address in &addresses {
            check_address(address, &mut expected, &mut seen, found);
        }
    }
    ports(slice, found);
}

/// Without the label, a slice belongs to no Service. That is allowed.
fn service_label(slice: &Cursor<'_>, found: &mut Found) {
    let metadata = slice.field("metadata");
    let labels = metadata.field("labels");
    let label = labels.field(SERVICE_LABEL);
    if !label.text(found).is_empty() {
        return;
    }
    let near = labels
        .entries()
        .find(|(key, ..)| *key != SERVICE_LABEL && suggest(key, &[SERVICE_LABEL]).is_some());
    match near {
        Some((_, _, near)) => {
            near.note(
                format!("has no meaning, did you mean {SERVICE_LABEL:?}?"),
                found,
            );
        }
        None => label.note(
            "is missing: the slice belongs to no Service; write the name of the Service there",
            found,
        ),
    }
}

fn address_type(slice: &Cursor<'_>, found: &mut Found) -> AddressType {
    let field = slice.field("addressType");
    match field.text(found) {
        "IPv4" => AddressType::Address(Some(Family::V4)),
        "IPv6" => AddressType::Address(Some(Family::V6)),
        "FQDN" => AddressType::Name,
        // The first address tells.
        "" => AddressType::Address(None),
        other => {
            field.refuse(unknown(other, "IPv4, IPv6 or FQDN"), found);
            AddressType::Unknown
        }
    }
}

fn check_address(
    cursor: &Cursor<'_>,
    expected: &mut AddressType,
    seen: &mut BTreeMap<IpAddr, Path>,
    found: &mut Found,
) {
    let text = cursor.text(found);
    let AddressType::Address(family) = expected else {
        return;
    };
    let address = match format::address(text, *family) {
        Ok(address) => address,
        Err(message) if text.parse::<IpAddr>().is_ok() => {
            let message = format!("{message}, as this slice has: put it into a slice of its own");
            return cursor.refuse(message, found);
        }
        Err(message) => return cursor.refuse(message, found),
    };
    *family = family.or(Some(Family::of(address)));
    cursor.refuse_if_wrong(format::endpoint(address), found);
    match seen.get(&address) {
        Some(first) => cursor.note(format!("{address} is in {first} already"), found),
        None => drop(seen.insert(address, cursor.path())),
    }
}

fn ports(slice: &Cursor<'_>, found: &mut Found) {
    let mut names = BTreeSet::new();
    let list = slice.field("ports");
    let ports: Vec<_> = list.items(found).collect();
    for port in &ports {
        let name = port.field("name");
        let text = name.text(found);
        if !text.is_empty() {
            name.refuse_if_wrong(Name::Label.check(text), found);
        }
        if !names.insert(text) {
            let message = format!("{} is the name of another port, too", quote(text));
            name.refuse(message, found);
        }
        let protocol = port.field("protocol");
        protocol.one_of(&["TCP", "UDP", "SCTP"], "TCP, UDP or SCTP", found);
    }
}
