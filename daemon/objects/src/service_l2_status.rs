//! ServiceL2Status: which node announces a Service at layer 2, and on which interfaces.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::Reader;
use super::metallb::GROUP;
use super::report::ReportObject;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "ServiceL2Status",
    group: GROUP,
    version: "v1beta1",
    older_versions: &[],
    plural: "servicel2statuses",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::NodeReport,
    selection: Selection::OfThisNode,
    beside_configuration: true,
    reader: Reader::of::<ReportObject<ServiceL2Status>>(),
};

/// `status` of a `metallb.io/v1beta1` ServiceL2Status; its `spec` is empty. There is one for each
/// Service that is announced at layer 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceL2Status {
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
    /// The interfaces on which it is announced, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
}

/// An interface on which a Service is announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Interface {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}
