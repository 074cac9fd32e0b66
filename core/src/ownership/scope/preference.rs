//! Which of the nodes that may have a VIP come before others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodeNames;

/// By how much nodes are preferred to those that are not listed, by their names.
pub type Weights = BTreeMap<Arc<str>, u32>;

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preference {
    /// Those that may only have it while none of the others can.
    pub(super) last_resort: NodeNames,
    /// Of those that can, the one of the highest weight comes first.
    pub(super) weights: Weights,
}

impl Preference {
    pub(super) fn is_none(&self) -> bool {
        self.last_resort.is_empty() && self.weights.is_empty()
    }

    /// The higher weight of each node in either.
    pub(super) fn higher_weights(&self, other: &Self) -> Weights {
        let mut weights = self.weights.clone();
        for (node, weight) in &other.weights {
            let mine = weights.entry(node.clone()).or_default();
            *mine = (*mine).max(*weight);
        }
        weights
    }
}
