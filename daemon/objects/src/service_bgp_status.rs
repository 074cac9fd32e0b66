//! ServiceBGPStatus: to which BGP peers a node announces a Service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `status` of a `metallb.io/v1beta1` ServiceBGPStatus; its `spec` is empty. There is one for each
/// Service and node that announces it to a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceBgpStatus {
    /// The name of the node that announces the Service. Immutable.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "Value is immutable", "rule": "self == oldSelf"}]))]
    pub node: String,
    /// The name of the Service. Immutable.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "Value is immutable", "rule": "self == oldSelf"}]))]
    pub service_name: String,
    /// The namespace of the Service. Immutable.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(extend("x-kubernetes-validations" = [{"message": "Value is immutable", "rule": "self == oldSelf"}]))]
    pub service_namespace: String,
    /// The names of the peers that have acknowledged its routes, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
}
