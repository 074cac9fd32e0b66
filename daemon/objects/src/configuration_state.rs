//! ConfigurationState: what a daemon makes of the configuration.

use serde::{Deserialize, Serialize};

/// `status` of a `metallb.io/v1beta1` ConfigurationState, which has no `spec`. There is one for each
/// daemon that announces, and one for those that give addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
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
    pub conditions: Vec<Condition>,
}

/// What a daemon makes of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// What it is about: `poolReconcilerValid` of the controller, `configReconcilerValid` of a node.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The generation of the object that it was found for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When the status became this (RFC 3339).
    pub last_transition_time: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}
