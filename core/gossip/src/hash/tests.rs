use super::*;

/// The vectors of its authors.
#[test]
fn it_is_the_hash_that_others_know() {
    for (text, short, long) in [
        ("", 0x811c_9dc5, 0xcbf2_9ce4_8422_2325),
        ("a", 0xe40c_292c, 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0xbf9c_f968, 0x8594_4171_f739_67e8),
    ] {
        assert_eq!(fnv32(text.as_bytes()), short, "{text}");
        assert_eq!(fnv64(text.as_bytes()), long, "{text}");
    }
}
