//! What tests and benchmarks of every crate are made of: valid values, each from what tells it from
//! others of its kind.
//!
//! Whatever else a value has is what a source or the configuration makes of it when nothing optional
//! is written. Who wants more of it says just that,
//! `Pool { avoid_buggy_ips: true, ..pool("a", &["192.0.2.0/24"]) }`, so that a new field of these
//! types concerns this file and no test. Text that does not parse panics.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::address::Family;
use crate::announcement::Announcement;
use crate::backend::{Caps, Ownership};
use crate::config::{
    Audience, BgpAdvertisement, Config, L2Advertisement, OtherAdvertisement, Peer, Pool,
};
use crate::endpoint::{Endpoint, EndpointSlice};
use crate::interface::{Interface, MacAddress};
use crate::labels::Labels;
use crate::selector::{Operator, Requirement, Selector};
use crate::service::{
    Families, Ingress, Port, Protocol, Requests, Service, ServiceFacts, ServiceKey, TrafficPolicy,
};

pub use carillon_gossip::testing::beginning;

/// Our AS number in [`peer`].
pub const MY_ASN: u32 = 64500;

#[expect(clippy::panic, reason = "the text stands in a test, and is wrong")]
fn parse<T: FromStr<Err: Error>>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// An address.
pub fn ip(text: &str) -> IpAddr {
    parse(text)
}

/// Addresses, in this order.
pub fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

/// The name of a Service, in the namespace `default`.
pub fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

/// Labels, `team=x,tier=1`.
pub fn labels(text: &str) -> Labels {
    pairs(text).collect()
}

/// The selector of all that has these labels.
pub fn selector(text: &str) -> Selector {
    let requirement = |(key, value): (&str, &str)| Requirement {
        key: key.to_owned(),
        operator: Operator::In([value.to_owned()].into()),
    };
    Selector {
        requirements: pairs(text).map(requirement).collect(),
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// TCP ports.
pub fn ports(numbers: &[u16]) -> BTreeSet<Port> {
    let port = |number: &u16| Port {
        protocol: Protocol::Tcp,
        number: *number,
    };
    numbers.iter().map(port).collect()
}

/// A Service of the type `LoadBalancer` in the namespace `default`: IPv4 alone, TCP port 80, and no
/// wish for any address or pool. It has no address yet; see [`published`].
pub fn service(name: &str) -> Service {
    let facts = ServiceFacts {
        is_load_balancer: true,
        load_balancer_class: None,
        families: Ok(Families::One(Family::V4)),
        requests: Requests::default(),
        ports: ports(&[80]),
        external_traffic_policy: TrafficPolicy::Cluster,
        health_check_node_port: None,
        selector: BTreeMap::new(),
    };
    Service::new(key(name), facts, [])
}

/// The same with these addresses in its status, and nothing else there but who gave them.
pub fn published(mut service: Service, addresses: &[&str]) -> Service {
    service.publish(ips(addresses).into_iter().map(Ingress::Address));
    service
}

/// An endpoint on this node that can serve.
pub fn endpoint(node: &str) -> Endpoint {
    Endpoint {
        node: Some(node.into()),
        has_address: true,
        ready: Some(true),
        serving: None,
    }
}

/// The first slice of the endpoints of a Service in the namespace `default`, for IPv4.
pub fn endpoint_slice(
    service: &str,
    endpoints: impl IntoIterator<Item = Endpoint>,
) -> EndpointSlice {
    let slice = key(&format!("{service}-1"));
    EndpointSlice::new(slice, key(service), Family::V4, endpoints)
}

/// A pool of these blocks, from which addresses are given.
pub fn pool(name: &str, blocks: &[&str]) -> Pool {
    Pool {
        name: name.into(),
        blocks: blocks.iter().map(|block| parse(block)).collect(),
        ..Pool::default()
    }
}

/// A configuration of these pools without peers, each announced by BGP as host routes.
pub fn config<P: Into<Arc<Pool>>>(pools: impl IntoIterator<Item = P>) -> Config {
    let mut config = unannounced(pools);
    let names = config.pools.keys();
    config.bgp.advertisements = names
        .map(|pool| Arc::new(bgp_advertisement(pool)))
        .collect();
    config
}

/// A configuration of these pools, each announced by ARP and NDP.
pub fn layer2_config<P: Into<Arc<Pool>>>(pools: impl IntoIterator<Item = P>) -> Config {
    let mut config = unannounced(pools);
    let names = config.pools.keys();
    config.layer2 = names.map(|pool| Arc::new(l2_advertisement(pool))).collect();
    config
}

/// A configuration of these pools that nothing announces.
pub fn unannounced<P: Into<Arc<Pool>>>(pools: impl IntoIterator<Item = P>) -> Config {
    let pools = pools.into_iter().map(Into::into);
    Config {
        pools: pools.map(|pool| (pool.name.clone(), pool)).collect(),
        ..Config::default()
    }
}

/// That of a pool, with its name: host routes to all peers.
pub fn bgp_advertisement(pool: &str) -> BgpAdvertisement {
    BgpAdvertisement {
        name: pool.into(),
        audience: Audience::of_pool(pool.into()),
        ..BgpAdvertisement::default()
    }
}

/// That of a pool, with its name.
pub fn l2_advertisement(pool: &str) -> L2Advertisement {
    L2Advertisement {
        name: pool.into(),
        audience: Audience::of_pool(pool.into()),
        ..L2Advertisement::default()
    }
}

/// That of a pool, with its name, by a backend that the core knows nothing of.
pub fn other_advertisement(pool: &str, backend: &'static str) -> OtherAdvertisement {
    OtherAdvertisement {
        name: pool.into(),
        backend,
        audience: Audience::of_pool(pool.into()),
    }
}

/// A backend by which every eligible node announces.
pub const fn shared(name: &'static str) -> Caps {
    Caps {
        name,
        ownership: Ownership::Shared,
        uses_interfaces: false,
    }
}

/// A backend by which one node of a segment announces addresses of this family.
pub const fn exclusive(name: &'static str, family: Family) -> Caps {
    Caps {
        name,
        ownership: Ownership::Exclusive(family),
        uses_interfaces: true,
    }
}

/// The router at this address, of this AS; ours is [`MY_ASN`].
pub fn peer(address: &str, asn: u32) -> Peer {
    Peer::new(MY_ASN, asn, ip(address))
}

/// An Ethernet interface that is up and has these addresses with their prefix lengths.
pub fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    Interface {
        index,
        name: name.into(),
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        is_running: true,
        is_loopback: false,
        has_arp: true,
        has_master: false,
        addresses: addresses.iter().map(|address| parse(address)).collect(),
    }
}

/// That of an address of this pool by the advertisement with its name, for the first time.
pub fn announcement(pool: &str) -> Announcement {
    Announcement {
        pool: pool.into(),
        advertisements: [pool.into()].into(),
        round: 0,
    }
}
