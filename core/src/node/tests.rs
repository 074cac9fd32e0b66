use super::*;

fn node() -> Node {
    Node {
        labels: [("maintenance", "soon")].into_iter().collect(),
        taints: BTreeMap::from([("out-of-service".to_owned(), String::new())]),
        ..Node::named("n")
    }
}

#[test]
fn a_rule_asks_for_a_label_or_a_taint() {
    let matches = |rule: &str| rule.parse::<DrainRule>().unwrap().matches(&node());
    for rule in [
        "label:maintenance",
        "label:maintenance=soon",
        "taint:out-of-service",
    ] {
        assert!(matches(rule), "{rule}");
    }
    for rule in [
        "label:maintenance=now",
        "taint:maintenance",
        "label:out-of-service",
    ] {
        assert!(!matches(rule), "{rule}");
    }
}

#[test]
fn what_is_no_rule_is_refused() {
    for text in ["", "maintenance", "label:", "label:=x", "node:x"] {
        let error = text.parse::<DrainRule>().unwrap_err().to_string();
        assert!(error.ends_with("taint:KEY or taint:KEY=VALUE"), "{error}");
    }
    let cordon = "taint:node.kubernetes.io/unschedulable".parse::<DrainRule>();
    assert_eq!(cordon, Err(DrainRuleError::Cordon));
}
