//! The labels of namespaces.

use std::collections::BTreeMap;

use arcstr::ArcStr;

use crate::labels::Labels;

/// The label that says a namespace's name. An API server gives it to every one.
const NAME: &str = "kubernetes.io/metadata.name";

/// The labels of the namespaces that are known. Any other has but the label that says its name.
#[derive(Debug, Default)]
pub(super) struct Namespaces(BTreeMap<ArcStr, Labels>);

impl Namespaces {
    /// The labels of the namespace of this name.
    pub(super) fn labels(&self, name: &str) -> Labels {
        let known = self.0.get(name).cloned();
        known.unwrap_or_else(|| with_name(name, &Labels::new()))
    }

    /// Notes the labels of a namespace; `None`: it is not known any more.
    pub(super) fn set(&mut self, name: &ArcStr, labels: Option<&Labels>) {
        match labels {
            Some(labels) => drop(self.0.insert(name.clone(), with_name(name, labels))),
            None => drop(self.0.remove(name)),
        }
    }
}

fn with_name(name: &str, labels: &Labels) -> Labels {
    if labels.contains_key(NAME) {
        return labels.clone();
    }
    labels.iter().chain([(NAME, name)]).collect()
}
