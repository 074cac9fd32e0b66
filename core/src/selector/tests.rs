use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn operator(name: &str, values: &[&str]) -> Result<Operator, String> {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Operator::new(name, values).map_err(|error| error.to_string())
}

/// Whether one term with the key `rack` matches these labels.
fn matches(name: &str, values: &[&str], pairs: &[(&str, &str)]) -> bool {
    let requirement = Requirement {
        key: "rack".to_owned(),
        operator: operator(name, values).unwrap(),
    };
    let requirements = vec![requirement];
    Selector { requirements }.matches(&labels(pairs))
}

#[test]
fn operators() {
    assert!(matches("In", &["a", "b"], &[("rack", "b")]));
    assert!(!matches("In", &["a", "b"], &[("rack", "c")]));
    assert!(!matches("In", &["a"], &[]));
    assert!(matches("NotIn", &["a"], &[("rack", "b")]));
    assert!(matches("NotIn", &["a"], &[]));
    assert!(!matches("NotIn", &["a"], &[("rack", "a")]));
    assert!(matches("Exists", &[], &[("rack", "")]));
    assert!(!matches("Exists", &[], &[("host", "x")]));
    assert!(matches("DoesNotExist", &[], &[]));
    assert!(!matches("DoesNotExist", &[], &[("rack", "a")]));
}

#[test]
fn all_terms_must_hold_and_none_matches_everything() {
    assert!(Selector::default().matches(&labels(&[])));
    let requirements = ["a", "b"].map(|key| Requirement {
        key: key.to_owned(),
        operator: Operator::Exists,
    });
    let both = Selector {
        requirements: requirements.into(),
    };
    assert!(both.matches(&labels(&[("a", "1"), ("b", "2")])));
    assert!(!both.matches(&labels(&[("a", "1")])));
}

#[test]
fn operators_that_are_refused() {
    let unknown = |name: &str| {
        Err(format!(
            "{name:?} is not an operator: write In, NotIn, Exists or DoesNotExist"
        ))
    };
    assert_eq!(operator("in", &["a"]), unknown("in"));
    assert_eq!(operator("", &[]), unknown(""));
    for name in ["In", "NotIn"] {
        let message = format!("the operator {name} needs at least one value");
        assert_eq!(operator(name, &[]), Err(message));
    }
    for name in ["Exists", "DoesNotExist"] {
        let message =
            format!("the operator {name} takes no values: remove them, or write In or NotIn");
        assert_eq!(operator(name, &["a"]), Err(message));
    }
}

#[test]
fn label_keys() {
    let longest = "a".repeat(63);
    let prefix = format!("{}.b", "a".repeat(251));
    let good = [
        "a",
        "A.b_c-9",
        "kubernetes.io/hostname",
        "x-1.y/Z",
        &longest,
    ];
    for key in good.into_iter().chain([&*format!("{prefix}/a")]) {
        assert_eq!(check_key(key), Ok(()), "{key}");
    }
    let bad = [
        "", "-a", "a-", "a b", "/a", "a/", "a/b/c", "UP.io/a", "a..b/c", "-a.b/c", "é",
    ];
    for key in bad
        .into_iter()
        .chain([&*format!("{longest}a"), &format!("a{prefix}/a")])
    {
        assert_eq!(check_key(key), Err(SelectorError::Key(key.to_owned())));
    }
}

#[test]
fn label_values() {
    let longest = "a".repeat(63);
    for value in ["", "a", "1.2.3", "A_b-c", &longest] {
        assert_eq!(check_value(value), Ok(()), "{value}");
    }
    for value in ["a/b", ".a", "a.", "a b", "ü", &format!("{longest}a")] {
        assert_eq!(
            check_value(value),
            Err(SelectorError::Value(value.to_owned()))
        );
    }
}
