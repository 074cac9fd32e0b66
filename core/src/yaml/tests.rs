use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// A tree on one line: places as `line:column`, quoted texts in quotes.
fn show(node: &Node) -> String {
    let Position { line, column } = node.position;
    let content = match &node.content {
        Content::Null => "~".to_owned(),
        Content::Scalar { text, plain: true } => text.clone(),
        Content::Scalar { text, plain: false } => format!("{text:?}"),
        Content::Sequence(items) => {
            let items: Vec<_> = items.iter().map(|node| show(node)).collect();
            format!("[{}]", items.join(" "))
        }
        Content::Mapping(entries) => {
            let entry = |entry: &Entry| {
                let Position { line, column } = entry.position;
                format!("{line}:{column} {}={}", entry.key, show(&entry.value))
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(" "))
        }
    };
    format!("{line}:{column} {content}")
}

fn tree(text: &str) -> String {
    match parse(text) {
        Ok(Some(root)) => show(&root),
        Ok(None) => "nothing".to_owned(),
        Err(error) => {
            let Position { line, column } = error.position;
            format!("{line}:{column} {error}")
        }
    }
}

#[test]
fn every_node_knows_its_place() {
    let text = "# a comment\na:\n- x\n- 'y'\nb: {c: 1, d: ~}\ne: |\n  text\n";
    assert_eq!(
        tree(text),
        "2:1 {2:1 a=3:3 [3:3 x 4:3 \"y\"] 5:1 b=5:4 {5:5 c=5:8 1 5:11 d=5:14 ~} \
         6:1 e=7:3 \"text\\n\"}"
    );
}

#[test]
fn columns_are_characters() {
    assert_eq!(tree("é: {ü: x}"), "1:1 {1:1 é=1:4 {1:5 ü=1:8 x}}");
}

#[test]
fn tags_of_yaml_itself_are_understood() {
    assert_eq!(tree("!!str 12"), "1:7 \"12\"");
    assert_eq!(tree("!!int 12"), "1:7 12");
    assert_eq!(
        tree("a: !secret x"),
        "1:12 custom YAML tags are not supported: remove the tag (the word that starts with \"!\")"
    );
}

#[test]
fn aliases_stand_for_the_anchored_node() {
    assert_eq!(tree("[&a x, *a]"), "1:1 [1:5 x 1:5 x]");
    assert_eq!(
        tree("[&a [*a]]"),
        "1:6 this alias refers to what contains it"
    );
}

#[test]
fn merge_keys_add_what_is_not_there() {
    let text = "d: &d {a: 1, b: 2}\nx:\n  b: 3\n  <<: *d\n  c: 4\n";
    assert_eq!(
        tree(text),
        "1:1 {1:1 d=1:7 {1:8 a=1:11 1 1:14 b=1:17 2} \
         2:1 x=3:3 {3:3 b=3:6 3 5:3 c=5:6 4 1:8 a=1:11 1}}"
    );
    assert_eq!(tree("<<: [{a: 1}, {a: 2, b: 3}]"), {
        "1:1 {1:7 a=1:10 1 1:21 b=1:24 3}"
    });
    assert_eq!(
        tree("<<: 1"),
        "1:1 the merge key \"<<\" takes a mapping: write for example <<: *defaults"
    );
    assert_eq!(tree("'<<': 1"), "1:1 {1:1 <<=1:7 1}");
}

/// What would take minutes if the keys that are there were gathered for every mapping merged.
#[test]
fn many_mappings_merged_into_many_keys() {
    let keys: Vec<String> = (0..30_000).map(|n| format!("k{n}: 1")).collect();
    let merged = "*a, ".repeat(30_000);
    let text = format!("{}\na: &a {{k1: 2}}\n<<: [{merged}]\n", keys.join("\n"));
    let limits = Limits {
        bytes: text.len(),
        nodes: 1_000_000,
    };
    let root = parse_within(&text, limits).unwrap().unwrap();
    let Content::Mapping(entries) = &root.content else {
        panic!("{root:?}");
    };
    assert_eq!(entries.len(), 30_001);
}

#[test]
fn one_document_at_most() {
    assert_eq!(tree("# nothing"), "nothing");
    assert_eq!(tree("---\n---\na\n---\n"), "3:1 a");
    assert_eq!(
        tree("a: 1\n---\nb: 2\n"),
        "3:1 a second YAML document starts here: keep one, and remove the \"---\""
    );
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    for (text, place) in [
        ("a: [1, 2\nb: 3\n", "2:2 "),
        ("a: [1, 2\n", "1:4 "),
        ("a: 1\n b: 2\n", "2:3 "),
        ("a: b: c", "1:5 "),
        ("a:\n\t- b\n", "2:1 "),
        ("a: 'x", "1:4 "),
        ("a: *x", "1:4 "),
        ("- a\nb", "2:1 "),
    ] {
        let found = tree(text);
        assert!(
            found.starts_with(&format!("{place}not valid YAML: ")),
            "{text:?}: {found}"
        );
    }
    assert_eq!(tree("? [a]\n: 1"), "1:3 a key must be a plain word");
}

#[test]
fn depth_size_and_aliases_are_bounded() {
    let deep = "[".repeat(100_000);
    assert!(parse(&deep).is_err());
    let deep = (0..100).fold(String::new(), |text, depth| {
        text + &" ".repeat(depth) + "a:\n"
    });
    assert!(parse(&deep).is_err());

    let long = "a".repeat(Limits::OBJECT.bytes + 1);
    assert_eq!(
        tree(&long),
        "1:1 the text is longer than 1048576 bytes: split or shorten it"
    );

    // Each line is ten times the line before.
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        writeln!(bomb, "a{n}: &a{n} [{aliases}]").unwrap();
    }
    assert_eq!(
        tree(&bomb),
        "6:20 more than 250000 values, aliases counted: simplify it"
    );

    let keys: Vec<_> = (0..1000).map(|n| format!("k{n}: 1")).collect();
    let merges = "- {<<: *d}\n".repeat(10_000);
    let bomb = format!("- &d {{{}}}\n{merges}", keys.join(", "));
    let error = parse(&bomb).unwrap_err();
    assert_eq!(
        error.message,
        "more than 250000 values, aliases counted: simplify it"
    );
}

#[test]
fn every_encoding_of_yaml_is_read() {
    let text = "a: ü\r\nb: 𝄞\n";
    let with_mark = format!("\u{feff}{text}");
    let utf16 = |text: &str, of: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(of).collect();
    let utf32 = |text: &str, of: fn(u32) -> [u8; 4]| {
        let units = text.chars().map(u32::from);
        units.flat_map(of).collect::<Vec<u8>>()
    };
    for text in [text, &with_mark] {
        let encoded: [Vec<u8>; 5] = [
            text.as_bytes().to_vec(),
            utf16(text, u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
            utf32(text, u32::to_le_bytes),
            utf32(text, u32::to_be_bytes),
        ];
        for octets in encoded {
            assert_eq!(
                decode(octets.clone()).as_deref(),
                Ok("a: ü\r\nb: 𝄞\n"),
                "{octets:x?}"
            );
        }
    }
    assert_eq!(decode(Vec::new()).as_deref(), Ok(""));
    for (text, expected) in [
        ("a: 1\rb: 2\r---\rc: 3\r", "a: 1\nb: 2\n---\nc: 3\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\r\nb: 2\r\n"),
        ("\ra\r\r\nb\r", "\na\n\r\nb\n"),
    ] {
        assert_eq!(decode(text.into()).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let wrong = |octets: &[u8]| {
        let error = decode(octets.to_vec()).unwrap_err();
        let Position { line, column } = error.position;
        format!("{line}:{column} {error}")
    };
    assert_eq!(
        wrong(b"a: 1\n\xc3\xa4: \xff\n"),
        "2:4 the byte 0xff is not UTF-8: save the file as UTF-8 text"
    );
    assert_eq!(
        wrong(b"a\0:\0\n\0\0\xd8x\0"),
        "2:1 what follows is not UTF-16: save the file as UTF-8 text"
    );
    assert_eq!(
        wrong(b"\xfe\xff\0a\0"),
        "1:2 the file, which is UTF-16, ends within a character: save the file as UTF-8 text"
    );
    assert_eq!(
        wrong(b"\0\0\0a\0\x11\0\0"),
        "1:2 what follows is not UTF-32: save the file as UTF-8 text"
    );
}

#[test]
fn what_cannot_be_seen_is_told() {
    for (text, told) in [
        // The parser notices a line later.
        (
            "a:\n- b: 1\n  c:\u{a0}2\n  d: 3\n",
            "3:5 not valid YAML: simple key expected ':'; here is a no-break space (U+00A0), which cannot be seen: write a space",
        ),
        (
            "a: [1,\u{3000}2\n",
            "1:7 not valid YAML: unclosed bracket '['; here is a space of a special width \
             (U+3000), which cannot be seen: write a space",
        ),
        (
            "a: [1\u{200b}\n\n\n",
            "1:6 not valid YAML: unclosed bracket '['; here is a zero-width space (U+200B), which \
             cannot be seen: remove it",
        ),
        (
            "a: {b: {{ .Values.peerAsn }}\n",
            "1:8 a key must be a plain word; here is a template that was not rendered, \
             \"{{ .Values.peerAsn }}\": render it first",
        ),
        (
            "{{- if .Values.on }}\na: 1\n{{- end }}\n",
            "1:1 not valid YAML: \"-\" is only valid inside a block; here is a template that was \
             not rendered, \"{{- if .Values.on }}\": render it first",
        ),
    ] {
        assert_eq!(tree(text), told);
    }
    let tab = tree("a:\n\tb: 1\n");
    assert!(
        tab.starts_with("2:1 ")
            && tab.ends_with(
                "a tab in the indentation, which cannot be told from spaces: write spaces"
            ),
        "{tab}"
    );
    let quote = tree("a: [“x“, y\nb: ‘\n");
    assert!(quote.contains("typographic quote"), "{quote}");
    // In a comment, far above, or where nothing is wrong, they are nobody's business.
    for text in [
        "a: 1 # \u{a0}\n b: 2\n",
        "\u{a0}x: 1\na: 1\nb: 1\nc: 1\nd: 1\n e: 2\n",
    ] {
        assert!(
            tree(text).contains("check the indentation"),
            "{}",
            tree(text)
        );
    }
    assert_eq!(tree("a: b\u{a0}c"), "1:1 {1:1 a=1:4 b\u{a0}c}");
}

#[test]
fn marks_that_are_nearly_right_are_told() {
    let hyphens = "here is a line of hyphens: write `---`, not indented, between two documents";
    let conflict = "here is the mark of a conflict of versions: resolve it";
    let colon = "here is a colon without a space behind it";
    let equals = "here is an equals sign: write a colon and a space";
    for (text, place, told) in [
        ("a: 1\n--\nb: 2\n", "2:1 ", hyphens),
        ("a: 1\n-----\nb: 2\n", "2:1 ", hyphens),
        ("a:\n  b: 1\n ---\nc: 2\n", "3:2 ", hyphens),
        ("<<<<<<< HEAD\na: 1\n", "1:1 ", conflict),
        ("a: 1\n=======\na: 2\n", "2:1 ", conflict),
        ("a: 1\n>>>>>>> theirs\n", "2:1 ", conflict),
        ("a:\n  type:LoadBalancer\n  b: 1\n", "2:7 ", colon),
        ("a:\n- port:80\n  b: 1\n", "2:7 ", colon),
        ("a:\n  type = LoadBalancer\n  b: 1\n", "2:8 ", equals),
    ] {
        let found = tree(text);
        assert!(
            found.starts_with(place) && found.ends_with(told),
            "{text:?}: {found}"
        );
    }
    // What is no error, or not the cause of one.
    for text in [
        "a:\n  - b:c\n",
        "a: b=c\n",
        "a: |\n  =======\n  --\n",
        "- fe80::1\n- a:b:c\n",
    ] {
        assert!(!tree(text).contains("here is"), "{text:?}: {}", tree(text));
    }
    for text in ["a: http://b\n b: 2\n", "a: [b:c\n"] {
        assert!(!tree(text).contains("here is"), "{text:?}: {}", tree(text));
    }
    let next = tree("{\"a\": 1}\n{\"a\": 2}\n");
    assert!(
        next.starts_with("2:1 ")
            && next.ends_with("; if another document begins here, write a line `---` above it"),
        "{next}"
    );
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "[-a&*!<:?|>'\"#%@{}\\[\\], \n\t~0é]{0,60}|\\PC{0,30}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.position.line >= 1 && error.position.column >= 1);
        }
    }
}
