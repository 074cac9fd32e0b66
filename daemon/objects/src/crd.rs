//! The CustomResourceDefinitions of `metallb.io`, made of the types that read and write its resources.
#![expect(
    clippy::indexing_slicing,
    reason = "a field of an object that is made here: it is added if it is not there"
)]

use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::configuration_state::ConfigurationStatus;
use crate::kind::Kind;
use crate::metallb::GROUP;
use crate::metallb::bfd_profile::BfdProfileSpec;
use crate::metallb::bgp_advertisement::BgpAdvertisementSpec;
use crate::metallb::bgp_peer::BgpPeerSpec;
use crate::metallb::community::CommunitySpec;
use crate::metallb::ip_address_pool::{IpAddressPoolSpec, IpAddressPoolStatus};
use crate::metallb::l2_advertisement::L2AdvertisementSpec;
use crate::service_bgp_status::ServiceBgpStatus;
use crate::service_l2_status::ServiceL2Status;

mod structural;
#[cfg(test)]
mod tests;

use structural::schema;

/// A column of `kubectl get`: its name, the path of its value, its type, and whether it is only shown
/// with `-o wide`.
type Column = (&'static str, &'static str, &'static str, bool);

/// All of them, in the order of their names.
pub fn definitions() -> Vec<Value> {
    vec![
        configures::<BfdProfileSpec>(Kind::BfdProfile, BFD_PROFILE),
        configures::<BgpAdvertisementSpec>(Kind::BgpAdvertisement, BGP_ADVERTISEMENT),
        peer(),
        configures::<CommunitySpec>(Kind::Community, &[]),
        tells::<ConfigurationStatus>("ConfigurationState", None, CONFIGURATION_STATE),
        pool(),
        configures::<L2AdvertisementSpec>(Kind::L2Advertisement, L2_ADVERTISEMENT),
        tells::<ServiceBgpStatus>("ServiceBGPStatus", Some(nothing()), SERVICE_BGP_STATUS),
        tells::<ServiceL2Status>("ServiceL2Status", Some(nothing()), SERVICE_L2_STATUS),
    ]
}

/// A kind that users configure by.
fn configures<T: JsonSchema>(kind: Kind, columns: &[Column]) -> Value {
    let version = version("v1beta1", columns, Some(schema::<T>()), &nothing());
    of_kind(kind, &[version])
}

/// A kind that only has a status.
fn tells<T: JsonSchema>(kind: &str, spec: Option<Value>, columns: &[Column]) -> Value {
    let plural = match kind.to_lowercase() {
        word if word.ends_with('s') => word + "es",
        word => word + "s",
    };
    let version = version("v1beta1", columns, spec, &schema::<T>());
    definition(kind, &plural, &[version])
}

fn pool() -> Value {
    let (spec, status) = (
        schema::<IpAddressPoolSpec>(),
        schema::<IpAddressPoolStatus>(),
    );
    let mut version = version("v1beta1", IP_ADDRESS_POOL, Some(spec), &status);
    version["schema"]["openAPIV3Schema"]["required"] = json!(["spec"]);
    of_kind(Kind::IpAddressPool, &[version])
}

fn peer() -> Value {
    let newer = version(
        "v1beta2",
        BGP_PEER,
        Some(schema::<BgpPeerSpec>()),
        &nothing(),
    );
    of_kind(Kind::BgpPeer, &[older_peer(), newer])
}

const BFD_PROFILE: &[Column] = &[
    ("Passive Mode", ".spec.passiveMode", "boolean", false),
    (
        "Transmit Interval",
        ".spec.transmitInterval",
        "integer",
        false,
    ),
    (
        "Receive Interval",
        ".spec.receiveInterval",
        "integer",
        false,
    ),
    ("Multiplier", ".spec.detectMultiplier", "integer", false),
];
const BGP_ADVERTISEMENT: &[Column] = &[
    ("IPAddressPools", ".spec.ipAddressPools", "string", false),
    (
        "IPAddressPool Selectors",
        ".spec.ipAddressPoolSelectors",
        "string",
        false,
    ),
    ("Peers", ".spec.peers", "string", false),
    ("Node Selectors", ".spec.nodeSelectors", "string", true),
];
const BGP_PEER: &[Column] = &[
    ("Address", ".spec.peerAddress", "string", false),
    ("ASN", ".spec.peerASN", "string", false),
    ("BFD Profile", ".spec.bfdProfile", "string", false),
    ("Multi Hops", ".spec.ebgpMultiHop", "string", false),
];
const CONFIGURATION_STATE: &[Column] = &[
    ("Result", ".status.result", "string", false),
    ("ErrorSummary", ".status.errorSummary", "string", false),
    ("Age", ".metadata.creationTimestamp", "date", false),
];
const IP_ADDRESS_POOL: &[Column] = &[
    ("Auto Assign", ".spec.autoAssign", "boolean", false),
    ("Avoid Buggy IPs", ".spec.avoidBuggyIPs", "boolean", false),
    ("Addresses", ".spec.addresses", "string", false),
];
const L2_ADVERTISEMENT: &[Column] = &[
    ("IPAddressPools", ".spec.ipAddressPools", "string", false),
    (
        "IPAddressPool Selectors",
        ".spec.ipAddressPoolSelectors",
        "string",
        false,
    ),
    ("Interfaces", ".spec.interfaces", "string", false),
    ("Node Selectors", ".spec.nodeSelectors", "string", true),
];

const SERVICE_BGP_STATUS: &[Column] = &[
    ("Node", ".status.node", "string", false),
    ("Service Name", ".status.serviceName", "string", false),
    (
        "Service Namespace",
        ".status.serviceNamespace",
        "string",
        false,
    ),
];
const SERVICE_L2_STATUS: &[Column] = &[
    ("Allocated Node", ".status.node", "string", false),
    ("Service Name", ".status.serviceName", "string", false),
    (
        "Service Namespace",
        ".status.serviceNamespace",
        "string",
        false,
    ),
];

/// The definition of a kind that is read.
fn of_kind(kind: Kind, versions: &[Value]) -> Value {
    let info = kind.info();
    definition(info.name, info.plural, versions)
}

/// Where there are several versions, they have the same fields, so that none has to be converted.
fn definition(kind: &str, plural: &str, versions: &[Value]) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{GROUP}"),
            "labels": {"app.kubernetes.io/name": "carillon"},
        },
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_lowercase(),
            },
            "scope": "Namespaced",
            // What is null is taken away where it is applied over a definition that has it.
            "conversion": {"strategy": "None", "webhook": null},
            "versions": versions,
        },
    })
}

fn version(name: &str, columns: &[Column], spec: Option<Value>, status: &Value) -> Value {
    let columns = columns.iter().map(|(name, path, kind, is_wide)| {
        let mut column = json!({"name": name, "jsonPath": path, "type": kind});
        if *is_wide {
            column["priority"] = json!(10);
        }
        column
    });
    let columns: Vec<Value> = columns.collect();
    let mut schema = json!({
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "status": status,
        },
    });
    if let Some(spec) = spec {
        schema["properties"]["spec"] = spec;
    }
    let mut version = json!({
        "name": name,
        "schema": {"openAPIV3Schema": schema},
        "served": true,
        "storage": true,
        "subresources": {"status": {}},
    });
    if !columns.is_empty() {
        version["additionalPrinterColumns"] = json!(columns);
    }
    version
}

/// What has no fields.
fn nothing() -> Value {
    json!({"type": "object"})
}

/// The older version of BGPPeer. It has the fields of the newer one, as neither is converted.
fn older_peer() -> Value {
    let mut spec = schema::<BgpPeerSpec>();
    spec["required"] = json!(["myASN", "peerASN", "peerAddress"]);
    let port = &mut spec["properties"]["peerPort"];
    port["minimum"] = json!(0);
    if let Value::Object(port) = port {
        port.remove("default");
    }
    let mut version = version("v1beta1", BGP_PEER, Some(spec), &nothing());
    version["deprecated"] = json!(true);
    version["deprecationWarning"] = json!("v1beta1 is deprecated, please use v1beta2");
    version["storage"] = json!(false);
    version
}
