//! The Services of the cluster that is swapped, and its configuration: something of all that
//! Services ask for.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::objects::NAMESPACE;
use crate::kubernetes::Request;

pub(super) const SERVICES: &str = "/api/v1/namespaces/default/services";
const ENDPOINT_SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
/// The AS of the router and of the nodes.
pub(super) const ASN: u32 = 64512;
/// What the router's sessions are signed with (TCP-MD5).
pub(super) const PASSWORD: &str = "swap";
/// Services of this kind come once in so many.
const PERIOD: usize = 20;

/// How a Service is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    /// ARP and NDP.
    Layer2,
    /// BGP.
    Bgp,
}

impl Protocol {
    pub(super) const ALL: [Self; 2] = [Self::Layer2, Self::Bgp];

    /// The name in tables, and the label of the Services.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Layer2 => "layer2",
            Self::Bgp => "bgp",
        }
    }

    /// That of a Service.
    pub(super) fn of(service: &Value) -> Option<Self> {
        let label = service.pointer("/metadata/labels/protocol")?.as_str()?;
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == label)
    }
}

/// The Services by turns of either protocol, with their EndpointSlices.
pub(super) fn services(count: usize, nodes: &[&str]) -> Vec<Request> {
    let mut requests = Vec::new();
    for number in 0..count {
        let service = service(number);
        let families = service
            .pointer("/spec/ipFamilies")
            .and_then(Value::as_array);
        for family in families.into_iter().flatten() {
            requests.push(endpoint_slice(number, family, nodes));
        }
        requests.push(Request::create(SERVICES, service));
    }
    requests
}

/// The name of a Service.
pub(super) fn name(number: usize) -> String {
    format!("service-{number}")
}

fn service(number: usize) -> Value {
    let protocol = if number.is_multiple_of(2) {
        Protocol::Layer2
    } else {
        Protocol::Bgp
    };
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name(number),
            "labels": {"protocol": protocol.name()},
            "annotations": {},
        },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilies": ["IPv4"],
            "selector": {"app": name(number)},
            "ports": [{"protocol": "TCP", "port": 80}],
        },
    });
    ask(&mut service, number);
    service
}

/// Lets a Service ask for something.
fn ask(service: &mut Value, number: usize) {
    let round = number / PERIOD;
    let mut set = |place: &str, key: &str, value: Value| {
        let place = service.pointer_mut(place).and_then(Value::as_object_mut);
        if let Some(place) = place {
            place.insert(key.to_owned(), value);
        }
    };
    let (annotations, spec) = ("/metadata/annotations", "/spec");
    match number % PERIOD {
        3 => {
            let address = format!("198.51.100.{}", 200 + round);
            set(annotations, "metallb.io/loadBalancerIPs", json!(address));
        }
        // Two that share an address.
        4 | 6 => {
            let address = format!("192.0.2.{}", 190 + round);
            set(annotations, "metallb.io/loadBalancerIPs", json!(address));
            let key = format!("pair-{round}");
            set(annotations, "metallb.io/allow-shared-ip", json!(key));
            let port = 80 + number % PERIOD;
            set(spec, "ports", json!([{"protocol": "TCP", "port": port}]));
        }
        5 | 12 => set(spec, "externalTrafficPolicy", json!("Local")),
        7 => {
            let address = format!("198.51.100.{}", 220 + round);
            set(spec, "loadBalancerIP", json!(address));
        }
        8 => {
            set(spec, "ipFamilyPolicy", json!("RequireDualStack"));
            set(spec, "ipFamilies", json!(["IPv4", "IPv6"]));
        }
        9 => set(annotations, "metallb.io/address-pool", json!("reserved")),
        10 => set(spec, "ipFamilies", json!(["IPv6"])),
        11 => set(
            annotations,
            "metallb.universe.tf/address-pool",
            json!("reserved"),
        ),
        14 => {
            set(spec, "ipFamilyPolicy", json!("PreferDualStack"));
            set(spec, "ipFamilies", json!(["IPv6", "IPv4"]));
        }
        _ => {}
    }
}

fn endpoint_slice(number: usize, family: &Value, nodes: &[&str]) -> Request {
    let service = name(number);
    let family = family.as_str().unwrap_or_default();
    let endpoint = |(n, node): (usize, &&str)| {
        let address = match family {
            "IPv6" => format!("fd00::{}", n + 1),
            _ => format!("10.254.0.{}", n + 1),
        };
        json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true}})
    };
    let endpoints: Vec<_> = nodes.iter().enumerate().map(endpoint).collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-{}", family.to_lowercase()),
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": family,
        "ports": [{"protocol": "TCP", "port": 8080}],
        "endpoints": endpoints,
    });
    Request::create(ENDPOINT_SLICES, slice)
}

/// The version and the plural of each kind of object that configures.
pub(super) const CONFIGURATION: [(&str, &str); 5] = [
    ("v1beta1", "ipaddresspools"),
    ("v1beta1", "l2advertisements"),
    ("v1beta1", "bgpadvertisements"),
    ("v1beta2", "bgppeers"),
    ("v1beta1", "communities"),
];

/// Where the objects of a kind of `metallb.io` are.
pub(super) fn collection((version, plural): (&str, &str)) -> String {
    format!("/apis/metallb.io/{version}/namespaces/{NAMESPACE}/{plural}")
}

/// The configuration, and the Secret that it names.
pub(super) fn configuration(router: Ipv4Addr) -> Vec<Request> {
    let of = |protocol: Protocol| json!({"serviceSelectors": [{"matchLabels": {"protocol": protocol.name()}}]});
    let lan = json!({
        "addresses": ["192.0.2.100-192.0.2.199", "2001:db8::1:0/112"],
        "serviceAllocation": of(Protocol::Layer2),
    });
    let edge = json!({
        "addresses": ["198.51.100.0/24"],
        "avoidBuggyIPs": true,
        "serviceAllocation": of(Protocol::Bgp),
    });
    let reserved = json!({"addresses": ["203.0.113.0/24"], "autoAssign": false});
    let routes = json!({
        "ipAddressPools": ["edge", "reserved"],
        "localPref": 150,
        "communities": ["mine", "64512:7"],
    });
    let peer = json!({
        "myASN": ASN, "peerASN": ASN, "peerAddress": router, "holdTime": "1m30s",
        "passwordSecret": {"name": "router"},
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "router"},
        "type": "kubernetes.io/basic-auth", "stringData": {"password": PASSWORD},
    });
    let secrets = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let community = json!({"communities": [{"name": "mine", "value": "64512:42"}]});
    let [pools, lans, edges, peers, aliases] = CONFIGURATION;
    vec![
        Request::create(secrets, secret),
        object(pools, "IPAddressPool", "lan", &lan),
        object(pools, "IPAddressPool", "edge", &edge),
        object(pools, "IPAddressPool", "reserved", &reserved),
        object(
            lans,
            "L2Advertisement",
            "lan",
            &json!({"ipAddressPools": ["lan"]}),
        ),
        object(edges, "BGPAdvertisement", "edge", &routes),
        object(peers, "BGPPeer", "router", &peer),
        object(aliases, "Community", "aliases", &community),
    ]
}

fn object(place: (&str, &str), kind: &str, name: &str, spec: &Value) -> Request {
    let object = json!({
        "apiVersion": format!("metallb.io/{}", place.0), "kind": kind,
        "metadata": {"name": name}, "spec": spec,
    });
    Request::create(collection(place), object)
}
