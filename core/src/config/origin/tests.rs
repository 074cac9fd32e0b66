use super::*;
use crate::yaml::{self, Content, Node};

/// The place in the file of the word `TARGET` in the text `data.config`.
fn place_of_target(source: &str) -> Spot {
    let root = yaml::parse(source).unwrap().unwrap();
    let config = value_of(value_of(&root, "data"), "config");
    let Content::Scalar { text, .. } = &config.content else {
        panic!("not a text: {config:?}");
    };
    let before = text.split("TARGET").next().unwrap();
    let position = Position {
        line: before.matches('\n').count() + 1,
        column: before.split('\n').next_back().unwrap().chars().count() + 1,
    };
    Origin::embedded("f", source, text, config.position).spot(position)
}

fn value_of<'n>(node: &'n Node, key: &str) -> &'n Node {
    let Content::Mapping(entries) = &node.content else {
        panic!("not a mapping: {node:?}");
    };
    &entries
        .iter()
        .find(|entry| &*entry.key == key)
        .unwrap()
        .value
}

#[test]
fn a_literal_is_found_to_the_character() {
    let sources = [
        "data:\n  config: |\n    a: TARGET\n",
        "data:\n  config: |-  # a comment\n    a: 1\n    b:\n    - TARGET",
        "data:\n  config: |\n\n\n      a: 1\n\n      TARGET: 2\n\n",
        "data:\n  config: |2\n      a: 1\n    TARGET: 2\n",
        "data:\n  config: |+\n    é: {ü: TARGET}\n\n",
        "data:\r\n  config: |\r\n    a: 1\r\n    b: TARGET\r\n",
        "data:\n  config: !!str |\n    a: 1   \n    b: TARGET   \n",
        "data:\n  config: &x |\n    a: TARGET\n  other: *x\n",
        "data:\n  other: &x |\n    a: TARGET\n  config: *x\n",
        "# nothing\n---\n---\ndata:\n  config: |\n    a: TARGET\n  more: x\n",
        "data:\n  config: |\n    a: TARGET\n...\n",
    ];
    for source in sources {
        let place = place_of_target(source);
        let line = source.lines().nth(place.position.line - 1).unwrap();
        let at: String = line.chars().skip(place.position.column - 1).collect();
        assert!(at.starts_with("TARGET"), "{source:?}: {:?}", place.position);
        assert_eq!(place.within, None);
    }
}

#[test]
fn a_quoted_or_folded_text_is_found_as_a_whole() {
    let sources = [
        ("data:\n  config: \"a: 1\\nb: TARGET\"\n", (2, 11), (2, 4)),
        ("data: {config: 'TARGET: {}'}\n", (1, 16), (1, 1)),
        (
            "{\"data\": {\"config\": \"a:\\n- TARGET\\n\"}}",
            (1, 21),
            (2, 3),
        ),
        (
            "data:\n  config: >\n    a: 1\n\n    b:\n    TARGET\n",
            (3, 5),
            (2, 4),
        ),
    ];
    for (source, (line, column), (text_line, text_column)) in sources {
        let place = place_of_target(source);
        assert_eq!(place.position, Position { line, column }, "{source}");
        let within = Position {
            line: text_line,
            column: text_column,
        };
        assert_eq!(place.within, Some(within), "{source}");
    }
}
