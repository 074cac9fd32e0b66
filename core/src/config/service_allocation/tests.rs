use std::collections::BTreeMap;

use super::*;
use crate::selector::{Operator, Requirement};

fn labels(text: &str) -> Labels {
    text.split_terminator(',')
        .filter_map(|label| label.split_once('='))
        .collect()
}

/// A selector of labels that are equal to these.
fn selector(text: &str) -> Selector {
    let labels: BTreeMap<&str, &str> = text
        .split_terminator(',')
        .filter_map(|label| label.split_once('='))
        .collect();
    let requirement = |(key, value): (&str, &str)| Requirement {
        key: key.to_owned(),
        operator: Operator::In([value.to_owned()].into()),
    };
    Selector {
        requirements: labels.into_iter().map(requirement).collect(),
    }
}

#[test]
fn a_lower_number_comes_first_and_none_last() {
    let mut priorities = [0, 7, -3, 1, i64::MAX, i64::MIN].map(Priority);
    priorities.sort();
    assert_eq!(priorities, [i64::MIN, -3, 1, 7, i64::MAX, 0].map(Priority));
    assert_eq!(ServiceAllocation::default().priority, Priority(0));
}

#[test]
fn namespaces_by_name_or_labels() {
    let any = ServiceAllocation::default();
    let named = ServiceAllocation {
        namespaces: ["a".into()].into(),
        ..ServiceAllocation::default()
    };
    let selected = ServiceAllocation {
        namespace_selectors: vec![selector("team=x"), selector("team=y,tier=1")],
        ..ServiceAllocation::default()
    };
    let either = ServiceAllocation {
        namespaces: ["a".into()].into(),
        ..selected.clone()
    };
    let everything = ServiceAllocation {
        namespace_selectors: vec![selector("")],
        ..ServiceAllocation::default()
    };
    // Name and labels (None: it is not known), and who is for it.
    let rows = [
        ("a", Some("team=x"), [true, true, true, true, true]),
        ("a", Some(""), [true, true, false, true, true]),
        ("a", None, [true, true, false, true, false]),
        ("b", Some("team=x,tier=2"), [true, false, true, true, true]),
        ("b", Some("team=y"), [true, false, false, false, true]),
        ("b", Some("team=y,tier=1"), [true, false, true, true, true]),
        ("b", None, [true, false, false, false, false]),
    ];
    for (name, of_namespace, expected) in rows {
        let of_namespace = of_namespace.map(labels);
        let is_for = [&any, &named, &selected, &either, &everything]
            .map(|allocation| allocation.is_for_namespace(name, of_namespace.as_ref()));
        assert_eq!(is_for, expected, "{name} {of_namespace:?}");
    }
}

#[test]
fn services_by_labels() {
    let any = ServiceAllocation::default();
    let selected = ServiceAllocation {
        service_selectors: vec![selector("app=web"), selector("app=mail,tier=1")],
        ..ServiceAllocation::default()
    };
    let rows = [
        ("", [true, false]),
        ("app=web", [true, true]),
        ("app=mail", [true, false]),
        ("app=mail,tier=1", [true, true]),
    ];
    for (text, expected) in rows {
        let is_for = [&any, &selected].map(|allocation| allocation.is_for_labels(&labels(text)));
        assert_eq!(is_for, expected, "{text}");
    }
}
