//! What a Service asks for, which it does by annotations: how each is written, and what it says.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::address::Family;
use crate::config::error::suggest;
use crate::text::{MOST, bounded, excerpt};

/// The keys of one annotation: today's, and that of before. A present key of today wins, even when it
/// is empty.
pub type Keys = [&'static str; 2];

/// The only pool that a Service accepts.
pub const ADDRESS_POOL: Keys = [
    "metallb.io/address-pool",
    "metallb.universe.tf/address-pool",
];
/// What those Services have in common that share an address.
pub const ALLOW_SHARED_IP: Keys = [
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
];
/// The addresses that a Service wants.
pub const LOAD_BALANCER_IPS: Keys = [
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
];
/// All by which a Service asks for something.
pub const ALL: [Keys; 3] = [ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS];

/// What is written there for people to read, and asks for nothing.
const WRITTEN: &str = "ip-allocated-from-pool";

/// Why a request for addresses cannot be understood. The Service gets no address until it is
/// changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
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

/// What a Service asks for. The default asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Requests {
    /// `address-pool`: the only pool it accepts, as [`bounded`] text.
    pub address_pool: Option<String>,
    /// `loadBalancerIPs`, or `spec.loadBalancerIP`: the addresses it wants; empty when it does not
    /// say.
    pub addresses: Result<Vec<IpAddr>, RequestError>,
    /// `allow-shared-ip`: the sharing key, as [`bounded`] text; without one its addresses are not
    /// shared.
    pub sharing_key: Option<String>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            address_pool: None,
            addresses: Ok(Vec::new()),
            sharing_key: None,
        }
    }
}

/// A Service's annotations, read with both prefixes.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'a>(pub &'a BTreeMap<String, String>);

impl<'a> Annotations<'a> {
    /// All that they ask for, with the field `spec.loadBalancerIP`.
    pub fn requests(self, load_balancer_ip: Option<&str>) -> Requests {
        let text = |keys| self.get(keys).map(|text| bounded(text).into_owned());
        Requests {
            address_pool: text(ADDRESS_POOL),
            addresses: self.addresses(load_balancer_ip),
            sharing_key: text(ALLOW_SHARED_IP),
        }
    }

    /// The value of one; an empty one is none.
    fn get(self, keys: Keys) -> Option<&'a str> {
        let value = keys.into_iter().find_map(|key| self.0.get(key));
        value.map(String::as_str).filter(|value| !value.is_empty())
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
        let prefixes =
            ADDRESS_POOL.map(|key| key.split_once('/').map_or(key, |(prefix, _)| prefix));
        let suffixes = ALL.map(|[key, _]| key.split_once('/').map_or(key, |(_, suffix)| suffix));
        let prefix = suggest(prefix, &prefixes)?;
        let suffix = suggest(suffix, &suffixes)?;
        Some(format!("{prefix}/{suffix}"))
    }

    /// Those that are still read, and should be written with today's prefix.
    pub fn deprecated(self) -> impl Iterator<Item = &'static str> {
        let before = ALL.into_iter().map(|[_, before]| before);
        before.filter(move |key| self.0.contains_key(*key))
    }

    fn addresses(self, load_balancer_ip: Option<&str>) -> Result<Vec<IpAddr>, RequestError> {
        let annotation = self.get(LOAD_BALANCER_IPS);
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
