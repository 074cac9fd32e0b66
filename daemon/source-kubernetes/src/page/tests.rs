use proptest::prelude::*;

use super::*;

/// The parts of a text that comes in pieces of this length.
fn parts(text: &str, length: usize) -> Option<(Vec<(Part, String)>, bool)> {
    let mut splitter = Splitter::default();
    let mut parts = Vec::new();
    for piece in text.as_bytes().chunks(length) {
        let mut take = |part, clip: &Clip| {
            assert!(!clip.is_cut());
            let octets = clip.octets().to_vec();
            parts.push((part, String::from_utf8(octets).unwrap()));
        };
        splitter.feed(piece, &mut take).ok()?;
    }
    Some((parts, splitter.is_complete()))
}

#[test]
fn a_list_is_taken_apart_wherever_it_is_cut() {
    let list = r#" {"kind": "List", "metadata": {"a": {"items": [{}]}},
        "items": [{"a": "}]\"\\"}, {"b": [{"metadata": {}}, 1]},{}] , "more": ["{", 1]} "#;
    let items = [
        r#"{"a": "}]\"\\"}"#,
        r#"{"b": [{"metadata": {}}, 1]}"#,
        "{}",
    ];
    let mut expected = vec![(Part::Metadata, r#"{"a": {"items": [{}]}}"#.to_owned())];
    expected.extend(items.map(|item| (Part::Item, item.to_owned())));
    for length in 1..list.len() {
        assert_eq!(parts(list, length), Some((expected.clone(), true)));
    }
    let nothing = r#"{"items": null, "metadata": {}}"#;
    let expected = vec![(Part::Metadata, "{}".to_owned())];
    assert_eq!(parts(nothing, 7), Some((expected, true)));
}

#[test]
fn what_is_no_list_is_refused() {
    for text in [
        "<html>",
        "[]",
        "{}{}",
        "}",
        r#""items""#,
        r#"{"items": {}}"#,
        r#"{"items": [1]}"#,
        r#"{"items": ["a"]}"#,
        r#"{"items": [[]]}"#,
        r#"{"metadata": []}"#,
    ] {
        assert_eq!(parts(text, 3), None, "{text}");
    }
    assert_eq!(parts(r#"{"items": ["#, 3), Some((Vec::new(), false)));
}

proptest! {
    /// Whatever is in a list, and however it comes, its items come out as they went in.
    #[test]
    fn every_item_comes_out(
        items in prop::collection::vec(".*", 0..5),
        keys in prop::collection::vec(r#"items|metadata|[a-z"\\{}]{0,9}"#, 0..5),
        length in 1..50usize,
    ) {
        let item = |text: &String| serde_json::json!({"items": [{"x": text}]});
        let items: Vec<_> = items.iter().map(item).collect();
        let more: serde_json::Map<_, _> =
            keys.into_iter().map(|key| (format!("x{key}"), serde_json::json!([{}]))).collect();
        let mut list = serde_json::Value::Object(more);
        list["items"] = items.clone().into();
        let (parts, is_complete) = parts(&list.to_string(), length).unwrap();
        let found: Vec<serde_json::Value> =
            parts.iter().map(|(_, item)| serde_json::from_str(item).unwrap()).collect();
        prop_assert_eq!(found, items);
        prop_assert!(is_complete);
    }

    /// No text is too strange.
    #[test]
    fn any_text_is_split_or_refused(text in r#"([\[\]{}:,"\\ ]|items|metadata|1)*"#) {
        let _ = parts(&text, 5);
    }
}

#[test]
fn of_what_is_too_long_both_ends_are_kept_and_little_else() {
    let mut clip = Clip::default();
    clip.push(b"begin");
    for _ in 0..100 {
        clip.push(&vec![b'x'; 1 << 20]);
        assert!(clip.octets().len() <= 10 << 20);
    }
    clip.push(b"end");
    assert!(clip.is_cut());
    assert!(clip.octets().starts_with(b"begin") && clip.octets().ends_with(b"end"));
    clip.clear();
    clip.push(b"short");
    assert!(!clip.is_cut());
    assert_eq!(clip.octets(), b"short");
}
