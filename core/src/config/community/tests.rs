use super::*;

#[test]
fn accepted() {
    let table = [
        ("64512:100", 0xfc00_0064),
        ("0:0", 0),
        ("65535:65535", u32::MAX),
        ("65535:65281", 0xffff_ff01),
        ("007:1", 0x0007_0001),
    ];
    for (text, value) in table {
        assert_eq!(text.parse(), Ok(Community(value)), "{text}");
    }
    assert_eq!(Community(0xfc00_0064).to_string(), "64512:100");
}

#[test]
fn refused() {
    for text in [
        "", "1", "1:", ":1", "65536:1", "1:65536", "-1:1", "+1:1", "1:2:3", "a:b", "1 :2",
    ] {
        let message = format!(
            "{text:?} is not a community: write two numbers from 0 to 65535 with a colon between \
             them, for example 64512:100"
        );
        assert_eq!(text.parse::<Community>().unwrap_err().to_string(), message);
    }
    assert_eq!(
        "large:1:2:3".parse::<Community>().unwrap_err().to_string(),
        "\"large:1:2:3\" is a large community, not supported yet: write one like 64512:100"
    );
}
