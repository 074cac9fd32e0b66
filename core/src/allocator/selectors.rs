//! Many selectors, of which those that match are found without asking each.

use std::collections::{BTreeMap, BTreeSet};

use crate::labels::Labels;
use crate::selector::{Operator, Requirement, Selector};

/// The selectors of some owners, each known by its number.
#[derive(Debug, Default)]
pub(super) struct Selectors {
    /// The owners of those that need one of certain labels, by its key and value.
    by_label: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    /// The owners of the others.
    others: Vec<usize>,
}

impl Selectors {
    pub(super) fn insert(&mut self, selector: &Selector, owner: usize) {
        let needs = selector.requirements.iter().filter_map(needed);
        match needs.min_by_key(|(_, values)| values.len()) {
            Some((key, values)) => {
                let by_value = self.by_label.entry(key.to_owned()).or_default();
                for value in values {
                    by_value.entry(value.clone()).or_default().push(owner);
                }
            }
            None => self.others.push(owner),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_label.is_empty() && self.others.is_empty()
    }

    /// The owners of selectors that may match these labels, in no order, and perhaps several times.
    pub(super) fn candidates(&self, labels: &Labels) -> Vec<usize> {
        let by_label = labels.iter().filter_map(|(key, value)| {
            let by_value = self.by_label.get(key)?;
            by_value.get(value)
        });
        by_label.chain([&self.others]).flatten().copied().collect()
    }
}

/// The label that labels need for a requirement: its key, and the values that do.
fn needed(requirement: &Requirement) -> Option<(&str, &BTreeSet<String>)> {
    match &requirement.operator {
        Operator::In(values) => Some((&requirement.key, values)),
        Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    }
}
