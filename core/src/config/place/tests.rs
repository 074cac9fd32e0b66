use super::*;
use crate::yaml;

const TEXT: &str = "\
peers:
- {a.b/c: 1, \"\": 2}
pools: [{name: a}, {name: b}]
";

fn place(path: Path, at: Option<Position>) -> Place {
    let object = "f".into();
    Place { object, path, at }
}

/// What is told of a place, and how it is called from elsewhere in the object.
fn told(path: Path, at: Option<Position>) -> [String; 2] {
    let root = yaml::parse(TEXT).unwrap();
    let texts = Texts::of(Origin::whole("f"), root);
    let place = place(path, at);
    [
        texts.error(&place, "wrong").to_string(),
        texts.seen_from(&place, &place),
    ]
}

#[test]
fn the_position_is_found_by_the_path() {
    let first = Path::fields(&["peers"]).item(0);
    let cases = [
        (Path::default(), "f:1:1: wrong", "line 1"),
        (first.clone(), "f:2:3: peers[0]: wrong", "line 2"),
        (
            first.clone().field("a.b/c"),
            "f:2:11: peers[0][\"a.b/c\"]: wrong",
            "line 2",
        ),
        (first.field(""), "f:2:18: peers[0][\"\"]: wrong", "line 2"),
        (
            Path::fields(&["pools"]).item(1).field("name"),
            "f:3:27: pools[1].name: wrong",
            "line 3",
        ),
        // Where the path ends, the innermost value is told.
        (
            Path::fields(&["pools"]).item(1).field("addresses").item(7),
            "f:3:20: pools[1].addresses[7]: wrong",
            "line 3",
        ),
        (
            Path::fields(&["pools"]).item(9),
            "f:3:8: pools[9]: wrong",
            "line 3",
        ),
        (
            Path::fields(&["pools", "name"]),
            "f:3:8: pools.name: wrong",
            "line 3",
        ),
    ];
    for (path, error, line) in cases {
        assert_eq!(told(path, None), [error, line]);
    }
}

#[test]
fn a_position_that_is_given_counts() {
    let at = Some(Position { line: 9, column: 8 });
    let path = Path::fields(&["pools"]);
    assert_eq!(told(path, at), ["f:9:8: pools: wrong", "line 9"]);
}

#[test]
fn a_place_of_an_object_without_a_text_is_known_by_its_name() {
    let texts = Texts::default();
    let [pool, other] = ["Pool a/b", "Pool a/c"].map(|object| Place {
        object: object.into(),
        path: Path::fields(&["spec", "addresses"]).item(1),
        at: None,
    });
    assert_eq!(
        texts.error(&pool, "wrong").to_string(),
        "Pool a/b: spec.addresses[1]: wrong"
    );
    assert_eq!(
        texts.seen_from(&pool, &other),
        "spec.addresses[1] of Pool a/b"
    );
}

#[test]
fn a_place_of_another_object_is_told_with_that() {
    let texts = Texts::of(Origin::whole("f"), yaml::parse(TEXT).unwrap());
    let pools = place(Path::fields(&["pools"]), None);
    let other = Place {
        object: "g".into(),
        ..pools.clone()
    };
    assert_eq!(texts.seen_from(&pools, &other), "f:3");
}

#[test]
fn keys_of_the_users_choice_are_told_apart_from_fields() {
    let path = Path::fields(&["metadata", "annotations"]).field("a.b/c d");
    assert_eq!(path.to_string(), "metadata.annotations[\"a.b/c d\"]");
    let path = Path::fields(&["metadata", "annotations"]).field("a.b/c");
    assert_eq!(path.to_string(), "metadata.annotations[a.b/c]");
    assert_eq!(path.quoted(), "metadata.annotations[\"a.b/c\"]");
}
