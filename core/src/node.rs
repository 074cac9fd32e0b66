//! A cluster node: what the core knows of it, and its part in announcing what only one node may
//! ([`election`]), in what it has the addresses of ([`gate`]), and in traffic that stays on a node
//! ([`local_traffic`]).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::labels::Labels;

pub mod election;
pub mod gate;
pub mod local_traffic;
#[cfg(test)]
mod tests;

/// The label that takes a node out of announcing (its value does not matter).
pub const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// A Node, reduced to the facts that announcement depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The node's name.
    pub name: Arc<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its addresses of type `InternalIP`.
    pub addresses: Vec<IpAddr>,
    /// The values of its taints, by key.
    pub taints: BTreeMap<String, String>,
    /// Condition `NetworkUnavailable` is `True`.
    pub network_unavailable: bool,
}

impl Node {
    /// A node of which nothing but the name is known: no labels, network assumed good.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// Whether [`EXCLUDE_LABEL`] takes a node out of announcing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExcludeLabel {
    /// It does.
    #[default]
    Obeyed,
    /// It does not: some installers put it on every node of the control plane, which may be all nodes.
    Ignored,
}

impl ExcludeLabel {
    /// Whether these labels of a node take it out of announcing.
    pub fn excludes(self, labels: &Labels) -> bool {
        match self {
            Self::Obeyed => labels.contains_key(EXCLUDE_LABEL),
            Self::Ignored => false,
        }
    }
}

/// What a Node must have for its daemon to be drained: a label or a taint of the user's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrainRule {
    is_taint: bool,
    key: String,
    /// Any, if none is given.
    value: Option<String>,
}

/// Why a text is no [`DrainRule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DrainRuleError {
    /// Not in the form of one.
    #[error("{0:?}: write label:KEY, label:KEY=VALUE, taint:KEY or taint:KEY=VALUE")]
    Syntax(String),
    /// `kubectl cordon` sets this taint, and takes a node out of scheduling only: pods on it go on,
    /// and their clients must reach them.
    #[error(
        "taint:{UNSCHEDULABLE} is on every cordoned node, whose pods still serve: choose another one"
    )]
    Cordon,
}

/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

impl DrainRule {
    /// Whether a node has what the rule asks for.
    pub fn matches(&self, node: &Node) -> bool {
        let value = if self.is_taint {
            node.taints.get(&self.key).map(String::as_str)
        } else {
            node.labels.get(&self.key)
        };
        let has = |value: &str| self.value.as_ref().is_none_or(|wanted| wanted == value);
        value.is_some_and(has)
    }
}

impl FromStr for DrainRule {
    type Err = DrainRuleError;

    fn from_str(text: &str) -> Result<Self, DrainRuleError> {
        let (kind, rest) = text.split_once(':').unwrap_or_default();
        let (key, value) = match rest.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (rest, None),
        };
        let is_taint = match kind {
            "taint" => true,
            "label" => false,
            _ => return Err(DrainRuleError::Syntax(text.to_owned())),
        };
        if key.is_empty() {
            return Err(DrainRuleError::Syntax(text.to_owned()));
        }
        if is_taint && key == UNSCHEDULABLE {
            return Err(DrainRuleError::Cordon);
        }
        Ok(Self {
            is_taint,
            key: key.to_owned(),
            value,
        })
    }
}
