//! Services as a source would tell of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::address::Family;
use carillon_core::config::{Config, Pool, PoolProtocol};
use carillon_core::endpoint::{Endpoint, EndpointSlice};
use carillon_core::ownership::Scope;
use carillon_core::service::{Families, Ingress, Service, ServiceFacts, ServiceKey, TrafficPolicy};
use carillon_core::speaker::Input;

/// One pool, whose addresses are announced by ARP.
pub(crate) fn config() -> Input {
    let pool = Pool {
        name: "lan".into(),
        protocol: PoolProtocol {
            name: "layer2",
            ipv4: Some("arp"),
            ipv6: None,
        },
        blocks: vec!["10.0.0.0/8".parse().unwrap()],
        avoid_buggy_ips: false,
        auto_assign: true,
        bgp_advertisements: Vec::new(),
    };
    Input::Config(Arc::new(Config {
        pools: [(pool.name.clone(), Arc::new(pool))].into(),
        peers: Vec::new(),
    }))
}

/// The Service that has this VIP, on these nodes; without a scope it is gone.
pub(crate) fn service(vip: IpAddr, scope: Option<&Scope>) -> Vec<Input> {
    let name = vip.to_string();
    let key = ServiceKey::new("default", &name);
    let slice = ServiceKey::new("default", &format!("{name}-slice"));
    let Some(scope) = scope else {
        return vec![Input::ServiceDeleted(key), Input::EndpointsDeleted(slice)];
    };
    let (policy, nodes) = match scope {
        Scope::Anywhere => (TrafficPolicy::Cluster, BTreeSet::from(["elsewhere".into()])),
        Scope::Nodes(nodes) => (TrafficPolicy::Local, BTreeSet::clone(nodes)),
    };
    let facts = ServiceFacts {
        is_load_balancer: true,
        load_balancer_class: None,
        families: Ok(Families::One(Family::V4)),
        address_pool: None,
        requested: Ok(Vec::new()),
        sharing_key: None,
        ports: BTreeSet::new(),
        external_traffic_policy: policy,
        selector: BTreeMap::new(),
    };
    let endpoint = |node| Endpoint {
        node: Some(node),
        has_address: true,
        ready: Some(true),
        serving: None,
    };
    let endpoints = nodes.into_iter().map(endpoint);
    let endpoints = EndpointSlice::new(slice, key.clone(), Family::V4, endpoints);
    vec![
        Input::Service(Service::new(key, facts, [Ingress::Address(vip)])),
        Input::Endpoints(endpoints),
    ]
}
