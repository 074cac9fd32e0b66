//! The BFD profiles of a ConfigMap: their values, which nothing else uses yet.

use std::collections::BTreeMap;

use carillon_core::config::legacy;
use carillon_core::yaml::{self, Content, Node};
use serde_json::{Map, Value};

/// A key of the ConfigMap, and of a BFDProfile.
const NUMBERS: [(&str, &str); 5] = [
    ("receive-interval", "receiveInterval"),
    ("transmit-interval", "transmitInterval"),
    ("detect-multiplier", "detectMultiplier"),
    ("echo-interval", "echoInterval"),
    ("minimum-ttl", "minimumTtl"),
];
const BOOLEANS: [(&str, &str); 2] = [("echo-mode", "echoMode"), ("passive-mode", "passiveMode")];

/// The `spec` of each, by name, of a text in which they are right.
pub(super) fn read(text: &str) -> BTreeMap<String, Value> {
    let Ok(Some(root)) = yaml::parse(text) else {
        return BTreeMap::new();
    };
    let profiles = get(&root, "bfd-profiles");
    let profiles = match profiles.map(|node| &node.content) {
        Some(Content::Sequence(profiles)) => &**profiles,
        Some(_) | None => &[],
    };
    let profile = |node: &Node| Some((text_of(get(node, "name")?)?.to_owned(), spec(node)));
    profiles.iter().filter_map(|node| profile(node)).collect()
}

fn spec(profile: &Node) -> Value {
    let mut spec = Map::new();
    let text = |key| get(profile, key).and_then(text_of);
    for (key, field) in NUMBERS {
        let number = text(key).and_then(legacy::integer);
        let number = number.and_then(|number| u32::try_from(number).ok());
        spec.extend(number.map(|number| (field.to_owned(), number.into())));
    }
    for (key, field) in BOOLEANS {
        // All that YAML 1.1 takes for true, of what is known to be a boolean.
        let is_true =
            |text: &str| matches!(text.to_lowercase().as_str(), "true" | "yes" | "y" | "on");
        spec.extend(text(key).map(|text| (field.to_owned(), is_true(text).into())));
    }
    spec.into()
}

fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Content::Mapping(entries) = &node.content else {
        return None;
    };
    let entry = entries.iter().find(|entry| &*entry.key == key)?;
    Some(&entry.value)
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar { text, .. } => Some(text),
        Content::Null | Content::Sequence(_) | Content::Mapping(_) => None,
    }
}
