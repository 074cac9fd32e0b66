//! The objects in the API: the node, its Services, and how each system is configured.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::kubernetes::Request;

/// The name of the only node.
pub(super) const NODE: &str = "node";
/// Where the configuration of either system is.
pub(super) const NAMESPACE: &str = "metallb-system";
/// The announcing node's AS number; it does not fit into two bytes.
const NODE_ASN: u32 = 4_200_000_001;
/// The receiver's AS number.
pub(super) const RECEIVER_ASN: u32 = 4_200_000_000;
/// The pool: a /15 for up to 131 072 Services.
const POOL: &str = "100.64.0.0/15";

const SERVICES: &str = "/api/v1/namespaces/default/services";
const ENDPOINT_SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/// The node and the namespace of the configuration.
pub(super) fn foundation() -> [Request; 2] {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}});
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    [
        Request::create("/api/v1/nodes", node),
        Request::create("/api/v1/namespaces", namespace),
    ]
}

/// A Service that wants an address. It has no node ports: there are fewer of those than Services.
pub(super) fn create_service(name: &str) -> Request {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": false,
            "selector": {"app": name},
            "ports": [{"protocol": "TCP", "port": 80}],
        },
    });
    Request::create(SERVICES, service)
}

pub(super) fn delete_service(name: &str) -> Request {
    Request::delete(format!("{SERVICES}/{name}"))
}

/// The path for a watch of one Service.
pub(super) fn watch(name: &str) -> String {
    format!("{SERVICES}?watch=true&resourceVersion=0&fieldSelector=metadata.name%3D{name}")
}

/// The EndpointSlice of a Service, with one endpoint that is ready on the node.
pub(super) fn create_endpoint_slice(service: &str) -> Request {
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-1"),
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"protocol": "TCP", "port": 8080}],
        "endpoints": [
            {"addresses": ["10.254.0.1"], "nodeName": NODE, "conditions": {"ready": true}},
        ],
    });
    Request::create(ENDPOINT_SLICES, slice)
}

/// Carillon's configuration: the ConfigMap that MetalLB had before 0.13.
pub(super) fn config_map(receiver: Ipv4Addr) -> Request {
    let config = json!({
        "peers": [
            {"peer-address": receiver, "peer-asn": RECEIVER_ASN, "my-asn": NODE_ASN},
        ],
        "address-pools": [{"name": "pool", "protocol": "bgp", "addresses": [POOL]}],
    });
    let config_map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "config"},
        "data": {"config": config.to_string()},
    });
    Request::create(
        format!("/api/v1/namespaces/{NAMESPACE}/configmaps"),
        config_map,
    )
}

/// MetalLB's configuration, and a Pod for each of its programs: they read the Pod that they are.
pub(super) fn metallb(receiver: Ipv4Addr) -> Vec<Request> {
    let resource = |version: &str, kind: &str, spec: Value| {
        let collection = kind.to_ascii_lowercase() + "s";
        let path = format!("/apis/metallb.io/{version}/namespaces/{NAMESPACE}/{collection}");
        let api_version = format!("metallb.io/{version}");
        let metadata = json!({"name": "benchmark"});
        let object =
            json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
        Request::create(path, object)
    };
    let peer = json!({"myASN": NODE_ASN, "peerASN": RECEIVER_ASN, "peerAddress": receiver});
    vec![
        resource("v1beta1", "IPAddressPool", json!({"addresses": [POOL]})),
        resource("v1beta1", "BGPAdvertisement", json!({})),
        resource("v1beta2", "BGPPeer", peer),
        pod("controller"),
        pod("speaker"),
    ]
}

fn pod(name: &str) -> Request {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeName": NODE, "containers": [{"name": name, "image": name}]},
    });
    Request::create(format!("/api/v1/namespaces/{NAMESPACE}/pods"), pod)
}
