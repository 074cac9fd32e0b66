use super::*;
use crate::testing::{labels, selector};

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
    // Name and labels, and who is for it.
    let rows = [
        ("a", "team=x", [true, true, true, true, true]),
        ("a", "", [true, true, false, true, true]),
        ("b", "team=x,tier=2", [true, false, true, true, true]),
        ("b", "team=y", [true, false, false, false, true]),
        ("b", "team=y,tier=1", [true, false, true, true, true]),
        ("b", "", [true, false, false, false, true]),
    ];
    for (name, of_namespace, expected) in rows {
        let of_namespace = labels(of_namespace);
        let is_for = [&any, &named, &selected, &either, &everything]
            .map(|allocation| allocation.is_for_namespace(name, &of_namespace));
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
