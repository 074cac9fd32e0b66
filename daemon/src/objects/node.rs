//! Node: from Kubernetes to the core.

use carillon_core::node::Node;
use serde::Deserialize;

use super::metadata::Metadata;

/// A Node as Kubernetes writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeObject {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
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
        Node {
            name: name.into(),
            labels: self.metadata.labels,
            network_unavailable: self.status.conditions.iter().any(unavailable),
        }
    }
}
