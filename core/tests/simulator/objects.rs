//! Services as a source would tell of them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use carillon_core::ownership::Scope;
use carillon_core::service::{Ingress, TrafficPolicy};
use carillon_core::speaker::Input;
use carillon_core::testing::{self, endpoint, endpoint_slice, pool};

/// One pool, whose addresses are announced by ARP, and by BGP, too, if they are to be.
pub(crate) fn config(by_bgp: bool) -> Input {
    let mut config = testing::layer2_config([pool("lan", &["10.0.0.0/8"])]);
    if by_bgp {
        config.bgp.advertisements = vec![Arc::new(testing::bgp_advertisement("lan"))];
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
