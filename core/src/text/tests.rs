use super::*;

#[test]
fn short_texts_stay_and_long_ones_are_cut_to_eighty_characters() {
    for text in ["", "web", &"é".repeat(MOST)] {
        assert_eq!(excerpt(text), text);
        assert_eq!(bounded(text), text);
    }
    let long = "é".repeat(MOST + 1);
    for cut in [excerpt(&long), bounded(&long).into_owned()] {
        assert_eq!(cut.chars().count(), MOST);
        assert!(cut.starts_with("ééé") && cut.contains('…'), "{cut}");
    }
}

#[test]
fn long_texts_are_the_same_only_if_all_of_them_is() {
    let long = "k".repeat(256 << 10);
    let (a, b) = (long.clone() + "a", long.clone() + "b");
    assert_eq!(bounded(&a), bounded(&a.clone()));
    assert_ne!(bounded(&a), bounded(&b));
    assert_ne!(bounded(&a), bounded(&long));
}

#[test]
fn many_labels_are_the_same_only_if_all_of_them_are() {
    let labels = |last: &str| -> BTreeMap<String, String> {
        let many = (0..1000).map(|n| (format!("key-{n:04}"), "x".to_owned()));
        many.chain([("last".to_owned(), last.to_owned())]).collect()
    };
    let few = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
    assert_eq!(bounded_labels(few.clone()), few);
    assert_eq!(bounded_labels(labels("a")).len(), 1);
    assert_eq!(bounded_labels(labels("a")), bounded_labels(labels("a")));
    assert_ne!(bounded_labels(labels("a")), bounded_labels(labels("b")));
}
