//! ServiceBGPStatus: to which BGP peers a node announces a Service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::Reader;
use super::metallb::GROUP;
use super::report::ReportObject;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "ServiceBGPStatus",
    group: GROUP,
    version: "v1beta1",
    older_versions: &[],
    plural: "servicebgpstatuses",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::NodeReport,
    selection: Selection::OfThisNode,
    beside_configuration: true,
    reader: Reader::of::<ReportObject<ServiceBgpStatus>>(),
};

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
