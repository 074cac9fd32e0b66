use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn they_are_those_of_the_object(labels: BTreeMap<String, String>) {
        let kept: Labels = labels.iter().collect();
        let is_label = |text: &String| !text.contains('\0');
        let expected: BTreeMap<_, _> = labels
            .iter()
            .filter(|(key, value)| is_label(key) && is_label(value))
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        prop_assert_eq!(kept.iter().collect::<BTreeMap<_, _>>(), expected.clone());
        for (key, value) in &expected {
            prop_assert_eq!(kept.get(key), Some(*value));
        }
        prop_assert_eq!(kept.is_empty(), expected.is_empty());
    }
}

#[test]
fn nobody_fills_the_memory_with_them() {
    let labels = || (0..100_000).map(|n| (format!("key-{n:06}"), "value"));
    let kept = Labels::bounded(labels());
    assert!(kept.0.len() <= MOST);
    assert_eq!(kept.get("key-000000"), Some("value"));
    assert_eq!(kept.get("key-099999"), None);
    let of_a_node: Labels = labels().collect();
    assert_eq!(of_a_node.get("key-099999"), Some("value"));
}
