use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// The blocks, or the message of the error.
fn blocks(text: &str) -> String {
    match parse(text) {
        Ok(blocks) => blocks
            .iter()
            .map(IpNet::to_string)
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn accepted() {
    let table = [
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("10.20.30.40/24", "10.20.30.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("198.51.100.7/32", "198.51.100.7/32"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::/0", "::/0"),
        ("1.2.3.4-1.2.3.4", "1.2.3.4/32"),
        ("fc00::4 - fc00::4", "fc00::4/128"),
        (
            "198.51.100.150-198.51.100.200",
            "198.51.100.150/31 198.51.100.152/29 198.51.100.160/27 198.51.100.192/29 \
             198.51.100.200/32",
        ),
        ("10.0.0.0 -\t10.0.0.255", "10.0.0.0/24"),
        ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
        ("0.0.0.0-0.0.0.0", "0.0.0.0/32"),
        ("255.255.255.255-255.255.255.255", "255.255.255.255/32"),
        ("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        // IPv4 in the clothes of IPv6 is IPv4.
        ("::ffff:198.51.100.9/120", "198.51.100.0/24"),
        ("::ffff:198.51.100.8-198.51.100.9", "198.51.100.8/31"),
    ];
    for (text, expected) in table {
        assert_eq!(blocks(text), expected, "{text}");
    }
}

#[test]
fn what_is_neither_form_is_refused() {
    let texts = [
        "",
        "100.200.300.400/24",
        "1.2.3/24",
        "1.2.3.0/",
        "1.2.3.0/+8",
        "1.2.3.0/24/8",
        " 1.2.3.0/24",
        "/24",
    ];
    for text in texts {
        let message = format!(
            "{text:?} is not a CIDR or a range: write for example 198.51.100.0/24 or \
             198.51.100.10-198.51.100.20"
        );
        assert_eq!(blocks(text), message);
    }
}

#[test]
fn ranges_between_what_is_no_address_are_refused() {
    let table = [
        ("400.200.100.0-1.2.3.4", "400.200.100.0"),
        ("1.2.3.4-300.2.3.4", "300.2.3.4"),
        ("1.2.3.4-", ""),
        ("1.2.3.4-1.2.3.5-1.2.3.6", "1.2.3.5-1.2.3.6"),
        ("1.2.3.0/24-1.2.4.0/24", "1.2.3.0/24"),
    ];
    for (text, side) in table {
        let message = format!(
            "{text:?} is not a CIDR or a range: {side:?} is not an IP address, write for example \
             198.51.100.10-198.51.100.20"
        );
        assert_eq!(blocks(text), message);
    }
}

#[test]
fn what_has_no_addresses_is_refused() {
    let table = [
        (
            "100.200.0.0/33",
            "is not a CIDR or a range: the prefix length of IPv4 is 0 to 32, write for example \
             198.51.100.0/24 or 198.51.100.10-198.51.100.20",
        ),
        (
            "fc00::/129",
            "is not a CIDR or a range: the prefix length of IPv6 is 0 to 128, write for example \
             2001:db8::/64 or 2001:db8::10-2001:db8::20",
        ),
        (
            "198.51.100.1",
            "is one address, not a CIDR or a range: write 198.51.100.1/32 if you mean just it",
        ),
        (
            "fc00::1",
            "is one address, not a CIDR or a range: write fc00::1/128 if you mean just it",
        ),
        (
            "1.2.3.9-1.2.3.4",
            "is a range that ends before it starts: did you mean 1.2.3.4-1.2.3.9?",
        ),
        (
            "1.2.3.4-fc00::1",
            "is a range from IPv4 to IPv6: both sides must be of the same family",
        ),
    ];
    for (text, message) in table {
        assert_eq!(blocks(text), format!("{text:?} {message}"));
    }
}

#[test]
fn addresses_that_no_host_can_have_are_refused() {
    let check = |text: &str| check_hosts(text, &parse(text).unwrap());
    for (text, block) in [
        ("0.0.0.0/32", "0.0.0.0/8"),
        ("0.1.2.3/32", "0.0.0.0/8"),
        ("127.0.0.1/32", "127.0.0.0/8"),
        ("224.0.0.5-224.0.0.9", "224.0.0.0/4"),
        ("239.255.0.0/16", "224.0.0.0/4"),
        ("240.0.0.0/24", "240.0.0.0/4"),
        ("255.255.255.255/32", "240.0.0.0/4"),
        ("0.0.0.0/0", "0.0.0.0/8"),
        ("126.255.255.0-127.0.0.0", "127.0.0.0/8"),
        ("192.0.0.0/2", "224.0.0.0/4"),
        ("::ffff:127.0.0.1/128", "127.0.0.0/8"),
        ("::/128", "::/128"),
        ("::1/128", "::1/128"),
        ("::/0", "::/128"),
        ("fe80::1/128", "fe80::/10"),
        ("fe00::/8", "fe80::/10"),
        ("ff02::1/128", "ff00::/8"),
        ("::fffe:0:0/95", "::ffff:0.0.0.0/96"),
    ] {
        let error = check(text).unwrap_err().to_string();
        let start = format!("{text:?} has addresses of {block}, which no host can have (");
        assert!(error.starts_with(&start), "{error}");
    }
    for text in [
        "1.0.0.0-126.255.255.255",
        "128.0.0.0-223.255.255.255",
        "169.254.7.0/24",
        "100.64.0.0/10",
        "192.168.7.255/32",
        "::2-::ffff",
        "2000::/3",
        "fc00::/7",
        "fec0::/10",
    ] {
        assert_eq!(check(text), Ok(()), "{text}");
    }
    assert_eq!(
        check("128.0.0.0/1").unwrap_err().to_string(),
        "\"128.0.0.0/1\" has addresses of 224.0.0.0/4, which no host can have (multicast groups, \
         RFC 5771): leave out 224.0.0.0/4 and 240.0.0.0/4"
    );
}

#[test]
fn the_worst_range_has_254_blocks() {
    let range = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
    assert_eq!(parse(range).unwrap().len(), 254);
}

/// First and last address of a block as numbers.
fn bounds(block: &IpNet) -> (u128, u128) {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    (number(block.network()), number(block.broadcast()))
}

/// The blocks follow each other without a gap from start to end, and none could be larger.
fn is_minimal_cover(blocks: &[IpNet], start: u128, end: u128) -> bool {
    let mut next = Some(start);
    for block in blocks {
        let (first, last) = bounds(block);
        if next != Some(first) {
            return false;
        }
        let parent = block.supernet().map(|parent| bounds(&parent));
        if parent.is_some_and(|(first, last)| start <= first && last <= end) {
            return false;
        }
        next = last.checked_add(1);
    }
    next == end.checked_add(1)
}

proptest! {
    #[test]
    fn an_ipv4_range_becomes_its_minimal_cover(a: u32, b in prop_oneof![any::<u32>(), 0..300_u32]) {
        let (start, end) = (a.min(a.wrapping_add(b)), a.max(a.wrapping_add(b)));
        let text = format!("{}-{}", Ipv4Addr::from(start), Ipv4Addr::from(end));
        let blocks = parse(&text).unwrap();
        prop_assert!(is_minimal_cover(&blocks, start.into(), end.into()), "{blocks:?}");
    }

    #[test]
    fn an_ipv6_range_becomes_its_minimal_cover(a: u128, shift in 0..128_u32, b: u128) {
        // Not mapped IPv4.
        let (a, b) = (a | 1 << 127, (a ^ (b >> shift)) | 1 << 127);
        let (start, end) = (a.min(b), a.max(b));
        let text = format!("{}-{}", Ipv6Addr::from(start), Ipv6Addr::from(end));
        let blocks = parse(&text).unwrap();
        prop_assert!(is_minimal_cover(&blocks, start, end), "{blocks:?}");
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[0-9a-f.:/ -]{0,40}|\\PC{0,20}") {
        if let Ok(blocks) = parse(&text) {
            prop_assert!((1..=254).contains(&blocks.len()));
        }
    }
}
