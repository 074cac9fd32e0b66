//! Services as a source would tell of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::ownership::Scope;
use carillon_core::service::{Ingress, TrafficPolicy};
use carillon_core::speaker::Input;
use carillon_core::testing::{self, endpoint, endpoint_slice, pool};

/// The second interface of a node.
pub(crate) const SECOND: (u32, &str) = (3, "eth3");

/// A pool whose addresses are announced by ARP, and one where that is done on [`SECOND`] alone; all by BGP,
/// too, if they are to be.
pub(crate) fn config(by_bgp: bool) -> Input {
    let pools = [
        pool("lan", &["10.0.0.0/8"]),
        pool("second", &["11.0.0.0/8"]),
    ];
    let mut config = testing::layer2_config(pools);
    for advertisement in &mut config.layer2 {
        let advertisement = Arc::make_mut(advertisement);
        if advertisement.name == "second" {
            advertisement.interfaces = Arc::new(BTreeSet::from([SECOND.1.into()]));
        }
    }
    if by_bgp {
        let both = ["lan", "second"].map(testing::bgp_advertisement);
        config.bgp.advertisements = both.map(Arc::new).into();
    }
    Input::Config(Arc::new(config))
}

/// The Service that has this VIP, on these nodes; without a scope it is gone.
pub(crate) fn service(vip: IpAddr, scope: Option<&Scope>) -> Vec<Input> {
    let name = vip.to_string();
    let mut service = testing::service(&name);
    let slice = endpoint_slice(&name, []);
    let Some(scope) = scope else {
        return vec![
            Input::ServiceDeleted(service.key),
            Input::EndpointsDeleted(slice.key),
        ];
    };
    let (policy, nodes) = match scope.nodes() {
        None => (TrafficPolicy::Cluster, BTreeSet::from(["elsewhere".into()])),
        Some(nodes) => (TrafficPolicy::Local, nodes.cloned().collect()),
    };
    service.external_traffic_policy = policy;
    service.publish([Ingress::Address(vip)]);
    let endpoints = nodes.iter().map(|node| endpoint(node));
    let slice = endpoint_slice(&name, endpoints);
    vec![Input::Service(service), Input::Endpoints(slice)]
}
