//! Label selectors (`metav1.LabelSelector`), with the rules of MetalLB for lists of them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use carillon_core::config::place::Located;
use carillon_core::selector::{self, Operator, Requirement, Selector, SelectorError};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::tree::Path;
use super::{ObjectAt, Problems};

/// The fields of a selector.
pub(super) const SELECTOR: &[&str] = &["matchExpressions", "matchLabels"];
/// The fields of an expression.
pub(super) const EXPRESSION: &[&str] = &["key", "operator", "values"];

/// Selects objects by their labels: all of its terms must hold. One without terms selects every object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LabelSelector {
    /// Labels that an object must have, with these values.
    match_labels: BTreeMap<String, String>,
    /// Further terms.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    match_expressions: Vec<LabelSelectorRequirement>,
}

/// A term of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["key", "operator"]))]
pub struct LabelSelectorRequirement {
    /// The key of the label.
    key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    operator: String,
    /// The values of `In` and `NotIn`; the other operators have none.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    values: Vec<String>,
}

impl LabelSelector {
    /// The selector at this path, as far as nothing is wrong with it.
    pub(super) fn read(&self, path: &Path, problems: &mut Problems) -> Selector {
        let mut requirements = Vec::new();
        for (key, value) in &self.match_labels {
            let path = || path.clone().field("matchLabels").field(key.as_str());
            for wrong in [selector::check_key(key), selector::check_value(value)] {
                problems.checked(&path(), wrong);
            }
            requirements.push(Requirement {
                key: key.clone(),
                operator: Operator::In([value.clone()].into()),
            });
        }
        let path = path.clone().field("matchExpressions");
        for (n, expression) in self.match_expressions.iter().enumerate() {
            requirements.extend(expression.read(&path.clone().item(n), problems));
        }
        Selector { requirements }
    }

    /// Refuses values and expressions that are there twice.
    fn check_unique(&self, path: &Path, problems: &mut Problems) {
        let path = path.clone().field("matchExpressions");
        let mut before = HashSet::new();
        for (n, expression) in self.match_expressions.iter().enumerate() {
            let path = path.clone().item(n);
            problems.unique(&path.clone().field("values"), &expression.values);
            if !before.insert(expression.sorted()) {
                problems.refuse(path, "this expression is in the list twice: remove one");
            }
        }
    }

    /// The same for all selectors that say the same in the same words.
    fn normal(&self) -> (&BTreeMap<String, String>, Vec<LabelSelectorRequirement>) {
        let expressions = self.match_expressions.iter();
        let mut expressions: Vec<_> = expressions.map(LabelSelectorRequirement::sorted).collect();
        expressions.sort();
        (&self.match_labels, expressions)
    }
}

impl LabelSelectorRequirement {
    fn read(&self, path: &Path, problems: &mut Problems) -> Option<Requirement> {
        problems.checked(&path.clone().field("key"), selector::check_key(&self.key));
        for (n, value) in self.values.iter().enumerate() {
            let path = path.clone().field("values").item(n);
            problems.checked(&path, selector::check_value(value));
        }
        let values: BTreeSet<String> = self.values.iter().cloned().collect();
        let operator = Operator::new(&self.operator, values);
        let field = match operator {
            Err(SelectorError::NoValues(_) | SelectorError::Values(_)) => "values",
            Ok(_) | Err(_) => "operator",
        };
        let operator = problems.checked(&path.clone().field(field), operator)?;
        Some(Requirement {
            key: self.key.clone(),
            operator,
        })
    }

    fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        sorted.values.sort();
        sorted
    }
}

/// The selectors of a list, of which none may be there twice.
pub(super) fn read_list(
    selectors: &[LabelSelector],
    list: &Path,
    problems: &mut Problems,
) -> Vec<Selector> {
    let mut before = HashSet::new();
    let mut read = Vec::new();
    for (n, selector) in selectors.iter().enumerate() {
        let path = list.clone().item(n);
        read.push(selector.read(&path, problems));
        selector.check_unique(&path, problems);
        if !before.insert(selector.normal()) {
            problems.refuse(path, "this selector is in the list twice: remove one");
        }
    }
    read
}

/// The same, each with its place.
pub(super) fn locate_list(
    selectors: &[LabelSelector],
    list: &Path,
    at: &ObjectAt<'_>,
    problems: &mut Problems,
) -> Vec<Located<Selector>> {
    let read = read_list(selectors, list, problems).into_iter();
    let located = read.enumerate();
    located
        .map(|(n, selector)| at.locate(selector, list.clone().item(n)))
        .collect()
}
