//! The annotations through which a Service asks for things.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::Family;
use crate::config::error::suggest;
use crate::text::{MOST, bounded, excerpt};

/// The prefix of today, and the one of before; a present key of today's prefix wins, even when it
/// is empty.
const PREFIXES: [&str; 2] = ["metallb.io/", "metallb.universe.tf/"];
/// The annotations with the prefix of before.
const DEPRECATED: [&str; 3] = [
    "metallb.universe.tf/address-pool",
    "metallb.universe.tf/allow-shared-ip",
    "metallb.universe.tf/loadBalancerIPs",
];

/// What a Service asks for by annotations, behind one of the prefixes.
const SUFFIXES: [&str; 3] = ["address-pool", "allow-shared-ip", "loadBalancerIPs"];
/// What is written there for people to read, and asks for nothing.
const WRITTEN: &str = "ip-allocated-from-pool";

/// Why a request for addresses cannot be understood. The Service gets no address until it is
/// changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RequestError {
    /// The annotation and the field are both set.
    #[error(
        "service can not have both the annotation metallb.io/loadBalancerIPs and \
         spec.loadBalancerIP"
    )]
    Both,
    /// `spec.loadBalancerIP` is not an address.
    #[error("invalid spec.loadBalancerIP {0:?}: not an IP address")]
    InvalidField(String),
    /// An item of the annotation is not an address.
    #[error("invalid annotation metallb.io/loadBalancerIPs: {0:?} is not an IP address")]
    InvalidItem(String),
    /// Neither one address nor two of different families.
    #[error(
        "invalid annotation metallb.io/loadBalancerIPs {0:?}: write one address, or one of each \
         family"
    )]
    NotOnePerFamily(String),
}

/// A Service's annotations, read with both prefixes.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'a>(pub &'a BTreeMap<String, String>);

impl<'a> Annotations<'a> {
    fn get(self, suffix: &str) -> Option<&'a str> {
        PREFIXES
            .iter()
            .find_map(|prefix| self.0.get(&format!("{prefix}{suffix}")))
            .map(String::as_str)
    }

    /// The annotation that one was probably meant to be; `None` for those that have a meaning, here
    /// or elsewhere.
    pub fn meant(key: &str) -> Option<String> {
        Self::near(key).filter(|meant| meant != key)
    }

    /// The annotation that a key equals, or nearly so.
    pub fn near(key: &str) -> Option<String> {
        let (prefix, suffix) = match key.split_once('/') {
            Some((prefix, suffix)) => (prefix, suffix),
            None => ("metallb.io", key),
        };
        if suffix == WRITTEN || key.len() > MOST {
            return None;
        }
        let prefixes = PREFIXES.map(|prefix| prefix.trim_end_matches('/'));
        let prefix = suggest(prefix, &prefixes)?;
        let suffix = suggest(suffix, &SUFFIXES)?;
        Some(format!("{prefix}/{suffix}"))
    }

    /// `address-pool`: the only pool the Service accepts, as [`bounded`] text.
    pub fn address_pool(self) -> Option<String> {
        self.get("address-pool")
            .filter(|name| !name.is_empty())
            .map(|name| bounded(name).into_owned())
    }

    /// `allow-shared-ip`: the sharing key, as [`bounded`] text; empty means not shared.
    pub fn sharing_key(self) -> Option<String> {
        self.get("allow-shared-ip")
            .filter(|key| !key.is_empty())
            .map(|key| bounded(key).into_owned())
    }

    /// Those that are still read, and should be written with today's prefix.
    pub fn deprecated(self) -> impl Iterator<Item = &'static str> {
        let is_there = move |key: &&str| self.0.contains_key(*key);
        DEPRECATED.into_iter().filter(is_there)
    }

    /// The addresses asked for by `loadBalancerIPs` or by `spec.loadBalancerIP`; empty when there
    /// is no request.
    ///
    /// # Errors
    /// The request cannot be understood; see [`RequestError`].
    pub fn requested(self, load_balancer_ip: Option<&str>) -> Result<Vec<IpAddr>, RequestError> {
        let annotation = self.get("loadBalancerIPs").filter(|list| !list.is_empty());
        let field = load_balancer_ip.filter(|ip| !ip.is_empty());
        match (annotation, field) {
            (Some(_), Some(_)) => Err(RequestError::Both),
            (None, None) => Ok(Vec::new()),
            (None, Some(ip)) => ip
                .parse()
                .map(|ip| vec![ip])
                .map_err(|_| RequestError::InvalidField(excerpt(ip))),
            (Some(list), None) => requested_list(list),
        }
    }
}

fn requested_list(list: &str) -> Result<Vec<IpAddr>, RequestError> {
    let addresses = list
        .split(',')
        .map(|item| {
            item.trim()
                .parse()
                .map_err(|_| RequestError::InvalidItem(excerpt(item.trim())))
        })
        .collect::<Result<Vec<IpAddr>, _>>()?;
    match addresses.as_slice() {
        [_] => Ok(addresses),
        [a, b] if Family::of(*a) != Family::of(*b) => Ok(addresses),
        _ => Err(RequestError::NotOnePerFamily(excerpt(list))),
    }
}
