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
use std::time::Duration;

use crate::address::Family;
use crate::announcement::Announcement;
use crate::config::pool::protocol;
use crate::config::{BgpAdvertisement, Config, Peer, Pool, PoolProtocol};
use crate::endpoint::{Endpoint, EndpointSlice};
use crate::interface::{Interface, MacAddress};
use crate::service::{
    Families, Ingress, Port, Protocol, Service, ServiceFacts, ServiceKey, TrafficPolicy,
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
        address_pool: None,
        requested: Ok(Vec::new()),
        sharing_key: None,
        ports: ports(&[80]),
        external_traffic_policy: TrafficPolicy::Cluster,
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

/// A pool that is announced by BGP.
pub fn pool(name: &str, blocks: &[&str]) -> Pool {
    Pool {
        name: name.into(),
        protocol: PoolProtocol::of_backend("bgp"),
        blocks: blocks.iter().map(|block| parse(block)).collect(),
        avoid_buggy_ips: false,
        auto_assign: true,
        bgp_advertisements: vec![BgpAdvertisement::default()],
    }
}

/// A pool that is announced by ARP and NDP.
#[expect(clippy::expect_used, reason = "the protocol is a known one")]
pub fn layer2_pool(name: &str, blocks: &[&str]) -> Pool {
    Pool {
        protocol: protocol("layer2", &["arp", "ndp"]).expect("a known protocol"),
        bgp_advertisements: Vec::new(),
        ..pool(name, blocks)
    }
}

/// A configuration of these pools, without peers.
pub fn config<P: Into<Arc<Pool>>>(pools: impl IntoIterator<Item = P>) -> Config {
    let pools = pools.into_iter().map(Into::into);
    Config {
        pools: pools.map(|pool| (pool.name.clone(), pool)).collect(),
        peers: Vec::new(),
    }
}

/// The router at this address, of this AS; ours is [`MY_ASN`].
pub fn peer(address: &str, asn: u32) -> Peer {
    Peer {
        my_asn: MY_ASN,
        peer_asn: asn,
        address: ip(address),
        port: 179,
        source_address: None,
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        router_id: None,
        node_selectors: Vec::new(),
        password: None,
        ebgp_multihop: None,
    }
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

/// That of an address of this pool, for the first time.
pub fn announcement(pool: &str) -> Announcement {
    Announcement {
        pool: pool.into(),
        round: 0,
    }
}
