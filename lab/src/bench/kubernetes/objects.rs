//! The objects in the API: the node, its Services, and how each system is configured.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::kubernetes::Request;

/// The name of the only node.
pub(super) const NODE: &str = "node";
/// Where the configuration of either system is.
pub(super) const NAMESPACE: &str = "metallb-system";
/// The label of a node that tells its name.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";
/// The announcing node's AS number; it does not fit into two bytes.
const NODE_ASN: u32 = 4_200_000_001;
/// The receiver's AS number.
pub(super) const RECEIVER_ASN: u32 = 4_200_000_000;
/// The pool: a /15 for up to 131 072 Services.
const POOL: &str = "100.64.0.0/15";

pub(super) const SERVICES: &str = "/api/v1/namespaces/default/services";
const ENDPOINT_SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/// A node with the label that tells its name.
pub(super) fn node(name: &str) -> Request {
    let labels = json!({HOSTNAME: name});
    let metadata = json!({"name": name, "labels": labels});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata});
    Request::create("/api/v1/nodes", node)
}

/// The namespace of the configuration.
pub(super) fn namespace() -> Request {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    Request::create("/api/v1/namespaces", namespace)
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

/// The EndpointSlice of a Service, with one endpoint that is ready on a node.
pub(super) fn create_endpoint_slice(service: &str, node: &str) -> Request {
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
            {"addresses": ["10.254.0.1"], "nodeName": node, "conditions": {"ready": true}},
        ],
    });
    Request::create(ENDPOINT_SLICES, slice)
}

/// The configuration: a pool, and a session of the node with the receiver.
pub(super) fn configuration(receiver: Ipv4Addr) -> Vec<Request> {
    let pool = json!({"addresses": [POOL]});
    let advertisement = json!({"ipAddressPools": ["benchmark"]});
    vec![
        resource("IPAddressPool", "benchmark", &json!({}), &pool),
        resource("BGPAdvertisement", "benchmark", &json!({}), &advertisement),
        resource("BGPPeer", "benchmark", &json!({}), &peer(receiver)),
    ]
}

/// A session with the receiver.
fn peer(receiver: Ipv4Addr) -> Value {
    json!({"myASN": NODE_ASN, "peerASN": RECEIVER_ASN, "peerAddress": receiver})
}

/// A session of one node with the receiver.
pub(super) fn peer_of(node: &str, receiver: Ipv4Addr) -> Value {
    let mut peer = peer(receiver);
    if let Some(peer) = peer.as_object_mut() {
        let nodes = json!([{"matchLabels": {HOSTNAME: node}}]);
        peer.insert("nodeSelectors".to_owned(), nodes);
    }
    peer
}

/// So many objects of configuration that have nothing to do with the Services: pools that give
/// nothing by themselves and their advertisements, peers of other nodes, names of communities.
pub(super) fn crowd(count: usize) -> Vec<Request> {
    (0..count).map(bystander).collect()
}

fn bystander(number: usize) -> Request {
    let name = |number: usize| format!("crowd-{number}");
    let [.., high, low] = number.to_be_bytes();
    let (kind, spec) = match number % 10 {
        0..4 => {
            let addresses = format!("10.{high}.{low}.0/28");
            let pool = json!({"addresses": [addresses], "autoAssign": false});
            ("IPAddressPool", pool)
        }
        4..6 => (
            "L2Advertisement",
            json!({"ipAddressPools": [name(number - 4)]}),
        ),
        6..8 => (
            "BGPAdvertisement",
            json!({"ipAddressPools": [name(number - 4)]}),
        ),
        8 => {
            let receiver = Ipv4Addr::new(10, 255, high, low);
            ("BGPPeer", peer_of(&name(number), receiver))
        }
        _ => {
            let community = json!({"name": name(number), "value": format!("64512:{number}")});
            ("Community", json!({"communities": [community]}))
        }
    };
    resource(kind, &name(number), &json!({}), &spec)
}

/// An object of `metallb.io`, to be created.
pub(super) fn resource(kind: &str, name: &str, labels: &Value, spec: &Value) -> Request {
    let (version, _) = place(kind);
    let object = json!({
        "apiVersion": format!("metallb.io/{version}"),
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    });
    Request::create(collection(kind), object)
}

/// Where the objects of a kind of `metallb.io` are.
pub(super) fn collection(kind: &str) -> String {
    let (version, plural) = place(kind);
    format!("/apis/metallb.io/{version}/namespaces/{NAMESPACE}/{plural}")
}

/// The version and the plural of a kind.
fn place(kind: &str) -> (&'static str, String) {
    match kind {
        "BGPPeer" => ("v1beta2", "bgppeers".to_owned()),
        "Community" => ("v1beta1", "communities".to_owned()),
        _ => ("v1beta1", kind.to_ascii_lowercase() + "s"),
    }
}

/// A Pod for one of MetalLB's programs, which reads the Pod that it is.
pub(super) fn pod(name: &str, node: &str) -> Request {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": [{"name": name, "image": name}]},
    });
    Request::create(format!("/api/v1/namespaces/{NAMESPACE}/pods"), pod)
}
