use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
struct Thing {
    name: String,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    on: Option<bool>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Port {
    port: i64,
}

fn read(text: &str) -> Result<Thing, (Position, String)> {
    let node = carillon_core::yaml::parse(text).unwrap().unwrap();
    let value = Value(&node);
    Thing::deserialize(value).map_err(|error| (value.place(&error), error.to_string()))
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

#[test]
fn every_error_has_its_place_and_path() {
    let ports = "name: a\nports:\n- port: 80\n- port: eighty\n";
    let (place, message) = read(ports).unwrap_err();
    assert_eq!(place, at(4, 9));
    assert_eq!(
        message,
        r#"ports[1].port: string "eighty" where a whole number belongs"#
    );

    let (place, message) = read("name: a\nlabels:\n  a.b/c: 7\n").unwrap_err();
    assert_eq!(place, at(3, 10));
    assert!(
        message.starts_with("labels[a.b/c]: integer `7` where text"),
        "{message}"
    );

    // A key may be anything: messages stay short, and on one line.
    let (_, message) = read("name: a\nlabels:\n  \"x\\ny\": 7\n").unwrap_err();
    assert!(message.starts_with(r#"labels["x\ny"]: "#), "{message}");
    let long = format!("name: a\nlabels: {{{}: 7}}\n", "x".repeat(1000));
    let (_, message) = read(&long).unwrap_err();
    assert!(message.len() < 200, "{message}");

    let (place, message) = read("{\"ports\": []}").unwrap_err();
    assert_eq!(
        (place, message.as_str()),
        (at(1, 1), "the field `name` is missing")
    );

    let (_, message) = read("name: a\nports: 5\n").unwrap_err();
    assert_eq!(message, "ports: integer `5` where a list belongs");
    let (_, message) = read("name: a\nports: [[]]\n").unwrap_err();
    assert_eq!(message, "ports[0]: sequence where a mapping belongs");
}

#[test]
fn null_is_absent_and_a_null_text_is_empty() {
    let thing = read("name: a\nports:\nlabels: {x: }\non: ~\n").unwrap();
    assert_eq!(thing.ports, []);
    assert_eq!(thing.on, None);
    assert_eq!(thing.labels.get("x").map(String::as_str), Some(""));
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let (place, message) = read("name: a\nlabels: {x: y, x: z}\n").unwrap_err();
    assert_eq!(place, at(2, 16));
    assert_eq!(message, "labels.x: is there twice: remove one");
    assert!(read("name: a\nname: b\n").is_err());
}
