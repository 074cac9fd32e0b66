//! Node: from Kubernetes to the core.

use carillon_core::node::Node;
use serde::Deserialize;

use super::metadata::Metadata;

pub(super) mod validate;

/// A Node as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeObject {
    pub(super) metadata: Metadata,
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
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl NodeObject {
    /// The node in the core's words.
    pub(super) fn convert(self, name: &str) -> Node {
        let unavailable = |condition: &Condition| {
            condition.r#type == "NetworkUnavailable" && condition.status == "True"
        };
        let taints = self.spec.taints.into_iter();
        Node {
            name: name.into(),
            labels: self.metadata.labels,
            taints: taints.map(|taint| (taint.key, taint.value)).collect(),
            network_unavailable: self.status.conditions.iter().any(unavailable),
        }
    }
}
