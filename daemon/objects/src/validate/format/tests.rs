use super::*;

fn told<T>(result: Result<T, String>) -> String {
    result.err().unwrap_or_default()
}

#[test]
fn names_are_those_of_rfc_1123() {
    let long = "a".repeat(64);
    for right in ["a", "web-1", "1web", &"a".repeat(63)] {
        assert_eq!(told(Name::Label.check(right)), "", "{right}");
    }
    for right in ["n1.example.com", "a", &long] {
        assert_eq!(told(Name::Subdomain.check(right)), "", "{right}");
    }
    for wrong in ["", "Web", "-a", "a-", "a_b", "a.b", "ä", &long] {
        assert_ne!(told(Name::Label.check(wrong)), "", "{wrong}");
    }
    for wrong in ["", ".", "a..b", "a.-b", "N1", &"a".repeat(254)] {
        assert_ne!(told(Name::Subdomain.check(wrong)), "", "{wrong}");
    }
    assert_eq!(
        told(Name::Label.check("My_Web.1")),
        "\"My_Web.1\" is not a name here: up to 63 small letters, digits and `-`, a letter or digit \
         at both ends; write for example my-web-1"
    );
    assert_eq!(
        told(Name::Subdomain.check("N_1.example.com")),
        "\"N_1.example.com\" is not a name here: up to 253 small letters, digits and `-` and `.`, a \
         letter or digit at both ends; write for example n-1.example.com"
    );
    assert!(told(Name::Label.check(&long)).ends_with("write for example web-1"));
}

#[test]
fn labels_have_keys_and_values() {
    for right in [
        "app",
        "a_b.C-1",
        "example.com/app",
        "kubernetes.io/hostname",
    ] {
        assert_eq!(told(qualified_name(right)), "", "{right}");
    }
    let long = "a".repeat(64);
    for wrong in [
        "",
        "a b",
        "/a",
        "a/",
        "a/b/c",
        "Example.com/app",
        "-a",
        &long,
    ] {
        assert_ne!(told(qualified_name(wrong)), "", "{wrong}");
    }
    for right in ["", "a", "A_b.c-1", &"a".repeat(63)] {
        assert_eq!(told(label_value(right)), "", "{right}");
    }
    for wrong in ["a b", "-a", "a/b", &long] {
        assert_ne!(told(label_value(wrong)), "", "{wrong}");
    }
}

#[test]
fn ports_have_names() {
    for right in ["http", "web-1", "a", "123456789012-ab"] {
        assert_eq!(told(port_name(right)), "", "{right}");
    }
    for wrong in ["", "Http", "a--b", "-a", "1234567890123456", "a.b", "12"] {
        assert_ne!(told(port_name(wrong)), "", "{wrong}");
    }
    assert_eq!(
        told(port_name("8080")),
        "\"8080\" is not the name of a port: write the number without quotes"
    );
}

/// A text, the family that is wanted, and what is told.
const ADDRESSES: &[(&str, Option<Family>, &str)] = &[
    ("192.0.2.1", None, ""),
    ("2001:db8::1", None, ""),
    ("::fffe:0:1", Some(Family::V6), ""),
    (
        "10.254.0.666",
        Some(Family::V4),
        "\"10.254.0.666\" is not an IPv4 address, such as 192.0.2.1",
    ),
    (
        "2001:db8::g",
        Some(Family::V6),
        "\"2001:db8::g\" is not an IPv6 address, such as 2001:db8::1",
    ),
    (
        "web",
        None,
        "\"web\" is not an IP address, such as 192.0.2.1 or 2001:db8::1",
    ),
    (
        "",
        None,
        "\"\" is not an IP address, such as 192.0.2.1 or 2001:db8::1",
    ),
    (
        "192.0.2.1",
        Some(Family::V6),
        "\"192.0.2.1\" is not an IPv6 address",
    ),
    (
        "::ffff:192.0.2.1",
        Some(Family::V4),
        "\"::ffff:192.0.2.1\" is an IPv4 address in the form of IPv6: write 192.0.2.1",
    ),
    (
        "010.000.000.001",
        None,
        "\"010.000.000.001\" has leading zeros, with which programs disagree what number it \
             is: write 10.0.0.1",
    ),
    (
        "192.0.2.1/32",
        None,
        "\"192.0.2.1/32\" is not an address alone: write 192.0.2.1",
    ),
    (
        "192.0.2.1:80",
        None,
        "\"192.0.2.1:80\" is not an address alone: write 192.0.2.1",
    ),
    (
        "[2001:db8::1]",
        None,
        "\"[2001:db8::1]\" is not an address alone: write 2001:db8::1",
    ),
    (
        "fe80::1%eth0",
        None,
        "\"fe80::1%eth0\" is not an address alone: write fe80::1",
    ),
    (
        " 192.0.2.1",
        None,
        "\" 192.0.2.1\" is not an address alone: write 192.0.2.1",
    ),
];

#[test]
fn what_is_no_address_is_told_with_what_would_be_right() {
    for (text, family, expected) in ADDRESSES {
        assert_eq!(told(address(text, *family)), *expected, "{text}");
    }
}

#[test]
fn endpoints_have_addresses_that_nodes_reach() {
    let told = |text: &str| told(endpoint(text.parse().unwrap()));
    for right in ["10.0.0.1", "192.0.2.255", "2001:db8::1", "fd00::1"] {
        assert_eq!(told(right), "", "{right}");
    }
    for wrong in [
        "0.0.0.0",
        "::",
        "::1",
        "169.254.0.1",
        "224.0.0.5",
        "fe80::1",
        "ff02::1",
    ] {
        assert_ne!(told(wrong), "", "{wrong}");
    }
    assert_eq!(
        told("127.0.0.1"),
        "127.0.0.1 is an address that every host has for itself: write the address by which the \
         nodes reach the endpoint"
    );
}

#[test]
fn blocks_are_cidrs() {
    for right in [
        "10.0.0.0/8",
        "10.0.0.1/8",
        " 10.0.0.0/8 ",
        "::/0",
        "2001:db8::/64",
    ] {
        assert_eq!(told(cidr(right)), "", "{right}");
    }
    for (text, expected) in [
        (
            "10.0.0.1",
            "\"10.0.0.1\" is not a CIDR: write 10.0.0.1/32 if you mean just it",
        ),
        (
            "10.0.0.0/33",
            "\"10.0.0.0/33\" is not a CIDR: the prefix length of IPv4 is 0 to 32",
        ),
        (
            "10.0.0.0/08",
            "\"10.0.0.0/08\" is not a CIDR: the prefix length of IPv4 is 0 to 32",
        ),
        (
            "::/129",
            "\"::/129\" is not a CIDR: the prefix length of IPv6 is 0 to 128",
        ),
        (
            "10.0.0/8",
            "\"10.0.0/8\" is not a CIDR: \"10.0.0\" is not an IP address, such as 192.0.2.1 or \
             2001:db8::1",
        ),
        (
            "all",
            "\"all\" is not a CIDR: write for example 192.0.2.0/24 or 2001:db8::/64",
        ),
    ] {
        assert_eq!(told(cidr(text)), expected, "{text}");
    }
}
