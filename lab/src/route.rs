//! Routes as routers and the kernel show them, in one shape.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context, Result};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

/// An address written in the code; panics when it is none.
#[expect(clippy::expect_used, reason = "for literals")]
pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}

/// A prefix written in the code; panics when it is none.
#[expect(clippy::expect_used, reason = "for literals")]
pub fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 unicast.
    V4,
    /// IPv6 unicast.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// As FRR and GoBGP write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    pub(crate) fn ip_option(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }

    fn default_route(self) -> IpNet {
        match self {
            Self::V4 => Ipv4Net::default().into(),
            Self::V6 => Ipv6Net::default().into(),
        }
    }
}

/// The paths of a BGP table by prefix.
pub type Routes = BTreeMap<IpNet, Vec<Path>>;

/// One path to a prefix, as a router received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The neighbour it came from; none for the router's own.
    pub peer: Option<IpAddr>,
    /// The next hops: one, or for IPv6 the global and the link-local one.
    pub next_hops: Vec<IpAddr>,
    /// AS_PATH.
    pub as_path: Vec<u32>,
    /// ORIGIN: `IGP`, `EGP` or `incomplete`.
    pub origin: String,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// COMMUNITIES, `64512:100`, or the names of the well-known ones as the router writes them.
    pub communities: Vec<String>,
    /// The router chose it.
    pub best: bool,
    /// The router uses it together with the best one (ECMP).
    pub multipath: bool,
}

/// All next hops of a prefix; empty when the table does not have it.
pub fn next_hops(routes: &Routes, prefix: IpNet) -> BTreeSet<IpAddr> {
    let paths = routes.get(&prefix).into_iter().flatten();
    paths
        .flat_map(|path| path.next_hops.iter().copied())
        .collect()
}

/// The gateways of the kernel's routes by prefix; none for a connected or blackhole route.
pub type KernelRoutes = BTreeMap<IpNet, BTreeSet<IpAddr>>;

#[derive(Deserialize)]
struct KernelRoute {
    dst: String,
    #[serde(flatten)]
    hop: Hop,
    #[serde(default)]
    nexthops: Vec<Hop>,
}

#[derive(Deserialize)]
struct Hop {
    gateway: Option<IpAddr>,
    via: Option<Via>,
}

/// The gateway when it is of another family than the route.
#[derive(Deserialize)]
struct Via {
    host: IpAddr,
}

/// Reads `ip -j route`.
pub(crate) fn kernel(json: &str, family: Family) -> Result<KernelRoutes> {
    let list: Vec<KernelRoute> = serde_json::from_str(json).context("ip -j route")?;
    let mut routes = KernelRoutes::new();
    for route in list {
        let hops = route.nexthops.iter().chain([&route.hop]);
        let gateways = hops.filter_map(|hop| hop.gateway.or(hop.via.as_ref().map(|via| via.host)));
        routes
            .entry(prefix(&route.dst, family)?)
            .or_default()
            .extend(gateways);
    }
    Ok(routes)
}

/// A prefix as `ip` writes it: `default`, and without the length for a host route.
fn prefix(text: &str, family: Family) -> Result<IpNet> {
    if text == "default" {
        return Ok(family.default_route());
    }
    let host = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| host())
        .with_context(|| format!("not a prefix: {text}"))
}

#[cfg(test)]
mod tests;
