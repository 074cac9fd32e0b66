//! ConfigurationState: what a daemon makes of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{KindInfo, Purpose, Selection};
use super::manifest::Reader;
use super::metallb::GROUP;
use super::report::ReportObject;
use super::validate::format::Name;

/// The row of this kind.
pub(super) static KIND: KindInfo = KindInfo {
    name: "ConfigurationState",
    group: GROUP,
    version: "v1beta1",
    older_versions: &[],
    plural: "configurationstates",
    namespaced: true,
    names: Some(Name::Subdomain),
    in_files: false,
    purpose: Purpose::NodeReport,
    selection: Selection::StateOfThisNode,
    beside_configuration: true,
    reader: Reader::of::<ReportObject<ConfigurationStatus>>(),
};

/// `status` of a `metallb.io/v1beta1` ConfigurationState, which has no `spec`. There is one for each
/// daemon that announces, and one for those that give addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigurationStatus {
    /// What follows from the conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ConfigurationResult>,
    /// The messages of the conditions, one a line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error_summary: String,
    /// `metav1.Condition`s, a list by `type`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What a daemon makes of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ConfigurationResult {
    /// All of it is in force.
    Valid,
    /// Some of it is wrong.
    Invalid,
    /// It has not been read yet.
    Unknown,
}

/// `metav1.Condition`: one aspect of the state of an object. All fields but the generation are
/// required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["lastTransitionTime", "message", "reason", "status", "type"]))]
pub struct Condition {
    /// What it is about: `poolReconcilerValid` of the controller, `configReconcilerValid` of a node.
    #[schemars(length(max = 316), extend("pattern" = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"))]
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// The generation of the object that it was found for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// When the status became this (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one word.
    #[schemars(length(min = 1, max = 1024), extend("pattern" = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Why, for people.
    #[schemars(length(max = 32768))]
    pub message: String,
}
