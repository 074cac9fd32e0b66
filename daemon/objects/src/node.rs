//! Node: from Kubernetes to the core.

use carillon_core::node::Node;
use carillon_core::service::ServiceKey;
use serde::Deserialize;

use super::Object;
use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::{Manifest, Reader};
use super::metadata::Metadata;
use super::schema::Table;
use super::tree::FieldError;
use super::validate::{Cursor, Found};

mod validate;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "Node",
    group: "",
    version: "v1",
    older_versions: &[],
    plural: "nodes",
    namespaced: false,
    // That of a host, whatever that is.
    names: None,
    in_files: true,
    purpose: Purpose::Node,
    selection: Selection::ThisNode,
    beside_configuration: false,
    reader: Reader::of::<NodeObject>(),
};

const FIELDS: Table = &[
    ("", &["apiVersion", "kind", "metadata", "spec", "status"]),
    (
        "spec",
        &[
            "configSource",
            "externalID",
            "podCIDR",
            "podCIDRs",
            "podPreemptionPolicy",
            "providerID",
            "taints",
            "unschedulable",
        ],
    ),
    ("spec.taints[]", &["effect", "key", "timeAdded", "value"]),
    ("status.addresses[]", &["address", "type"]),
    (
        "status.conditions[]",
        &[
            "lastHeartbeatTime",
            "lastTransitionTime",
            "message",
            "reason",
            "status",
            "type",
        ],
    ),
];

/// A Node as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Vec<Taint>,
}

#[derive(Clone, Debug, Deserialize)]
struct Taint {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    addresses: Vec<Address>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    r#type: String,
    address: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Manifest for NodeObject {
    const FIELDS: Table = FIELDS;

    fn check(object: &Cursor<'_>, found: &mut Found) {
        validate::check(object, found);
    }

    fn metadata(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>> {
        let unavailable = |condition: &Condition| {
            condition.r#type == "NetworkUnavailable" && condition.status == "True"
        };
        let addresses = self.status.addresses.iter();
        let internal = addresses.filter(|one| one.r#type == "InternalIP");
        let taints = self.spec.taints.into_iter();
        let node = Node {
            name: name.name().into(),
            labels: self.metadata.labels.iter().collect(),
            addresses: internal
                .filter_map(|one| one.address.parse().ok())
                .collect(),
            taints: taints.map(|taint| (taint.key, taint.value)).collect(),
            network_unavailable: self.status.conditions.iter().any(unavailable),
        };
        Ok((Object::Node(node.into()), Vec::new()))
    }
}
