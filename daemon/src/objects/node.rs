//! Node: from Kubernetes to the core.

use carillon_core::node::Node;
use serde::Deserialize;

use super::metadata::Metadata;
use super::tree::FieldError;

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
    ///
    /// # Errors
    /// The metadata cannot be right.
    pub(super) fn convert(self) -> Result<Node, FieldError> {
        let name = self.metadata.key()?.name().into();
        let unavailable = |condition: &Condition| {
            condition.r#type == "NetworkUnavailable" && condition.status == "True"
        };
        Ok(Node {
            name,
            labels: self.metadata.labels,
            network_unavailable: self.status.conditions.iter().any(unavailable),
        })
    }
}
